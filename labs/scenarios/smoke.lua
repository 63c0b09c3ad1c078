-- Prague and CUBIC through DualPI2 with its defaults: the lab of the quickstart, for a quick look.
local PROTOTYPE = "prototype of this lab: 32.0 and 28.8 Mbit/s of Prague, 16.0 and 19.3 of CUBIC; "
    .. "wide, since a short run is mostly start"
return {
    name = "smoke",
    title = "Prague and CUBIC through DualPI2, 50 Mbit/s, 20 ms",
    seconds = 20,
    warmup_s = 5,
    link = {rate = "50mbit", rtt = "20ms", aqm = "dualpi2"},
    flows = {
        {label = "x", host = "client_x", cc = "prague"},
        {label = "y", host = "client_y", cc = "cubic"},
    },
    expect = {
        {what = "rate_mbit", flow = "x", min = 12, max = 40, source = PROTOTYPE},
        {what = "rate_mbit", flow = "y", min = 8, max = 36, source = PROTOTYPE},
        {what = "srtt_ms", flow = "x", min = 20, max = 23, source = "base RTT and the 1 ms step"},
        {what = "sojourn_l_p50_ms", max = 1, source = "goal of this project: median below 1 ms"},
        {what = "sojourn_l_p99_ms", max = 3, source = "goal of this project: p99 below 3 ms"},
        {what = "sojourn_c_p50_ms", min = 7, max = 23, source = "target of DualPI2: 15 ms"},
        {what = "utilisation", min = 0.9, source = "own bound"},
    },
}
