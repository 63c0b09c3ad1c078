-- Behind queues that mark: DualPI2 (RFC 9332) and the others that a path may have, alone and beside
-- what else is on the Internet. "*" is the candidate.
local DUALPI2 = {rate = "48mbit", rtt = "20ms", aqm = "dualpi2"}
local X = {label = "x", host = "client_x", cc = "*"}

local function scenario(name, score, seconds, warmup_s, flows, link, axes)
    return {name = name, title = "L4S", score = score, seconds = seconds, warmup_s = warmup_s,
            link = link or DUALPI2, flows = flows, axes = axes}
end
local function beside(label, cc, ecn)
    return {label = label, flows = {X, {label = "y", host = "client_y", cc = cc, ecn = ecn}}}
end
local OTHERS = {beside("cubic", "cubic"), beside("cubic-no-ecn", "cubic", false), beside("reno", "reno"),
                beside("bbr", "bbr")}
local LINKS = {{label = "50mbit-10ms", link = {rate = "50mbit", rtt = "10ms"}},
               {label = "100mbit-10ms", link = {rate = "100mbit", rtt = "10ms"}},
               {label = "100mbit-40ms", link = {rate = "100mbit", rtt = "40ms"}}}

local liar = scenario("liar", "share", 30, 10, {X, {label = "y", host = "client_y", cc = "cubic"}})
liar.rewrite = {{host = "client_y", hook = "postrouting", from = "ect0", to = "ect1"}}
local bleach = scenario("bleaching", "power", 30, 5, {X})
bleach.rewrite = {{host = "router", hook = "prerouting", source = "client_x", from = "ect1", to = "not-ect"}}
-- Both flows of one host: to the bottleneck the tunnel is one flow.
local tunnel = scenario("tunnel", "share", 60, 15, {X, {label = "y", host = "client_x", cc = "cubic"}}, nil, {{
    {label = "dualpi2", link = {aqm = "dualpi2"}},
    {label = "fq-codel", link = {aqm = "fq_codel target 5ms interval 100ms ecn"}},
}})
tunnel.tunnel = "client_x"
local BURSTS = {rate = "48mbit", rtt = "20ms", aqm = "dualpi2", burst = "4ms"}

return {
    name = "l4s",
    title = "behind DualPI2 and other queues that mark",
    quick = {
        scenario("alone", "power", 6, 0, {X}),
        scenario("beside-cubic", "share", 8, 3, {X, {label = "y", host = "client_y", cc = "cubic"}}),
    },
    full = {
        scenario("alone", "power", 30, 5, {X}, nil, {LINKS}),
        scenario("beside", "share", 60, 15, {X}, nil, {OTHERS, LINKS}),
        scenario("queue", "share", 60, 15, {X, {label = "y", host = "client_y", cc = "cubic"}}, nil, {{
            {label = "fifo", link = {aqm = "fifo", buffer_bdp = 2}},
            {label = "codel", link = {aqm = "codel target 5ms interval 100ms"}},
            {label = "codel-ecn", link = {aqm = "codel target 5ms interval 100ms ecn"}},
            {label = "pie-ecn", link = {aqm = "pie target 15ms tupdate 15ms ecn"}},
            {label = "fq-codel", link = {aqm = "fq_codel target 5ms interval 100ms ecn"}},
        }}),
        scenario("many", "share", 60, 15, {X}, nil, {{
            {label = "1-4", flows = {X, {label = "y", host = "client_y", cc = "cubic", count = 4}}},
            {label = "4-1", flows = {{label = "x", host = "client_x", cc = "*", count = 4},
                                     {label = "y", host = "client_y", cc = "cubic"}}},
            {label = "4-4", flows = {{label = "x", host = "client_x", cc = "*", count = 4},
                                     {label = "y", host = "client_y", cc = "cubic", count = 4}}},
        }}),
        scenario("rtts", "share", 60, 20, {X, {label = "y", host = "client_y", cc = "cubic"}},
            {rate = "48mbit", rtt = "10ms", aqm = "dualpi2"}, {{
            {label = "cubic-far", link = {paths = {client_y = "75ms"}}},
            {label = "candidate-far", link = {paths = {client_x = "75ms"}}},
        }}),
        scenario("falling", "power", 80, 5, {X}, {rate = "50mbit", rtt = "20ms", aqm = "dualpi2",
            steps = {{0, "50mbit"}, {20, "25mbit"}, {40, "5mbit"}, {60, "1mbit"}}}),
        scenario("bursts", "power", 30, 5, {X}, BURSTS, {{
            {label = "step-1ms", link = {aqm = "dualpi2"}},
            {label = "step-5ms", link = {aqm = "dualpi2 step_thresh 5ms"}},
        }}),
        scenario("bursts-beside", "share", 60, 15, {X, {label = "y", host = "client_y", cc = "cubic"}}, BURSTS),
        tunnel, liar, bleach,
    },
}
