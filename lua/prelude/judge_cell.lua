-- One scenario with a candidate in it: run in a lab of its own, and what is measured of it. Both the
-- judge (judge.lua) and the collecting of experience (collect.lua) are grids of these.

local scenarios = lab._scenario
local judge = {}
lab._judge = judge

local SPREAD_S = 0.1          -- flows start up to so much later than written, by the seed
local CROWD = "*"             -- a scenario's flow of whoever is judged, or teaches

-- Who takes part -----------------------------------------------------------------------------------

local POLICIES = {"model", "distilled", "lua", "constant", "bdp", "copy-last", "random"} -- of netllm drive
-- Where a policy has a file that says which one it is: two of the same name are not the same.
local POLICY_FILES = {model = "%s/netllm.json", distilled = "%s", lua = "%s"}

function judge.misuse(message, hint)
    error({status = "usage", subsystem = "judge", message = message, hint = hint}, 0)
end

-- A driven candidate: `how` is what stands between "netllm" and the colon, "@0.8~0.1".
local function driven(word, how, policy)
    local at, by = how:match("^@([^~]+)"), how:match("~(.+)$")
    local target, explore = tonumber(at), tonumber(by)
    if how ~= (at and "@" .. at or "") .. (by and "~" .. by or "") or at and not target
        or by and not (explore and explore >= 0 and explore <= 1) then
        judge.misuse(("'%s' is no candidate"):format(word),
            "netllm:POLICY; netllm@0.8:POLICY aims at another return, netllm~0.1:POLICY explores (0 to 1), "
            .. "netllm@0.8~0.1:POLICY does both")
    end
    local kind, rest = policy:match("^([^:]*):?(.*)$")
    local is_known = false
    for _, name in ipairs(POLICIES) do
        is_known = is_known or kind == name
    end
    if not is_known then
        local near = policy:find("%.lua$") and "lua:" .. policy
            or policy:find("%.safetensors$") and "distilled:" .. policy or lab.did_you_mean(kind, POLICIES)
        judge.misuse(("'%s' is no candidate"):format(word), near and ("did you mean netllm%s:%s?"):format(how, near)
            or "a policy is one of " .. table.concat(POLICIES, ", "))
    end
    local short = rest:gsub("/+$", ""):match("[^/]*$")
    return {label = (short ~= "" and kind .. ":" .. short or kind) .. how, policy = policy, target = target,
            explore = explore, is_scalable = true}
end

-- "cubic", "prague", "netllm:POLICY", "oracle" as {label=, cc= or policy=, is_oracle=, is_scalable=};
-- "netllm@0.8:POLICY" has a target= of its own, the return to aim at, "netllm~0.1:POLICY" explore=, by how
-- much its decisions are moved by chance.
function judge.candidate(word)
    local how, policy = tostring(word):match("^netllm([^:]*):(.+)$")
    if policy then
        return driven(word, how, policy)
    elseif word == "oracle" then
        return {label = "oracle", is_oracle = true, is_scalable = true}
    elseif type(word) ~= "string" or word == "netllm" or not word:find("^[%w_]+$") then
        -- "netllm" alone would be whatever another process happens to drive.
        local kind, rest = tostring(word):match("^([^:]*)(.*)$")
        local near = lab.did_you_mean(kind, POLICIES)
        judge.misuse(("'%s' is no candidate"):format(tostring(word)), near and ("did you mean netllm:%s%s?"):format(
            near, rest) or "cubic, prague, oracle, netllm:POLICY")
    end
    return {label = word, cc = word, is_scalable = word:find("prague") ~= nil or word:find("dctcp") ~= nil}
end

-- The candidates of a list of words, each with a label of its own.
function judge.candidates(words)
    local out, seen = {}, {}
    for i, word in ipairs(words) do
        local who = judge.candidate(word)
        if seen[who.label] then
            judge.misuse(("two candidates are called %s"):format(who.label),
                         who.policy and "it goes by the name of the policy's file: give one of them another")
        end
        seen[who.label], out[i] = true, who
    end
    return out
end

