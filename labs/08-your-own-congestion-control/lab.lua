-- Lab 08: a congestion control of one's own. It sees what the kernel sees, decides windows, answers marks,
-- shares, is broken on purpose, meets the judge, and teaches a policy that has to beat it.

local DIR = ...
local BDP = 80 -- packets of 1500 bytes that 48 Mbit/s and 20 ms have on the way
local FLOOR, CEILING_MS = 0.8, 10
local OWN = "lua:own_cc.lua"
local CELLS, MODEL = "policy/round-0/collect/cells.csv", "policy/round-0/model/netllm.json" -- of beat.lua

local flows = dofile(DIR .. "/flows.lua")
local verdicts, windows = dofile(DIR .. "/verdict.lua"), dofile(DIR .. "/windows.lua")

local HEADER = {"", "Mbit/s", "used %", "queue p50 ms", "p99 ms", "marked %", "to CUBIC's rate"}

local function table_of(title, list)
    local rows = {}
    for i, r in ipairs(list) do
        rows[i] = {r.name, ("%.1f"):format(r.rate_mbit),
                   ("%.0f"):format(100 * (r.utilisation or 0)), ("%.2f"):format(r.delay_p50_ms),
                   ("%.2f"):format(r.delay_p99_ms), ("%.1f"):format(100 * (r.mark_share or 0)),
                   r.ratio and ("%.2f"):format(r.ratio) or "-"}
    end
    return {title = title, header = HEADER, rows = rows}
end

-- Observe own_cc.lua with others beside it in the table.
local function compare(title, beside)
    return function(c)
        local seen, err = flows.try_own(c, "own_cc.lua", beside)
        if not seen or not seen.mine then
            return seen, err
        end
        local list
        list, err = flows.others(c, beside)
        if not list then
            return nil, err
        end
        seen.others = list
        seen.table = table_of(title, {seen.mine, table.unpack(list)})
        return seen
    end
end

-- "cubic 6.03, prague 0.48, ..." of a value of the others.
local function of_others(seen, key, format)
    local out = {}
    for i, r in ipairs(seen.others or {}) do
        out[i] = r.name .. " " .. format:format(r[key] or 0)
    end
    return table.concat(out, ", ")
end

-- What there is instead of a flow, nil where it was driven.
local function missing(seen, name)
    return not seen.is_there and "no " .. name .. " in your folder" or seen.error or nil
end

-- A check of a driven flow: judged(mine, seen, c) gives ok and the rest of judge()'s table.
local function driven(name, judged)
    return function(seen, c)
        local why = missing(seen, name)
        if why then
            return c.not_yet{seen = why, want = name .. ", which netllm drive can load", how = "your folder"}
        end
        local ok, t = judged(seen.mine, seen)
        t.host, t.how = t.host or "client_x", t.how or ("%s s by netllm drive lua:%s, %s, %s, DualPI2"):format(
            seen.mine.seconds, name, flows.link.rate, flows.link.rtt)
        return c.judge(ok, t)
    end
end

-- The watchdog passes many a check, too: what is judged must be the student's.
local YOURS = {name = "yours", says = "The windows are its own", look = driven("own_cc.lua", function(m)
    return m.decided.decisions >= 0.9 * m.decided.intervals, {want = "decisions in 90 % of the intervals",
        seen = ("%d decisions in %d intervals"):format(m.decided.decisions, m.decided.intervals)}
end)}

local function write(c, name, text)
    assert(lab.write_file(c:path(name), text))
end

-- The worked one in its place; what was there stays as own_cc.mine.lua.
local function write_own(c)
    local mine, worked = lab.read_file(c:path("own_cc.lua")), assert(lab.read_file(DIR .. "/../drive/own_cc.lua"))
    if mine and mine ~= worked then
        write(c, "own_cc.mine.lua", mine)
    end
    write(c, "own_cc.lua", worked)
end

-- own_cc.lua is there from the third step on: the student's, else the skeleton.
local function lay_skeleton(c)
    if not c:exists("own_cc.lua") then
        write(c, "own_cc.lua", assert(lab.read_file(DIR .. "/skeleton.lua")))
    end
end

