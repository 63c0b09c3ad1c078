-- Prague and CUBIC through one CoDel queue that marks.
local PAM = "published mean of 10 runs (L4S-PAM2025, 100 Mbit/s, 10 ms, 2 BDP): "
    .. "88.2 and 6.6 Mbit/s, sRTT 18.8 and 21.6 ms, "
    .. "25 % either way"
return {
    name = "codel-ecn",
    title = "Prague and CUBIC through one CoDel queue that marks",
    seconds = 30,
    warmup_s = 8,
    link = {rate = "100mbit", rtt = "10ms", buffer_bdp = 2,
            aqm = "codel target 5ms interval 100ms ecn"},
    flows = {
        {label = "x", host = "client_x", cc = "prague"},
        {label = "y", host = "client_y", cc = "cubic"},
    },
    expect = {
        {what = "rate_mbit", flow = "x", min = 66.2, max = 100, source = PAM},
        {what = "rate_mbit", flow = "y", min = 5, max = 8.3, source = PAM},
        {what = "srtt_ms", flow = "x", min = 14.1, max = 23.5, source = PAM},
        {what = "srtt_ms", flow = "y", min = 16.2, max = 27, source = PAM},
        {what = "utilisation", min = 0.9, source = "no queue of this table ran empty: own bound"},
    },
}