-- What the cells of a grid depend on and their labels do not say: the lab file, and which policies the driven
-- ones are. nil: on nothing. A grid that was begun with others is not gone on with.
function judge.depends_on(place, who, advisor)
    local out = {place and "on " .. place}
    local function add(label, policy)
        local kind, path = policy:match("^(%a+):(.+)$")
        local file = POLICY_FILES[kind]
        local hash = file and lab.sha256(file:format((path:gsub("/+$", ""))))
        out[#out + 1] = hash and ("%s is %s"):format(label, hash:sub(1, 12)) or nil
    end
    for _, one in ipairs(who) do
        if one.policy then
            add(one.label, one.policy)
        end
    end
    if advisor then
        out[#out + 1] = "advisor " .. advisor
        add("the advisor", advisor)
    end
    return #out > 0 and table.concat(out, ", ") or nil
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

-- Run scenario `s` with `who` for its "*". `o` is {place=, seed=, record=, sample=, report= and advisor= (as of
-- lab.drive)}. Returns {t0=, flows= {{label=, cc=, is_candidate=, start_s=, seconds=, retransmits=, clock_s=}}, aqm=,
-- totals=, decided=, idle_share=}.
function judge.run_cell(s, who, o)
    local at <close> = o.place:open(s)
    local bed, policy = at.bed, policy_of(s, who)
    local finish = policy and at.drive{policy = policy, report = o.report, target_return_scale = who.target,
                                       explore = who.explore, seed = o.seed, advisor = o.advisor}
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
            run.at[#run.at + 1] = {step[1], function() return at.set_rate(step[2]) end}
        end
    end
    at.idle_share()
    local r = assert(lab.run(run))
    local raw = {t0 = r.t0, flows = {}, aqm = at.aqm, idle_share = at.idle_share(), decided = finish and finish(),
                 totals = at.close()}
    for i, f in ipairs(flows) do
        raw.flows[i] = {label = f.label, cc = f.cc, is_candidate = f.is_candidate, start_s = f.start_s,
                        seconds = f.seconds, retransmits = r.flows[i].retransmits,
                        clock_s = r.flows[i].clock_offset_s}
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

-- Of a list of numbers {p50=, p95=, p99=, mean=}; nil if there are none.
local function distribution(list)
    table.sort(list)
    local function at(q)
        return list[math.max(1, math.ceil(q * #list))]
    end
    return #list > 0 and {p50 = at(0.5), p95 = at(0.95), p99 = at(0.99), mean = mean(list)} or nil
end

-- What bits/s the bottleneck has `t` seconds after the first moment of the run.
local function rate_at(link, t)
    local rate = link.rate
    for _, step in ipairs(link.steps or {}) do
        rate = step[1] <= t and step[2] or rate
    end
    return lab.rate_bps(rate)
end

-- What a router's port said of the delay in its queue (us) while the flows ran, and how it is known: "qdisc", the
-- AQM's own word, or "backlog", the bytes waiting in a FIFO over its rate. nil: it said nothing.
function judge.told_delays(s, is_scalable, raw, samples)
    local from, to = raw.t0, raw.t0 + s.seconds
    local function told(name, scale)
        local times, values = samples:values(name)
        local list = {}
        for i, t in ipairs(times or {}) do
            if values[i] and t >= from and t < to then
                list[#list + 1] = values[i] * (scale and scale(t) or 1)
            end
        end
        return #list > 0 and list or nil
    end
    local is_l = is_scalable and (growth(samples, "link/down/pkts_l", from, to) or 0) > 0
    local list = told(is_l and "link/down/delay_l_us" or "link/down/delay_c_us")
    if list then
        return list, "qdisc", is_l and "L" or "C"
    end
    if (raw.aqm or ""):find("^[bp]?fifo") then
        list = told("link/down/backlog_bytes", function(t) return 8e6 / rate_at(s.link, t - raw.t0) end)
    end
    return list, list and "backlog", "C"
end

-- The queue that the candidate's packets wait in, the distribution of the time they do (us), and how it is known.
local function delay_of(s, who, raw, samples)
    if raw.totals.is_hosts then
        local list, how, queue = judge.told_delays(s, who.is_scalable, raw, samples)
        return queue, list and distribution(list), how
    end
    local down = raw.totals.down
    local long, short = down.sojourn_c_us, down.sojourn_l_us -- percentiles null where nothing left the queue
    local queue = who.is_scalable and type(short) == "table" and type(short.p50) == "number" and "L" or "C"
    return queue, queue == "L" and short or long, "emulator"
end

-- The senders' own estimate of queue delay: smoothed RTT less the least that was ever seen, in us.
local function rtt_extra(raw, samples, from, to)
    local list = {}
    for _, f in ipairs(raw.flows) do
        local shift = f.clock_s or 0
        local times, srtt = samples:values(f.label .. "/srtt_us")
        local _, least = samples:values(f.label .. "/min_rtt_us")
        for i, t in ipairs(f.is_candidate and least and times or {}) do
            if srtt[i] and least[i] and t >= from + shift and t < to + shift then
                list[#list + 1] = srtt[i] - least[i]
            end
        end
    end
    return distribution(list)
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
        local first, last = from + (f.clock_s or 0), to + (f.clock_s or 0)
        local bytes, seconds = growth(samples, f.label .. "/bytes_acked", first, last)
        if not bytes then
            return lab.failure("failed", "judge", f.label .. " was not sampled")
        end
        local bps = 8 * bytes / seconds
        all[#all + 1] = bps
        table.insert(f.is_candidate and own or other, bps)
        if f.is_candidate then
            marks = marks + (growth(samples, f.label .. "/delivered_ce", first, last) or 0)
            delivered = delivered + (growth(samples, f.label .. "/delivered", first, last) or 0)
            retransmits = retransmits + (f.retransmits or 0)
        end
    end
    local down, decided = raw.totals.down, raw.decided or {}
    local queue, sojourn, delay_from = delay_of(s, who, raw, samples)
    if not raw.totals.is_hosts and (type(sojourn) ~= "table" or type(sojourn.p50) ~= "number") then
        return lab.failure("failed", "judge", "the queue's delay was not measured")
    end
    local extra = rtt_extra(raw, samples, from, to) or {}
    local function ms(t, key)
        return t and t[key] and t[key] / 1e3
    end
    local rate, capacity = mean(own), scenarios.capacity_bits(s.link, from_s, to_s) / (to_s - from_s)
    local link = samples:stats("link/down/rate_bps", from, to)
    local offered = (down.out_pkts or 0) + (down.drop or 0)
    local r = {
        score = s.score, queue = queue, rate_mbit = rate / 1e6,
        aqm = raw.aqm, delay_from = delay_from, utilisation = link and link.mean / capacity,
        delay_p50_ms = ms(sojourn, "p50"), delay_p95_ms = ms(sojourn, "p95"), delay_p99_ms = ms(sojourn, "p99"),
        delay_mean_ms = ms(sojourn, "mean"), rtt_extra_p50_ms = ms(extra, "p50"),
        rtt_extra_p95_ms = ms(extra, "p95"), rtt_extra_p99_ms = ms(extra, "p99"),
        rtt_extra_mean_ms = ms(extra, "mean"), jain = #all > 1 and jain(all) or nil,
        ratio = #other > 0 and mean(other) > 0 and rate / mean(other) or nil,
        mark_share = delivered > 0 and marks / delivered or nil,
        loss_share = offered > 0 and down.drop and down.drop / offered or nil,
        marks = down.ecn_mark, drops = down.drop, retransmits = retransmits,
        late_p99_us = (raw.totals.late_us or {}).p99, idle_share = raw.idle_share,
        decide_p50_us = decided.decide_p50_us, decide_p99_us = decided.decide_p99_us,
        event_p99_us = decided.event_p99_us, stale_share = decided.watchdog_share,
    }
    r.power = r.delay_mean_ms and (rate / 1e6) ^ 2 / (base_rtt_ms(s) + r.delay_mean_ms)
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
