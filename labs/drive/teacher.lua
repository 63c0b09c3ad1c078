-- A congestion control to learn from. It keeps nothing in mind but the last eight rows of a flow, one a
-- round trip, and so knows hardly more than its student will see: what it does can be learned of them.
--
--   start     half as much again each round trip, until the rate no longer follows
--   loss      0.7 of the window, once for all losses of two round trips
--   marks     behind an L4S queue: less by half of the share of marked packets, as DCTCP (RFC 8257),
--             up by a packet a round trip, less on round trips under 25 ms, as TCP Prague
--   delay     behind a queue that does not mark: towards a round trip that is a few percent longer than
--             the least, as FAST TCP's; where the queue is longer, down by up to a tenth each
--   test      whoever is alone has the round trip fall with the window. If it does not, though the
--             window fell in four rows and more, somebody else fills the queue (Nimbus calls him
--             elastic): back to where that began
--   compete   for as long as that jump is in sight up by 80 packets a second, whatever the round trip
--             is; and then the next test
local ROWS = 8
local START, LOSS, CUT, LEAST_CUT = 1.5, 0.7, 0.1, 0.06
local TESTED, FALLEN, ELASTIC = 4, 0.15, 0.5 -- rows; ln(window); ln(round trip) by ln(window)
local PER_S, MOST = 80, 0.15                 -- packets; of the window, a round trip

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
    local is_full = f[2] and row.throughput < 1.25 * f[2].throughput
    if row.lost > 0 or is_full and (row.share > 0 or row.over > 0.1) then
        local held = 0 -- what the path holds without a queue
        for j = 1, #f do
            held = math.max(held, f[j].throughput * row.min_rtt / 8 / row.mss)
        end
        return math.max(0.4 * row.cwnd, math.min(held, row.cwnd))
    end
    return row.app_limited and row.cwnd or START * row.cwnd
end

local function loss(f, row)
    local is_new = row.lost > 0 and f[2].lost == 0 and not (f[3] and f[3].lost > 0)
    return is_new and LOSS * row.cwnd or row.cwnd
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

-- The rows, from the newest on, in which the window fell, and not for a loss.
local function fallen(f)
    local k = 0
    while f[k + 2] and did(f, k + 2) < -0.015 and did(f, k + 2) > -0.15 do
        k = k + 1
    end
    return k
end

-- Did the round trip not follow? The window of a row is heard of a row later.
local function is_theirs(f, k)
    if k < TESTED then
        return false
    end
    local fell = math.log(f[k + 1].cwnd / f[2].cwnd)
    return fell > FALLEN and math.log(f[k].srtt / f[1].srtt) < ELASTIC * fell
end

local function has_jumped(f)
    for j = 2, #f do
        if did(f, j) > 0.2 then
            return true
        end
    end
    return false
end

local function unmarked(f, row)
    local w, queue = row.cwnd, 0.03 + 1 / row.cwnd -- wanted, as a share of the window
    local change = 0.5 * math.log(1 / (1 + row.over) + queue)
    local k = fallen(f)
    if is_theirs(f, k) then
        return f[k + 1].cwnd
    elseif row.over < 0.5 * queue then
        return w * math.exp(0.08)
    elseif row.over < 1.5 * queue + 0.05 then
        return w * math.exp(math.max(-CUT, math.min(CUT, change)))
    elseif has_jumped(f) then
        return w + math.max(1, math.min(PER_S * row.srtt, MOST * w))
    end
    return w * math.exp(math.max(-CUT, math.min(-LEAST_CUT, change)))
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
