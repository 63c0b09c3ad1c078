-- A tunnel whose outer header says nothing of ECN: Prague and CUBIC of one host are one flow to the
-- bottleneck, which cannot mark them. fq_codel has one queue for both, DualPI2 takes the classic one.
local FALLBACK = "RFC 9331 section 4.3: losses are answered as Reno answers them; own bound"
return {
    name = "tunnel",
    title = "Prague and CUBIC in one tunnel that hides ECN",
    seconds = 30,
    warmup_s = 8,
    link = {rate = "50mbit", rtt = "20ms", aqm = "dualpi2"},
    tunnel = "client_x",
    flows = {
        {label = "x", host = "client_x", cc = "prague"},
        {label = "y", host = "client_x", cc = "cubic"},
    },
    expect = {
        {what = "mark_ratio", flow = "x", max = 0, source = "the outer header is Not-ECT"},
        {what = "marks", max = 0, source = "the outer header is Not-ECT"},
        {what = "packets_l", max = 0, source = "the outer header is Not-ECT"},
        {what = "ratio", flow = "x", of = "y", min = 0.2, max = 2, source = FALLBACK},
    },
    axes = {{
        {label = "DualPI2", link = {aqm = "dualpi2"}},
        {label = "fq_codel", link = {aqm = "fq_codel ecn"}},
    }},
}
