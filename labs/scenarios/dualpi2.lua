-- Prague and CUBIC through DualPI2, targets 5 ms and 1 ms.
local PAM = "published mean of 10 runs (L4S-PAM2025, 100 Mbit/s, 10 ms, 2 BDP): "
    .. "42.3 and 52.7 Mbit/s, sRTT 10.36 and 15.22 ms, "
    .. "25 % either way"
return {
    name = "dualpi2",
    title = "Prague and CUBIC through DualPI2, targets 5 ms and 1 ms",
    seconds = 30,
    warmup_s = 8,
    link = {rate = "100mbit", rtt = "10ms", aqm = "dualpi2 target 5ms step_thresh 1ms"},
    flows = {
        {label = "x", host = "client_x", cc = "prague"},
        {label = "y", host = "client_y", cc = "cubic"},
    },
    expect = {
        {what = "rate_mbit", flow = "x", min = 31.7, max = 52.9, source = PAM},
        {what = "rate_mbit", flow = "y", min = 39.5, max = 65.9, source = PAM},
        {what = "srtt_ms", flow = "x", min = 10, max = 13, source = PAM},
        {what = "srtt_ms", flow = "y", min = 11.4, max = 19.1, source = PAM},
        {what = "sojourn_l_p50_ms", max = 1, source = "L queue under the step threshold: RFC 9332"},
        {what = "sojourn_l_p99_ms", max = 3, source = "DualQ paper: p99 below 2 ms; here 3 ms"},
        {what = "utilisation", min = 0.9, source = "no queue of this table ran empty: own bound"},
    },
}
