-- Prague and CUBIC through fq_codel.
local PAM = "published mean of 10 runs (L4S-PAM2025, 100 Mbit/s, 10 ms, 2 BDP): "
    .. "47.5 and 47.9 Mbit/s, sRTT 19.3 and 14.2 ms, "
    .. "25 % either way"
return {
    name = "fq-codel",
    title = "Prague and CUBIC through fq_codel",
    seconds = 30,
    warmup_s = 8,
    link = {rate = "100mbit", rtt = "10ms",
            aqm = "fq_codel flows 1024 quantum 1514 target 5ms interval 100ms ecn"},
    flows = {
        {label = "x", host = "client_x", cc = "prague"},
        {label = "y", host = "client_y", cc = "cubic"},
    },
    expect = {
        {what = "rate_mbit", flow = "x", min = 35.6, max = 59.4, source = PAM},
        {what = "rate_mbit", flow = "y", min = 35.9, max = 59.9, source = PAM},
        {what = "srtt_ms", flow = "x", min = 14.5, max = 24.1, source = PAM},
        {what = "srtt_ms", flow = "y", min = 10.6, max = 17.8, source = PAM},
        {what = "jain", min = 0.95, source = "one queue a flow, served round robin: RFC 8290"},
        {what = "utilisation", min = 0.9, source = "no queue of this table ran empty: own bound"},
    },
}
