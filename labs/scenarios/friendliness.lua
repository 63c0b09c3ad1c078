-- A candidate joins CUBIC after 5 s (ccBench, set II): how far is it from half of the rate?
local SET2 = "ccBench, set II: the distance |rate - C/2| is compared between algorithms"
return {
    name = "friendliness",
    title = "A candidate joins CUBIC in a tail-drop queue after 5 s",
    seconds = 60,
    warmup_s = 15,
    link = {rate = "48mbit", rtt = "20ms", aqm = "fifo", buffer_bdp = 2},
    flows = {
        {label = "x", host = "client_x", cc = "prague", start_s = 5},
        {label = "y", host = "client_y", cc = "cubic"},
    },
    expect = {
        {what = "half_distance_mbit", flow = "x", source = SET2},
        {what = "ratio", flow = "x", of = "y", min = 0.33, max = 3,
         source = "own bound: neither starves"},
        {what = "utilisation", min = 0.9, source = "own bound"},
    },
    axes = {
        {{label = "prague"},
         {label = "cubic", flows = {
            {label = "x", host = "client_x", cc = "cubic", start_s = 5},
            {label = "y", host = "client_y", cc = "cubic"}}},
         {label = "bbr", flows = {
            {label = "x", host = "client_x", cc = "bbr", start_s = 5},
            {label = "y", host = "client_y", cc = "cubic"}}}},
        {{label = "1 BDP", link = {buffer_bdp = 1}},
         {label = "2 BDP", link = {buffer_bdp = 2}},
         {label = "4 BDP", link = {buffer_bdp = 4}}},
    },
}
