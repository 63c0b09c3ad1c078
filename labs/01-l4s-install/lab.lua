-- Lab 01: what L4S needs on each host: Prague on both ends, ECN asked for and agreed to, DualPI2 where
-- packets wait.

local function has(list, word)
    return (" " .. list .. " "):find(" " .. word .. " ", 1, true) ~= nil
end

local CC = "net.ipv4.tcp_congestion_control"
local AVAILABLE = "net.ipv4.tcp_available_congestion_control"

-- The flags of the last SYN from client X and of its answer, of a flow of one second.
local function handshake(c)
    local file = c:path("handshake.pcapng")
    local capture = assert(lab.capture{host = c.bed.router, interface = c.bed.egress, file = file,
                                       filter = "tcp[tcpflags] & tcp-syn != 0"})
    assert(lab.iperf3{client = c.bed.client_x, server = c.bed.server, cc = "cubic", seconds = 1,
                      label = "handshake"})
    assert(capture:finish())
    local seen = {syn = {}, syn_ack = {}}
    local cap <close> = assert(lab.open_capture(file))
    for p in assert(cap:packets("tcp.flags.syn == 1")) do
        if p["ip.src"] == c.bed.client_x.address then
            seen.syn = {ece = p["tcp.flags.ece"] == true, cwr = p["tcp.flags.cwr"] == true,
                        ae = p["tcp.flags.ae"] == true, is_ect = p["ip.dsfield.ecn"] ~= 0}
        elseif p["ip.dst"] == c.bed.client_x.address then
            seen.syn_ack = {ece = p["tcp.flags.ece"] == true, cwr = p["tcp.flags.cwr"] == true,
                            ae = p["tcp.flags.ae"] == true}
        end
    end
    return seen
end

