-- One scenario with a candidate in it: run in a lab of its own, and what is measured of it. Both the
-- judge (judge.lua) and the collecting of experience (collect.lua) are grids of these.

local scenarios = lab._scenario
local judge = {}
lab._judge = judge

local SPREAD_S = 0.1          -- flows start up to so much later than written, by the seed
local LINK_INTERVAL = "20ms"  -- between samples of the bottleneck: what the CDFs are made of
local CROWD = "*"             -- a scenario's flow of whoever is judged, or teaches

-- Who takes part -----------------------------------------------------------------------------------

-- "cubic", "prague", "netllm:POLICY", "oracle" as {label=, cc= or policy=, is_oracle=, is_scalable=};
-- "netllm@0.8:POLICY" has a target= of its own, the return to aim at, "netllm~0.1:POLICY" explore=, by how
-- much its decisions are moved by chance.
function judge.candidate(word)
    local how, policy = word:match("^netllm([^:]*):(.+)$")
    if policy then
        local target, explore = how:match("^@([%d.]+)"), how:match("~([%d.]+)$")
        if how ~= (target and "@" .. target or "") .. (explore and "~" .. explore or "") then
            error({status = "usage", subsystem = "judge", message = ("'%s' is no candidate"):format(word),
                   hint = "netllm:POLICY, netllm@0.8:POLICY, netllm~0.1:POLICY"}, 0)
        end
        local kind, rest = policy:match("^([%a-]+):?(.*)$")
        local short = (rest or ""):gsub("/+$", ""):match("[^/]*$")
        return {label = (short ~= "" and kind .. ":" .. short or kind) .. how, policy = policy,
                target = tonumber(target), explore = tonumber(explore), is_scalable = true}
    elseif word == "oracle" then
        return {label = "oracle", is_oracle = true, is_scalable = true}
    elseif not word:find("^[%w_]+$") then
        error({status = "usage", subsystem = "judge", message = ("'%s' is no candidate"):format(word),
               hint = "cubic, prague, oracle, netllm:POLICY"}, 0)
    end
    return {label = word, cc = word, is_scalable = word:find("prague") ~= nil or word:find("dctcp") ~= nil}
end

-- Can they all be had? Found out before an hour of cells, and not by each of them.
function judge.check_candidates(list, lab_name)
    local bed <const>, err = lab.testbed{name = lab_name}
    if not bed then
        return nil, err
    end
    for _, who in ipairs(list) do
        if who.cc then
            local cc
            cc, err = scenarios.resolve_cc(bed, who.cc)
            if not cc then
                break
            end
        else
            local drive
            drive, err = lab.drive{policy = who.policy or "bdp:1mbit:1ms"}
            if not drive then
                break
            end
            drive:finish()
        end
    end
    bed:down()
    if err then
        return nil, err
    end
    return true
end

-- Running ------------------------------------------------------------------------------------------

-- What a candidate's flow has before it reaches the queue, and gets back from there, in ms.
local function base_rtt_ms(s)
    local far = 0
    for _, f in ipairs(s.flows) do
        local delay = f.cc == CROWD and (s.link.paths or {})[f.host]
        far = delay and math.max(far, scenarios.seconds(delay)) or far
    end
    return 1e3 * (scenarios.seconds(s.link.rtt) + 2 * far)
end

-- The oracle knows rate and round trip, and that every flow has the same right to them.
local function policy_of(s, who)
    if not who.is_oracle then
        return who.policy
    end
    local all, own = 0, 0
    for _, f in ipairs(s.flows) do
        all = all + (f.count or 1)
        own = own + (f.cc == CROWD and f.count or f.cc == CROWD and 1 or 0)
    end
    local bps = scenarios.capacity_bits(s.link, 0, 1e-3) * 1e3 * own / all
    return ("bdp:%d:%dus"):format(math.floor(bps), math.floor(1e3 * base_rtt_ms(s)))
end

-- Jiffies that the processors had, and those they were idle.
local function processor_times()
    local text = lab.read_file("/proc/stat") or ""
    local all, idle, n = 0, 0, 0
    for number in (text:match("^cpu +([%d ]+)") or ""):gmatch("%d+") do
        n = n + 1
        if n <= 8 then -- guests are counted in user and nice already
            all = all + tonumber(number)
            idle = idle + ((n == 4 or n == 5) and tonumber(number) or 0)
        end
    end
    return all, idle
