-- The flows of this lab: a congestion control's, alone or beside another's, each in a virtual lab made for it and
-- measured by the judge's own hands, so that the numbers are the judge's.

local SECONDS, ROUGH_S, BESIDE_S, WARMUP_S = 6, 4, 12, 6
local TRIES = 3

local judge = lab._judge
local M = {
    link = {rate = "48mbit", rtt = "20ms", aqm = "dualpi2"},
    idle_min = 0.02, -- below that share of idle processors a flow's ends decide, not what steers it
}

local function unavailable(message, hint)
    return lab.failure("unavailable", "labs", message, hint)
end

-- What the judge measures of a run, with decided (as of `netllm drive`), follow, falls (how often the sampled
-- window fell), and the longest silence of the flow.
local function measured(s, who, raw, record)
    local samples <close> = assert(lab.samples(record))
    local r, err = judge.measure(s, who, raw, samples)
    if not r then
        return nil, err
    end
    r.name, r.decided, r.seconds, r.warmup_s = who.label, raw.decided, s.seconds, s.warmup_s
    r.follow = who.policy and lab._drive_follow(samples, "x") or nil
    local _, cwnd = samples:values("x/cwnd_pkts")
    r.falls = 0
    for i = 2, #cwnd do
        r.falls = r.falls + (cwnd[i] and cwnd[i - 1] and cwnd[i] <= cwnd[i - 1] - 1 and 1 or 0)
    end
    local times, acked = samples:values("x/bytes_acked")
    local last_t, last
    r.silence_s = 0
    for i, t in ipairs(times) do
        if acked[i] and acked[i] ~= last then
            r.silence_s = last_t and math.max(r.silence_s, t - last_t) or 0
            last_t, last = t, acked[i]
        end
    end
    r.silence_s = last_t and math.max(r.silence_s, times[#times] - last_t) or s.seconds
    return r
end

-- Run `word` (a candidate of the judge's) for some seconds, alone or beside another. What is not to be believed
-- is run again. `is_rough`: what a busy machine does to rates and delays does not matter.
local function try(c, word, beside, is_rough)
    if c.place.kind ~= "virtual" then
        return unavailable("netllm drive steers flows of this machine: the virtual lab is needed",
                           "ccalab labs start 08, without --lab")
    end
    local s = {name = "try", seconds = is_rough and ROUGH_S or beside and BESIDE_S or SECONDS,
               warmup_s = beside and WARMUP_S or 0, score = beside and "share" or "power",
               link = M.link, flows = {{label = "x", host = "client_x", cc = "*"}}}
    if beside then
        s.flows[2] = {label = "y", host = "client_y", cc = beside}
    end
    local who, why = judge.candidate(word), nil
    for _ = 1, is_rough and 1 or TRIES do
        local record <close> = assert(lab.record{name = "try", base = c:path("tries")})
        -- A task of its own: what it began ends with it, whatever happens.
        local raw, err = lab.spawn(function()
            local place = assert(judge.place{testbed = c.place.name .. "-try"})
            return judge.run_cell(s, who, {place = place, seed = 1, record = record, sample = 0.02,
                                           report = who.policy and "0" or nil})
        end):join()
        if not raw then
            return nil, err
        end
        why = judge.why_invalid(raw, M.idle_min)
        if not why or is_rough then
            return measured(s, who, raw, record)
        end
    end
    return unavailable(why, "check again when the machine has less to do")
end

-- The student's script as a candidate of the judge's.
function M.own(c, name)
    return "netllm:lua:" .. c:path(name or "own_cc.lua")
end

-- The student's script in a flow: {is_there=, mine=, error=}. A script that does not load is no fault of a host.
function M.try_own(c, name, beside, is_rough)
    local text = lab.read_file(c:path(name))
    if not text then
        return {is_there = false}
    end
    local ok, why = load(text, "@" .. name, "t", {})
    if not ok then
        return {is_there = true, error = why}
    elseif not text:find("on_sample", 1, true) then
        return {is_there = true, error = "it defines no function on_sample(flow, s)"}
    end
    local mine, err = try(c, M.own(c, name), beside, is_rough)
    if not mine and err.subsystem == "drive" and err.status ~= "unavailable" then
        return {is_there = true, error = err.message} -- netllm drive does not take it
    elseif not mine then
        return nil, err
    end
    return {is_there = true, mine = mine}
end

-- Others on the same path, measured once and kept with the student's progress.
function M.others(c, beside)
    local path = ("%s/lab08-%s.json"):format(c.state, beside or "alone")
    local kept = lab.json_decode(lab.read_file(path) or "")
    if type(kept) == "table" and #kept > 0 then
        return kept
    end
    local list = {}
    for _, word in ipairs(beside and {"cubic", "prague"} or {"cubic", "prague", "netllm:constant:120"}) do
        local r, err = try(c, word, beside)
        if not r then
            return nil, err
        end
        list[#list + 1] = r
    end
    assert(lab.write_file(path, lab.json_encode(list, true)))
    return list
end

return M
