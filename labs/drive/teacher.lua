-- A congestion control to learn from. It keeps nothing in mind but the last eight rows of a flow, one a
-- round trip, and so knows no more than its student will see: what it does can be learned from these.
--
--   start     half as much again each round trip, until the rate no longer follows
--   loss      0.7 of the window, once for all losses of two round trips
--   marks     behind an L4S queue: less by half of the share of marked packets, as DCTCP (RFC 8257),
--             up by a packet a round trip, less on round trips under 25 ms, as TCP Prague
--   delay     behind a queue that does not mark: towards a round trip that is a few percent longer than
--             the least, as FAST TCP's; where the queue is longer, down by 9 % each round trip
--   test      whoever is alone has the round trip fall with the window. If it does not, though the
--             window fell for four rows, somebody else fills the queue (Nimbus calls him elastic):
--             jump back up
--   compete   for as long as that jump is in sight up by 80 packets a second, whatever the round trip
--             is; and then the next test
local ROWS = 8
local START, LOSS, DOWN, JUMP = 1.5, 0.7, 0.09, 0.35
local TESTED, FALLEN, ELASTIC = 4, 0.22, 0.5 -- rows; ln(window); ln(round trip) by ln(window)
local PER_S, MOST = 80, 0.12                 -- packets; of the window, a round trip
local QUEUE, FULL = 0.03, 0.07               -- round trip over the least: wanted, and too much above it

-- ln of what became of the window after row j; the newest is row 1.
local function did(f, j)
    return math.log(f[j - 1].cwnd / f[j].cwnd)
end

-- In one of the last so many rows?
local function any(f, key, rows)
    for j = 1, math.min(rows, #f) do
        if f[j][key] > 0 then
            return true
        end
    end
    return false
end

-- So far the window only grew.
local function is_starting(f)
    for j = 2, #f do
        if did(f, j) < -0.12 then
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
        return math.max(0.4 * row.cwnd, math.min(held, 0.85 * row.cwnd))
    end
    return row.app_limited and row.cwnd or START * row.cwnd
end

local function loss(f, row)
    local is_new = row.lost > 0 and f[2].lost == 0 and not (f[3] and f[3].lost > 0)
    return is_new and LOSS * row.cwnd or row.cwnd
end

local function marked(f, row)
    local share = 0
    for j = 1, #f do
        share = share + f[j].share / ROWS
    end
    local less = row.share > 0 and share / 2 or 0
    return row.cwnd * (1 - less) + math.min(1, (row.srtt / 0.025) ^ 2)
end

-- The window of a row is heard of a row later.
local function is_theirs(f)
    local last = TESTED + 1
    if not f[last] or any(f, "lost", last) or math.log(f[last].cwnd / f[1].cwnd) < FALLEN then
        return false
    end
    local fell = math.log(f[last].cwnd / f[2].cwnd)
    return fell > 0.1 and math.log(f[TESTED].srtt / f[1].srtt) < ELASTIC * fell
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
    local w, wanted = row.cwnd, QUEUE + 1 / row.cwnd
    if is_theirs(f) then
        return w * math.exp(JUMP)
    elseif row.over <= wanted + FULL then
        local faster = 0.06 * math.max(0, 1 - 2 * row.over / wanted) -- where the queue is empty
        return w * math.exp(math.max(-DOWN, 0.6 * (wanted - row.over) + faster))
    elseif has_jumped(f) then
        return w + math.max(1, math.min(PER_S * row.srtt, MOST * w))
    end
    return w * math.exp(-DOWN)
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
    local w
    if is_starting(f) then
        w = start(f, row)
    elseif row.lost > 0 or f[2].lost > 0 then
        w = loss(f, row)
    elseif any(f, "share", ROWS) then
        w = marked(f, row)
    else
        w = unmarked(f, row)
    end
    return math.max(w, 2)
end
