-- N Prague and M CUBIC flows through DualPI2: does the coupling hold per flow?
return {
    name = "n-m-flows",
    title = "N Prague and M CUBIC flows through DualPI2",
    seconds = 30,
    warmup_s = 10,
    link = {rate = "100mbit", rtt = "20ms", aqm = "dualpi2"},
    flows = {
        {label = "x", host = "client_x", cc = "prague"},
        {label = "y", host = "client_y", cc = "cubic"},
    },
    expect = {
        {what = "ratio", flow = "x", of = "y", min = 0.5, max = 2,
         source = "RFC 9332: the coupling aims at equal rates; a factor of 2 is an own bound"},
        {what = "sojourn_l_p50_ms", max = 1, source = "goal of this project"},
        {what = "utilisation", min = 0.9, source = "own bound"},
    },
    axes = {{
        {label = "1:1"},
        {label = "1:4", flows = {
            {label = "x", host = "client_x", cc = "prague"},
            {label = "y", host = "client_y", cc = "cubic", count = 4}}},
        {label = "4:1", flows = {
            {label = "x", host = "client_x", cc = "prague", count = 4},
            {label = "y", host = "client_y", cc = "cubic"}}},
        {label = "4:4", flows = {
            {label = "x", host = "client_x", cc = "prague", count = 4},
            {label = "y", host = "client_y", cc = "cubic", count = 4}}},
    }},
}
