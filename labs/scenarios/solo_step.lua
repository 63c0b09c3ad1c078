-- One sender alone whose bottleneck changes rate at 7 s: the steps of ccBench's set I.
local SCORE = "score r^2/d of ccBench, set I: compared between algorithms"
return {
    name = "solo-step",
    title = "One sender alone, the rate changed at 7 s",
    seconds = 20,
    warmup_s = 2,
    link = {rate = "48mbit", rtt = "20ms", aqm = "fifo", buffer_bdp = 1},
    flows = {{label = "x", host = "client_x", cc = "cubic"}},
    expect = {
        {what = "power_mbit2_ms", flow = "x", from_s = 2, to_s = 7, source = SCORE},
        {what = "power_mbit2_ms", flow = "x", from_s = 9, to_s = 19, source = SCORE},
        {what = "utilisation", from_s = 12, to_s = 19, min = 0.7, source = "own bound"},
    },
    axes = {
        {{label = "cubic", flows = {{label = "x", host = "client_x", cc = "cubic"}}},
         {label = "prague", flows = {{label = "x", host = "client_x", cc = "prague"}}},
         {label = "bbr", flows = {{label = "x", host = "client_x", cc = "bbr"}}}},
        {{label = "2 times up", link = {steps = {{0, "48mbit"}, {7, "96mbit"}}}},
         {label = "4 times up", link = {steps = {{0, "48mbit"}, {7, "192mbit"}}}},
         {label = "2 times down", link = {steps = {{0, "48mbit"}, {7, "24mbit"}}}},
         {label = "4 times down", link = {steps = {{0, "48mbit"}, {7, "12mbit"}}}}},
    },
}