local CONSTANT = "function on_sample(flow, s)\n    return %d\nend\n"

-- Constant windows -----------------------------------------------------------------------------------

-- Send under a constant window, or with another congestion control; the JSON is kept without line breaks.
local function send(c, name, cc, packets, seconds)
    local drive = packets and assert(lab.drive{policy = "constant:" .. packets})
    local file = c:path(name .. ".json")
    assert(lab.iperf3{client = c.bed.client_x, server = c.bed.server, cc = cc, seconds = seconds or 3, interval = 0.1,
                      save = file})
    assert(lab.write_file(file, lab.json_encode(lab.json_decode(assert(lab.read_file(file))))))
    if drive then
        drive:finish()
    end
end

-- Judging --------------------------------------------------------------------------------------------

local function run_judge(c, candidates)
    local out = assert(lab.judge{candidates = candidates, sets = {"l4s"}, seeds = 1, base = c:path("runs"),
                                 testbed = (c.place.name or "course") .. "-judge", idle_min = flows.idle_min})
    assert(lab.localhost:run{"cp", out.files.summary, c:path("judge.csv"), label = "copy"})
end

local HOW = "judge.csv"
local function recorded_policy(c)
    assert(lab.localhost:run{"cp", "-r", c.dir .. "/replay/beat/solution/.", c.work .. "/", label = "copy"})
end

local function teach_and_judge(c)
    if not c:exists("own_cc.lua") then
        write_own(c)
    end
    local r, err, left = lab.localhost:run{assert(lab.program("ccalab")), "--run", DIR .. "/beat.lua",
        c:path("own_cc.lua"), c:path("policy"), "--testbed", (c.place.name or "course") .. "-beat", label = "beat"}
    if not r then
        if left and left.exit_code == 6 then
            err.status = "unavailable"
        end
        error(err, 0)
    end
end

