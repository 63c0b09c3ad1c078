-- Runs a scenario: brings the lab up, sends its flows at their times, measures, and holds what it
-- measured against what was expected and why. Scenarios are data: labs/scenarios/*.lua,
-- described in docs/bench.md.
--
-- usage: ccalab --run labs/scenario.lua                         (what there is)
--        ccalab --run labs/scenario.lua NAME [repeat] [seconds] [only=CELL] [lab=NAME]

local HERE = arg[0]:match("^(.*)/[^/]*$") or "."
local data = lab._scenario
local CCALAB = assert(lab.program("ccalab"))
local LEAD_S = 0.2 -- from the lab being ready to the scenario's second 0
local USAGE = 2    -- exit status of a command that does not understand its command line

local function fail(status, message, hint)
    error({status = status, subsystem = "scenario", message = message, hint = hint}, 0)
end

-- Bringing it up ----------------------------------------------------------------------------------

local function unsupported(why)
    fail("unavailable", "not supported by this build: " .. (why:match("testbed: ([^\n]+)") or why))
end

-- Change the bottleneck while it runs: "rate=25mbit", "path.client_x=5ms".
local function set(bed, assignment)
    local done, err, left = lab.localhost:run{CCALAB, "testbed", "set", "--name", bed.name,
                                              assignment, label = "set " .. assignment}
    if not done then
        if left and left.exit_code == USAGE then
            unsupported(left.err)
        end
        error(err, 0)
    end
    return true
end

-- One run of one cell: {flows, link, t0, prague, is_late}.
local function run_cell(s, lab_name, raw_dir)
    local link = s.link
    local bed, err, left = lab.testbed{name = lab_name, rate = link.rate, rtt = link.rtt,
                                       aqm = data.aqm_spec(link), burst = link.burst}
    if not bed then
        if left and left.exit_code == USAGE then
            unsupported(left.err)
        end
        error(err, 0)
    end
    for host, delay in pairs(link.paths or {}) do
        set(bed, ("path.%s=%s"):format(host, delay))
    end
    data.rewrite_ecn(bed, s.rewrite)
    data.lay_tunnel(bed, s.tunnel)
    local t0 = lab.now() + LEAD_S
    local flows, sends = data.flows(s), {}
    for i, f in ipairs(flows) do
        f.cc = assert(data.resolve_cc(bed, f.cc))
        f.seconds = f.seconds or s.seconds - f.start_s
        if not f.has_ecn then
            assert(bed[f.host]:run{"sh", "-c", "echo 0 >/proc/sys/net/ipv4/tcp_ecn",
                                   label = "ecn"})
        end
        sends[i] = function()
            lab.sleep(math.max(0, t0 + f.start_s - lab.now()))
            return lab.iperf3{client = bed[f.host], server = bed.server, cc = f.cc, port = f.port,
                seconds = f.seconds, label = f.label,
                save = ("%s-%s.json"):format(raw_dir, f.label)}
        end
    end
    for _, step in ipairs(link.steps or {}) do
        sends[#sends + 1] = function()
            lab.sleep(math.max(0, t0 + step[1] - lab.now()))
            return set(bed, "rate=" .. step[2])
        end
    end
    local results = assert(lab.all(sends))
    for i, f in ipairs(flows) do
        f.result = results[i]
    end
    local totals = assert(bed:down())
    return {flows = flows, link = totals, t0 = t0, prague = bed.prague, is_late = totals.is_late}
end

-- Measuring ---------------------------------------------------------------------------------------

-- Name (of data.MEASURES) -> function(run, s, expectation, t0, t1): value or nil, and whence.
local MEASURES = {}

local function each_flow(run, name, value)
    local sum, n = 0, 0
    for _, f in ipairs(run.flows) do
        if f.group == name or f.label == name then
            local v = value(f)
            if not v then
                return nil
            end
            sum, n = sum + v, n + 1
        end
    end
    return n > 0 and sum / n or nil, n
end

local function mean(series, t0, t1)
    local stats = lab.series_stats(series, t0, t1)
    return stats and stats.mean
end

local function growth(series, t0, t1)
    local stats = lab.series_stats(series, t0, t1)
    return stats and stats.max - stats.min
end

local function rate_bps(f, t0, t1)
    return mean(f.label .. "/throughput_bps", t0, t1)
end

function MEASURES.rate_mbit(run, _, e, t0, t1)
    local bps = each_flow(run, e.flow, function(f) return rate_bps(f, t0, t1) end)
    return bps and bps / 1e6
end
function MEASURES.srtt_ms(run, _, e, t0, t1)
    local us = each_flow(run, e.flow, function(f) return mean(f.label .. "/srtt_us", t0, t1) end)
    return us and us / 1e3
end
function MEASURES.cwnd_pkts(run, _, e, t0, t1)
    return (each_flow(run, e.flow, function(f) return mean(f.label .. "/cwnd_pkts", t0, t1) end))
end
function MEASURES.retransmits(run, _, e)
    return (each_flow(run, e.flow, function(f) return f.result.retransmits end))
end
function MEASURES.mark_ratio(run, _, e, t0, t1)
    return (each_flow(run, e.flow, function(f)
        local ce = growth(f.label .. "/delivered_ce", t0, t1)
        local all = growth(f.label .. "/delivered", t0, t1)
        return ce and all and all > 0 and ce / all or nil
    end))
end
local function ratio_of(what)
    return function(run, s, e, t0, t1)
        local a = MEASURES[what](run, s, e, t0, t1)
        local b = MEASURES[what](run, s, {flow = e.of}, t0, t1)
        return a and b and b > 0 and a / b or nil
    end
end
-- Of rates, and what they are made of: rate = window / RTT.
MEASURES.ratio = ratio_of("rate_mbit")
MEASURES.cwnd_ratio, MEASURES.srtt_ratio = ratio_of("cwnd_pkts"), ratio_of("srtt_ms")
function MEASURES.half_distance_mbit(run, s, e, t0, t1)
    local bps = each_flow(run, e.flow, function(f) return rate_bps(f, t0, t1) end)
    local rate = data.capacity_bits(s.link, t0 - run.t0, t1 - run.t0) / (t1 - t0)
    return bps and math.abs(bps - rate / 2) / 1e6
end
function MEASURES.power_mbit2_ms(run, _, e, t0, t1)
    local rate, rtt = MEASURES.rate_mbit(run, nil, e, t0, t1), MEASURES.srtt_ms(run, nil, e, t0, t1)
    return rate and rtt and rate * rate / rtt
end
function MEASURES.jain(run, _, _, t0, t1)
    local sum, squares = 0, 0
    for _, f in ipairs(run.flows) do
        local bps = rate_bps(f, t0, t1)
        if not bps then
            return nil
        end
        sum, squares = sum + bps, squares + bps * bps
    end
    return squares > 0 and sum * sum / (#run.flows * squares) or nil
end
function MEASURES.utilisation(run, s, _, t0, t1)
    local bps = mean("link/down/rate_bps", t0, t1)
    return bps and bps * (t1 - t0) / data.capacity_bits(s.link, t0 - run.t0, t1 - run.t0)
end
-- Of every packet of the run where the bottleneck counted them; else, and for a part of the run,
-- of the means over each sample interval, which hide the extremes.
local function sojourn(queue, quantile)
    return function(run, _, e, t0, t1)
        local total = run.link.down["sojourn_" .. queue .. "_us"]
        if type(total) == "table" and not e.from_s then
            return total[quantile] and total[quantile] / 1e3, "packets"
        end
        local stats = lab.series_stats("link/down/delay_" .. queue .. "_us", t0, t1)
        local us = stats and (quantile == "p50" and stats.median or stats.p99)
        return us and us / 1e3, "samples"
    end
end
MEASURES.sojourn_l_p50_ms, MEASURES.sojourn_l_p99_ms = sojourn("l", "p50"), sojourn("l", "p99")
MEASURES.sojourn_c_p50_ms, MEASURES.sojourn_c_p99_ms = sojourn("c", "p50"), sojourn("c", "p99")
-- The probability of PI, p': the coupling marks L by k p', C by p'^2.
function MEASURES.prob(_, _, _, t0, t1)
    return mean("link/down/prob", t0, t1)
end
function MEASURES.packets_l(run) return run.link.down.pkts_l end
function MEASURES.marks(run) return run.link.down.ecn_mark end
function MEASURES.drops(run) return run.link.down.drop end
function MEASURES.late_p99_us(run) return run.link.late_us and run.link.late_us.p99 end

-- What every scenario reports, expected or not.
local FLOW_MEASURES = {"rate_mbit", "srtt_ms", "cwnd_pkts", "mark_ratio", "retransmits"}
local PAIR_MEASURES = {"ratio", "cwnd_ratio", "srtt_ratio"} -- of two flows
local LINK_MEASURES = {"utilisation", "jain", "prob", "sojourn_l_p50_ms", "sojourn_l_p99_ms",
    "sojourn_c_p50_ms", "sojourn_c_p99_ms", "marks", "drops", "late_p99_us"}

local function key_of(e)
    local key = e.what .. (e.flow and " " .. e.flow or "") .. (e.of and "/" .. e.of or "")
    return e.from_s and ("%s %g-%g s"):format(key, e.from_s, e.to_s) or key
end

-- The expectations of a scenario, completed by what is always reported.
local function wanted(s)
    local list, is_there = data.copy(s.expect), {}
    for _, e in ipairs(list) do
        is_there[key_of(e)] = true
    end
    local function add(e)
        if not is_there[key_of(e)] then
            is_there[key_of(e)] = true
            list[#list + 1] = e
        end
    end
    for _, f in ipairs(s.flows) do
        for _, what in ipairs(FLOW_MEASURES) do
            add{what = what, flow = f.label}
        end
    end
    if #s.flows == 2 then
        for _, what in ipairs(PAIR_MEASURES) do
            add{what = what, flow = s.flows[1].label, of = s.flows[2].label}
        end
    end
    for _, what in ipairs(LINK_MEASURES) do
        add{what = what}
    end
    return list
end

-- All measures of a run: key -> {value=, from=}.
local function measure(run, s)
    local end_s, last_start_s = s.seconds, 0
    for _, f in ipairs(run.flows) do
        end_s = math.min(end_s, f.start_s + f.seconds)
        last_start_s = math.max(last_start_s, f.start_s)
    end
    local from_s = math.max(s.warmup_s, last_start_s)
    local values = {}
    for _, e in ipairs(wanted(s)) do
        local t0, t1 = run.t0 + (e.from_s or from_s), run.t0 + (e.to_s or end_s)
        local value, from = MEASURES[e.what](run, s, e, t0, t1)
        values[key_of(e)] = {value = value, from = from}
    end
    return values
end

-- Judging -----------------------------------------------------------------------------------------

local function judge(e, runs)
    local values = {}
    local is_invalid = true
    for _, r in ipairs(runs) do
        local m = r.values[key_of(e)]
        if not r.is_late then
            is_invalid = false
            values[#values + 1] = m.value
            e.from = m.from
        end
    end
    local stats = lab.stats(values)
    e.n = stats and stats.n or 0
    if not stats then
        -- What nobody expected and nobody could measure is no news: an L queue of a FIFO.
        e.verdict = is_invalid and "invalid: late" or e.source and "not measurable" or "-"
        return e
    end
    e.mean, e.ci95 = stats.mean, stats.ci95
    if e.min or e.max then
        local is_in = e.mean >= (e.min or -math.huge) and e.mean <= (e.max or math.huge)
        e.verdict = is_in and "ok" or "outside"
    else
        e.verdict = "-"
    end
    return e
end

local function range_text(e)
    if e.min and e.max then
        return ("%g to %g"):format(e.min, e.max)
    end
    return e.min and (">= %g"):format(e.min) or e.max and ("<= %g"):format(e.max) or ""
end

local function value_text(e)
    if not e.mean then
        return "-"
    end
    local text = math.abs(e.mean) >= 1000 and ("%.0f"):format(e.mean) or ("%.4g"):format(e.mean)
    return e.ci95 and ("%s +-%.2g"):format(text, e.ci95) or text
end

-- The command line --------------------------------------------------------------------------------

local NAME, numbers, words = nil, {}, {only = "", lab = "ccalab"}
for _, a in ipairs(arg) do
    local key, value = a:match("^(%a+)=(.*)$")
    if key and words[key] then
        words[key] = value
    elseif tonumber(a) and NAME then
        numbers[#numbers + 1] = tonumber(a)
    elseif not NAME then
        NAME = a
    else
        fail("usage", ("'%s' is not understood"):format(a),
            "labs/scenario.lua NAME [repeat] [seconds] [only=CELL] [lab=NAME]")
    end
end

local scenario
local known = {}
for _, path in ipairs(data.files(HERE .. "/scenarios")) do
    local s = data.load(path)
    for _, cell in ipairs(data.cells(s)) do
        local ok, why = data.check(cell.s)
        if not ok then
            fail("input", ("%s: %s"):format(path, why))
        end
    end
    known[#known + 1] = s
    if s.name == NAME then
        scenario = s
    end
end
if not NAME then
    for _, s in ipairs(known) do
        print(("%-14s %s (%d x %d s)"):format(s.name, s.title, #data.cells(s), s.seconds))
    end
    return
elseif not scenario then
    fail("usage", ("there is no scenario '%s'"):format(NAME),
        "ccalab --run labs/scenario.lua without a name lists them")
end
local REPEAT = math.max(1, math.floor(numbers[1] or 1))
if numbers[2] then
    data.stretch(scenario, numbers[2])
end

-- Running -----------------------------------------------------------------------------------------

local record <close> = assert(lab.record{name = "scenario-" .. scenario.name})
print("run directory: " .. record.dir)
local machine = lab.machine()
assert(record:set("machine.doctor", machine))

local cells, total = {}, 0
for _, cell in ipairs(data.cells(scenario)) do
    cell.name = cell.name or scenario.name
    if cell.name:find(words.only, 1, true) then
        cells[#cells + 1] = cell
    end
end
if #cells == 0 then
    fail("usage", ("no cell of %s has '%s' in its name"):format(scenario.name, words.only))
end

local refused, prague
local has_prague, has_borrowed = false, false
for i, cell in ipairs(cells) do
    local s = cell.s
    cell.runs = {}
    for n = 1, REPEAT do
        lab.progress(total, #cells * REPEAT, cell.name)
        total = total + 1
        local raw = assert(record:path(("iperf3/%d-%d"):format(i, n)))
        -- A task of its own for each run: its lab goes with it, whatever happens.
        local run, err = lab.spawn(function() return run_cell(s, words.lab, raw) end):join()
        if not run and err.status ~= "unavailable" then
            error(err, 0)
        elseif not run then
            cell.unsupported, refused = err.message, err
            print(("%s: %s"):format(cell.name, err.message))
            break
        end
        prague = prague or run.prague
        has_borrowed = has_borrowed or run.prague.note ~= nil
        for _, f in ipairs(run.flows) do
            has_prague = has_prague or f.cc == run.prague.cc
        end
        run.values = measure(run, s)
        cell.runs[n] = run
        local late = run.link.late_us or {}
        print(("%-34s run %d of %d, late p99 %s us%s"):format(cell.name, n, REPEAT, late.p99 or "?",
            run.is_late and ": LATE, not to be believed" or ""))
    end
    cell.judged = {}
    for k, e in ipairs(wanted(s)) do
        cell.judged[k] = cell.unsupported and e or judge(e, cell.runs)
        e.verdict = e.verdict or "not supported"
    end
end

-- Results -----------------------------------------------------------------------------------------

assert(lab.save_series(assert(record:path("samples.csv"))))
local counts = {}
local csv = {"cell,run,is_late,what,flow,of,from_s,to_s,value\n"}
local out = {name = scenario.name, title = scenario.title, seconds = scenario.seconds,
             warmup_s = scenario.warmup_s, repeats = REPEAT, prague = prague, machine = machine,
             cells = {}}
for i, cell in ipairs(cells) do
    local c = {name = cell.name, link = cell.s.link, aqm = data.aqm_spec(cell.s.link),
               unsupported = cell.unsupported, expect = cell.judged, runs = {}}
    for _, e in ipairs(cell.judged) do
        counts[e.verdict] = (counts[e.verdict] or 0) + 1
    end
    for n, run in ipairs(cell.runs) do
        local flows = {}
        for k, f in ipairs(run.flows) do
            flows[k] = {label = f.label, group = f.group, host = f.host, cc = f.cc,
                start_s = f.start_s, seconds = f.seconds, received_bps = f.result.received_bps,
                retransmits = f.result.retransmits, mean_rtt_us = f.result.mean_rtt_us}
        end
        c.runs[n] = {t0 = run.t0, is_valid = not run.is_late, link = run.link, flows = flows,
                     values = {}}
        for _, e in ipairs(wanted(cell.s)) do
            local value = run.values[key_of(e)].value
            c.runs[n].values[key_of(e)] = value
            csv[#csv + 1] = ('"%s",%d,%s,%s,%s,%s,%s,%s,%s\n'):format(cell.name, n, run.is_late,
                e.what, e.flow or "", e.of or "", e.from_s or "", e.to_s or "",
                value and ("%.9g"):format(value) or "")
        end
    end
    out.cells[i] = c
end
out.verdicts = counts
assert(lab.write_file(assert(record:path("scenario.json")), lab.json_encode(out, true)))
assert(lab.write_file(assert(record:path("scenario.csv")), table.concat(csv)))

-- The same table for people: on the screen, as Markdown, in the report.
local HEADER = {"measure", "measured", "expected", "verdict", "expected because"}
local notes, sections, markdown = {}, {}, {}
if has_borrowed then
    notes[#notes + 1] = "BPF Prague was registered by another lab, in at least one run: it may be "
        .. "that of another version of this program."
end
if has_prague and prague and prague.source == "bpf" then
    notes[#notes + 1] = "Prague is " .. prague.label .. ", our own, with DCTCP-style feedback; "
        .. "published figures are of the L4S team's kernel module."
end
for _, cell in ipairs(cells) do
    print(("\n%s, %s, base RTT %s, %s"):format(cell.name, cell.s.link.rate, cell.s.link.rtt,
        data.aqm_spec(cell.s.link)))
    if cell.unsupported then
        print("  " .. cell.unsupported)
    end
    local rows = {}
    markdown[#markdown + 1] = ("\n### %s\n\n| %s |\n|---|---|---|---|---|\n"):format(cell.name,
        table.concat(HEADER, " | "))
    for k, e in ipairs(cell.judged) do
        local what = key_of(e) .. (e.from == "samples" and " (of interval means)" or "")
        rows[k] = {what, value_text(e), range_text(e), e.verdict, e.source or ""}
        if not cell.unsupported then
            print(("  %-38s %12s  %-14s %s"):format(table.unpack(rows[k])))
        end
        markdown[#markdown + 1] = "| " .. table.concat(rows[k], " | ") .. " |\n"
    end
    sections[#sections + 1] = {title = cell.name, table = {header = HEADER, rows = rows},
                               text = cell.unsupported or data.aqm_spec(cell.s.link)}
    for _, run in ipairs(cell.runs) do
        if run.is_late then
            notes[#notes + 1] = ("%s: the emulator fell behind (p99 %s us): that run does not "
                .. "count."):format(cell.name, run.link.late_us.p99)
        end
    end
    local first = cell.runs[1]
    if first and #cells <= 8 then
        local rates, t1 = {}, first.t0 + cell.s.seconds
        for k, f in ipairs(first.flows) do
            rates[k] = {series = f.label .. "/throughput_bps", label = f.label .. " " .. f.cc,
                        scale = 1e-6}
        end
        sections[#sections + 1] = {title = cell.name .. ": over time", svg =
            lab.svg{title = "Throughput", y = "Mbit/s", t0 = first.t0, t1 = t1, zero = true,
                    lines = rates}
            .. lab.svg{title = "Queue delay, mean of each interval", y = "ms", t0 = first.t0,
                t1 = t1, zero = true, lines = {
                    {series = "link/down/delay_l_us", label = "L", scale = 1e-3},
                    {series = "link/down/delay_c_us", label = "C", scale = 1e-3}}}}
    end
end
assert(lab.write_file(assert(record:path("scenario.md")), table.concat(markdown)))
assert(lab.report{record = record, title = scenario.title, notes = notes, sections = sections,
    subtitle = ("scenario %s, %g s, %d runs a cell; ccalab %s"):format(scenario.name,
        scenario.seconds, REPEAT, lab.version)})
print("")
for _, note in ipairs(notes) do
    print("note: " .. note)
end
local summary = {}
for verdict, n in pairs(counts) do
    if verdict ~= "-" then
        summary[#summary + 1] = ("%d %s"):format(n, verdict)
    end
end
table.sort(summary)
print("verdicts: " .. (#summary > 0 and table.concat(summary, ", ") or "none"))
print("run directory       " .. record.dir)
if refused then
    record:finish("failed", refused.message)
    error(refused, 0)
end
record:finish("ok")
