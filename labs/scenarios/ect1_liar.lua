-- A liar: a CUBIC sender whose packets are marked ECT(1) on their way out, against an honest one.
-- It buys itself the short queue and the marks that go with it, which CUBIC does not understand.
local PROTOTYPE = "prototype of this lab: 4.9 Mbit/s for the liar, 43.1 for the other"
return {
    name = "ect1-liar",
    title = "CUBIC that marks its packets ECT(1), and honest CUBIC, through DualPI2",
    seconds = 30,
    warmup_s = 8,
    link = {rate = "50mbit", rtt = "20ms", aqm = "dualpi2"},
    rewrite = {{host = "client_x", hook = "postrouting", from = "ect0", to = "ect1"}},
    flows = {
        {label = "x", host = "client_x", cc = "cubic"},
        {label = "y", host = "client_y", cc = "cubic"},
    },
    expect = {
        {what = "rate_mbit", flow = "x", min = 1.5, max = 15, source = PROTOTYPE},
        {what = "rate_mbit", flow = "y", min = 30, max = 48, source = PROTOTYPE},
        {what = "ratio", flow = "x", of = "y", max = 0.6, source = "lying must not pay"},
        {what = "sojourn_l_p50_ms", max = 1, source = "the L queue is kept short against it"},
        {what = "mark_ratio", flow = "x", min = 0.005,
         source = "the liar is marked as a scalable sender is"},
    },
}
