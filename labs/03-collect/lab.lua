-- Lab 03: the data that a policy learns from: window, RTT and throughput of flows of each congestion control.

local SECONDS, INTERVAL, ROWS = 3, 0.1, 20

local function is_prague(cc)
    return cc ~= nil and cc:find("prague", 1, true) ~= nil
end

-- The last file of each kind: {prague=, cubic=, third=}.
local function kinds(files)
    local out = {}
    for _, f in ipairs(files) do
        if f.cc and not f.error then
            out[is_prague(f.cc) and "prague" or f.cc == "cubic" and "cubic" or "third"] = f
        end
    end
    return out
end

local function observe(c)
    local seen = {files = c:iperf3_files()}
    local rows = {}
    for i, f in ipairs(seen.files) do
        rows[i] = {f.file, f.cc or "-", f.rows, f.throughput_bps and ("%.2f"):format(f.throughput_bps / 1e6) or "-",
                   f.rtt_us and ("%.2f"):format(f.rtt_us / 1e3) or "-",
                   f.cwnd_bytes and ("%.1f"):format(f.cwnd_bytes / 1e3) or "-"}
    end
    seen.table = #rows > 0 and {title = "What was collected (medians)", rows = rows,
        header = {"file", "congestion control", "rows", "Mbit/s", "RTT ms", "cwnd kB"}} or nil
    return seen
end

-- Collect one flow alone, as NAME.json, its JSON without line breaks.
local function collect(c, cc, name, seconds)
    local file = c:path(name .. ".json")
    assert(lab.iperf3{client = c.bed.client_x, server = c.bed.server, cc = cc, seconds = seconds or SECONDS,
                      interval = INTERVAL, save = file})
    assert(lab.write_file(file, lab.json_encode(lab.json_decode(assert(lab.read_file(file))))))
end

local function collect_all(c, seconds)
    collect(c, c.bed.prague.cc or "prague", "prague", seconds)
    collect(c, "cubic", "cubic", seconds)
    collect(c, "reno", "reno", seconds)
end

local HOW = "iperf3's own JSON: sender_tcp_congestion, and the intervals with rtt and snd_cwnd"

local function look_for(which, want)
    return function(seen, c)
        local f = kinds(seen.files)[which]
        local there = {}
        for _, one in ipairs(seen.files) do
            there[#there + 1] = one.file .. ": " .. (one.error or one.cc or "no congestion control named")
        end
        return c.judge(f ~= nil, {seen = f and f.file .. ": " .. f.cc or #there > 0 and table.concat(there, ", ")
            or "no JSON of iperf3 in your folder", want = want, how = HOW, host = "client_x"})
    end
end

return {
    title = "Collecting data",
    about = "window, RTT and throughput of each congestion control",
    minutes = 15,
    testbed = {rate = "20mbit", rtt = "20ms", aqm = "dualpi2"},
    steps = {
        {
            name = "record", title = "Three recordings", observes = "files", observe = observe,
            checks = {
                {name = "prague", says = "A flow of Prague is recorded",
                 look = look_for("prague", "a recording whose sender used Prague")},
                {name = "cubic", says = "A flow of CUBIC is recorded",
                 look = look_for("cubic", "a recording whose sender used CUBIC")},
                {name = "third", says = "A flow of a third congestion control is recorded",
                 look = look_for("third", "BBR, Reno, or what else client X has")},
                {name = "rows", says = "Each has window and RTT in enough rows", look = function(seen, c)
                    local least
                    for _, which in ipairs{"prague", "cubic", "third"} do
                        local f = kinds(seen.files)[which]
                        least = f and (not least or f.rows < least.rows) and f or least
                    end
                    return c.judge(least ~= nil and least.rows >= ROWS, {how = HOW,
                        seen = least and ("%s: %d rows"):format(least.file, least.rows) or "no recording",
                        want = ("%d rows in each, an interval of 0.1 s helps"):format(ROWS)})
                end},
            },
            hints = {
                "One flow at a time, each with another congestion control: what another flow does to it belongs "
                    .. "to another experiment.",
                "`ccalab run {{lab}} --flow client_x:server:prague:20s --name prague`, and the same with cubic "
                    .. "and bbr, with CCALAB_RUNS as the text says.",
                "By hand: `iperf3 -c {{server}} -C cubic -t 20 -i 0.1 --json > cubic.json` on client X, and the "
                    .. "file into your folder.",
            },
            solution = {does = "sends Prague, CUBIC and Reno one after the other, and keeps the JSON of each",
                        run = function(c) collect_all(c) end},
            wrong = {
                {name = "renamed", does = "keeps three recordings, all of one CUBIC flow, under three names",
                 fails = "prague", run = function(c)
                    collect(c, "cubic", "cubic")
                    for _, name in ipairs{"prague", "bbr"} do
                        assert(lab.write_file(c:path(name .. ".json"), assert(lab.read_file(c:path("cubic.json")))))
                    end
                 end},
                {name = "short", does = "sends each of the three for one second", fails = "rows",
                 run = function(c) collect_all(c, 1) end},
            },
        },
        {
            name = "compare", title = "What the numbers say", acts = "files", observes = "files",
            question = "Which congestion control kept the lowest median RTT?",
            setup = function(c)
                if #c:iperf3_files() == 0 then
                    for _, name in ipairs{"prague", "cubic", "reno"} do
                        c:copy_in("record/solution/" .. name .. ".json")
                    end
                end
            end,
            observe = function(c)
                local seen = observe(c)
                for _, f in ipairs(seen.files) do
                    if f.rtt_us and f.cc and (not seen.lowest or f.rtt_us < seen.lowest.rtt_us) then
                        seen.lowest = f
                    end
                    if f.rtt_us and f.cc and (not seen.highest or f.rtt_us > seen.highest.rtt_us) then
                        seen.highest = f
                    end
                end
                return seen
            end,
            checks = {
                {name = "lowest", says = "You know whose queue was shortest", look = function(seen, c)
                    if not seen.lowest then
                        return c.cannot("there is no recording with RTTs in your folder")
                    end
                    local given = (c.answer or ""):lower():match("[%w_]+")
                    local is_right = given == seen.lowest.cc
                        or (given == "prague" and is_prague(seen.lowest.cc)) or false
                    return c.judge(is_right, {seen = c.answer and "your answer: " .. c.answer or "no answer yet",
                        want = "the one with the lowest median of `rtt`", how = "the medians of your recordings"})
                end},
            },
            hints = {
                "Compare medians: the first round trips are slow start, and a mean keeps them.",
                "`ccalab labs check` has measured them: `ccalab labs report` shows the table of all recordings.",
            },
            solution = {does = "compares the medians of rtt", run = function(c)
                c.answer = c:observed().lowest.cc
            end},
            wrong = {
                {name = "highest", does = "names the one with the longest RTT", fails = "lowest",
                 run = function(c) c.answer = c:observed().highest.cc end},
            },
        },
    },
}
