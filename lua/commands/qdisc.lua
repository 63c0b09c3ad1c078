-- `ccalab qdisc`: the queue at a port of a host.

local about = {
    name = "qdisc", help = "the queue at a port of a host: show it, set it, watch it",
    usage = "show|set|watch ROLE DEV [KIND [OPTION...]] [OPTIONS]",
    flags = {{"--lab", meta = "FILE", help = "the lab file (default: lab.lua)"},
             {"--rate", meta = "RATE", help = "set: under a shaper at this rate, as 50mbit"},
             {"--shaper", meta = "KIND", help = "set: htb (the default) or tbf"},
             {"--force", help = "set: even if the queue there cannot be put back exactly"},
             {"--interval", meta = "SECONDS", number = true, help = "watch: between samples (0.1)"},
             {"--duration", meta = "SECONDS", number = true, help = "watch: stop after that"},
             {"--json", help = "show: as JSON"}}}
local o = lab.args(about, arg)
if not o then
    return
end

local function usage(message)
    error({status = "usage", subsystem = "qdisc", message = message, hint = "see ccalab qdisc --help"}, 0)
end

local verb, role, dev = o[1], o[2], o[3]
if not ({show = true, set = true, watch = true})[verb or ""] then
    usage(verb and ("'%s' is none of show, set, watch"):format(verb) or "show, set or watch?")
elseif not role or (not dev and verb ~= "show") then
    usage(verb .. " needs a role of the lab file and a port: " .. verb .. " router eth1")
elseif verb == "set" and not o[4] then
    usage("set needs a queue: set router eth1 dualpi2")
elseif verb ~= "set" and o[4] then
    usage("what is '" .. o[4] .. "'?")
end

local host
if role == "local" and not o.lab then
    host = lab.localhost
else
    host = assert(lab.open_lab(o.lab or "lab.lua", {roles = {role}}))[role]
end

local function one(q)
    local words = {}
    for name, value in pairs(q.options) do
        words[#words + 1] = value == true and name or type(value) == "table"
            and name .. " " .. table.concat(value, " ") or name .. " " .. tostring(value)
    end
    table.sort(words)
    print(("%s %s dev %s %s"):format(q.kind, q.handle, q.dev or dev, q.root and "root"
        or "parent " .. tostring(q.parent)))
    if #words > 0 then
        print("  " .. table.concat(words, ", "))
    end
    print(("  sent %d bytes in %d packets, dropped %d, queued %d bytes in %d packets"):format(
        q.bytes or 0, q.packets or 0, q.drops or 0, q.backlog or 0, q.qlen or 0))
    if q.prob then
        print(("  probability %.6f, delay C %s, L %s, CE marks %s, step marks %s"):format(q.prob,
            q.delay_c and q.delay_c .. " us" or q.delay and q.delay .. " us" or "-",
            q.delay_l and q.delay_l .. " us" or "-", q.ecn_mark or "-", q.step_mark or "-"))
    end
end

if verb == "show" then
    local list = assert(lab.qdiscs(host, dev))
    if o.json then
        print(lab.json_encode(list, true))
    else
        for _, q in ipairs(list) do
            one(q)
        end
    end
elseif verb == "set" then
    assert(lab.set_qdisc(host, dev, table.concat(o, " ", 4), {rate = o.rate, shaper = o.shaper,
                                                              force = o.force, keep = true}))
    for _, q in ipairs(assert(lab.qdiscs(host, dev))) do
        one(q)
    end
    print(("it stays; to put back what was there: ccalab restore %s"):format(host.name))
else
    local label = ("qdisc/%s/%s"):format(host.name, dev)
    local job = assert(lab.watch_qdisc(host, dev, {interval = o.interval, label = label}))
    local function last(name)
        local s = lab.series_stats(label .. "/" .. name)
        return s and s.last
    end
    local function text(v, format)
        return v and format:format(v) or "-"
    end
    print("   time      rate   queued     prob   delay C   delay L  CE marks  steps     drops")
    local t0 = lab.now()
    while job:is_running() and (not o.duration or lab.now() - t0 < o.duration) do
        lab.sleep(math.min(1, o.duration or 1))
        print(("%6.0f s %9s %8s %8s %9s %9s %9s %6s %9s"):format(lab.now() - t0,
            text(last("rate_bps") and last("rate_bps") / 1e6, "%.2f M"), text(last("backlog_pkts"), "%.0f p"),
            text(last("prob"), "%.4f"), text(last("delay_c_us"), "%.0f us"), text(last("delay_l_us"), "%.0f us"),
            text(last("ecn_mark"), "%.0f"), text(last("step_mark"), "%.0f"), text(last("drop"), "%.0f")))
    end
    assert(job:is_running() or job:wait())
end
