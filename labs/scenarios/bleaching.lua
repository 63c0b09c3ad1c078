-- Bleaching: a box on the path clears the ECN field of everything that client X sends. Prague then
-- gets drops in the classic queue and must live with CUBIC as a classic sender.
local FALLBACK = "RFC 9331 section 4.3: losses are answered as Reno answers them; own bound"
return {
    name = "bleaching",
    title = "Prague whose packets are bleached to Not-ECT, and CUBIC, through DualPI2",
    seconds = 30,
    warmup_s = 8,
    link = {rate = "50mbit", rtt = "20ms", aqm = "dualpi2"},
    rewrite = {
        {host = "router", hook = "prerouting", source = "client_x", from = "ect0", to = "not-ect"},
        {host = "router", hook = "prerouting", source = "client_x", from = "ect1", to = "not-ect"},
    },
    flows = {
        {label = "x", host = "client_x", cc = "prague"},
        {label = "y", host = "client_y", cc = "cubic"},
    },
    expect = {
        {what = "mark_ratio", flow = "x", max = 0, source = "Not-ECT packets cannot be marked"},
        {what = "packets_l", max = 0, source = "nothing is ECT(1) behind the bleaching box"},
        {what = "ratio", flow = "x", of = "y", min = 0.2, max = 2, source = FALLBACK},
        {what = "sojourn_c_p50_ms", min = 7, max = 23, source = "target of DualPI2: 15 ms"},
    },
}
