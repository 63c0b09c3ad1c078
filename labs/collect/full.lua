-- What teachers are watched in: rates, round trips, queues, and what happens meanwhile: nothing, a step
-- of the rate, a CUBIC that comes and goes. 180 scenarios of 20 s, none of them one of the judge's.
-- "*" is the teacher.
local X = {label = "x", host = "client_x", cc = "*"}
local QUEUES = {
    {label = "dualpi2"},
    {label = "fifo-1bdp", link = {aqm = "fifo", buffer_bdp = 1}},
    {label = "fifo-4bdp", link = {aqm = "fifo", buffer_bdp = 4}},
    {label = "codel-ecn", link = {aqm = "codel target 5ms interval 100ms ecn"}},
    {label = "fq-codel", link = {aqm = "fq_codel target 5ms interval 100ms ecn"}},
}
local DELAYS = {}
for i, rtt in ipairs{8, 16, 30, 60} do
    DELAYS[i] = {label = rtt .. "ms", link = {rtt = rtt .. "ms"}}
end
local RATES = {}
for _, mbit in ipairs{10, 40, 80} do
    local rate = mbit .. "mbit"
    RATES[#RATES + 1] = {label = rate .. "-alone", link = {rate = rate}}
    RATES[#RATES + 1] = {label = rate .. "-step", link = {rate = rate,
        steps = {{0, rate}, {7, 2 * mbit .. "mbit"}, {14, mbit // 2 .. "mbit"}}}}
    RATES[#RATES + 1] = {label = rate .. "-cross", link = {rate = rate},
        flows = {X, {label = "y", host = "client_y", cc = "cubic", start_s = 5, seconds = 10}}}
end
return {
    name = "full",
    title = "180 scenarios of 20 s",
    scenarios = {{name = "full", title = "Teaching", seconds = 20, warmup_s = 0,
        link = {rate = "40mbit", rtt = "30ms", aqm = "dualpi2"}, flows = {X},
        axes = {RATES, DELAYS, QUEUES}}},
}
