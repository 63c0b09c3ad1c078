-- Prague alone through DualPI2: how short the L queue stays, how much of the rate is used.
local GOAL = "goal of this project"
return {
    name = "prague-alone",
    title = "Prague alone through DualPI2",
    seconds = 15,
    warmup_s = 4,
    link = {rate = "50mbit", rtt = "20ms", aqm = "dualpi2"},
    flows = {{label = "x", host = "client_x", cc = "prague"}},
    expect = {
        {what = "sojourn_l_p50_ms", max = 1, source = GOAL},
        {what = "sojourn_l_p99_ms", max = 3, source = GOAL},
        {what = "utilisation", min = 0.95, source = GOAL},
    },
    axes = {
        {{label = "50 Mbit/s", link = {rate = "50mbit"}},
         {label = "100 Mbit/s", link = {rate = "100mbit"}}},
        {{label = "10 ms", link = {rtt = "10ms"}},
         {label = "20 ms", link = {rtt = "20ms"}}},
    },
}
