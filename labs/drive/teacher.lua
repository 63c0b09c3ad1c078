-- A congestion control to learn from. It keeps nothing in mind but the last eight rows of a flow, one a
-- round trip, and so knows hardly more than its student will see: what it does can be learned of them.
--
--   start     half as much again each round trip, less and less the longer the round trip gets or, where
--             packets are marked, the less the rate follows; and down to nine tenths of what the path holds
--   loss      down to what the path holds without a queue, 0.35 to 0.7 of the window, once for all
--             losses of two round trips
--   marks     behind an L4S queue: less by half of the share of marked packets, as DCTCP (RFC 8257),
--             up by a packet a round trip, less on round trips under 25 ms, as TCP Prague
--   delay     behind a queue that does not mark: towards a round trip that is a few percent longer than
--             the least, as FAST TCP's
--   company   who keeps it that short did not fill a long queue, others did: the longer the round trip,
--             the more it goes up by 70 packets a second, as they do, until something is lost
--
-- Only as long as its own start is in sight a long queue is its own, and later, where the rate falls, it
-- takes its own queue for company until the next loss. Nothing in it depends on the sum of many small
-- steps: who imitates it and errs by a little does nearly the same.
local ROWS = 8
local START, FILLING, FULL = 1.5, 0.1, 0.4 -- a round trip; round trip over the least
local HELD, LEAST_HELD = 0.9, 0.4          -- where a start ends: of what the path holds, of the window
local LOSS, LEAST_LOSS = 0.7, 0.35         -- what a loss leaves
local CUT, START_CUT, STARTED = 0.1, 0.2, 5 -- ln(window), a round trip; rows that a start is in sight
local ALONE, COMPANY = 0.05, 0.25          -- round trip over the least
local PER_S, MOST = 70, 0.12               -- packets; of the window, a round trip

-- From 0 at `low` to 1 at `high`, with no corner.
local function smooth(x, low, high)
    local t = math.max(0, math.min(1, (x - low) / (high - low)))
    return t * t * (3 - 2 * t)
end

-- ln of what became of the window after row j; the newest is row 1.
local function did(f, j)
    return math.log(f[j - 1].cwnd / f[j].cwnd)
end

-- So far the window only grew.
local function is_starting(f)
    for j = 2, #f do
        if did(f, j) < -0.02 then
            return false
        end
    end
    return #f < ROWS
end

local function start(f, row)
    local held = 0 -- what the path holds without a queue, in packets
    for j = 1, #f do
        held = math.max(held, f[j].throughput * row.min_rtt / 8 / row.mss)
    end
    local back = math.log(math.max(LEAST_HELD, math.min(HELD * held / row.cwnd, 1)))
    local full = row.lost > 0 and 1 or smooth(row.over, FILLING, FULL)
    if row.share > 0 and f[2] then
        full = math.max(full, 1 - smooth(row.throughput / f[2].throughput, 1.05, 1.4))
    end
    local more = row.app_limited and 0 or math.log(START)
    return row.cwnd * math.exp((1 - full) * more + full * back)
end

-- The first row of a loss.
local function is_loss(f, j)
    return f[j].lost > 0 and not (f[j + 1] and f[j + 1].lost > 0) and not (f[j + 2] and f[j + 2].lost > 0)
end

-- The row after it asks for the same window once more.
local function loss(f, row)
    for j = 1, 2 do
        if is_loss(f, j) then
            local left = math.max(LEAST_LOSS, math.min(LOSS, 1 / (1 + f[j].over)))
            return math.max(LEAST_LOSS * row.cwnd, math.min(left * f[j].cwnd, row.cwnd))
        end
    end
    return row.cwnd
end

-- Of the rows in sight; nil: there was no mark.
local function marked_share(f)
    local sum = 0
    for j = 1, #f do
        sum = sum + f[j].share
    end
    return sum > 0 and sum / ROWS or nil
end

local function marked(row, share)
    return row.cwnd * (1 - (row.share > 0 and share / 2 or 0)) + math.min(1, (row.srtt / 0.025) ^ 2)
end

-- How much of a start is in sight.
local function started(f)
    local most = 0
    for j = 2, math.min(STARTED, #f) do
        most = math.max(most, smooth(did(f, j), 0.15, 0.3))
    end
    return most
end

local function unmarked(f, row)
    local w, own = row.cwnd, started(f)
    local cut = CUT + (START_CUT - CUT) * own
    local queue = 0.03 + 1 / w -- wanted, as a share of the window
    local change = math.max(-cut, math.min(CUT, 0.5 * math.log(1 / (1 + row.over) + queue)))
    local more = math.log(1 + math.max(1, math.min(PER_S * row.srtt, MOST * w)) / w)
    local others = smooth(row.over, ALONE, COMPANY) * (1 - own)
    return w * math.exp((1 - others) * change + others * more)
end

function on_sample(f, s)
    if not s.interval or not s.srtt or not s.min_rtt then
        return s.cwnd
    end
    local row = {cwnd = s.cwnd, srtt = s.srtt, min_rtt = s.min_rtt, over = s.srtt / s.min_rtt - 1, mss = s.mss,
                 throughput = s.throughput, share = s.delivered > 0 and s.ce / s.delivered or 0, lost = s.lost,
                 app_limited = s.app_limited}
    table.insert(f, 1, row)
    f[ROWS + 1] = nil
    local w, share = nil, marked_share(f)
    if is_starting(f) then
        w = start(f, row)
    elseif row.lost > 0 or f[2].lost > 0 then
        w = loss(f, row)
    elseif share then
        w = marked(row, share)
    else
        w = unmarked(f, row)
    end
    return math.max(w, 2)
end
