-- Quickstart: the whole experiment on one machine, in about a minute.
--
-- Two clients share a 50 Mbit/s bottleneck with 20 ms base RTT and a DualPI2 queue: client X sends
-- with TCP Prague (L4S), client Y with CUBIC. We count the congestion marks that the router gives,
-- turn both flows into an experience pool, train a small NetLLM policy on it and test it against
-- the trivial predictors. Everything measured lies in the run directory afterwards.
--
-- With a lab file (docs/labfile.md) the same on its machines.
--
-- usage: ccalab labs/quickstart.lua [--lab FILE] [SECONDS]

local o = lab.args({name = "labs/quickstart.lua", help = "Prague and CUBIC through a DualPI2 bottleneck",
                    usage = "[SECONDS]", flags = {{"--lab", meta = "FILE",
                    help = "on the machines of this lab file instead of virtual ones"}}}, arg)
if not o then
    return
end
local SECONDS = tonumber(o[1]) or 20
local RATE, RTT_MS, AQM = "50mbit", 20, "dualpi2"

local run <close> = assert(lab.record{name = "quickstart"})
print("run directory: " .. run.dir)
assert(run:set("machine.doctor", (lab.machine())))

-- The lab -----------------------------------------------------------------------------------------

local t_begin = lab.now()
local bed
if o.lab then
    bed = assert(lab.open_lab(o.lab, {roles = {"client_x", "client_y", "router", "server"}}))
    if not bed.link.rate then
        assert(lab.failure("input", "labfile", o.lab .. " does not say what the link is",
                           'add: link = {rate = "50mbit", rtt = "20ms"}'))
    end
    RATE, RTT_MS = bed.link.rate, bed.link.rtt_us / 1000
    if bed.link.aqm then
        AQM = bed.link.aqm
        assert(lab.set_qdisc(bed.router, bed.egress, AQM,
            bed.link.shaper and {rate = RATE, shaper = bed.link.shaper} or nil))
    end
else
    bed = assert(lab.testbed{rate = RATE, rtt = RTT_MS .. "ms", aqm = AQM})
end
assert(run:set("lab", {rate = RATE, rtt_ms = RTT_MS, aqm = AQM, prague = bed.prague,
                       rung = bed.rung, link = bed.link}))
print(("%s %s is up after %.1f s: %s, %g ms, %s; for Prague: %s"):format(o.lab and "lab" or "virtual lab",
    bed.name, lab.now() - t_begin, RATE, RTT_MS, AQM, bed.prague.label or "none"))

-- Checks: is it the lab that we think it is? --------------------------------------------------------

print("checks")
local checks = lab.checks()
local cc_x = bed.prague.cc
-- Without root nobody can load it: the lab is then a lower rung of the ladder, and still a lab.
local is_rootless = bed.rung and bed.rung.number == 3 -- real machines stand on none
checks:add{name = "TCP Prague for client X", ok = cc_x ~= nil or (is_rootless and nil),
    seen = cc_x and ("%s (%s)"):format(cc_x, bed.prague.label) or bed.prague.reason,
    want = "a congestion control of that name", fix = bed.prague.hint}
cc_x = cc_x or "cubic"
for _, role in ipairs{"client_x", "server"} do
    local available = assert(lab.sysctl(bed[role], "net.ipv4.tcp_available_congestion_control"))
    checks:add{name = role .. " offers " .. cc_x,
        ok = (" " .. available .. " "):find(" " .. cc_x .. " ", 1, true) ~= nil, seen = available,
        want = cc_x .. " on both ends: the receiver sends the accurate feedback"}
end
for _, role in ipairs{"client_x", "client_y", "server"} do
    local ecn = assert(lab.sysctl(bed[role], "net.ipv4.tcp_ecn"))
    checks:add{name = role .. " negotiates ECN", ok = ecn ~= "0", seen = "tcp_ecn = " .. ecn,
        want = "1", fix = "sysctl -w net.ipv4.tcp_ecn=1"}
end
local forward = assert(lab.sysctl(bed.router, "net.ipv4.ip_forward"))
checks:add{name = "router forwards", ok = forward == "1", seen = "ip_forward = " .. forward,
    want = "1", fix = "sysctl -w net.ipv4.ip_forward=1"}

local ping = bed.client_x:run{"ping", "-n", "-c", 10, "-i", 0.02, "-W", 2, bed.server.address,
                              label = "ping"}
local base_rtt = ping and tonumber(ping.out:match("= ([%d.]+)/"))
local off = math.max(1, RTT_MS / 10)
checks:add{name = "base RTT", ok = base_rtt ~= nil and math.abs(base_rtt - RTT_MS) < off,
    seen = base_rtt and ("%.2f ms, the shortest of 10"):format(base_rtt) or "no answer",
    want = ("%g ms, at most %g ms off"):format(RTT_MS, off)}
