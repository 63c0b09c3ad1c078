-- The grid of the acceptance test: two rates, two base RTTs, four queues; Prague against CUBIC.
local GOAL = "goal of this project"
local ORDER = "order of the published table (L4S-PAM2025)"
return {
    name = "aqm-grid",
    title = "Prague and CUBIC: queue against rate and base RTT",
    seconds = 15,
    warmup_s = 4,
    link = {rate = "50mbit", rtt = "20ms", aqm = "dualpi2"},
    flows = {
        {label = "x", host = "client_x", cc = "prague"},
        {label = "y", host = "client_y", cc = "cubic"},
    },
    expect = {
        {what = "utilisation", min = 0.9, source = "own bound"},
    },
    axes = {
        {{label = "50 Mbit/s", link = {rate = "50mbit"}},
         {label = "100 Mbit/s", link = {rate = "100mbit"}}},
        {{label = "10 ms", link = {rtt = "10ms"}},
         {label = "20 ms", link = {rtt = "20ms"}}},
        {{label = "DualPI2", link = {aqm = "dualpi2"}, expect = {
            {what = "ratio", flow = "x", of = "y", min = 0.6, max = 1.7, source = GOAL},
            {what = "sojourn_l_p50_ms", max = 1, source = GOAL},
            {what = "sojourn_c_p50_ms", min = 10, max = 20, source = "target 15 ms"}}},
         {label = "FIFO 2 BDP", link = {aqm = "fifo", buffer_bdp = 2}, expect = {
            {what = "ratio", flow = "x", of = "y", min = 1, max = 1.7, source = ORDER}}},
         {label = "CoDel ECN", link = {aqm = "codel target 5ms interval 100ms ecn"}, expect = {
            {what = "ratio", flow = "x", of = "y", min = 4, source = ORDER}}},
         {label = "fq_codel",
          link = {aqm = "fq_codel flows 1024 quantum 1514 target 5ms interval 100ms ecn"},
          expect = {{what = "ratio", flow = "x", of = "y", min = 0.9, max = 1.1, source = ORDER}}}},
    },
}
