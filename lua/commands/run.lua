-- `ccalab run`: flows between the hosts of a lab file, or of a virtual lab made for the purpose, with the
-- table of what came out and everything in a run directory (docs/run.md).

local ABOUT = {
    name = "run", help = "run flows side by side, sample them, and print what came out",
    usage = "[--lab FILE] [--flow CLIENT:SERVER:CC:SECONDS[:OPTION=VALUE...]] ... [OPTIONS]",
    flags = {
        {"--lab", meta = "FILE", help = "the machines of a lab file; without it a virtual lab"},
        {"--flow", meta = "FLOW", many = true,
         help = "client_x:server:prague:20s, then start=5s, port=, parallel=, ecn=, label=, reverse; "
             .. "default: X with prague, Y with cubic"},
        {"--seconds", meta = "N", number = true, help = "of flows that do not say (default 20)"},
        {"--rate", meta = "RATE", help = "bottleneck of the virtual lab (default 50mbit)"},
        {"--rtt", meta = "TIME", help = "its base RTT (default 20ms)"},
        {"--aqm", meta = "AQM", help = "its queue (default dualpi2)"},
        {"--testbed", meta = "NAME", help = "its name (default run-PID)"},
        {"--sample", meta = "SECONDS", number = true, help = "between samples (default 0.1)"},
        {"--no-probes", help = "no ICMP probes beside the flows"},
        {"--name", meta = "NAME", help = "of the run directory (default run)"},
        {"--json", help = "print the results as JSON instead of a table"},
    },
    examples = {
        "sudo ccalab run --seconds 10",
        "ccalab run --lab lab.lua --flow client_x:server:prague:20s --flow client_y:server:cubic:15s:start=5s",
    },
}

local function usage(message, hint)
    error({status = "usage", subsystem = "run", message = message, hint = hint}, 0)
end

local SHORT = "a flow is CLIENT:SERVER:CC:SECONDS, client_x:server:prague:20s"
local OPTIONS = {"start", "port", "parallel", "ecn", "label", "reverse", "interval"}

local function seconds_of(text, what)
    return tonumber(text:match("^([%d.]+)s?$"))
        or usage(("%s: '%s' is no time in seconds"):format(what, text), "20s, or 20")
end

-- "client_x:server:prague:20s:start=5s" as {client=, server=, cc=, seconds=, start=}, hosts by name.
local function parse_flow(word)
    local f, n = {}, 0
    for part in word:gmatch("[^:]+") do
        n = n + 1
        local key, value = part:match("^(%a+)=(.+)$")
        if not key and part == "reverse" then
            key, value = "reverse", true
        end
        if n <= 2 then
            f[n == 1 and "client" or "server"] = part
        elseif n == 3 and not key then
            f.cc = part
        elseif n == 4 and not key then
            f.seconds = seconds_of(part, word)
        elseif key == "start" or key == "interval" then
            f[key] = seconds_of(value, word)
        elseif key == "label" or key == "reverse" then
            f[key] = value
        elseif key == "port" or key == "parallel" or key == "ecn" then
            f[key] = tonumber(value) or usage(("%s: %s is a number"):format(word, key), SHORT)
        else
            local near = key and lab.did_you_mean(key, OPTIONS)
            usage(("%s: '%s' is not understood"):format(word, part),
                  near and ("did you mean %s="):format(near) or SHORT)
        end
    end
    if n < 2 then
        usage(("'%s' is no flow"):format(word), SHORT)
    end
    return f
end

local function mbit(bps)
    return bps and ("%.2f Mbit/s"):format(bps / 1e6) or "-"
end

local function ms(us)
    return us and ("%.2f"):format(us / 1e3) or "-"
end

