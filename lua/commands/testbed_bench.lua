-- `ccalab testbed bench`: what the virtual lab can do on this machine: the highest rate at which the
-- emulated bottleneck keeps time, how exact its rates and its base RTT are, what it costs, and beside
-- it the kernel's own token bucket, and Mahimahi where it is installed. Nothing else should run
-- meanwhile. See docs/bench.md.

local o = lab.args({name = "testbed bench", help = "what the virtual lab can do on this machine",
    usage = "[OPTIONS]", flags = {
        {"--json", help = "print one object instead"},
        {"--seconds", meta = "N", number = true, help = "of each measurement (5)"},
        {"--only", meta = "PART", help = "search, rtt, rate, mahimahi or busy"},
        {"--name", meta = "NAME", help = "of the lab that it builds (bench)"}}}, arg)
if not o then
    return
end
local PARTS = {"search", "rtt", "rate", "mahimahi", "busy"}
local is_json, only = o.json, o.only or ""
if only ~= "" and not (" " .. table.concat(PARTS, " ") .. " "):find(" " .. only .. " ", 1, true) then
    error({status = "usage", subsystem = "testbed bench", message = "there is no part " .. only,
           hint = "one of " .. table.concat(PARTS, ", ")}, 0)
end
local LAB = o.name or "bench"
local SECONDS = o.seconds or 5
if not (SECONDS >= 1 and SECONDS <= 600) then
    error({status = "usage", subsystem = "testbed bench", message = "--seconds is out of range",
           hint = "1 to 600"}, 0)
end
local LATE_US = 1000           -- p99 above which a run is not believed
local FULL = 0.95              -- of the rate: less, and the load was not there
local RATES = {10, 50, 100, 200} -- Mbit/s
local RTTS = {10, 20, 40}      -- ms
local FASTEST = 12800          -- Mbit/s
local PING_BYTES = 84          -- of a default ping, with its IP header
local PAYLOAD = 1448           -- of the UDP datagrams that fill the bottleneck

local function say(...)
    if not is_json then
        print((...):format(select(2, ...)))
    end
end

local function wants(part)
    return only == "" or only == part
end

-- Run fn(bed) in a lab of its own. Its results, and the totals of the bottleneck.
local function with_lab(o, fn)
    local task = lab.spawn(function()
        o.name = LAB
        local bed = assert(lab.testbed(o))
        local value = fn(bed)
        return value, assert(bed:down())
    end)
    local value, totals = task:join()
    if value == nil then
        error(totals, 0)
    end
    return value, totals
end

-- UDP from a host to an address at a fixed rate, paced to a tenth of a millisecond. Runs until the
-- task that called it ends.
local function load_udp(from, to, address, mbit, port)
    local server = assert(to:start{"iperf3", "-s", "-1", "--forceflush", "-p", port,
                                   ready = "listening", label = "iperf3 server"})
    assert(server:wait_up(5))
    return assert(from:start{"iperf3", "-u", "-c", address, "-p", port, "-b",
        ("%dk"):format(math.floor(mbit * 1000)), "-l", PAYLOAD, "--pacing-timer", 100, "-t", 600,
        label = "iperf3 load"})
end

-- Counters around a number of seconds, read by one shell beside the device: bytes that came out of
-- it, CPU time of the process `pid` (0: none) and of the machine. Rates and shares of that time.
local PROBE = [[
show() { date +%%s.%%N; sed -n 's/^ *%s: *\([0-9]*\).*/\1/p' /proc/self/net/dev
    sed 's/.*) //' /proc/%d/stat 2>/dev/null | cut -d' ' -f12,13 | grep . || echo '- -'
    head -n 1 /proc/stat; }
show; sleep %g; show]]