local function flags(f)
    local out = {}
    for _, name in ipairs{"ae", "cwr", "ece"} do
        out[#out + 1] = f[name] and name:upper() or nil
    end
    return next(f) == nil and "no such packet" or #out > 0 and table.concat(out, "+") or "none of AE, CWR, ECE"
end

local function set_ecn(c, values)
    for role, value in pairs(values) do
        c:set_sysctl({role}, "net.ipv4.tcp_ecn", value)
    end
end

-- A SYN of Prague is ECT itself and asks whatever the sysctl says; a server that follows RFC 3168 does not
-- answer it as it would another. Then only the sysctl tells what other connections get.
local function by_sysctl(c, value, good, host)
    return c.judge(good[value] == true, {seen = "tcp_ecn = " .. value .. ", beside a SYN of Prague's", host = host,
        want = "1 (3 on a kernel with AccECN)", how = "sysctl net.ipv4.tcp_ecn"})
end

local function queue_wrong(spec)
    return function(c) c:set_queue(spec) end
end

return {
    title = "Installing L4S",
    about = "kernels, ECN, TCP Prague, DualPI2",
    minutes = 20,
    testbed = {rate = "20mbit", rtt = "20ms", aqm = "fifo limit 200p"},
    steps = {
        {
            name = "ecn", title = "ECN, asked for and agreed to",
            setup = function(c)
                if c.place.kind == "virtual" then
                    set_ecn(c, {client_x = 2, server = 0})
                end
            end,
            observe = function(c)
                local seen = handshake(c)
                seen.client_x = assert(lab.sysctl(c.bed.client_x, "net.ipv4.tcp_ecn"))
                seen.server = assert(lab.sysctl(c.bed.server, "net.ipv4.tcp_ecn"))
                return seen
            end,
            checks = {
                {name = "asked", says = "Client X asks for ECN when it connects", look = function(seen, c)
                    if seen.syn.is_ect then
                        return by_sysctl(c, seen.client_x, {["1"] = true, ["3"] = true, ["4"] = true}, "client_x")
                    end
                    return c.judge(seen.syn.ece == true and seen.syn.cwr == true, {host = "client_x",
                        seen = ("%s (tcp_ecn = %s)"):format(flags(seen.syn), seen.client_x),
                        want = "CWR and ECE set (AE too for AccECN)",
                        how = "flags of the SYN of a connection made for the purpose, at the router"})
                end},
                {name = "agreed", says = "The server agrees", look = function(seen, c)
                    if seen.syn.is_ect then
                        return by_sysctl(c, seen.server, {["1"] = true, ["2"] = true, ["3"] = true,
                                                          ["4"] = true, ["5"] = true}, "server")
                    elseif not seen.syn.ece then
                        return c.not_yet{seen = "nobody asked it", want = "an ECN SYN first", host = "server"}
                    end
                    local f = seen.syn_ack
                    return c.judge(f.ece == true or f.cwr == true or f.ae == true, {host = "server",
                        seen = ("%s (tcp_ecn = %s)"):format(flags(f), seen.server),
                        want = "ECE, or what AccECN answers with", how = "flags of the SYN/ACK, at the router"})
                end},
            },
            hints = {
                "ECN is agreed on when a connection begins: one end asks, the other may say yes.",
                "net.ipv4.tcp_ecn: 0 never, 1 asks and agrees, 2 only agrees when asked (the kernel's own "
                    .. "default), 3 and more with accurate feedback, on kernels that have it.",
                "As root `sysctl -w net.ipv4.tcp_ecn=1` on client X and on the server (3 on an L4S kernel).",
            },
            solution = {does = "sets tcp_ecn to 1 on client X and on the server",
                        run = function(c) set_ecn(c, {client_x = 1, server = 1}) end},
            wrong = {
                {name = "client-only", does = "sets tcp_ecn to 1 on client X alone", fails = "agreed",
                 run = function(c) set_ecn(c, {client_x = 1, server = 0}) end},
                {name = "server-only", does = "sets tcp_ecn to 1 on the server alone", fails = "asked",
                 run = function(c) set_ecn(c, {client_x = 2, server = 1}) end},
            },
        },
        {
            name = "prague", title = "TCP Prague on both ends",
            setup = function(c)
                if c.place.kind == "virtual" then
                    c:set_sysctl({"client_x"}, CC, "reno") -- what every namespace may set
                end
            end,
            observe = function(c)
                local x, server = c.bed.client_x, c.bed.server
                return {client_x = {available = assert(lab.sysctl(x, AVAILABLE)), default = assert(lab.sysctl(x, CC)),
                                    kernel = lab._probe(x).kernel},
                        server = {available = assert(lab.sysctl(server, AVAILABLE)),
                                  kernel = lab._probe(server).kernel},
                        prague = c.bed.prague}
            end,
            checks = {
                {name = "offered", says = "Client X and the server offer TCP Prague", look = function(seen, c)
                    if not seen.prague.cc then
                        return c.cannot("this lab has no TCP Prague: " .. tostring(seen.prague.reason),
                                        seen.prague.hint)
                    end
                    return c.judge(has(seen.client_x.available, seen.prague.cc)
                        and has(seen.server.available, seen.prague.cc), {host = "client_x, server",
                        seen = ("%s; %s"):format(seen.client_x.available, seen.server.available),
                        want = seen.prague.cc .. " on both", how = "sysctl " .. AVAILABLE})
                end},
                {name = "used", says = "New connections of client X use it", look = function(seen, c)
                    if not seen.prague.cc then
                        return c.cannot("this lab has no TCP Prague", seen.prague.hint)
                    end
                    return c.judge(seen.client_x.default == seen.prague.cc, {seen = seen.client_x.default,
                        want = seen.prague.cc, host = "client_x", how = "sysctl " .. CC})
                end},
            },
            hints = {
                "A kernel may offer many congestion controls; one of them is what new connections get.",
                "Two sysctls of client X say so: " .. AVAILABLE .. " and " .. CC .. ".",
                "On client X, as root: `sysctl -w " .. CC .. "=` and the name that the first one lists for "
                    .. "Prague (`prague`, or `bpf_prague` on the virtual lab).",
            },
            solution = {does = "makes Prague the default congestion control of client X", run = function(c)
                c:set_sysctl({"client_x"}, CC, c.bed.prague.cc or "prague")
            end},
            wrong = {
                {name = "receiver", does = "makes Prague the default of the server, which only receives",
                 fails = "used", run = function(c) c:set_sysctl({"server"}, CC, c.bed.prague.cc or "prague") end},
            },
        },
        {
            name = "dualpi2", title = "DualPI2 where packets wait",
            setup = function(c)
                if c.place.kind == "virtual" then
                    c:set_queue("fifo limit 200p")
                end
            end,
            observe = function(c)
                local seen = assert(c:queue())
                seen.rate = c.bed.link.rate
                return seen
            end,
            checks = {
                {name = "queue", says = "The router's port towards the server queues with DualPI2",
                 look = function(seen, c)
                    return c.judge(has(table.concat(seen.kinds, " "), "dualpi2"), {host = "router",
                        seen = seen.dev .. ": " .. table.concat(seen.kinds, ", "), want = "dualpi2",
                        how = "tc qdisc show dev " .. seen.dev})
                end},
                {name = "bottleneck", says = "Packets wait there and nowhere else", look = function(seen, c)
                    return c.judge(seen.is_virtual or seen.shaper ~= nil, {host = "router",
                        seen = seen.is_virtual and "the emulated link of " .. tostring(seen.rate)
                            or seen.shaper and "a shaper, " .. seen.shaper or "no shaper above the queue",
                        want = "a shaper slower than every other part of the path, or an emulated link",
                        how = "tc qdisc show: htb or tbf above the queue"})
                end},
            },
            hints = {
                "A port has one queue at its root. Replacing it needs no restart, and `tc` can do it.",
                "`ccalab qdisc set` does it and remembers what was there; docs/qdisc.md.",
                "`ccalab qdisc {{lab}} set router PORT dualpi2`; on a link that is faster than the lab's, "
                    .. "with `--rate 20mbit` too, so that packets wait in the queue and not behind it.",
            },
            solution = {does = "gives the router's port DualPI2", run = queue_wrong("dualpi2")},
            wrong = {
                {name = "fq-codel", does = "gives the router's port fq_codel", fails = "queue",
                 run = queue_wrong("fq_codel")},
                {name = "codel", does = "gives the router's port CoDel with ECN", fails = "queue",
                 run = queue_wrong("codel ecn")},
            },
        },
    },
}
