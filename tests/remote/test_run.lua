-- lab.run in a virtual lab with real iperf3: offsets, samples, probes, the record, and what goes wrong.

local function check(ok, what)
    if not ok then
        error(what, 2)
    end
end

local name = arg[1]
local bed = assert(lab.testbed{name = name, rate = "20mbit", rtt = "10ms", aqm = "dualpi2"})
local x, y, server = bed.client_x, bed.client_y, bed.server
local cc = bed.prague.cc or "cubic"
local dir = arg[2]

-- Two flows, one later, sampled every 50 ms.
local record = assert(lab.record{name = "run", base = dir})
local r = assert(lab.run{
    {client = x, server = server, cc = cc, ecn = true},
    {client = y, server = server, start = 0.7, parallel = 2, label = "late"},
    seconds = 2, sample = 0.05, record = record, probes = true,
})
local first, late = r.flows[1], r.by_label.late
check(first.label == "client_x" and late == r.flows[2], "labels")
check(first.start_s > -0.2 and first.start_s < 2 and late.start_s > 0.5 and late.start_s < 2.7,
      ("offsets %.3f %.3f"):format(first.start_s, late.start_s))
check(first.port ~= late.port and first.cc == cc and first.tcp.cc == cc and late.streams == 2, "flows")
check(first.sampler == "ccalab" and first.tcp.streams == 1 and late.tcp.streams == 2, "sampled")
check(first.tcp.samples > 15 and first.tcp.srtt_us.median > 9000, lab.pretty(first.tcp))
local received = first.received_bps * 2 / 8
check(math.abs(first.tcp.bytes_acked / received - 1) < 0.25,
      ("%.0f bytes acked, %.0f received"):format(first.tcp.bytes_acked, received))
for _, q in ipairs{r.probes.l, r.probes.c} do
    check(q.answered >= 15 and q.rtt_us.p50 > 9000 and q.rtt_us.p99 >= q.rtt_us.p50, lab.pretty(q))
end
check(r.probes.c.ce == 0, "a Not-ECT probe cannot be marked")
check(r.probes.l.rtt_us.p50 < r.probes.c.rtt_us.p50, "the L queue is the shorter one")
check(lab.series_stats("probe/l/rtt_us").count >= 15, "probes live")
check(assert(lab.sysctl(x, "net.ipv4.tcp_ecn")) ~= nil, "tcp_ecn")

-- The record: raw documents, samples as they were measured, facts, clocks, commands.
check(not lab.run{{client = x, server = server, seconds = 1}, record = record}, "raw is not overwritten")
record:finish("ok")
local function read(file)
    return assert(lab.read_file(record.dir .. "/" .. file))
end
check(lab.iperf3_parse(read("iperf3/late.json")).streams == 2, "raw")
local csv, rows, empty = read("samples/client_x.csv"), 0, 0
check(csv:match("^t_s,cwnd_bytes,"), csv:sub(1, 60))
for line in csv:gmatch("[^\n]+") do
    rows = rows + 1
    empty = empty + (line:find(",,", 1, true) and 1 or 0)
    check(rows == 1 or tonumber(line:match("^[^,]+")) > 1e9, "epoch: " .. line)
end
check(rows == first.tcp.samples + 1, ("%d lines of %d samples"):format(rows, first.tcp.samples))
check(empty >= 1, "the first throughput is not known, and so empty")
check(read("samples/late#2.csv") and read("samples/probe_l.csv"), "files")
local saved = lab.json_decode(read("run.json"))
check(saved.run.flows[2].label == "late" and saved.run.flows[2].rows == nil, "results")
check(saved.run.hosts.before.server.kernel and saved.run.hosts.after.client_x.kernel, "facts")
check(saved.run.clocks.before.server.offset_s == 0, "clocks")
local seen = {}
for _, c in ipairs(saved.commands) do
    seen[c.label] = c
    check(c.host and c.start_s and c.argv, lab.pretty(c))
end
local command = seen["iperf3 late"]
check(command and command.host == "client_y" and command.exit_code == 0 and command.status == "ok"
    and command.end_s - command.start_s > 1.9 and command.argv[1] == "iperf3", lab.pretty(command))

-- tcp_ecn is the client's for the time of the run, and put back; of a cancelled run with the script's
-- other changes.
local function ecn()
    return assert(lab.sysctl(x, "net.ipv4.tcp_ecn"))
end
local before = ecn()
local other = before == "0" and 1 or 0
local seen_ecn
lab.all{
    function()
        return lab.iperf3{client = x, server = server, ecn = other, seconds = 1}
    end,
    function()
        repeat
            lab.sleep(0.02)
            seen_ecn = ecn()
        until seen_ecn == tostring(other)
        return true
    end,
}
check(seen_ecn == tostring(other) and ecn() == before, "set, and put back")
local task = lab.spawn(lab.run, {{client = x, server = server, ecn = other, seconds = 20},
                                 probes = false, progress = false})
