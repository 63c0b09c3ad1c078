-- Prague and BBR through DualPI2, targets 5 ms and 1 ms.
local PAM = "published mean of 10 runs (L4S-PAM2025, 100 Mbit/s, 10 ms, 2 BDP): "
    .. "12.6 and 81.6 Mbit/s, sRTT 10.3 and 15.4 ms, "
    .. "25 % either way"
return {
    name = "dualpi2-bbr",
    title = "Prague and BBR through DualPI2, targets 5 ms and 1 ms",
    seconds = 30,
    warmup_s = 8,
    link = {rate = "100mbit", rtt = "10ms", aqm = "dualpi2 target 5ms step_thresh 1ms"},
    flows = {
        {label = "x", host = "client_x", cc = "prague"},
        {label = "y", host = "client_y", cc = "bbr"},
    },
    expect = {
        {what = "rate_mbit", flow = "x", min = 9.5, max = 15.8, source = PAM},
        {what = "rate_mbit", flow = "y", min = 61.2, max = 102, source = PAM},
        {what = "srtt_ms", flow = "x", min = 10, max = 12.9, source = PAM},
        {what = "srtt_ms", flow = "y", min = 11.5, max = 19.3, source = PAM},
        {what = "utilisation", min = 0.9, source = "no queue of this table ran empty: own bound"},
    },
}
