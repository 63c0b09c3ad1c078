-- What the virtual lab can do on this machine: the highest rate at which the emulated bottleneck
-- keeps time, how exact its rates and its base RTT are, what it costs, and the kernel's own token
-- bucket beside it. Two minutes; nothing else should run meanwhile. See docs/bench.md.
--
-- usage: ccalab --run labs/testbed_bench.lua [json] [seconds=5] [only=PART] [lab=NAME]
--        PART: search, rtt, rate, busy

local words = {seconds = "5", only = "", lab = "bench"}
local is_json = false
for _, a in ipairs(arg) do
    local key, value = a:match("^(%a+)=(.*)$")
    if key and words[key] then
        words[key] = value
    elseif a == "json" or a == "--json" then
        is_json = true
    else
        error({status = "usage", subsystem = "bench",
               message = ("'%s' is not understood"):format(a),
               hint = "labs/testbed_bench.lua [json] [seconds=5] [only=PART] [lab=NAME]"}, 0)
    end
end
local SECONDS = assert(tonumber(words.seconds), "seconds= needs a number")
local LATE_US = 1000           -- p99 above which a run is not believed
local FULL = 0.95              -- of the rate: less, and the load was not there
local RATES = {10, 50, 100, 200} -- Mbit/s
local PING_RTT_MS = 8          -- ping prints hundredths below 10 ms, and only tenths above
local PING_BYTES = 84          -- of a default ping, with its IP header
local PAYLOAD = 1448           -- of the UDP datagrams that fill the bottleneck

local function say(...)
    if not is_json then
        print((...):format(select(2, ...)))
    end
end

local function wants(part)
    return words.only == "" or words.only == part
end

-- Run fn(bed) in a lab of its own. Its results, and the totals of the bottleneck.
local function with_lab(o, fn)
    local task = lab.spawn(function()
        o.name = words.lab
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
    while not failed and mbit <= 12800 do
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

-- Quantiles of the round trip times of 100 pings a second, in milliseconds.
local function ping(host, address)
    local count = math.floor(SECONDS * 100)
    local r = assert(host:run{"ping", "-n", "-i", 0.01, "-c", count, "-W", 1, address,
                              label = "ping"})
    local times = {}
    for ms in r.out:gmatch("time=([%d.]+) ms") do
        times[#times + 1] = tonumber(ms)
    end
    if #times < count * 0.9 then
        error(("only %d of %d pings came back"):format(#times, count), 0)
    end
    table.sort(times)
    return {n = #times, p50 = times[(#times + 1) // 2], p99 = times[math.ceil(#times * 0.99)],
            max = times[#times]}
end

local function rtt_accuracy()
    local mbit = 50
    local expected = PING_RTT_MS + 2 * PING_BYTES * 8 / (mbit * 1e3)
    local out = with_lab({rate = mbit .. "mbit", rtt = PING_RTT_MS .. "ms", aqm = "fifo"},
        function(bed)
            local stack = ping(bed.client_y, "10.98.2.1")
            local idle = ping(bed.client_y, bed.server.address)
            load_udp(bed.client_x, bed.server, bed.server.address, mbit / 2, 5301)
            lab.sleep(0.5)
            return {stack = stack, idle = idle, half = ping(bed.client_y, bed.server.address)}
        end)
    out.expected_ms = expected
    say("\nbase RTT, %g ms asked for, %.3f ms with the packets' own time on the line", PING_RTT_MS,
        expected)
    for _, row in ipairs{{"idle", out.idle}, {"half load", out.half}} do
        say("  %-12s error: median %+.3f ms, p99 %+.3f ms, max %+.3f ms", row[1],
            row[2].p50 - expected, row[2].p99 - expected, row[2].max - expected)
    end
    say("  to the router and back, without the emulator: median %.3f ms, p99 %.3f ms",
        out.stack.p50, out.stack.p99)
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
                                       "delay", PING_RTT_MS .. "ms", label = "netem"}
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
        local ours, its = ours_at(mbit), kernel.rates[i]
        out[i] = {mbit = mbit, ours = ours, tbf = its}
        say("  %-8d %-12s %9s %8s %8s %9.0f us", mbit, "ccalab-link",
            percent(ours.error, "%+.2f %%"), percent(ours.process), percent(ours.machine),
            ours.late_p99_us)
        say("  %-8s %-12s %9s %8s %8s", "", "TBF", percent(its.error, "%+.2f %%"), "-",
            its.error_text or percent(its.machine))
    end
    if kernel.netem then
        say("  netem, %g ms: median %+.3f ms, p99 %+.3f ms", PING_RTT_MS,
            kernel.netem.p50 - PING_RTT_MS, kernel.netem.p99 - PING_RTT_MS)
    else
        say("  netem: not in this kernel")
    end
    return out, kernel.netem or lab.null
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
