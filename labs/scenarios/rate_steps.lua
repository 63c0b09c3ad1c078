-- The bottleneck falls from 50 over 25 and 5 to 1 Mbit/s: how does the L queue take it?
local OWN = "own bound: a sender that has found the new rate"
return {
    name = "rate-steps",
    title = "Prague and CUBIC through DualPI2, the rate falling 50, 25, 5, 1 Mbit/s",
    seconds = 80,
    warmup_s = 5,
    link = {rate = "50mbit", rtt = "20ms", aqm = "dualpi2",
            steps = {{0, "50mbit"}, {20, "25mbit"}, {40, "5mbit"}, {60, "1mbit"}}},
    flows = {
        {label = "x", host = "client_x", cc = "prague"},
        {label = "y", host = "client_y", cc = "cubic"},
    },
    expect = {
        {what = "utilisation", from_s = 5, to_s = 19, min = 0.9, source = OWN},
        {what = "utilisation", from_s = 25, to_s = 39, min = 0.9, source = OWN},
        {what = "utilisation", from_s = 45, to_s = 59, min = 0.9, source = OWN},
        {what = "utilisation", from_s = 65, to_s = 79, min = 0.9, source = OWN},
        {what = "sojourn_l_p50_ms", from_s = 5, to_s = 19, max = 1,
         source = "goal of this project"},
        {what = "sojourn_l_p50_ms", from_s = 25, to_s = 39, max = 1,
         source = "goal of this project"},
        {what = "sojourn_l_p50_ms", from_s = 45, to_s = 59,
         source = "a packet takes 2.4 ms here: the step threshold cannot be kept"},
        {what = "sojourn_l_p50_ms", from_s = 65, to_s = 79,
         source = "a packet takes 12 ms here: the step threshold cannot be kept"},
        {what = "ratio", flow = "x", of = "y", from_s = 25, to_s = 39, min = 0.5, max = 2,
         source = "own bound"},
    },
}
