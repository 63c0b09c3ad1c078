-- The judge's arithmetic on cells that are recorded here, with numbers that can be worked out by hand;
-- who wins, what is invalid, what is run again; and that the shipped sets are complete.

local judge = lab._judge
local function check(ok, what)
    if not ok then
        error(what, 2)
    end
end
local function near(got, want, what)
    check(type(got) == "number" and math.abs(got - want) <= 1e-9 * math.max(1, math.abs(want)),
        ("%s: %s, not %s"):format(what, tostring(got), want))
end

local dir = os.tmpname()
os.remove(dir)
assert(lab.make_dir(dir .. "/cell/samples"))
local tidy <close> = setmetatable({}, {__close = function() lab.localhost:run{"rm", "-r", dir} end})

-- A record: X acknowledges 1 MB a second and a tenth of its 1000 packets a second is marked; Y comes at
-- 2 s and has 3 MB a second; the bottleneck lets through 38.4 Mbit/s.
local T0, cell = 1000, "cell"
local function csv(name, head, row)
    local lines = {head}
    for i = 0, 100 do
        lines[#lines + 1] = row(i / 10)
    end
    assert(lab.write_file(("%s/%s/samples/%s.csv"):format(dir, cell, name), table.concat(lines, "\n") .. "\n"))
end
csv("x", "t_s,bytes_acked,delivered,delivered_ce", function(t)
    return ("%.6f,%.0f,%.0f,%.0f"):format(T0 + t, 1e6 * t, 1000 * t, 100 * t)
end)
csv("y", "t_s,bytes_acked,delivered,delivered_ce", function(t)
    return t < 2 and ("%.6f,,,"):format(T0 + t)
        or ("%.6f,%.0f,%.0f,%.0f"):format(T0 + t, 3e6 * (t - 2), 2000 * (t - 2), 0)
end)
csv("link_down", "t_s,rate_bps", function(t) return ("%.6f,%d"):format(T0 + t, 38400000) end)
assert(lab.write_file(dir .. "/cell/run.json", "{}"))

local s = {name = "a", title = "A", seconds = 10, warmup_s = 1, score = "share",
           link = {rate = "48mbit", rtt = "20ms", aqm = "dualpi2", paths = {client_x = "5ms"}},
           flows = {{label = "x", host = "client_x", cc = "*"},
                    {label = "y", host = "client_y", cc = "cubic", start_s = 2}}}
local raw = {t0 = T0, idle_share = 0.5, flows = {
        {label = "x", is_candidate = true, start_s = 0, seconds = 10, retransmits = 7},
        {label = "y", start_s = 2, seconds = 8, retransmits = 9}},
    totals = {is_late = false, late_us = {p50 = 5, p99 = 90}, down = {
        out_pkts = 990, drop = 10, ecn_mark = 44,
        sojourn_l_us = {p50 = 400, p95 = 900, p99 = 1000, mean = 500},
        sojourn_c_us = {p50 = 9000, p95 = 20000, p99 = 30000, mean = 10000}}},
    decided = {decide_p50_us = 11, decide_p99_us = 40, event_p99_us = 60, watchdog_share = 0.25}}
local samples <close> = assert(lab.samples(dir .. "/cell"))
local prague, cubic = judge.candidate("prague"), judge.candidate("cubic")
local r = assert(judge.measure(s, prague, raw, samples))
near(r.rate_mbit, 8, "rate")              -- 1 MB/s
near(r.ratio, 8 / 24, "ratio")
near(r.jain, 32 ^ 2 / (2 * (8 ^ 2 + 24 ^ 2)), "Jain")
near(r.utilisation, 0.8, "utilisation")   -- 38.4 of 48
near(r.mark_share, 0.1, "marks")
near(r.loss_share, 0.01, "losses")
near(r.power, 64 / (20 + 2 * 5 + 0.5), "power") -- r² / (base RTT with the path's delay + mean of the L queue)
near(r.off_mbit, 16, "distance")          -- 24 is its share
near(r.delay_p50_ms, 0.4, "p50")
near(r.delay_p95_ms, 0.9, "p95")
near(r.delay_p99_ms, 1, "p99")
near(r.stale_share, 0.25, "stale")
check(r.queue == "L" and r.retransmits == 7 and r.decide_p99_us == 40 and r.marks == 44, lab.pretty(r))
r = assert(judge.measure(s, cubic, raw, samples))
check(r.queue == "C", "CUBIC's queue")
near(r.power, 64 / 40, "power in the C queue")
-- A rate that steps: 48 Mbit/s to 6 s, then 24, and the window is from 2 to 10 s.
s.link.steps = {{0, "48mbit"}, {6, "24mbit"}}
r = assert(judge.measure(s, cubic, raw, samples))
near(r.utilisation, 38.4 / 36, "utilisation over a step")
near(r.off_mbit, 10, "distance over a step")
s.link.steps = nil
-- What was not measured is no zero.
raw.decided, raw.totals.down.sojourn_l_us = nil, {p50 = lab.null, p95 = lab.null, p99 = lab.null, mean = lab.null}
r = assert(judge.measure(s, prague, raw, samples))
check(r.queue == "C" and r.decide_p50_us == nil and r.stale_share == nil, "no L queue, no policy")
raw.flows[1].label = "nobody"
local none, err = judge.measure(s, prague, raw, samples)
check(none == nil and err.message:find("nobody was not sampled"), tostring(err))

-- Invalid cells.
check(judge.why_invalid(raw, 0.05) == nil, "a good cell")
raw.idle_share = 0.049
check(judge.why_invalid(raw, 0.05) == "invalid: the host was overloaded, idle 4.9 % of the time", "overloaded")
raw.totals.is_late, raw.totals.late_us.p99 = true, 2500
check(judge.why_invalid(raw, 0) == "invalid: the emulator was late, p99 2.5 ms", "late")

-- On the machines of a lab file: what a router's queue tells, and what they cannot be.
assert(lab.make_dir(dir .. "/far/samples"))
cell = "far"
csv("link_down", "t_s,rate_bps,backlog_bytes,delay_c_us,delay_l_us,pkts_l", function(t)
    return ("%.6f,38400000,%.0f,%.0f,%.0f,%.0f"):format(T0 + t, 3000 * (t // 5 + 1), 1000 * t, 100 * t, 10 * t)
end)
csv("x", "t_s,bytes_acked,delivered,delivered_ce,srtt_us,min_rtt_us", function(t) -- a clock 5 s ahead
    return ("%.6f,%.0f,%.0f,%.0f,%.0f,20000"):format(T0 + 5 + t, 1e6 * t, 1000 * t, 100 * t, 20000 + 500 * t)
end)
assert(lab.write_file(dir .. "/far/run.json", "{}"))
local far <close> = assert(lab.samples(dir .. "/far"))
local there = {t0 = T0, aqm = "dualpi2 target 15000", idle_share = 0.5, totals = {is_hosts = true, down = {out_pkts = 990, drop = 10}},
    flows = {{label = "x", is_candidate = true, start_s = 0, seconds = 10, retransmits = 7, clock_s = 5}}}
local alone = {name = "a", title = "A", seconds = 10, warmup_s = 0, score = "power", flows = {s.flows[1]},
               link = {rate = "24mbit", rtt = "20ms", aqm = "dualpi2", steps = {{0, "24mbit"}, {5, "12mbit"}}}}
r = assert(judge.measure(alone, prague, there, far))
near(r.rate_mbit, 8, "rate by another clock")
near(r.delay_p50_ms, 0.49, "p50 of the L queue") -- 100 samples of 0 to 0.99 ms
near(r.delay_p99_ms, 0.98, "p99 of the L queue")
near(r.rtt_extra_p50_ms, 2.45, "over the least RTT")
check(r.queue == "L" and r.delay_from == "qdisc" and r.marks == nil, lab.pretty(r))
near(assert(judge.measure(alone, cubic, there, far)).delay_p50_ms, 4.9, "p50 of the C queue")
csv("link_down", "t_s,rate_bps,backlog_bytes", function(t)
    return ("%.6f,38400000,%.0f"):format(T0 + t, 3000 * (t // 5 + 1))
end)
local fifo <close> = assert(lab.samples(dir .. "/far"))
there.aqm = "bfifo limit 60000"
r = assert(judge.measure(alone, prague, there, fifo))
near(r.delay_p50_ms, 1, "3000 bytes at 24 Mbit/s")
near(r.delay_p99_ms, 4, "6000 bytes at 12 Mbit/s")
check(r.queue == "C" and r.delay_from == "backlog", lab.pretty(r))
there.aqm = "fq_codel limit 10240"
r = assert(judge.measure(alone, prague, there, fifo))
check(r.delay_from == nil and r.delay_p50_ms == nil and r.power == nil and r.rtt_extra_p50_ms, lab.pretty(r))
local link, hosts = {rate = "50mbit", rate_bps = 50e6, rtt = "20ms", rtt_us = 20000}, {client_x = {}}
check(judge.why_left_out(alone, link, hosts) == nil, "it can be had")
local function left_out(change, want)
    local t = lab._scenario.copy(alone)
    change(t)
    local why = judge.why_left_out(t, link, hosts)
    check(why == want, tostring(why))
end
left_out(function(t) t.link.rtt = "30ms" end, "its round trip is 30ms, this lab's 20ms")
left_out(function(t) t.link.steps[2][2] = "96mbit" end, "its rate is 96mbit, this link's 50mbit")
left_out(function(t) t.link.paths = {client_x = "5ms"} end, "'paths' takes the virtual lab")
left_out(function(t) t.rewrite = {} end, "'rewrite' takes the virtual lab")
left_out(function(t) t.flows[2] = {label = "y", host = "client_y", cc = "cubic"} end, "there is no client_y")
link.shaper = "tbf"
left_out(function() end, "its rate steps, which tbf cannot without changing the queue below it")

-- Winners: within 10 % of the best, of power from below, of the distance from above.
local function names(set)
    local out = {}
    for label in pairs(set) do
        out[#out + 1] = label
    end
    table.sort(out)
    return table.concat(out, " ")
end
check(names(judge.winners({a = 100, b = 90, c = 89.9}, "power")) == "a b", "power")
check(names(judge.winners({a = 1, b = 1.1, c = 1.11}, "share")) == "a b", "share")

-- The verdict over two sets: means over repeats; a scenario that lacks a candidate is not counted.
local candidates = {judge.candidate("cubic"), judge.candidate("netllm:distilled:/some/where/student")}
check(candidates[2].label == "distilled:student" and candidates[2].policy == "distilled:/some/where/student", "label")
local solo, mixed, half = {label = "solo a", set = "solo"}, {label = "friendliness b", set = "friendliness"},
    {label = "solo c", set = "solo"}
local function row(scenario, who, score, value)
    local key = judge.VALUES[score]
    return {id = "r", cell = {scenario = scenario, candidate = candidates[who]},
            result = {score = score, queue = "C", rate_mbit = 1, [key] = value}}
end
local sets = judge.verdict({row(solo, 1, "power", 8), row(solo, 1, "power", 12), row(solo, 2, "power", 4),
    row(mixed, 1, "share", 3), row(mixed, 2, "share", 1), row(half, 1, "power", 1)}, candidates)
check(#sets == 2 and sets[1].name == "solo" and sets[1].counted == 1 and sets[2].counted == 1, lab.pretty(sets))
check(sets[1].wins.cubic == 1 and not sets[1].wins["distilled:student"], "solo")
check(sets[2].wins["distilled:student"] == 1 and not sets[2].wins.cubic, "friendliness")
local power = sets[1].scenarios[1].by.cubic.power
near(power.mean, 10, "mean")
near(power.ci95, 12.7062 * math.sqrt(8) / math.sqrt(2), "Student's interval of two")

-- What is invalid is run again, at most so often.
local tries = {}
local m, missing = judge.grid{name = "again", base = dir, retries = 2, axes = {{"x", {1, 2, 3}}}, run = function(cell)
    tries[cell.x] = (tries[cell.x] or 0) + 1
    if cell.x == 2 and tries[2] < 2 or cell.x == 3 then
        return lab.failure("failed", "judge", "invalid: x")
    end
    return {y = cell.x}
end}
check(tries[1] == 1 and tries[2] == 2 and tries[3] == 3, lab.pretty(tries))
check(m.ndone == 2 and #missing == 1 and missing[1].cell == "x=3,repeat=1" and missing[1].why == "invalid: x",
    lab.pretty(missing))

-- The shipped sets and grids of teachers are complete, in both sizes.
local sizes = {solo = {2, 570}, friendliness = {2, 125}, l4s = {2, 33}}
for name, want in pairs(sizes) do
    local set = judge.read_set(name, arg[1] .. "/labs/judge")
    check(#judge.lay_out(name, set.quick) == want[1] and #judge.lay_out(name, set.full) == want[2],
        ("%s: %d and %d"):format(name, #judge.lay_out(name, set.quick), #judge.lay_out(name, set.full)))
end
local labels = {}
for name, want in pairs{quick = 8, medium = 20, full = 180} do
    local set = lab._scenario.load(("%s/labs/collect/%s.lua"):format(arg[1], name))
    local list = judge.lay_out(name, set.scenarios)
    check(#list == want, name .. " has " .. #list)
    for _, one in ipairs(list) do
        check(not labels[one.label], one.label .. " comes twice")
        labels[one.label] = true
    end
    -- A quarter is kept apart, always the same, never all.
    local apart = judge.held_out(list, 0.25)
    local n = 0
    for _ in pairs(apart) do
        n = n + 1
    end
    check(n == want / 4 and names(apart) == names(judge.held_out(list, 0.25)), n .. " apart")
    check(next(judge.held_out({list[1]}, 0.25)) == nil, "the only one is to train on")
end

-- Candidates: what drives, what it aims at, by how much chance moves it.
local function said(word, label, policy, target, explore)
    local who = judge.candidate(word)
    check(who.label == label and who.policy == policy and who.target == target and who.explore == explore
        and (who.cc == nil) == (policy ~= nil), word .. ": " .. lab.pretty(who))
end
said("reno", "reno")
said("netllm:copy-last", "copy-last", "copy-last")
said("netllm:bdp:50mbit:20ms", "bdp:50mbit:20ms", "bdp:50mbit:20ms")
said("netllm@0.8:lua:a/own.lua", "lua:own.lua@0.8", "lua:a/own.lua", 0.8)
said("netllm~0.1:model:a/best//", "model:best~0.1", "model:a/best//", nil, 0.1)
said("netllm@0.8~0.1:distilled:s.st", "distilled:s.st@0.8~0.1", "distilled:s.st", 0.8, 0.1)
said("netllm@-1:copy-last", "copy-last@-1", "copy-last", -1)
local ok
for word, hint in pairs{["netllm@.:copy-last"] = "netllm@0.8", ["netllm@1.2.3:copy-last"] = "netllm@0.8",
    ["netllm~0.1@0.8:copy-last"] = "netllm@0.8", ["netllm0.8:copy-last"] = "netllm@0.8",
    ["netllm~2:copy-last"] = "0 to 1", ["netllm~:copy-last"] = "netllm@0.8", ["netllm::x"] = "one of model",
    ["netllm:a/own.lua"] = "did you mean netllm:lua:a/own.lua?", ["netllm:constnt:4"] = "did you mean netllm:constant?",
    ["lua:own.lua"] = "did you mean netllm:lua:own.lua?", ["distiled:s.st"] = "did you mean netllm:distilled:s.st?",
    ["copy-last"] = "did you mean netllm:copy-last?", ["netllm"] = "netllm:POLICY", ["cu bic"] = "netllm:POLICY"} do
    ok, err = pcall(judge.candidate, word)
    check(not ok and err.message:find("is no candidate", 1, true) and err.hint:find(hint, 1, true),
          word .. ": " .. lab.pretty(err))
end
-- A file of the same name that says something else is another policy, and a grid is not gone on with.
local own, student = dir .. "/own.lua", judge.candidate("netllm:lua:" .. dir .. "/own.lua")
assert(lab.write_file(own, "1"))
local first = judge.depends_on(nil, {student}, nil)
check(first:find("^lua:own.lua is %x+$") and judge.depends_on(nil, {candidates[1]}) == nil, first)
check(judge.depends_on("lab.lua", {student}) == "on lab.lua, " .. first, "the lab file")
check(judge.depends_on(nil, {student}, "copy-last") == first .. ", advisor copy-last", "the advisor")
assert(lab.write_file(own, "2"))
check(judge.depends_on(nil, {student}) ~= first, "another file")
local function collected(o)
    o.dry_run, o.base = true, dir
    o.scenarios = o.scenarios or {name = "c", scenarios = {s}}
    return pcall(lab.collect, o)
end
for hint, o in pairs{["did you mean quick?"] = {scenarios = "quik", folder = arg[1] .. "/labs/collect"},
    ["a teacher netllm:POLICY"] = {teachers = {"cubic"}, advisor = "copy-last"},
    ["recipe loop, the default, does"] = {teachers = {"netllm:copy-last"}, advisor = "copy-last", recipe = "lab"},
    ["give one of them another"] = {teachers = {"netllm:lua:a/own.lua", "netllm:lua:b/own.lua"}}} do
    ok, err = collected(o)
    check(not ok and type(err) == "table" and err.hint and err.hint:find(hint, 1, true), hint .. ": " .. lab.pretty(err))
end
assert(collected{teachers = {"oracle"}, advisor = "copy-last"})
ok, err = pcall(lab.judge, {size = "ful", folder = arg[1] .. "/labs/judge"})
check(not ok and err.hint == "did you mean full?", lab.pretty(err))
ok, err = pcall(lab.judge, {sets = {"sloo"}, folder = arg[1] .. "/labs/judge"})
check(not ok and err.hint == "did you mean solo?", tostring(err and err.hint))
ok, err = pcall(lab.judge, {candidates = {"cubic", "cubic"}, folder = arg[1] .. "/labs/judge"})
check(not ok and err.message:find("two candidates"), tostring(err))
print("ok")