local function print_table(rows)
    local width = {}
    for _, row in ipairs(rows) do
        for i, cell in ipairs(row) do
            width[i] = math.max(width[i] or 0, #cell)
        end
    end
    for _, row in ipairs(rows) do
        local out = {}
        for i, cell in ipairs(row) do
            local pad = (" "):rep(width[i] - #cell)
            out[i] = i <= 2 and cell .. pad or pad .. cell
        end
        print((table.concat(out, "  "):gsub("%s+$", "")))
    end
end

local function show(r)
    local rows = {{"flow", "cc", "start", "took s", "received", "sRTT p50 ms", "p99 ms", "retrans",
                   "CE marks", "samples"}}
    for _, f in ipairs(r.flows) do
        local t = f.tcp or {}
        local srtt = t.srtt_us or {}
        local ce = t.delivered and t.delivered > 0 and t.delivered_ce
        rows[#rows + 1] = {f.label, f.cc or f.cc_asked, f.start_s and ("%.1f"):format(math.max(f.start_s, 0)) or "-",
            f.end_s and ("%.1f"):format(f.end_s - f.start_s) or "-", mbit(f.received_bps),
            ms(srtt.median), ms(srtt.p99), tostring(f.retransmits or t.retrans or "-"),
            ce and ("%.2f %%"):format(100 * ce / t.delivered) or "-",
            t.samples and ("%d (%s)"):format(t.samples, f.sampler) or "none"}
    end
    print_table(rows)
    if r.probes then
        print("")
        rows = {{"probes to " .. r.probes.to, "", "sent", "lost", "CE", "p50 ms", "p95 ms", "p99 ms"}}
        for _, p in ipairs{{"l", "ECT(1)"}, {"c", "Not-ECT"}} do
            local q = r.probes[p[1]]
            rows[#rows + 1] = {"probe/" .. p[1], p[2], tostring(q.sent),
                tostring(math.max(q.sent - q.answered, 0)), tostring(q.ce), ms(q.rtt_us.p50),
                ms(q.rtt_us.p95), ms(q.rtt_us.p99)}
        end
        print_table(rows)
    end
end

local function open(o)
    if o.lab then
        for _, flag in ipairs{"rate", "rtt", "aqm", "testbed"} do
            if o[flag] then
                usage(("--%s is for the virtual lab, not for the machines of a lab file"):format(flag))
            end
        end
        return assert(lab.open_lab(o.lab)), o.lab
    end
    local how = {name = o.testbed or ("run-%d"):format(lab.pid), rate = o.rate or "50mbit",
                 rtt = o.rtt or "20ms", aqm = o.aqm or "dualpi2"}
    return assert(lab.testbed(how)), how
end

-- The flows with hosts for their names, and for `prague` what the lab has under that name.
local function resolve(bed, flows, seconds)
    for _, f in ipairs(flows) do
        for _, side in ipairs{"client", "server"} do
            local names = {}
            for _, host in ipairs(bed.hosts) do
                names[#names + 1] = host.name
            end
            local host = bed.hosts[f[side]]
            if not host then
                local near = lab.did_you_mean(f[side], names)
                usage(("the lab has no host %s"):format(f[side]), near
                    and ("did you mean %s?"):format(near) or "there are " .. table.concat(names, ", "))
            end
            f[side] = host
        end
        f.seconds = f.seconds or seconds
        if f.cc == "prague" then
            f.cc = bed.prague.cc or error({status = "unavailable", subsystem = "run",
                message = "no TCP Prague in this lab: " .. (bed.prague.reason or "none found"),
                hint = bed.prague.hint}, 0)
        end
    end
    return flows
end

local o = lab.args(ABOUT, arg)
if not o then
    return
end
if o[1] then
    usage(("'%s' is not understood"):format(o[1]), "--flow " .. tostring(o[1]))
end
local flows = {}
for _, word in ipairs(o.flow or {"client_x:server:prague", "client_y:server:cubic"}) do
    flows[#flows + 1] = parse_flow(word)
end
local record <close> = assert(lab.record{name = o.name or "run"})
local bed, what = open(o)
flows = resolve(bed, flows, o.seconds or 20)
flows.record, flows.sample = record, o.sample
if o.no_probes then
    flows.probes = false
end
assert(record:set("lab", {lab = what, link = bed.link, prague = bed.prague}))
local r, err, left = lab.run(flows)
local link = bed:down()
if not o.lab then
    assert(record:set("link", link))
end
local shown = r or left
if shown and o.json then
    for _, f in ipairs(shown.flows) do
        f.rows = nil -- in the run directory
    end
    shown.by_label, shown.dir = nil, record.dir
    print(lab.json_encode(shown, true))
elseif shown then
    show(shown)
    if link and link.is_late then
        print("the emulator was late (p99 over 1 ms): do not believe this run")
    end
    print("\n" .. record.dir)
end
if not r then
    error(err, 0)
end
record:finish("ok")
