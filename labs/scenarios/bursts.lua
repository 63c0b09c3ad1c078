-- A link that has its turn every 4 ms and then sends at once what has waited, as Wi-Fi and LTE do.
-- Packets wait up to a turn in the L queue, past its step of 1 ms, for no fault of the sender's: it
-- gives way to marks that are none of congestion.
return {
    name = "bursts",
    title = "Prague alone, through DualPI2 on a link that sends in bursts of 4 ms",
    seconds = 30,
    warmup_s = 8,
    link = {rate = "20mbit", rtt = "20ms", aqm = "dualpi2", burst = "4ms"},
    flows = {{label = "x", host = "client_x", cc = "prague"}},
    expect = {
        {what = "mark_ratio", flow = "x", min = 0.01, source = "a turn is longer than the step"},
        {what = "sojourn_l_p99_ms", min = 3, source = "who comes after a turn waits for the next"},
        {what = "late_p99_us", max = 1000, source = "docs/link.md"},
    },
    axes = {{
        {label = "step 1 ms", link = {aqm = "dualpi2"}},
        {label = "step 5 ms", link = {aqm = "dualpi2 step_thresh 5ms"},
         expect = {{what = "utilisation", min = 0.9, source = "own bound: the step is longer than a turn"}}},
    }},
}