return {
    title = "A congestion control of your own",
    about = "write it in Lua, drive a flow, meet the judge, teach a policy that beats it",
    minutes = 90,
    testbed = flows.link,
    steps = {
        {
            name = "window", title = "A window that does not move", observe = windows,
            checks = {
                {name = "steady", says = "A driven flow kept one window", look = function(seen, c)
                    local f = seen.flows[1]
                    return c.judge(f ~= nil and f.steady >= 0.8, {host = "client_x",
                        seen = f and ("%.0f packets in %.0f %% of the intervals"):format(f.packets, 100 * f.steady)
                            or "no flow with the congestion control netllm in your runs",
                        want = "snd_cwnd the same in 80 % of the intervals",
                        how = "iperf3's own JSON in the run directories"})
                end},
                {name = "two", says = "One window is smaller, one larger than the path holds", look = function(seen, c)
                    local small, large = seen.flows[1], seen.flows[#seen.flows]
                    local said = {}
                    for i, f in ipairs(seen.flows) do
                        said[i] = ("%.0f packets: %.1f ms, %.1f Mbit/s"):format(f.packets, f.rtt_ms, f.rate_mbit)
                    end
                    return c.judge(small ~= nil and small.packets < 0.8 * BDP and large.packets > 1.2 * BDP, {
                        seen = #said > 0 and table.concat(said, "; ") or "no driven flow", host = "client_x",
                        want = ("one run below %d packets and one above %d"):format(0.8 * BDP, 1.2 * BDP),
                        how = "the medians of snd_cwnd"})
                end},
            },
            hints = {
                "Two terminals: one drives, the other sends. `netllm drive constant:40` goes on until Ctrl-C.",
                "`netllm drive constant:40` as root; then `ccalab run {{lab}} --flow client_x:server:netllm:4s` "
                    .. "with CCALAB_RUNS as the text says; then both again with 120.",
            },
            solution = {does = "drives a flow with 40 packets, and one with 120", run = function(c)
                send(c, "constant-40", "netllm", 40)
                send(c, "constant-120", "netllm", 120)
            end},
            wrong = {
                {name = "cubic", does = "sends a flow of CUBIC", fails = "steady",
                 run = function(c) send(c, "cubic", "cubic", nil, 2) end},
                {name = "small", does = "drives a flow with 40 packets alone", fails = "two",
                 run = function(c) send(c, "constant-40", "netllm", 40, 2) end},
            },
        },
        {
            name = "little", title = "Little's law", acts = "files", observes = "files",
            question = "How many packets waited in the queue, at the median, while 120 were on the way?",
            setup = function(c)
                if #windows(c).flows < 2 then
                    c:copy_in("window/solution/constant-40.json")
                    c:copy_in("window/solution/constant-120.json")
                end
            end,
            observe = function(c)
                local seen = windows(c)
                local f = seen.flows[#seen.flows]
                if not f then
                    return lab.failure("unavailable", "labs", "there is no driven flow in your runs")
                end
                seen.waiting, seen.largest = f.waiting, f
                return seen
            end,
            checks = {
                {name = "waiting", says = "You know how many packets wait", look = function(seen, c)
                    local given = tonumber((c.answer or ""):match("^%s*([%d.]+)"))
                    local margin = math.max(5, 0.15 * seen.waiting)
                    return c.judge(given ~= nil and math.abs(given - seen.waiting) <= margin, {
                        seen = c.answer and "your answer: " .. c.answer or "no answer yet", host = "client_x",
                        want = "rate times the time in the queue, within 5 packets or 15 %",
                        how = ("the flow of %.0f packets: its median RTT less the base of %d ms, times its rate")
                            :format(seen.largest.packets, seen.base_ms)})
                end},
            },
            hints = {
                "Packets in a place = rate into it x time that each spends in it. The time in the queue is the RTT "
                    .. "less the empty path's.",
                "Take rate and RTT of the larger window from the table of `ccalab labs check`. "
                    .. "A packet carries 1448 bytes: rate / 8 / 1448 packets a second.",
                "The other way round: 48 Mbit/s hold 80 packets in 20 ms. What is more than that waits.",
            },
            solution = {does = "multiplies the rate by the time in the queue",
                        run = function(c) c.answer = ("%.0f"):format(c:observed().waiting) end},
            wrong = {
                {name = "all", does = "takes all packets on the way for waiting", fails = "waiting",
                 run = function(c) c.answer = "120" end},
            },
        },
        {
            name = "own", title = "Twenty lines that decide", setup = lay_skeleton,
            observe = function(c) return flows.try_own(c, "own_cc.lua", nil, true) end,
            checks = {
                {name = "decides", says = "It decides, once a round trip", look = driven("own_cc.lua", function(m)
                    return m.decided.decisions >= 100, {want = "at least 100 decisions",
                        seen = ("%d decisions in %d intervals"):format(m.decided.decisions, m.decided.intervals)}
                end)},
                {name = "numbers", says = "Every answer is a number, and in time", look = driven("own_cc.lua", function(m)
                    local none = m.decided.intervals - m.decided.decisions
                    return m.decided.refused == 0 and none <= 0.02 * m.decided.intervals,
                        {want = "none refused, none failed or over its budget",
                         seen = ("%d refused, %d intervals without a decision"):format(m.decided.refused, none)}
                end)},
                {name = "follows", says = "The kernel's window is what was decided", look = driven("own_cc.lua", function(m)
                    local f = type(m.follow) == "table" and m.follow or {sampled = 0, agree = 0}
                    return f.sampled >= 100 and f.agree >= 0.9 * f.sampled, {want = "90 % of the sampled windows",
                        seen = ("%d of %d sampled windows"):format(f.agree, f.sampled),
                        how = "tcp_info's window every 20 ms beside the decisions"}
                end)},
            },
            hints = {
                "Begin with the least: return a number. `return 80` is a congestion control, if a rigid one.",
                "AIMD: `if (s.lost or 0) > 0 then return s.cwnd / 2 end return s.cwnd + 1`.",
                "`netllm drive lua:{{work}}/own_cc.lua` says in its log what is wrong with an answer. Arithmetic on a "
                    .. "nil is the usual one: a flow's first sample has no interval.",
            },
            solution = {does = "takes labs/drive/own_cc.lua", run = write_own},
            wrong = {
                {name = "text", does = "returns the window as a text", fails = "decides", run = function(c)
                    write(c, "own_cc.lua", "function on_sample(flow, s)\n    return \"forty packets\"\nend\n")
                end},
                {name = "sometimes", does = "returns a number every other time", fails = "numbers", run = function(c)
                    write(c, "own_cc.lua", "function on_sample(flow, s)\n    flow.n = (flow.n or 0) + 1\n"
                        .. "    return flow.n % 2 == 0 and 60 or nil\nend\n")
                end},
            },
        },
        {
            name = "marks", title = "An answer to marks", setup = lay_skeleton,
            observe = compare("Alone through DualPI2, from the first packet on"),
            checks = {
                YOURS,
                {name = "used", says = "It uses the link", look = driven("own_cc.lua", function(m, seen)
                    return (m.utilisation or 0) >= FLOOR, {want = ("at least %.0f %% of the link"):format(100 * FLOOR),
                        seen = ("%.0f %%, %.1f Mbit/s (%s Mbit/s)"):format(100 * (m.utilisation or 0), m.rate_mbit,
                            of_others(seen, "rate_mbit", "%.1f"))}
                end)},
                {name = "answers", says = "It gives way to marks", look = driven("own_cc.lua", function(m)
                    return m.falls >= 5 and m.marks > 0, {want = "marks, and a window that falls five times at least",
                        seen = ("%d marks, the window fell %d times"):format(m.marks, m.falls),
                        how = "tcp_info's window every 20 ms"}
                end)},
                {name = "queue", says = "Hardly anybody waits for it", look = driven("own_cc.lua", function(m, seen)
                    return m.delay_p99_ms <= CEILING_MS, {host = "router",
                        want = ("99 %% of packets wait %d ms at most"):format(CEILING_MS),
                        seen = ("p99 %.1f ms (%s ms)"):format(m.delay_p99_ms, of_others(seen, "delay_p99_ms", "%.1f")),
                        how = "the emulator's count of every packet's time in the queue"}
                end)},
            },
            hints = {
                "s.ce / s.delivered is the share of marked packets in the last round trip. What would you do at 5 %, "
                    .. "what at 100 %?",
                "Doubling until the first mark meets the queue twice as large as it should be, a round trip later: "
                    .. "grow by half, and take no notice of the very first packets, which leave without a pace.",
                "As DCTCP: alpha += (share - alpha) / 16 each round trip, window = window * (1 - alpha / 2) + 1 where "
                    .. "there were marks, window + 1 where there were none. labs/drive/own_cc.lua is one that works.",
            },
            solution = {does = "takes labs/drive/own_cc.lua, which answers the share of marks", run = write_own},
            wrong = {
                {name = "small", does = "keeps a window of 50 packets, whatever happens", fails = "used",
                 run = function(c) write(c, "own_cc.lua", CONSTANT:format(50)) end},
                {name = "rigid", does = "keeps a window of 100 packets, which fits this path by chance",
                 fails = "answers", run = function(c) write(c, "own_cc.lua", CONSTANT:format(100)) end},
                {name = "deaf", does = "keeps a window of 200 packets, whatever the marks say", fails = "queue",
                 run = function(c) write(c, "own_cc.lua", CONSTANT:format(200)) end},
            },
        },
        {
            name = "share", title = "Beside another", setup = lay_skeleton,
            observe = compare("Beside one CUBIC, through DualPI2", "cubic"),
            checks = {
                YOURS,
                {name = "ratio", says = "It takes its share and leaves the other's",
                 look = driven("own_cc.lua", function(m, seen)
                    return m.ratio ~= nil and m.ratio >= 0.5 and m.ratio <= 2, {
                        want = "0.5 to 2 times the rate of CUBIC", seen = ("%.2f times (%s)"):format(m.ratio or 0,
                            of_others(seen, "ratio", "%.2f")), host = "client_x, client_y",
                        how = ("bytes acknowledged of both flows, after the first %d of %d s"):format(m.warmup_s,
                            m.seconds)}
                end)},
            },
            hints = {
                "DualPI2 marks L4S packets with twice the root of what it does to classic ones: it expects you to halve "
                    .. "your window where two packets in each round trip are marked.",
                "Too little? You answer one mark more than once, or grow too slowly. Too much? A share of 10 % must cost "
                    .. "5 %, and nothing but a packet a round trip may be added.",
            },
            solution = {does = "takes labs/drive/own_cc.lua", run = write_own},
            wrong = {
                {name = "greedy", does = "holds 160 packets beside a CUBIC that gives way", fails = "ratio",
                 run = function(c) write(c, "own_cc.lua", CONSTANT:format(160)) end},
            },
        },
        {
            name = "break", title = "Broken on purpose",
            observe = function(c) return flows.try_own(c, "broken.lua", nil, true) end,
            checks = {
                {name = "broken", says = "It decided, and then it did not", look = driven("broken.lua", function(m)
                    local none = m.decided.intervals - m.decided.decisions
                    return m.decided.decisions >= 10 and none >= 20, {
                        want = "10 decisions, and then none in 20 intervals",
                        seen = ("%d decisions, none in %d intervals"):format(m.decided.decisions, none)}
                end)},
                {name = "watchdog", says = "The watchdog took over", look = driven("broken.lua", function(m)
                    return (m.stale_share or 0) >= 0.05, {want = "the watchdog's share at least 5 %",
                        seen = ("%.0f %% of the intervals are the watchdog's"):format(100 * (m.stale_share or 0)),
                        how = "what the BPF program counted after the first decision"}
                end)},
                {name = "goes-on", says = "The flow goes on", look = driven("broken.lua", function(m)
                    return m.silence_s < 1 and m.rate_mbit > 2, {want = "no second without an acknowledged byte",
                        seen = ("%.1f Mbit/s, the longest silence %.2f s"):format(m.rate_mbit, m.silence_s),
                        how = "bytes acknowledged, every 20 ms"}
                end)},
            },
            hints = {
                "A copy of own_cc.lua as broken.lua that goes wrong after two seconds. `flow` can hold a number "
                    .. "that counts.",
                "After 100 calls `while true do end`, or `return 0/0`.",
            },
            solution = {does = "loops for ever from the hundredth sample on", run = function(c)
                write(c, "broken.lua", "function on_sample(flow, s)\n    flow.n = (flow.n or 0) + 1\n"
                    .. "    while flow.n > 100 do end\n    return 70\nend\n")
            end},
            wrong = {
                {name = "whole", does = "breaks nothing", fails = "broken",
                 run = function(c) write(c, "broken.lua", CONSTANT:format(70)) end},
                {name = "from-the-start", does = "returns not-a-number from the first sample on", fails = "broken",
                 run = function(c) write(c, "broken.lua", "function on_sample(flow, s)\n    return 0/0\nend\n") end},
            },
        },
        {
            name = "judge", title = "Meeting the judge", acts = "here", observes = "files", keep = {"judge.csv"},
            setup = function(c)
                if c.place.kind ~= "replay" then
                    lay_skeleton(c)
                end
            end,
            observe = function(c)
                local verdict = verdicts.find(c)
                return verdict and {verdict = verdict, table = verdicts.table(verdict)} or {}
            end,
            checks = {
                {name = "judged", says = "Yours was judged alone and beside another", look = function(seen, c)
                    local kinds, list = {}, verdicts.scenarios(seen.verdict, {OWN})
                    for _, name in ipairs(list) do
                        kinds[seen.verdict[name].score] = true
                    end
                    return c.judge(kinds.power == true and kinds.share == true, {how = HOW,
                        seen = not seen.verdict and "no judge.csv in your folder, nor in its runs"
                            or #list > 0 and OWN .. " in " .. table.concat(list, ", ") or "no valid cell of " .. OWN,
                        want = "valid cells of " .. OWN .. " in a scenario of each kind"})
                end},
                {name = "company", says = "Others were judged in the same scenarios", look = function(seen, c)
                    local list = verdicts.scenarios(seen.verdict, {OWN, ""})
                    return c.judge(#list >= 2, {how = HOW, want = "two scenarios with yours and another's valid cells",
                        seen = #list > 0 and table.concat(list, ", ") or "no scenario with both"})
                end},
            },
            hints = {
                "`ccalab judge --help`: a candidate of your own is `netllm:lua:FILE`. One seed is enough for a first "
                    .. "look.",
                "`ccalab judge --sets l4s --seeds 1 --candidates cubic,prague,netllm:lua:{{work}}/own_cc.lua`, with "
                    .. "CCALAB_RUNS={{work}}/runs. Cells that were invalid: again with `--resume`.",
            },
            solution = {does = "judges CUBIC and labs/drive/own_cc.lua over the set l4s, with one seed",
                        run = function(c)
                            write_own(c)
                            run_judge(c, {"cubic", flows.own(c)})
                        end},
            wrong = {
                {name = "without", does = "judges CUBIC alone", fails = "judged",
                 run = function(c) run_judge(c, {"cubic"}) end},
                {name = "lonely", does = "judges its own alone, beside nobody else's cells", fails = "company",
                 run = function(c)
                    write_own(c)
                    run_judge(c, {flows.own(c)})
                 end},
            },
        },
        {
            name = "beat", title = "The policy that beats it", acts = "here", observes = "files",
            keep = {CELLS, MODEL, "policy/judge/judge.csv"},
            observe = function(c)
                local seen = {teachers = {}}
                for line in (lab.read_file(c:path(CELLS)) or ""):gmatch("[^\n]+") do
                    if line:find(OWN, 1, true) then
                        seen.own_cells = (seen.own_cells or 0) + 1
                    end
                end
                local info = c:read_json(MODEL)
                if type(info) == "table" and type(info.training) == "table" then
                    seen.training = {epochs = math.tointeger(info.training.epochs) or 0,
                                     valid_loss = tonumber(info.training.valid_loss)}
                end
                seen.verdict = verdicts.read(c:path("policy/judge/judge.csv"))
                seen.policy = verdicts.policy(seen.verdict)
                seen.table = seen.verdict and verdicts.table(seen.verdict) or nil
                return seen
            end,
            checks = {
                {name = "taught", says = "Yours was among the teachers", look = function(seen, c)
                    return c.judge((seen.own_cells or 0) > 0, {how = CELLS,
                        seen = ("%d cells of %s"):format(seen.own_cells or 0, OWN), want = "at least one"})
                end},
                {name = "trained", says = "A policy was trained", look = function(seen, c)
                    return c.judge(seen.training ~= nil and seen.training.epochs > 0, {how = MODEL,
                        seen = seen.training and ("%d epochs"):format(seen.training.epochs) or "no checkpoint",
                        want = "a checkpoint of a training"})
                end},
                {name = "both", says = "The judge has seen both", look = function(seen, c)
                    local said, n = nil, 0
                    if seen.policy then
                        said, n = verdicts.compare(seen.verdict, seen.policy)
                    end
                    return c.judge(n > 0, {how = "policy/judge/judge.csv", want = "valid cells of " .. OWN
                        .. " and of a distilled policy in the same scenario", seen = n > 0 and said
                        or seen.policy and "no scenario in which both have a valid cell"
                        or "no driven policy was judged"})
                end},
            },
            hints = {
                "`ccalab --run {{dir}}/beat.lua {{work}}/own_cc.lua {{work}}/policy` does all of it, and goes on where it "
                    .. "was stopped.",
                "A policy can hardly do better than the best that it was shown. What do its teachers do where "
                    .. "yours loses?",
            },
            solution = {does = "lets CUBIC, Prague and own_cc.lua teach, and judges (ten minutes or more)",
                        run = function(c) c:do_or_take("solution", teach_and_judge) end},
            wrong = {
                {name = "unjudged", does = "stops when the training is done", fails = "both", run = function(c)
                    recorded_policy(c)
                    assert(os.remove(c:path("policy/judge/judge.csv")))
                end},
                {name = "strangers", does = "learns from others alone", fails = "taught", run = function(c)
                    recorded_policy(c)
                    local lines = {}
                    for line in assert(lab.read_file(c:path(CELLS))):gmatch("[^\n]+") do
                        lines[#lines + 1] = not line:find(OWN, 1, true) and line or nil
                    end
                    write(c, CELLS, table.concat(lines, "\n") .. "\n")
                end},
            },
        },
    },
}
