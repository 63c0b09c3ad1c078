-- Base RTTs of 10 and 160 ms through one DualPI2, each of the senders on the long path in turn.
local RTT = "base RTT of the path"
return {
    name = "rtt-mix",
    title = "Prague and CUBIC through DualPI2 with base RTTs of 10 and 160 ms",
    seconds = 60,
    warmup_s = 20,
    link = {rate = "50mbit", rtt = "10ms", aqm = "dualpi2"},
    flows = {
        {label = "x", host = "client_x", cc = "prague"},
        {label = "y", host = "client_y", cc = "cubic"},
    },
    expect = {
        {what = "sojourn_l_p50_ms", max = 1, source = "goal of this project, whatever the RTTs"},
        {what = "ratio", flow = "x", of = "y",
         source = "no published figure for this pair of RTTs"},
        {what = "jain", source = "no published figure for this pair of RTTs"},
    },
    axes = {
        {{label = "CUBIC far", link = {paths = {client_y = "75ms"}}, expect = {
            {what = "srtt_ms", flow = "x", min = 10, max = 13, source = RTT},
            {what = "srtt_ms", flow = "y", min = 160, max = 200, source = RTT}}},
         {label = "Prague far", link = {paths = {client_x = "75ms"}}, expect = {
            {what = "srtt_ms", flow = "x", min = 160, max = 163, source = RTT},
            {what = "srtt_ms", flow = "y", min = 10, max = 50, source = RTT}}}},
    },
}
