-- One PIE queue that marks: its own delay target is known, the shares are not published.
local PIE = "RFC 8033: the delay is steered to 15 ms; own bounds"
return {
    name = "pie",
    title = "Prague and CUBIC through one PIE queue that marks",
    seconds = 30,
    warmup_s = 8,
    link = {rate = "100mbit", rtt = "10ms", aqm = "pie target 15ms tupdate 15ms ecn"},
    flows = {
        {label = "x", host = "client_x", cc = "prague"},
        {label = "y", host = "client_y", cc = "cubic"},
    },
    expect = {
        {what = "sojourn_c_p50_ms", min = 7, max = 23, source = PIE},
        {what = "ratio", flow = "x", of = "y", min = 1.5,
         source = "the same marking for both: Prague starves CUBIC, as with CoDel in L4S-PAM2025"},
        {what = "utilisation", min = 0.9, source = PIE},
    },
}