local kinds = {}
for _, q in ipairs(assert(lab.qdiscs(bed.router, bed.egress, {stats = false}))) do
    kinds[#kinds + 1] = q.kind
end
local kind = AQM:match("^%S+")
checks:add{name = "router queues with " .. kind,
    ok = (" " .. table.concat(kinds, " ") .. " "):find(" " .. kind .. " ", 1, true) ~= nil,
    seen = bed.egress .. ": " .. table.concat(kinds, ", "), want = kind,
    fix = o.lab and ("ccalab qdisc --lab %s set router %s %s"):format(o.lab, bed.egress, AQM) or nil}
assert(run:set("checks", checks.list))
if checks.failed > 0 then
    error(("%d of %d checks failed: this lab would not measure what it says"):format(
        checks.failed, #checks.list), 0)
end

local function facts_of_all()
    local facts = {}
    for _, host in ipairs(bed.hosts) do
        facts[host.name] = assert(lab.facts(host))
    end
    return facts
end
assert(run:set("hosts.before", facts_of_all()))

-- Traffic -----------------------------------------------------------------------------------------

print(("%d s of traffic: X sends with %s, Y with cubic"):format(SECONDS, cc_x))
local pcap = assert(run:path("capture/router.pcapng"))
local capture = assert(lab.capture{host = bed.router, interface = bed.egress, file = pcap})
if o.lab then -- what the emulator tells of a virtual router, the port of a real one tells
    assert(lab.watch_qdisc(bed.router, bed.egress, {label = "link/down"}))
end
local t0 = lab.now()
local ticker = lab.spawn(function()
    for s = 0, SECONDS do
        lab.progress(s, SECONDS, "traffic")
        lab.sleep(1)
    end
end)
local raw = {x = assert(run:path("iperf3/client_x.json")),
             y = assert(run:path("iperf3/client_y.json"))}
local flows = assert(lab.all{
    function()
        return lab.iperf3{client = bed.client_x, server = bed.server, cc = cc_x, port = 5201,
                          seconds = SECONDS, save = raw.x}
    end,
    function()
        return lab.iperf3{client = bed.client_y, server = bed.server, cc = "cubic", port = 5202,
                          seconds = SECONDS, save = raw.y}
    end,
})
ticker:cancel()
local x, y = flows[1], flows[2]
local t1 = lab.now()
local account = assert(capture:finish()).data
assert(run:set("hosts.after", facts_of_all()))
local link = assert(bed:down())
assert(run:set("link", link))
assert(lab.save_series(assert(run:path("samples.csv"))))

-- Marks -------------------------------------------------------------------------------------------

local ecn = assert(lab.ecn(pcap))
assert(lab.write_file(assert(run:path("ecn.json")), lab.json_encode(ecn, true)))
local function ecn_row(name, host)
    local flow = lab.flow(ecn, host)
    if not flow then
        return {name, "-", "-", "-", "-", "-"}
    end
    local d = flow.fwd.data
    local ratio = flow.fwd.mark_ratio
    return {name, d.not_ect, d.ect0, d.ect1, d.ce,
            ratio and ("%.2f %%"):format(100 * ratio) or "not ECN-capable"}, flow
end
local ecn_x, flow_x = ecn_row("client X (" .. cc_x .. ")", bed.client_x)
local ecn_y = ecn_row("client Y (cubic)", bed.client_y)
print("data packets at the router's port      Not-ECT   ECT(0)   ECT(1)       CE  mark ratio")
for _, r in ipairs{ecn_x, ecn_y} do
    print(("  %-34s %9s %8s %8s %8s  %s"):format(table.unpack(r)))
end

-- Pools and the policy ------------------------------------------------------------------------------

local EPOCHS, SEED = 15, 100003
assert(run:set("seeds", {policy = SEED, link = bed.link.seed}))
local pool, pool_err = lab.pool{recipe = "tutorial", files = {raw.x, raw.y},
                                out = assert(run:path("pool/pool.safetensors"))}
if not pool then
    error(pool_err, 0)
end
print(("experience pool: %d rows in %d episodes (recipe %s)"):format(pool.rows, pool.episodes,
    pool.recipe))
local model_dir = assert(run:path("model"))
local adapted, tested, policy_err
adapted, policy_err = lab.adapt{pool = pool.path, dir = model_dir, num_epochs = EPOCHS,
                                lr = 1e-3, grad_accum_steps = 4, seed = SEED}
if adapted then
    tested, policy_err = lab.test{pool = pool.path, dir = model_dir}
end
if not tested and policy_err.status ~= "unavailable" then
    error(policy_err, 0)
end

-- Report ------------------------------------------------------------------------------------------

local mbit = function(bps) return ("%.2f Mbit/s"):format(bps / 1e6) end
local plots = {}
local function plot(name, o)
    o.t0, o.t1 = o.t0 or t0, o.t1 or t1
    local svg = lab.svg(o)
    assert(lab.write_file(assert(run:path("plots/" .. name .. ".svg")), svg))
    plots[#plots + 1] = {svg = svg}
end
local function both(key, scale)
    return {{series = "client_x/" .. key, label = "X " .. cc_x, scale = scale},
            {series = "client_y/" .. key, label = "Y cubic", scale = scale}}
end
plot("throughput", {title = "Throughput", y = "acknowledged [Mbit/s]", zero = true,
                    lines = both("throughput_bps", 1e-6)})
plot("cwnd", {title = "Congestion window", y = "cwnd [kB]", zero = true,
              lines = both("cwnd_bytes", 1e-3)})
plot("rtt", {title = "Smoothed RTT", y = "srtt [ms]", lines = both("srtt_us", 1e-3)})
plot("queue", {title = "Queue delay at the bottleneck", y = o.lab and "delay [ms]" or "mean sojourn [ms]", zero = true, lines = {
    {series = "link/down/delay_l_us", label = "L queue", scale = 1e-3},
    {series = "link/down/delay_c_us", label = "C queue", scale = 1e-3}}})
if adapted then
    plot("loss", {title = "Training", y = "MSE", t0 = 0, t1 = 0, lines = {
        {series = "train/loss", label = "train"}, {series = "valid/loss", label = "validation"}}})
end

local notes = {}
if bed.prague.source == "bpf" then
    notes[#notes + 1] = "Client X ran BPF Prague, our own TCP Prague as a BPF program with "
        .. "DCTCP-style feedback, not the L4S team's kernel module."
elseif not bed.prague.cc then
    notes[#notes + 1] = "No TCP Prague here: client X ran CUBIC. " .. (bed.prague.reason or "")
end
if is_rootless then
    notes[#notes + 1] = ("The lab ran without root, in a user namespace: without %s."):format(
        table.concat(bed.rung.lacks, " and "))
end
if link.is_late then
    notes[#notes + 1] = ("The emulator fell behind (99th percentile %.0f us late): do not believe "
        .. "the delays of this run."):format(link.late_us.p99)
end
local first_ce = flow_x and flow_x.fwd.first_ce or nil
local total = x.received_bps + y.received_bps
local sections = {
    {title = "Throughput", table = {header = {"flow", "congestion control", "received", "share",
                                              "retransmissions", "mean RTT"}, rows = {
        {"client X", x.cc, mbit(x.received_bps), ("%.1f %%"):format(100 * x.received_bps / total),
         x.retransmits, ("%.2f ms"):format(x.mean_rtt_us / 1e3)},
        {"client Y", y.cc, mbit(y.received_bps), ("%.1f %%"):format(100 * y.received_bps / total),
         y.retransmits, ("%.2f ms"):format(y.mean_rtt_us / 1e3)}}}},
    {title = "Marks at the router's port", text = first_ce
        and ("First CE of client X in frame %d."):format(first_ce.frame) or nil,
     table = {header = {"flow", "Not-ECT", "ECT(0)", "ECT(1)", "CE", "mark ratio"},
              rows = {ecn_x, ecn_y}}},
}
plots[1].title = "What was measured"
for _, p in ipairs(plots) do
    sections[#sections + 1] = p
end
local policy_rows = {}
if tested then
    policy_rows = {
        {"policy", ("%.6f"):format(tested.test_loss)},
        {"constant (mean of the training labels)", ("%.6f"):format(tested.baselines.constant)},
        {"persistence (the action before)", ("%.6f"):format(tested.baselines.persistence)}}
    sections[#sections + 1] = {title = "Policy on the held-out last part of each flow",
        text = ("Mean squared error of the action, %d windows. With this recipe the action is a "
            .. "function of the congestion window that the state shows: a copy would score 0.")
            :format(tested.windows),
        table = {header = {"predictor", "test MSE"}, rows = policy_rows}}
else
    notes[#notes + 1] = "No policy was trained: " .. tostring(policy_err)
end
local check_rows = {}
for _, c in ipairs(checks.list) do
    check_rows[#check_rows + 1] = {c.ok and "ok" or "?", c.name, c.seen}
end
sections[#sections + 1] = {title = "Checks", table = {header = {"", "check", "seen"},
                                                      rows = check_rows}}
assert(lab.report{record = run, title = "Quickstart: Prague and CUBIC through DualPI2",
    subtitle = ("%s, base RTT %g ms, %d s; ccalab %s"):format(RATE, RTT_MS, SECONDS, lab.version),
    notes = notes, sections = sections, script = arg[0]})

assert(run:set("result", {
    throughput_bps = {client_x = x.received_bps, client_y = y.received_bps},
    ecn = {client_x = {ce = ecn_x[5], mark_ratio = flow_x and flow_x.fwd.mark_ratio or nil}},
    captured_live = account.ipv4,
    policy = tested, adapt = adapted,
}))
run:finish("ok")

print("")
for _, note in ipairs(notes) do
    print("note: " .. note)
end
print(("run directory       %s"):format(run.dir))
print(("throughput          X %s %s, Y cubic %s (%.1f : %.1f %%)"):format(cc_x,
    mbit(x.received_bps), mbit(y.received_bps), 100 * x.received_bps / total,
    100 * y.received_bps / total))
print(("CE of client X      %s packets, mark ratio %s"):format(ecn_x[5], ecn_x[6]))
if tested then
    print(("baselines, test MSE constant %.6f, persistence %.6f"):format(tested.baselines.constant,
        tested.baselines.persistence))
    print(("policy, test MSE    %.6f"):format(tested.test_loss))
else
    print("policy              not trained: " .. policy_err.message)
end