lab.sleep(0.8)
task:cancel()
task:join()
assert(lab.restore(x))
check(ecn() == before, "put back after all")
-- Until ss says of a host what is wanted; patience only ends what hangs.
local function wait_ss(host, words, is_wanted)
    local t0 = lab.now()
    repeat
        lab.sleep(0.05)
        local out = assert(host:run{"sh", "-c", "ss " .. words}).out
        check(lab.now() - t0 < 60, "ss " .. words .. ": " .. out)
    until is_wanted(out)
end
wait_ss(server, "-Hltn; ss -Htn state established 'sport >= :5201'", function(out)
    return not out:find(":52") -- nothing is left of a cancelled run
end)

-- Ports: a taken one is passed over, or is an error where it was asked for.
local holder = server:start{"iperf3", "-s", "--forceflush", "-p", 5201, ready = "listening"}
assert(holder:wait_up())
local flow = assert(lab.iperf3{client = x, server = server, seconds = 1})
check(flow.port == 5202 and #flow.rows >= 9, "port " .. flow.port)
local nothing, err = lab.iperf3{client = x, server = server, seconds = 1, port = 5201}
check(not nothing and err.message:find("port 5201 of server is in use") and err.hint, tostring(err))
holder:cancel()

-- Someone else's client comes first.
local function fail_while(o, act)
    local t = lab.spawn(lab.run, o)
    act()
    local bad, why, partial = t:join()
    check(not bad and why, "it should have failed")
    return why, partial
end
err = fail_while({{client = x, server = server, seconds = 1, port = 5302, start = 3},
                  probes = false, progress = false}, function()
    wait_ss(server, "-Hltn 'sport = :5302'", function(out) return out ~= "" end)
    y:start{"iperf3", "-c", server.address, "-p", 5302, "-t", 20, "-b", "1M"}
end)
check(err.message:find("client_x: .*server is busy") and err.hint:find("port"), tostring(err))

-- Killed in mid-run: said, and what there was is kept; the other flow does not go on.
local function kill(host, filter)
    assert(host:run{"sh", "-c", "kill -9 $(ss -Htnp \"$1\" | sed -n 's/.*pid=\\([0-9]*\\).*/\\1/p' | sort -u)",
                    "sh", filter})
end
local function wait_flow(port)
    -- Its control connection and its data.
    wait_ss(server, ("-Htn state established 'sport = :%d'"):format(port), function(out)
        return select(2, out:gsub("\n", "")) >= 2
    end)
end
local t0 = lab.now()
local partial
err, partial = fail_while({{client = x, server = server, seconds = 100, port = 5401},
                           {client = y, server = server, seconds = 100, port = 5402},
                           probes = false, progress = false}, function()
    wait_flow(5401)
    wait_flow(5402)
    lab.sleep(1.5)
    kill(x, "dport = :5401")
end)
check(lab.now() - t0 < 80, "it stops at once")
check(err.message:find("client_x") and err.message:find("killed"), tostring(err))
check(partial.flows[1].tcp.samples > 5 and partial.flows[1].error, "samples of the killed one")
check(partial.flows[2].error.status == "interrupted" and #partial.flows[2].rows >= 9,
      "the other told how far it came")
err, partial = fail_while({{client = x, server = server, seconds = 100, port = 5501},
                           probes = false, progress = false}, function()
    wait_flow(5501)
    lab.sleep(1.5)
    kill(server, "sport = :5501")
end)
check(err.message:find("its server on server went away") and err.hint, tostring(err))
check(#partial.flows[1].rows > 5 and partial.flows[1].tcp.samples > 5, "partly")

-- What cannot be.
nothing, err = lab.iperf3{client = x, server = server, cc = "no_such_cc", seconds = 1}
check(err.message:find("TCP_CONGESTION") and err.hint:find("tcp_available"), tostring(err))
local function misuse(o, what)
    local ok, why = pcall(lab.run, o)
    check(not ok and tostring(why):find(what), tostring(why))
end
misuse({}, "no flows")
misuse({{client = x, server = server, secnds = 1}}, "did you mean 'seconds'")
misuse({{client = x, server = server, seconds = 1.5}}, "whole number")
misuse({{client = x, server = server, label = "a/b"}}, "label")
misuse({{client = x, server = server, ecn = true}, {client = x, server = server, ecn = false}}, "tcp_ecn")

-- The other way round: the server sends, and is sampled.
flow = assert(lab.iperf3{client = x, server = server, seconds = 1, reverse = true})
check(flow.is_reverse and flow.tcp.samples >= 5 and flow.received_bps > 5e6, lab.pretty(flow.tcp))
bed:down()
print("ok")
