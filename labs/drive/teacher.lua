-- A congestion control to learn from: it knows three worlds by what it sees, one decision a round trip.
--
--   marks     behind an L4S queue: less by half of the share of marked packets, as DCTCP (RFC 8257),
--             up by a packet a round trip, less on round trips under 25 ms, as TCP Prague
--   delay     alone behind a queue that does not mark: a few packets in it are enough. The window goes
--             towards window * min_rtt/rtt + a few, as FAST TCP's does
--   compete   beside somebody who fills the queue: a packet more each round trip, faster the longer
--             nothing was lost, 0.7 of the window on loss, as H-TCP and CUBIC
--
-- From delay to compete: whoever is alone empties the queue by a smaller window, so the round trip
-- falls with it. If five smaller windows in a row do not shorten it, somebody else fills the queue.

local GROW, CUT = 1.5, 0.1                -- of the window: up in the start, down at most, a round trip
local ROUNDS, ELASTIC = 5, 0.5            -- of such a test; ln(rtt) per ln(window) if it is passed
local BETA = 0.7                          -- what is left of the window after a loss

local function queue_wanted(w)
    return 1 + 0.03 * w
end

-- The first rounds: up until the rate no longer follows, then what the path holds without a queue.
local function start(f, s, w, over, share)
    local is_full = f.rate and s.throughput < 1.25 * f.rate
    f.rate = s.throughput
    if s.lost > 0 or is_full and (share > 0 or over > 0.1) then
        local held = math.max(s.rate or 0, s.throughput) * s.min_rtt / 8 / s.mss
        f.mode, f.wait = "delay", 2
        return math.max(0.4 * w, math.min(held, w))
    end
    return s.app_limited and w or GROW * w
end

local function delay(f, s, w, over)
    local aim = w / (1 + over) + queue_wanted(w)
    local slack = f.lost and s.t - f.lost < 3 and 0 or 0.05
    local test = f.test
    if over < 1.5 * queue_wanted(w) / w + slack then
        f.test = nil
    elseif not test then
        f.test = {rounds = 0, from = w}
    else
        test.rounds = test.rounds + 1
        if test.rounds == 1 then
            test.rtt, test.w = s.srtt, w
        elseif test.rounds >= ROUNDS and test.before < 0.85 * test.w then
            f.test = nil
            if math.log(s.srtt / test.rtt) / math.log(test.before / test.w) < ELASTIC then
                f.mode, f.since = "compete", s.t
                return test.from
            end
        end
        test.before = w
    end
    return w * math.exp(math.max(-CUT, math.min(CUT, 0.5 * math.log(aim / w))))
end

local function compete(f, s, w, over)
    f.mode = over < 0.03 and "delay" or f.mode
    return w + math.min(1 + 6 * math.max(0, s.t - f.since - 0.5), math.max(1, 0.08 * w))
end

function on_sample(f, s)
    local w = s.cwnd
    if not s.interval or not s.srtt or not s.min_rtt then
        return w
    end
    local over = s.srtt / s.min_rtt - 1
    local share = s.delivered > 0 and s.ce / s.delivered or 0
    f.alpha = (f.alpha or 0.3) + (share - (f.alpha or 0.3)) / 16
    f.marked = share > 0 and s.t or f.marked
    if not f.mode then
        w = start(f, s, w, over, share)
    elseif f.wait then -- what is heard of now was sent before the last cut
        f.wait = f.wait > 1 and f.wait - 1 or nil
    elseif s.lost > 0 then
        f.lost = f.mode == "compete" and s.t or nil
        f.mode, f.test, f.wait = "delay", nil, 1
        w = BETA * w
    elseif f.marked and s.t - f.marked < 2 then
        f.mode, f.test = "delay", nil
        w = w * (1 - (share > 0 and f.alpha / 2 or 0)) + math.min(1, (s.srtt / 0.025) ^ 2)
    elseif f.mode == "delay" then
        w = delay(f, s, w, over)
    else
        w = compete(f, s, w, over)
    end
    return math.max(w, 2)
end