end

-- Run scenario `s` with `who` for its "*". `o` is {lab=, seed=, record=, sample=, report=}. Returns {t0=, flows=
-- {{label=, cc=, is_candidate=, start_s=, seconds=, retransmits=}}, totals=, decided=, idle_share=}.
function judge.run_cell(s, who, o)
    local bed = assert(lab.testbed{name = o.lab, rate = s.link.rate, rtt = s.link.rtt,
                                   aqm = scenarios.aqm_spec(s.link), burst = s.link.burst,
                                   interval = LINK_INTERVAL})
    if s.link.paths then
        assert(bed:set{paths = s.link.paths})
    end
    scenarios.rewrite_ecn(bed, s.rewrite)
    scenarios.lay_tunnel(bed, s.tunnel)
    local policy = policy_of(s, who)
    local drive = policy and assert(lab.drive{policy = policy, report = o.report,
        target_return_scale = who.target, explore = who.explore, seed = o.seed, advisor = policy ~= nil and o.advisor or nil})
    local late_s = SPREAD_S * ((o.seed * 2654435761 & 0xffffffff) / 0x100000000)
    local flows = scenarios.flows(s)
    local run = {server = bed.server, record = o.record, sample = o.sample, probes = false,
                 progress = false, at = {}}
    for i, f in ipairs(flows) do
        f.is_candidate = f.cc == CROWD
        f.cc = f.is_candidate and policy and "netllm"
            or assert(scenarios.resolve_cc(bed, f.is_candidate and who.cc or f.cc))
        f.seconds = math.floor(f.seconds or s.seconds - f.start_s)
        run[i] = {client = bed[f.host], cc = f.cc, label = f.label, start = f.start_s + late_s,
                  seconds = f.seconds, ecn = not f.has_ecn and 0 or nil}
    end
    for _, step in ipairs(s.link.steps or {}) do
        if step[1] > 0 then
            run.at[#run.at + 1] = {step[1], function() return bed:set{rate = step[2]} end}
        end
    end
    local all0, idle0 = processor_times()
    local r = assert(lab.run(run))
    local all1, idle1 = processor_times()
    local raw = {t0 = r.t0, flows = {}, idle_share = all1 > all0 and (idle1 - idle0) / (all1 - all0) or nil,
                 decided = drive and assert(drive:finish()).data, totals = assert(bed:down())}
    for i, f in ipairs(flows) do
        raw.flows[i] = {label = f.label, cc = f.cc, is_candidate = f.is_candidate, start_s = f.start_s,
                        seconds = f.seconds, retransmits = r.flows[i].retransmits}
    end
    return raw
end

-- Why a cell is not to be believed, or nil.
function judge.why_invalid(raw, idle_min)
    local late = raw.totals.late_us or {}
    if raw.totals.is_late then
        return ("invalid: the emulator was late, p99 %.1f ms"):format((late.p99 or 0) / 1e3)
    elseif raw.idle_share and raw.idle_share < idle_min then
        return ("invalid: the host was overloaded, idle %.1f %% of the time"):format(100 * raw.idle_share)
    end
end

-- Measuring ----------------------------------------------------------------------------------------

-- How much a counter grew between the first and the last sample in [from, to), and in what time.
local function growth(samples, name, from, to)
    local times, values = samples:values(name)
    local first, last
    for i = 1, times and #times or 0 do
        if values[i] and times[i] >= from and times[i] < to then
            first, last = first or i, i
        end
    end
    if first and last > first then
        return values[last] - values[first], times[last] - times[first]
    end
end

local function mean(list)
    local sum = 0
    for _, v in ipairs(list) do
        sum = sum + v
    end
    return #list > 0 and sum / #list or nil
end

local function jain(rates)
    local sum, squares = 0, 0
    for _, v in ipairs(rates) do
        sum, squares = sum + v, squares + v * v
    end
    return squares > 0 and sum * sum / (#rates * squares) or nil
end

-- The cell's row: numbers by name, as docs/judge.md defines them. `samples` are those of its record.
function judge.measure(s, who, raw, samples)
    local from_s, to_s = s.warmup_s, s.seconds
    for _, f in ipairs(raw.flows) do
        from_s = math.max(from_s, s.warmup_s > 0 and f.start_s or 0)
        to_s = math.min(to_s, f.start_s + f.seconds)
    end
    local from, to = raw.t0 + from_s, raw.t0 + to_s
    local own, other, all, marks, delivered, retransmits = {}, {}, {}, 0, 0, 0
    for _, f in ipairs(raw.flows) do
        local bytes, seconds = growth(samples, f.label .. "/bytes_acked", from, to)
        if not bytes then
            return lab.failure("failed", "judge", f.label .. " was not sampled")
        end
        local bps = 8 * bytes / seconds
        all[#all + 1] = bps
        table.insert(f.is_candidate and own or other, bps)
        if f.is_candidate then
            marks = marks + (growth(samples, f.label .. "/delivered_ce", from, to) or 0)
            delivered = delivered + (growth(samples, f.label .. "/delivered", from, to) or 0)
            retransmits = retransmits + (f.retransmits or 0)
        end
    end
    local down, decided = raw.totals.down, raw.decided or {}
    local long, short = down.sojourn_c_us, down.sojourn_l_us -- percentiles null where nothing left the queue
    local queue = who.is_scalable and type(short) == "table" and type(short.p50) == "number" and "L" or "C"
    local sojourn = queue == "L" and short or long
    if type(sojourn) ~= "table" or type(sojourn.p50) ~= "number" then
        return lab.failure("failed", "judge", "the queue's delay was not measured")
    end
    local rate, capacity = mean(own), scenarios.capacity_bits(s.link, from_s, to_s) / (to_s - from_s)
    local link = samples:stats("link/down/rate_bps", from, to)
    local offered = (down.out_pkts or 0) + (down.drop or 0)
    local r = {
        score = s.score, queue = queue, rate_mbit = rate / 1e6,
        utilisation = link and link.mean / capacity, delay_p50_ms = sojourn.p50 / 1e3,
        delay_p95_ms = sojourn.p95 / 1e3, delay_p99_ms = sojourn.p99 / 1e3,
        delay_mean_ms = sojourn.mean / 1e3, jain = #all > 1 and jain(all) or nil,
        ratio = #other > 0 and mean(other) > 0 and rate / mean(other) or nil,
        mark_share = delivered > 0 and marks / delivered or nil,
        loss_share = offered > 0 and down.drop / offered or nil,
        marks = down.ecn_mark, drops = down.drop, retransmits = retransmits,
        late_p99_us = (raw.totals.late_us or {}).p99, idle_share = raw.idle_share,
        decide_p50_us = decided.decide_p50_us, decide_p99_us = decided.decide_p99_us,
        event_p99_us = decided.event_p99_us, stale_share = decided.watchdog_share,
    }
    r.power = (rate / 1e6) ^ 2 / (base_rtt_ms(s) + r.delay_mean_ms)
    r.off_mbit = math.abs(rate - capacity / #all) / 1e6
    for key, value in pairs(r) do
        r[key] = value ~= lab.null and value or nil
    end
    return r
end

-- Grids --------------------------------------------------------------------------------------------

-- The cells of scenario lists as a list of {label=, set=, s=}; a mistake in one of them raises.
function judge.lay_out(set, list)
    local out = {}
    for _, one in ipairs(list) do
        for _, c in ipairs(scenarios.cells(one)) do
            local label = ("%s %s"):format(set, c.name and one.name .. " " .. c.name or one.name)
            local ok, why = scenarios.check(c.s)
            if not ok then
                error({status = "input", subsystem = "judge", message = ("%s: %s"):format(label, why)}, 0)
            end
            out[#out + 1] = {label = label, set = set, s = c.s}
        end
    end
    return out
end

-- lab.matrix(o), and again, at most o.retries times, while there are cells that failed or were not to
-- be believed. Returns the matrix, and what is still missing: {{cell=, why=}, ...}.
function judge.grid(o)
    local m, err
    for try = 0, o.retries do
        m, err = lab.matrix(o)
        if not m and not err.matrix then
            return nil, err
        end
        m = m or err.matrix
        o.dir = m.dir
        if not next(m.failed) or o.dry_run then
            break
        elseif try < o.retries then
            lab.log(("cells that failed or were invalid are run again, %d of %d"):format(try + 1, o.retries))
        end
    end
    local missing = {}
    for key, why in pairs(m.failed) do
        missing[#missing + 1] = {cell = key, why = tostring(why.message)}
    end
    table.sort(missing, function(a, b) return a.cell < b.cell end)
    return m, missing
end