local function observe(host, device, pid, seconds)
    local r = assert(host:run{"sh", "-c", PROBE:format(device, pid, seconds), label = "counters"})
    local lines = {}
    for line in r.out:gmatch("[^\n]+") do
        lines[#lines + 1] = line
    end
    if #lines ~= 8 then
        error("the counters of " .. device .. " cannot be read", 0)
    end
    local function at(i)
        local user, system = lines[i + 2]:match("^(%d+) (%d+)")
        local cpu = {}
        for n in lines[i + 3]:gmatch("%d+") do
            cpu[#cpu + 1] = tonumber(n)
        end
        -- proc_stat(5): idle and iowait are the 4th and 5th; a tick is 10 ms.
        local busy = cpu[1] + cpu[2] + cpu[3] + cpu[6] + cpu[7]
        return {t = tonumber(lines[i]), bytes = tonumber(lines[i + 1]), busy_s = busy / 100,
                process_s = user and (user + system) / 100}
    end
    local a, b = at(1), at(5)
    local dt = b.t - a.t
    return {bps = (b.bytes - a.bytes) * 8 / dt,
            process = a.process_s and b.process_s and (b.process_s - a.process_s) / dt,
            machine = (b.busy_s - a.busy_s) / dt}
end

-- Process id of the bottleneck, 0 if it cannot be told.
local function link_pid(bed)
    local r = lab.localhost:run{assert(lab.program("ccalab")), "testbed", "status", "--name",
                                bed.name, "--json", label = "status"}
    local status = r and lab.json_decode(r.out)
    local link = status and status.labs and status.labs[1] and (status.labs[1].links or {})[1]
    return link and link.pid or 0
end

-- The highest rate --------------------------------------------------------------------------------

-- One TCP flow through the rate: does the bottleneck keep time, is it full?
local function try_rate(mbit)
    local filled, totals = with_lab({rate = mbit .. "mbit", rtt = "5ms", aqm = "fifo"},
        function(bed)
            local t0 = lab.now()
            assert(lab.iperf3{client = bed.client_x, server = bed.server, cc = "cubic",
                              seconds = SECONDS, label = "search"})
            local s = lab.series_stats("link/down/rate_bps", t0 + SECONDS * 0.4, lab.now() - 0.3)
            return s and s.median / (mbit * 1e6) or 0
        end)
    local late_us = totals.late_us.p99
    say("  %5d Mbit/s: %3.0f %% full, p99 lateness %.0f us", mbit, 100 * filled, late_us)
    return {mbit = mbit, filled = filled, late_p99_us = late_us,
            is_held = late_us < LATE_US and filled >= FULL,
            limit = late_us >= LATE_US and "packets leave late: the emulator does not keep time"
                or "the flows cannot fill it: senders, receivers and emulator share the cores"}
end

local function search()
    say("highest rate with p99 lateness below %g ms, %g s a step", LATE_US / 1000, SECONDS)
    local tries, best, failed = {}, nil, nil
    local mbit = 100
    while not failed and mbit <= FASTEST do
        lab.progress(#tries, #tries + 4, "highest rate")
        local try = try_rate(mbit)
        tries[#tries + 1] = try
        if try.is_held then
            best = try
            mbit = mbit * 2
        else
            failed = try
        end
    end
    local low, high = best and best.mbit or 10, failed and failed.mbit or mbit
    while failed and high / low > 1.12 do
        lab.progress(#tries, #tries + 2, "highest rate")
        local try = try_rate(math.floor(math.sqrt(low * high) / 10 + 0.5) * 10)
        tries[#tries + 1] = try
        if try.is_held then
            best, low = try, try.mbit
        else
            failed, high = try, try.mbit
        end
    end
    return {highest_rate_bps = best and best.mbit * 1e6 or lab.null, tries = tries,
            limit = failed and failed.limit or "nothing fails yet"}
end

-- Base RTT ----------------------------------------------------------------------------------------

-- Above 10 ms ping prints tenths of a millisecond for each packet, and microseconds only of the mean:
-- so the median here is that of the means of 20 pings each, 100 a second; p99 and max are of all.
local BATCH = 20
local PINGER = [[for i in $(seq %d); do ping -n -c 20 -i 0.01 -W 1 %s; done]]

local function quantiles(text, batches)
    local times, means = {}, {}
    for ms in text:gmatch("time=([%d.]+) ms") do
        times[#times + 1] = tonumber(ms)
    end
    for ms in text:gmatch("rtt[^=]*= [%d.]+/([%d.]+)") do
        means[#means + 1] = tonumber(ms)
    end
    if #means == 0 or #times < batches * BATCH * 0.9 then
        error(("only %d of %d pings came back"):format(#times, batches * BATCH), 0)
    end
    table.sort(times)
    table.sort(means)
    return {n = #times, p50 = means[(#means + 1) // 2], p99 = times[math.ceil(#times * 0.99)],
            max = times[#times]}
end

local function ping(host, address)
    local batches = math.ceil(SECONDS * 3)
    local r = assert(host:run{"sh", "-c", PINGER:format(batches, address), label = "ping"})
    return quantiles(r.out, batches)
end

local function say_error(name, q, expected)
    say("  %-24s median %+.3f ms, p99 %+.3f ms, max %+.3f ms", name, q.p50 - expected,
        q.p99 - expected, q.max - expected)
end

local function rtt_accuracy()
    local mbit, out = 50, {}
    say("\nbase RTT, beyond what was asked for and the packets' own time on the line")
    for _, rtt in ipairs(RTTS) do
        lab.progress(#out, #RTTS, ("base RTT of %d ms"):format(rtt))
        local row = with_lab({rate = mbit .. "mbit", rtt = rtt .. "ms", aqm = "fifo"},
            function(bed)
                local stack = ping(bed.client_y, "10.98.2.1")
                local idle = ping(bed.client_y, bed.server.address)
                load_udp(bed.client_x, bed.server, bed.server.address, mbit / 2, 5301)
                lab.sleep(0.5)
                return {rtt_ms = rtt, expected_ms = rtt + 2 * PING_BYTES * 8 / (mbit * 1e3),
                        stack = stack, idle = idle, half = ping(bed.client_y, bed.server.address)}
            end)
        out[#out + 1] = row
        say_error(rtt .. " ms, idle", row.idle, row.expected_ms)
        say_error(rtt .. " ms, half load", row.half, row.expected_ms)
    end
    say_error("the hosts' own stack", out[1].stack, 0)
    return out
end

-- Rates -------------------------------------------------------------------------------------------

local function ours_at(mbit)
    local seen, totals = with_lab({rate = mbit .. "mbit", rtt = "20ms", aqm = "fifo"},
        function(bed)
            load_udp(bed.client_x, bed.server, bed.server.address, mbit * 1.15, 5301)
            lab.sleep(1)
            return observe(bed.router, bed.egress, link_pid(bed), SECONDS)
        end)
    return {bps = seen.bps, error = seen.bps / (mbit * 1e6) - 1, process = seen.process,
            machine = seen.machine, late_p99_us = totals.late_us.p99}
end

-- The kernel's token bucket between the same two hosts, on a cable of its own.
local function tbf_at(bed, mbit)
    local burst = math.max(3200, mbit * 1e6 / 8 / 250) -- what a tick of a 250 Hz kernel needs
    local ok, err = bed.client_x:run{"tc", "qdisc", "replace", "dev", "tbf0", "root", "tbf", "rate",
        mbit .. "mbit", "burst", math.floor(burst), "limit", 400000, label = "tbf"}
    if not ok then
        return {error_text = err.message}
    end
    local job = load_udp(bed.client_x, bed.server, "10.97.0.2", mbit * 1.15, 5400 + mbit)
    lab.sleep(1)
    local seen = observe(bed.server, "tbf1", 0, SECONDS)
    job:cancel()
    job:wait()
    return {bps = seen.bps, error = seen.bps / (mbit * 1e6) - 1, machine = seen.machine}
end

local function tbf()
    return (with_lab({rate = "1mbit", rtt = "0", aqm = "fifo", interval = "0"}, function(bed)
        local x, s = bed.name .. "-client_x", bed.name .. "-server"
        for _, cmd in ipairs{
            {"ip", "link", "add", "tbf0", "netns", x, "type", "veth", "peer", "name", "tbf1",
             "netns", s},
            {"ip", "-n", x, "addr", "add", "10.97.0.1/30", "dev", "tbf0"},
            {"ip", "-n", s, "addr", "add", "10.97.0.2/30", "dev", "tbf1"},
            {"ip", "-n", x, "link", "set", "tbf0", "up"},
            {"ip", "-n", s, "link", "set", "tbf1", "up"}} do
            assert(lab.localhost:run(cmd))
        end
        local out = {rates = {}}
        for _, mbit in ipairs(RATES) do
            out.rates[#out.rates + 1] = tbf_at(bed, mbit)
        end
        bed.client_x:run{"tc", "qdisc", "del", "dev", "tbf0", "root"}
        local ok, err = bed.server:run{"tc", "qdisc", "add", "dev", "tbf1", "root", "netem",
                                       "delay", RTTS[1] .. "ms", label = "netem"}
        if ok then
            out.netem = ping(bed.client_x, "10.97.0.2")
        else
            out.netem_missing = err.message
        end
        return out
    end))
end

local function percent(v, format)
    return v and (format or "%.0f %%"):format(100 * v) or "-"
end

local function rate_accuracy()
    say("\nrate accuracy, %g s each, and CPU in cores; IP bytes for the emulator, Ethernet frames "
        .. "for TBF", SECONDS)
    say("  %-8s %-12s %9s %8s %8s %12s", "Mbit/s", "", "error", "process", "machine", "p99 late")
    local kernel = tbf()
    local out = {}
    for i, mbit in ipairs(RATES) do
        lab.progress(i, #RATES, ("%d Mbit/s"):format(mbit))
        local ours, its = ours_at(mbit), kernel.rates[i]
        out[i] = {mbit = mbit, ours = ours, tbf = its}
        say("  %-8d %-12s %9s %8s %8s %9.0f us", mbit, "ccalab-link",
            percent(ours.error, "%+.2f %%"), percent(ours.process), percent(ours.machine),
            ours.late_p99_us)
        say("  %-8s %-12s %9s %8s %8s", "", "TBF", percent(its.error, "%+.2f %%"), "-",
            its.error_text or percent(its.machine))
    end
    if kernel.netem then
        say_error("netem, " .. RTTS[1] .. " ms", kernel.netem, RTTS[1])
    else
        say("  netem: not in this kernel")
    end
    return out, kernel.netem or lab.null
end

-- Mahimahi ----------------------------------------------------------------------------------------

-- CPU time in seconds of all processes called mm-link or ccalab-link.
local CPU = [[cat /proc/[0-9]*/stat 2>/dev/null | sed -n 's/^[0-9]* (\(%s\)) //p' |
awk '{n += $12 + $13} END {print n / 100}']]

local function cpu_of(program)
    local r = assert(lab.localhost:run{"sh", "-c", CPU:format(program), label = "cpu"})
    return tonumber(r.out) or 0
end

-- Mbit/s of payload that one Reno flow gets, and cores that the emulator takes meanwhile.
-- `argv`: the client and what is around it.
local function flow_through(host, server, argv, program)
    local listener = assert(server:start{"iperf3", "-s", "-1", "-p", 5302, "--forceflush",
                                         ready = "listening", label = "iperf3 server"})
    assert(listener:wait_up(5))
    local job = assert(host:start(argv))
    lab.sleep(2) -- slow start
    local t0, c0 = lab.now(), cpu_of(program)
    lab.sleep(SECONDS)
    local cores = (cpu_of(program) - c0) / (lab.now() - t0)
    local r, err = job:wait()
    if not r then
        listener:cancel()
        listener:wait()
        return {goodput_bps = 0, cores = cores, error_text = "   " .. err.message}
    end
    local doc = lab.json_decode(r.out:match("{.*}") or "") or {}
    local received = doc["end"] and doc["end"].sum_received
    return {goodput_bps = received and received.bits_per_second or 0, cores = cores}
end

local function client(address)
    return ("exec iperf3 -c %s -p 5302 -C reno -J -t %d"):format(address, math.ceil(SECONDS + 3))
end

-- mm-link and mm-delay refuse root, and are set-uid root themselves.
local function as_nobody(...)
    return {label = "mahimahi", "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", ...}
end

-- A delivery trace: as many opportunities of 1504 bytes in each millisecond as the rate has.
local function write_trace(dir, mbit)
    local path, lines, sent = ("%s/%d"):format(dir, mbit), {}, 0
    for ms = 1, 1000 do
        while (sent + 1) * 1504 * 8 <= mbit * 1000 * ms do
            sent = sent + 1
            lines[sent] = ms
        end
    end
    assert(lab.write_file(path, table.concat(lines, "\n") .. "\n"))
    assert(lab.localhost:run{"chmod", "644", path})
    return path
end

-- Its own packets go in and out of the router's namespace: no cables, one hop.
local function mahimahi_at(bed, dir, mbit)
    local trace = write_trace(dir, mbit)
    local limit = ("bytes=%d"):format(mbit * 1e6 // 8 // 50)
    return flow_through(bed.router, bed.router, as_nobody("mm-link", trace, trace,
        "--uplink-queue=droptail", "--uplink-queue-args=" .. limit, "--downlink-queue=droptail",
        "--downlink-queue-args=" .. limit, "--", "sh", "-c", client("$MAHIMAHI_BASE")), "mm-link")
end

-- The same flow through a bottleneck of its own between two namespaces, as mm-link is one: no cables,
-- one hop. mm-link adds 1 ms each way by itself.
local function ours_between(bed, mbit, tick)
    local ends = {{bed.name .. "-client_x", "cmp0"}, {bed.name .. "-server", "cmp1"}}
    local function at(i)
        return ("/run/netns/%s:%s"):format(ends[i][1], ends[i][2])
    end
    local job = assert(lab.localhost:start{assert(lab.program("ccalab-link")), "--a", at(1),
        "--b", at(2), "--rate", mbit .. "mbit", "--delay", "1ms", "--aqm",
        ("fifo limit %db"):format(mbit * 1e6 // 8 // 50), "--interval", "0", "--tick", tick,
        "--duration", math.ceil(SECONDS + 6), ready = '"state":"up"', label = "ccalab-link"})
    assert(job:wait_up(5))
    for i, place in ipairs(ends) do
        assert(lab.localhost:run{"ip", "-n", place[1], "addr", "add", ("10.97.1.%d/30"):format(i),
                                 "dev", place[2]})
    end
    local row = flow_through(bed.client_x, bed.server,
        {"sh", "-c", client("10.97.1.2"), label = "iperf3"}, "ccalab-link")
    local down = lab.json_decode((assert(job:wait()).out:match("([^\n]+)%s*$")))
    row.late_p99_us = down.data.late_us.p99
    return row
end

local function mahimahi_delays(bed, dir)
    local batches = math.ceil(SECONDS * 3)
    local function through(...)
        local argv = as_nobody(...)
        for _, word in ipairs{"sh", "-c", PINGER:format(batches, "$MAHIMAHI_BASE")} do
            argv[#argv + 1] = word
        end
        return quantiles(assert(bed.router:run(argv)).out, batches)
    end
    local trace = write_trace(dir, 50)
    return {link = through("mm-link", trace, trace, "--"),
            delay = through("mm-delay", math.floor(RTTS[1] / 2))}
end

local function mahimahi()
    if not lab.localhost:run{"sh", "-c", "command -v mm-link mm-delay setpriv"} then
        say("\nmahimahi: not installed")
        return lab.null
    end
    local dir = assert(lab.localhost:run{"mktemp", "-d"}).out:gsub("%s+$", "")
    assert(lab.localhost:run{"chmod", "755", dir})
    say("\none Reno flow: goodput in Mbit/s and share of a core of the emulator")
    local out = {rates = {}}
    local mbit, is_full = 100, true
    while is_full and mbit <= FASTEST do
        lab.progress(#out.rates, 8, ("%d Mbit/s beside mm-link"):format(mbit))
        local row = with_lab({rate = "1mbit", rtt = "0", aqm = "fifo", interval = "0"},
            function(bed)
                return {mbit = mbit, mm_link = mahimahi_at(bed, dir, mbit),
                        ours = ours_between(bed, mbit, "0"),
                        ours_tick_1ms = ours_between(bed, mbit, "1ms")}
            end)
        out.rates[#out.rates + 1] = row
        is_full = false
        for _, name in ipairs{"mm_link", "ours", "ours_tick_1ms"} do
            local its = row[name]
            say("  %5d  %-14s %5.0f %4.0f %%%s", mbit, name, its.goodput_bps / 1e6,
                100 * its.cores, its.late_p99_us and
                ("   p99 late %.0f us"):format(its.late_p99_us) or its.error_text or "")
            is_full = is_full or its.goodput_bps > 0.9 * mbit * 1e6
        end
        mbit = mbit * 2
    end
    out.rtt = with_lab({rate = "1mbit", rtt = "0", aqm = "fifo", interval = "0"}, function(bed)
        return mahimahi_delays(bed, dir)
    end)
    say_error("mm-link, idle", out.rtt.link, 0)
    say_error("mm-delay, " .. RTTS[1] .. " ms", out.rtt.delay, RTTS[1])
    assert(lab.localhost:run{"rm", "-r", dir})
    return out
end

-- Company -----------------------------------------------------------------------------------------

local function busy()
    local cores = lab.machine()
    cores = cores and cores.cores or 2
    local _, totals = with_lab({rate = "50mbit", rtt = "20ms", aqm = "fifo"}, function(bed)
        for i = 1, cores do
            assert(lab.localhost:start{"sh", "-c", "while :; do :; done", label = "busy " .. i})
        end
        return (assert(lab.iperf3{client = bed.client_x, server = bed.server, cc = "cubic",
                                  seconds = SECONDS, label = "busy"}))
    end)
    say("\n%d busy loops beside it, 50 Mbit/s: p99 lateness %.0f us, at most %.0f us", cores,
        totals.late_us.p99, totals.late_us.max)
    return {loops = cores, late_us = totals.late_us}
end

-- All of it ---------------------------------------------------------------------------------------

local record <close> = assert(lab.record{name = "testbed-bench"})
local result = {t = lab.now(), version = lab.version, seconds = SECONDS, machine = lab.machine()}
if wants("search") then
    local found = search()
    result.highest_rate_bps, result.limit, result.tries = found.highest_rate_bps, found.limit,
        found.tries
    say("highest rate held: %s; above it %s",
        found.highest_rate_bps ~= lab.null and found.highest_rate_bps / 1e6 .. " Mbit/s" or "none",
        found.limit)
end
if wants("rtt") then
    result.rtt = rtt_accuracy()
end
if wants("rate") then
    result.rates, result.netem = rate_accuracy()
end
if wants("mahimahi") then
    result.mahimahi = mahimahi()
end
if wants("busy") then
    result.busy = busy()
end
local text = lab.json_encode(result, true)
assert(lab.write_file(assert(record:path("bench.json")), text))
-- For `ccalab testbed doctor`: what limits the rate on this machine.
if result.limit then
    local state = (os.getenv("XDG_STATE_HOME") or os.getenv("HOME") .. "/.local/state") .. "/ccalab"
    assert(lab.localhost:run{"mkdir", "-p", state})
    assert(lab.write_file(state .. "/testbed-bench.json", text))
end
record:finish("ok")
if is_json then
    print(text)
else
    say("\nrun directory       %s", record.dir)
end
