-- The manual's chapter on the laboratory. lua/prelude/help.lua says what an entry holds.

local FLOW = {
    {"client", "Host", "connects to `server.address`"}, {"server", "Host", "runs `iperf3 -s`"},
    {"cc?", "string", "congestion control of the sender", "\"cubic\""},
    {"seconds?", "integer", "how long it sends, 1 to 86400", "20"},
    {"port?", "integer", "the server's", "a free one from 5201 on"},
    {"ecn?", "boolean|integer",
        "`net.ipv4.tcp_ecn` of the client while the run lasts: true (1), false (0) or 0 to 5"},
    {"parallel?", "integer", "streams, 1 to 128", "1"},
    {"label?", "string", "of its series and files", "the client's name"},
    {"reverse?", "boolean", "the server sends", "false"},
    {"interval?", "number", "seconds between iperf3's rows, 0.1 to 60", "0.1"},
    {"start?", "number", "seconds after the first moment of the run", "0"},
    {"save?", "string", "file for iperf3's JSON, of a failed run too"},
}

local function with(fields, more)
    local out = table.move(fields, 1, #fields, 1, {})
    return table.move(more, 1, #more, #out + 1, out)
end

local CHANGED = {{"true"}, {"(fun(): true?, lab.Error?)?",
    "puts it back before its time; nil where nothing had to be changed"}}
local KEEP = {"keep?", "boolean", "it outlives the console, until `ccalab restore`", "false"}
local DEV = {"dev", "string", "a network interface of the host"}
local HOST = {"host", "Host"}

local BED = {
    {"name", "string", "of the lab; the file's path"},
    {"hosts", "table", "all hosts as a list, and by name"},
    {"client_x", "Host?"}, {"client_y", "Host?"}, {"router", "Host?"}, {"server", "Host?"},
    {"prague", "{cc: string?, label: string?, source: string?, reason: string?, hint: string?}",
     "what to ask for as TCP Prague; without `cc` there is none, for this `reason`"},
    {"ccs", "{cc: string, label: string, source: string}[]",
        "all scalable congestion controls that it has"},
    {"egress", "string?", "the router's port towards the server, behind the bottleneck"},
    {"routers", "table[]", "the bottlenecks: `{name=, egress=, link=, ...}`"},
}

return {
    title = "The laboratory",
    text = "In the examples `bed` is a virtual lab: `local bed = assert(lab.testbed{})`. "
        .. "Everything that takes hosts takes "
        .. "those of a lab file too.",
    classes = {
        {name = "Testbed", text = "A virtual lab, made by `lab.testbed`. It has a field for every "
            .. "host.",
         fields = with(BED, {
            {"roles", "table<string, string>",
                "\"client\", \"router\" or \"server\", by a host's name"},
            {"rung", "{number: integer, name: string, lacks: string[]}",
                "where it stands: 1 kernel, 2 root, 3 user namespace; "
                .. "`lacks` says what it is therefore without"},
            {"ssh_config", "string?", "with `sshd`: the file for `ssh -F`"},
            {"link", "table", "the bottleneck's `up` event (events.md)"},
            {"job", "Job", "that keeps it up"},
            {"totals", "table?", "after `down()`: the totals of each bottleneck, by router"}})},
        {name = "Lab", text = "The machines of a lab file, made by `lab.open_lab`.",
            fields = with(BED, {
            {"file", "table", "what the lab file says, as of `lab.read_labfile`"},
            {"link", "{rate: string?, rate_bps: integer?, rtt: string?, rtt_us: integer?, aqm: "
                .. "string?, shaper: string?, egress: string?}",
             "what the lab file expects of the bottleneck"},
            {"dead", "{name: string, error: lab.Error}[]",
                "with `partial`: the hosts that cannot be reached"}})},
        {name = "Drive", text = "A running `netllm drive`, made by `lab.drive`. It has the methods of "
            .. "a Job, too: `drive:finish()`, `drive:wait()`.", fields = {
            {"job", "Job", "that decides"}, {"policy", "string", "as it was given"},
            {"target", "number?", "the return aimed at; nil of a policy that aims at none"}}},
        {name = "Checks", text = "A list of named checks, made by `lab.checks`.", fields = {
            {"list", "table[]", "what was added"}, {"failed", "integer", "how many did not hold"}}},
    },
    entries = {
        {name = "lab.testbed", needs = "lab", args = {{"o?", "table", "the lab", fields = {
            {"name?", "string", "of the lab", "\"ccalab\""},
                {"rate?", "string", "of the bottleneck, in tc's words", "\"50mbit\""},
            {"rtt?", "string", "base round trip", "\"20ms\""},
                {"aqm?", "string", "of the bottleneck, in tc's words", "\"dualpi2\""},
            {"burst?", "string", "the bottleneck sends only so often: \"4ms\"", "all the time"},
            {"topology?", "string|table",
                "other hosts and routers: a file, or what would be in it (testbed.md)"},
            {"ports?", "string", "as of `ccalab testbed up --ports`"},
            {"sshd?", "boolean", "an OpenSSH server on every host", "false"},
            {"interval?", "string", "between samples of the bottleneck"}}}},
         returns = {{"Testbed", "up"}},
         errors = "`unavailable`: no root and no user namespaces, a program is missing; `usage`: "
             .. "an option is not understood",
         text = "Build a virtual lab of network namespaces on this machine: clients X and Y, a "
             .. "router with an emulated bottleneck, "
             .. "a server (testbed.md). It goes down with `bed:down()`, or with the task that made "
             .. "it.",
         example = [[
local bed = assert(lab.testbed{name = "manual", rate = "50mbit", rtt = "10ms", aqm = "dualpi2"})
print(bed.server.address, bed.prague.cc or bed.prague.reason)]]},
        {name = "Testbed:set", needs = "lab", args = {{"o", "table",
            "what to change; the rest stays", fields = {
            {"rate?", "string", "\"25mbit\""}, {"delay?", "string", "one way: \"5ms\""},
                {"jitter?", "string", "\"1ms\""},
            {"loss?", "number|string", "part of the packets: 0.01"},
                {"aqm?", "string", "in tc's words"},
            {"paths?", "table<string, string>", "delay by host: {client_x = \"5ms\"}"},
            {"router?", "string", "which bottleneck", "the first"},
            {"direction?", "\"down\"|\"up\"", "only one", "both"}}}},
         returns = {{"true"}}, errors = "`host`, with the command's own words",
             text = "Change a bottleneck while it runs (link.md).",
         example = [[
assert(bed:set{rate = "25mbit", delay = "2ms"})]]},
        {name = "Testbed:get", needs = "lab", args = {{"o?", "table", "",
            fields = {{"router?", "string", "which bottleneck", "the first"}}}},
         returns = {{"table", "`down` and `up`, each `{rate_bps=, delay_us=, aqm=, stats=, "
             .. "backlog_pkts=, out_bytes=, drop=, ...}`, "
            .. "and `late_us` (link.md)"}},
         errors = "`host`, with the command's own words", text = "What a bottleneck does now.",
         example = [[
local now = assert(bed:get())
print(now.down.rate_bps, now.down.backlog_pkts)]]},
        {name = "Testbed:down", needs = "lab", returns = {{"table",
            "totals of the first bottleneck: `{down=, up=, late_us=, is_late=}`"}},
         errors = "it did not end well", text = "Take the lab down and wait until it is.",
         example = [[
local totals = assert(bed:down())
assert(not bed.server.is_up, lab.pretty(totals))]]},
        {name = "lab.open_lab", args = {{"path", "string", "a lab file (labfile.md)"},
            {"options?", "table", "", fields = {
            {"roles?", "string[]", "open these alone", "those of the file"},
            {"partial?", "boolean",
                "go on without the hosts that cannot be reached, and without a route to the server",
                "false"}}}},
         returns = {{"Lab"}}, errors = "`usage`, `input`: the file (`err.mistakes`); of the first "
             .. "host that cannot be reached",
         text = "Open the machines of a lab file, all side by side, in the shape of `lab.testbed`.",
         example = [[
assert(lab.write_file("lab.lua", "client_x = localhost{}\n"))
local bed = assert(lab.open_lab("lab.lua"))
print(assert(bed.client_x:run{"uname", "-r"}).out)]]},
        {name = "Lab:down", returns = {{"table",
            "`{is_late=false, dev=, qdiscs=}`: what the router's port did"}},
         errors = "the port could not be read, or a change not be put back",
         text = "Leave the machines as they were found, as `lab.restore` does.",
         example = [[
assert(lab.write_file("lab.lua", "client_x = localhost{}\n"))
local bed = assert(lab.open_lab("lab.lua"))
assert(bed:down().is_late == false)]]},
        {name = "lab.read_labfile", args = {{"path", "string", "a lab file"}},
            returns = {{"table", "`{hosts={{name=, kind=, ...}}, link=}`"}},
         errors = "`input`, all mistakes in `err.mistakes`; `io`",
             text = "What a lab file says (labfile.md).",
         example = [[
assert(lab.write_file("lab.lua", "server = locahost{}\n"))
local file, err = lab.read_labfile("lab.lua")
assert(file == nil and err.status == "input")
print(err.mistakes[1])]]},
        {name = "lab.run", needs = "lab", args = {{"o", "table",
            "the flows as a list, options of the run, and defaults of the flows", fields = with({
            {"[n]", "table", "a flow: any of the fields from `client` to `save`"}}, with(FLOW, {
            {"record?", "Record",
                "gets iperf3's output, facts and clocks of the hosts, and the results"},
            {"name?", "string", "of this run in the record, where there are several"},
            {"sample?", "number|false",
                "seconds between samples of the sockets, at least 0.01; false: none", "0.1"},
            {"probes?", "table|boolean",
                "`{from=, to=, interval=0.1}`; true: fail without them; false: none",
                "where possible"},
            {"progress?", "boolean", "tell the time left", "true"},
            {"at?", "{[1]: number, [2]: fun(): any, lab.Error?}[]",
                "what is done at which second of the run; a failure is one of the run"}}))}},
         returns = {{"{flows: table[], by_label: table<string, table>, probes: table?, t0: number, "
             .. "seconds: number, iperf3: table}"}},
         errors = "the first flow that failed; the third value is the same table with what there "
             .. "is; `unavailable`: no iperf3",
         raises = "an unknown option, a value out of range",
         text = "Run iperf3 flows side by side, sampled and probed (run.md).",
         example = [[
local r = assert(lab.run{{client = bed.client_x}, {client = bed.client_y, start = 0.5, seconds = 1},
    server = bed.server, seconds = 2, progress = false})
print(r.by_label.client_x.received_bps, r.probes and r.probes.l.rtt_us.p99)]]},
        {name = "lab.iperf3", needs = "lab", args = {{"flow", "table", "the flow", fields = FLOW}},
         returns = {{"table", "`{cc=, duration_s=, sent_bps=, received_bps=, retransmits=, "
             .. "mean_rtt_us=, max_cwnd_bytes=, rows=, tcp=, ...}`"}},
         errors = "as of `lab.run`; the third value is what there is",
         raises = "as `lab.run`", text = "One flow of `lab.run`, without probes.",
         example = [[
local r = assert(lab.iperf3{client = bed.client_x, server = bed.server, cc = "cubic", seconds = 1,
    save = "iperf3.json"})
print(r.received_bps, r.mean_rtt_us)]]},
        {name = "lab.sample_flows", needs = "lab", args = {{"o", "table", "which sockets",
            fields = {
            HOST, {"label", "string", "of the series: LABEL/cwnd_bytes ..."},
                {"dport?", "integer", "remote port; this or `sport`"},
            {"sport?", "integer", "local port"}, {"peer?", "string", "remote address"},
            {"interval?", "number", "seconds, at least 0.01", "0.1"},
                {"how?", "\"ss\"", "insist on ss(8)"}}}},
         returns = {{"Job", "once it samples; `data` of `job:finish()` tells the flows seen"},
             {"string", "\"ccalab\", \"ccalab-sampler\" or \"ss\""}},
         errors = "it cannot be sampled there",
             text = "Sample a host's TCP sockets until the job is finished (tcp-info.md).",
         example = [[
local job, how = assert(lab.sample_flows{host = bed.client_x, label = "x", dport = 5201})
lab.sleep(0.3)
print(how, #(assert(job:finish()).data.flows or {}))]]},
        {name = "lab.probe_path", needs = "lab", args = {{"o", "table", "from where to where",
            fields = {
            HOST, {"to", "string", "an address"}, {"label?", "string",
                "of the series: LABEL/l/rtt_us, LABEL/c/rtt_us", "\"probe\""},
            {"interval?", "number", "seconds", "0.1"}}}},
         returns = {{"Job", "`data` of `job:finish()` has the percentiles of both (run.md)"}},
         errors = "`unavailable`: nothing of ours runs there",
             text = "Measure the RTT with ECT(1) and Not-ECT in turn, until the job is finished.",
         example = [[
local job = assert(lab.probe_path{host = bed.client_x, to = bed.server.address})
lab.sleep(0.5)
print(lab.pretty(assert(job:finish()).data.l))]]},
        {name = "lab.sampler_of", args = {HOST},
            returns = {{"{how: string, words: string[]?, why: string?}",
            "`how` is \"ccalab\", \"ccalab-sampler\" or \"ss\"; `words` the beginning of a command "
            .. "line; `why` it is no better one"}},
         text = "What samples on a host. Over SSH our sampler is uploaded once.",
         example = [[
assert(lab.sampler_of(lab.localhost).how == "ccalab")]]},
        {name = "lab.qdiscs", needs = "lab", args = {HOST,
            {"dev?", "string", "a network interface of the host", "all"},
            {"options?", "table", "", fields = {{"stats?", "boolean", "with the statistics",
                "true"}}}},
         returns = {{"table[]", "as of `lab.tc_qdiscs`"},
             {"boolean", "does the tc there speak JSON of them?"}},
         errors = "no such port; `input`: tc is not understood",
             text = "The queues of a port, or of all ports (qdisc.md).",
         example = [[
for _, q in ipairs(assert(lab.qdiscs(bed.server))) do
    print(q.dev, q.kind, q.bytes)
end]]},
        {name = "lab.set_qdisc", needs = "lab", args = {HOST, DEV,
            {"spec", "string", "a kind with its options in tc's words; \"fifo limit 100\" "
                .. "(packets, \"64kb\": bytes); \"default\": the kernel's"},
            {"options?", "table", "", fields = {{"rate?", "string",
                "under a shaper at this rate: \"50mbit\""},
                {"shaper?", "\"htb\"|\"tbf\"", "needs `rate`", "\"htb\""},
                {"force?", "boolean",
                    "even what cannot be put back exactly; the default comes back then", "false"},
                    KEEP}}},
         returns = CHANGED, errors = "the kernel or tc there does not know the kind; what is there "
             .. "could not be put back",
         raises = "`dev` is no name of an interface",
         text = "Give a port another queue until the script ends (qdisc.md, restore.md). Needs "
             .. "root there.",
         example = [[
assert(lab.set_qdisc(bed.server, "eth0", "fifo limit 100"))]]},
        {name = "lab.watch_qdisc", needs = "lab", args = {HOST, DEV,
            {"options?", "table", "", fields = {
            {"interval?", "number", "seconds", "0.1"}, {"label?", "string", "of the series",
                "qdisc/HOST/DEV"}}}},
         returns = {{"Job", "once the first sample is there"}}, errors = "no such port",
         raises = "`dev` is no name of an interface",
         text = "Sample the statistics of a port's queue until the task ends: `rate_bps`, "
             .. "`backlog_bytes`, `backlog_pkts`, `drop`, "
             .. "and of an AQM `prob`, `delay_c_us`, `delay_l_us`, `ecn_mark` and others "
             .. "(qdisc.md).",
         example = [[
local job = assert(lab.watch_qdisc(bed.server, "eth0", {label = "q"}))
lab.sleep(0.3)
job:cancel()
assert(lab.series_stats("q/backlog_pkts"))]]},
        {name = "lab.sysctl", args = {HOST, {"name", "string", "\"net.ipv4.tcp_ecn\""}},
            returns = {{"string"}},
         errors = "there is none of that name", text = "A kernel parameter of a host.",
         example = [[
print(assert(lab.sysctl(lab.localhost, "net.ipv4.tcp_congestion_control")))]]},
        {name = "lab.set_sysctl", needs = "lab", args = {HOST,
            {"name", "string", "\"net.ipv4.tcp_ecn\""}, {"value", "string|number"},
            {"options?", "table", "", fields = {KEEP}}},
         returns = CHANGED, errors = "no such parameter, not root there",
             raises = "`name` is no name of a parameter",
         text = "Change a kernel parameter until the script ends (restore.md). Needs root there.",
         example = [[
assert(lab.set_sysctl(bed.client_x, "net.ipv4.tcp_ecn", 0))
assert(lab.sysctl(bed.client_x, "net.ipv4.tcp_ecn") == "0")]]},
        {name = "lab.offload", needs = "lab", args = {HOST, DEV,
            {"feature", "string", "\"tso\", \"gso\", \"gro\", \"lro\" or ethtool's name"}},
         returns = {{"\"on\"|\"off\""}, {"boolean", "has the driver fixed it?"}},
         errors = "no such port or feature; no ethtool",
             text = "The state of an offload of a network card.",
         example = [[
print(assert(lab.offload(bed.server, "eth0", "tso")))]]},
        {name = "lab.set_offload", needs = "lab", args = {HOST, DEV,
            {"feature", "string", "as of `lab.offload`"}, {"on", "boolean"},
            {"options?", "table", "", fields = {KEEP}}},
         returns = CHANGED, errors = "the driver does not let it be switched; not root there",
         text = "Switch an offload until the script ends (restore.md). Needs root there.",
         example = [[
assert(lab.set_offload(bed.server, "eth0", "gro", false))
assert(lab.offload(bed.server, "eth0", "gro") == "off")]]},
        {name = "lab.flush_tcp_metrics", needs = "lab", args = {HOST},
            returns = {{"string", "what it knew, as `ip tcp_metrics show` printed it"}},
         errors = "not root there",
             text = "Make a host forget what it learned of paths. This cannot be put back: the "
             .. "kernel learns anew.",
         example = [[
print(assert(lab.flush_tcp_metrics(bed.client_x)))]]},
        {name = "lab.restore", args = {{"host?", "Host", "on this one alone", "all"}},
            returns = {{"integer", "how many changes were undone"}},
         errors = "the first change that could not be undone",
             text = "Put back now what this console has changed, the latest first (restore.md).",
         example = [[
assert(lab.restore() == 0)]]},
        {name = "lab.journals",
            returns = {{"{key: string, host: table, pid: integer, is_held: boolean, pending: "
            .. "table[]}[]",
            "`pending`: `{what=, target=, before=, after=, keep=}`"}},
         errors = "`io`", text = "What is written down of changes to hosts, of this and other "
             .. "consoles (restore.md).",
         example = [[
for _, journal in ipairs(assert(lab.journals())) do
    print(journal.host.name, #journal.pending)
end]]},
        {name = "lab.facts", args = {HOST, {"options?", "table", "", fields = {
            {"to?", "string[]", "addresses to which routes are asked for"},
                {"forward?", "boolean", "of a router: those between them", "false"}}}},
         returns = {{"table", "`kernel`, `tcp_congestion_control`, `links`, `qdiscs`, `routes`, "
             .. "`clock_offset_s` ...; what it cannot tell is absent "
            .. "(remote/survey.h has the fields)"}},
         errors = "the host could not be asked",
             text = "What a host says of itself, for run records and checks.",
         example = [[
local facts = assert(lab.facts(lab.localhost))
print(facts.kernel, facts.tcp_congestion_control)]]},
        {name = "lab.doctor", needs = "lab", args = {{"L", "Testbed|Lab"},
            {"options?", "table", "", fields = {
            {"roles?", "string[]", "names or roles of the hosts to look at", "all"},
            {"fix?", "boolean", "repair what can be put back, after asking", "false"},
                {"yes?", "boolean", "without asking", "false"},
            KEEP, {"quiet?", "boolean", "print nothing", "false"},
            {"cc?", "table<string, string>", "congestion control of clients, by name",
                "Prague for client_x, else cubic"},
            {"ports?", "integer[]", "that the server must be able to listen on", "{5201, 5202}"},
            {"rate_bps?", "number", "expected of the bottleneck", "the lab's"},
                {"rtt_s?", "number", "expected of the path", "the lab's"}}}},
         returns = {{"{hosts: table[], passed: integer, failed: integer, unknown: integer}",
            "of each host `{name=, role=, address=, checks=, facts=, error=}`"}},
         raises = "`unavailable`: with `fix`, where nobody can be asked",
         text = "Look at the hosts of a lab for their roles, print what is well, what is not and "
             .. "how to mend it (doctor.md).",
         example = [[
local found = lab.doctor(bed, {quiet = true})
print(found.passed, found.failed, found.unknown)]]},
        {name = "lab.install_kernel", needs = "ssh", tested = "tests/remote/lab_kernel.sh",
            tested_as = "ccalab doctor --install-kernel",
         args = {{"hosts", "Host[]", "over SSH"}, {"source", "string",
             "a directory of .deb packages, the URL of a .deb, .zip or .tar, or the "
            .. "release of a kernel that they have"}, {"options?", "table", "", fields = {
            {"yes?", "boolean", "without asking", "false"},
                {"wait_s?", "number", "how long a host may take to come back", "300"}}}},
         returns = {{"string", "the release that runs"}},
             errors = "the host that failed boots, next time, what it booted before",
         text = "Install a kernel on hosts, boot it and make it the default, one host after the "
             .. "other (doctor.md).",
         example = [[
local server = assert(lab.ssh{name = "server", host = "10.0.2.100", user = "student"})
print(assert(lab.install_kernel({server}, "kernels/l4s")))]]},
        {name = "lab.machine",
            returns = {{"table", "as of `ccalab testbed doctor --quick --json` (bench.md)"}},
         errors = "it cannot be told", text = "What this machine is, and how fit for measurements.",
         example = [[
print(lab.pretty(assert(lab.machine())))]]},
        {name = "lab.checks", returns = {{"Checks"}}, text = "A new list of named checks.",
         example = [[
local checks = lab.checks()
checks:add{name = "two and two", ok = 2 + 2 == 4, seen = 2 + 2, want = 4}
assert(checks.failed == 0)]]},
        {name = "Checks:add", args = {{"check", "table", "",
            fields = {{"name", "string", "what is checked"},
            {"ok?", "boolean", "does it hold? nil: nobody can tell"},
                {"seen?", "any", "what there is"}, {"want?", "any", "what there should be"},
            {"fix?", "string", "how to mend it"}}}},
         returns = {{"boolean?", "`ok`"}}, text = "Add a check and print it.",
         example = [[
local checks = lab.checks()
checks:add{name = "a tie", ok = nil, seen = "nobody measured"}
assert(checks.failed == 0 and #checks.list == 1)]]},
        {name = "lab.drive", needs = "lab", args = {{"o", "table",
            "options of `netllm drive`, with underscores", fields = {
            {"policy", "string", "\"model:DIR\", \"distilled:FILE\", \"lua:FILE\", "
                .. "\"constant:PACKETS\", \"bdp:RATE:RTT\", \"copy-last\" or \"random:SEED\""},
            {"interval?", "string", "between decisions for a flow, at least a round trip",
                "\"10ms\""},
            {"ect?", "\"ect1\"|\"ect0\"|\"none\"", "what its flows are sent as", "\"ect1\""},
            {"report?", "string", "between samples of a flow", "\"100ms\""},
            {"target_return_scale?", "number",
                "the return to aim at, as a share of the largest of the training", "1"},
            {"explore?", "number", "decisions are up to so much more or less, in ln(window), by chance", "0"},
            {"seed?", "integer", "of that chance", "1"},
            {"advisor?", "string", "a policy that is asked what it would do, and not obeyed: pools of recipe loop "
                .. "teach its answers"},
            {"max_flows?", "integer", "that `model:` decides for at a time", "64"},
            {"cwnd_min?", "number", "bytes, for the recipes published and tutorial"},
            {"cwnd_max?", "number", "bytes, for the recipes published and tutorial"},
            {"lua_budget?", "integer", "instructions a decision", "100000"},
            {"threads?", "integer", "of libtorch", "one per core"},
            {"fifo?", "boolean", "ask for SCHED_FIFO", "true"},
            {"awake?", "boolean", "let no processor sleep while flows are open", "false"},
            {"label?", "string", "of the job", "\"drive\""},
            {"host?", "Host", "whose machine's flows; over SSH netllm and the policy's files are uploaded",
                "lab.localhost"}}}},
         returns = {{"Drive", "`data` of `drive:finish()` has decisions, latencies and staleness"},
             {"(fun(): true?, lab.Error?)?", "over SSH: puts back what was changed there before the script ends"}},
         errors = "`unavailable`: no root, a kernel before 6.4, no netllm or one that does not start there, "
             .. "another one drives; "
             .. "what is wrong with the policy",
         raises = "an option that is none",
         text = "Decide the windows of the flows of this machine, or of another, that ask for the congestion control "
             .. "\"netllm\", until the job is finished (drive.md).",
         example = [[
local drive, err = lab.drive{policy = "constant:40"}
print(drive and lab.pretty(assert(drive:finish()).data) or err.message)]]},
        {name = "Drive:aim", needs = "lab", args = {{"scale", "number",
            "the return to aim at, as a share of the largest of the training"}},
         returns = {{"true"}},
         errors = "`usage`: the policy aims at no return, as constant: and bdp:; `host`: it has "
             .. "ended",
         raises = "what is no number, or beyond 10^6",
         text = "Aim at another return from here on, for all its flows at once. The keys `>` and "
             .. "`<` of the console's screen Runs do it by a tenth.",
         example = [[
assert(lab.write_file("cc.lua", "function on_sample(flow, s) return 40 * s.target end"))
local drive, err = lab.drive{policy = "lua:cc.lua"}
print(drive and drive:aim(0.8) and drive.target or err.message)
local _ = drive and assert(drive:finish())]]},
        {name = "lab.pool", needs = "netllm", args = {{"o", "table", "", fields = {
            {"files", "string[]", "run directories, CSVs of samples, iperf3 JSON, other pools"},
                {"out", "string", "the pool to write"},
            {"recipe?", "string", "\"lab\", \"loop\", \"tutorial\" or \"published\"", "\"lab\""}}}},
         returns = {{"table", "`{rows=, episodes=, recipe=, path=, flows=}`"}},
             errors = "`unavailable`: no netllm; a file is none of these",
         raises = "an option that is none",
             text = "Build an experience pool, an episode a flow (netllm.md).",
         example = [[
local pool = assert(lab.pool{files = {"iperf3.json"}, out = "pool.safetensors"})
print(pool.rows, pool.episodes)]]},
        {name = "lab.adapt", needs = "netllm", args = {{"o", "table",
            "options of `netllm adapt`, with underscores", fields = {
            {"pool", "string", "a pool"}, {"dir", "string", "the checkpoint to write"},
                {"host?", "Host", "where it runs", "lab.localhost"},
            {"num_epochs?", "integer", "", "20"}, {"lr?", "number", "learning rate", "1e-4"},
            {"resume?", "boolean", "go on with the training in `dir`, if there is one", "false"},
            {"start_from?", "string", "a checkpoint whose weights it begins with"},
                {"rank?", "integer", "of LoRA", "8"},
            {"w?", "integer", "steps of a window", "20"},
                {"gamma?", "number", "discount of the returns", "1"},
            {"scale?", "number", "the returns are divided by it", "1000; recipe lab: 1"},
            {"seed?", "integer", "", "100003"}, {"batch_size?", "integer",
                "windows in a pass", "by the shape of the backbone"},
            {"grad_accum_steps?", "integer", "windows of an optimiser step", "32"},
            {"warmup_steps?", "integer", "optimiser steps of the linear warm-up"},
                {"warmup_fraction?", "number", "the same as a fraction", "0.1"},
            {"weight_decay?", "number", "", "1e-4"}, {"plm_config?", "string",
                "shape of the backbone, a config.json", "a tiny Llama"},
            {"plm_path?", "string", "directory of a pre-trained backbone"},
            {"random_init?", "integer", "seed of the backbone's random weights", "seed"},
            {"sample_step?", "integer", "distance of window starts", "w"},
                {"state_feature_dim?", "integer", "width of the state encoder", "256"},
            {"which_layer?", "integer", "stop the backbone after it; -1: the last", "-1"},
                {"threads?", "integer", "", "one per core"},
            {"workers?", "integer", "passes side by side, on the CPU", "threads"},
            {"lora_targets?", "string", "linear layers that LoRA adapts, with commas between",
                "q_proj,v_proj; GPT-2: c_attn"},
            {"loss?", "string", "\"mse\", or \"ce\": cross-entropy of bins of actions", "\"mse\""},
            {"bins?", "integer", "of loss ce", "32"},
            {"decision?", "string", "of loss ce: \"mean\" of the bins or \"mode\"", "\"mean\""},
            {"label_clip?", "number", "cut the labels to +- so much of their scale; 0: not", "0"},
            {"device?", "string", "\"cuda\", \"cuda:1\"", "\"cpu\""},
            {"devices?", "string", "\"auto\": all GPUs"}}}},
         returns = {{"table", "the result of `netllm adapt` (netllm.md)"}},
             errors = "`unavailable`: no netllm; what netllm says",
         text = "Train the policy. The other options of netllm.md are taken too.",
         example = [[
assert(lab.pool{files = {"iperf3.json"}, out = "pool.safetensors"})
local result = assert(lab.adapt{pool = "pool.safetensors", dir = "model", num_epochs = 1, w = 4})
print(lab.pretty(result))]]},
        {name = "lab.distill", needs = "netllm", args = {{"o", "table",
            "options of `netllm distill`, with underscores", fields = {
            {"pool", "string", "whose states it answers for"}, {"dir", "string", "a checkpoint of recipe lab: the teacher"},
            {"out", "string", "the student to write"}, {"host?", "Host", "where it runs", "lab.localhost"},
            {"rows?", "integer", "rows of a flow that it sees", "8"},
            {"hidden?", "integer", "units of each of its two hidden layers", "64"},
            {"num_epochs?", "integer", "at most", "60"}, {"lr?", "number", "learning rate", "1e-3"},
            {"seed?", "integer", "", "100003"}, {"threads?", "integer", "", "one per core"}}}},
         returns = {{"table", "the result of `netllm distill` (netllm.md)"}},
             errors = "`unavailable`: no netllm; what netllm says",
         text = "Teach a small network to answer as the policy does, for `lab.drive{policy = \"distilled:FILE\"}`.",
         example = [[
assert(lab.pool{files = {"iperf3.json"}, out = "pool.safetensors"})
assert(lab.adapt{pool = "pool.safetensors", dir = "model", num_epochs = 1, w = 4})
print(lab.pretty(assert(lab.distill{pool = "pool.safetensors", dir = "model", out = "student.safetensors",
    num_epochs = 1})))]]},
        {name = "lab.test", needs = "netllm", args = {{"o", "table", "",
            fields = {{"pool", "string", "a pool"}, {"dir", "string", "a checkpoint"},
            {"host?", "Host", "where it runs", "lab.localhost"},
                {"threads?", "integer", "", "one per core"}}}},
         returns = {{"table", "`{test_loss=, baselines=, scores=, ...}` (netllm.md)"}},
             errors = "`unavailable`: no netllm; what netllm says",
         text = "Score a trained policy on the held-out part of the pool.",
         example = [[
assert(lab.pool{files = {"iperf3.json"}, out = "pool.safetensors"})
assert(lab.adapt{pool = "pool.safetensors", dir = "model", num_epochs = 1, w = 4})
print(assert(lab.test{pool = "pool.safetensors", dir = "model"}).test_loss)]]},
    },
}
