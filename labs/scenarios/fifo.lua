-- Prague and CUBIC through a tail-drop queue of 2 BDP.
local PAM = "published mean of 10 runs (L4S-PAM2025, 100 Mbit/s, 10 ms, 2 BDP): "
    .. "54.4 and 41.2 Mbit/s, sRTT 24.9 and 24.8 ms, "
    .. "25 % either way"
return {
    name = "fifo",
    title = "Prague and CUBIC through a tail-drop queue of 2 BDP",
    seconds = 30,
    warmup_s = 8,
    link = {rate = "100mbit", rtt = "10ms", aqm = "fifo", buffer_bdp = 2},
    flows = {
        {label = "x", host = "client_x", cc = "prague"},
        {label = "y", host = "client_y", cc = "cubic"},
    },
    expect = {
        {what = "rate_mbit", flow = "x", min = 40.8, max = 68, source = PAM},
        {what = "rate_mbit", flow = "y", min = 30.9, max = 51.5, source = PAM},
        {what = "srtt_ms", flow = "x", min = 18.7, max = 31.1, source = PAM},
        {what = "srtt_ms", flow = "y", min = 18.6, max = 31, source = PAM},
        {what = "utilisation", min = 0.9, source = "no queue of this table ran empty: own bound"},
    },
}
