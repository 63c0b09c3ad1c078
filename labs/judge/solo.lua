-- Alone behind a tail-drop queue: how much of the rate, at what delay (set I of ccBench). "*" is the
-- candidate. Everything is judged from the first second on: a start that floods the queue counts.
local function alone(name, seconds, axes, link)
    return {name = name, title = "Alone", seconds = seconds, warmup_s = 0, score = "power",
            link = link or {rate = "48mbit", rtt = "20ms", aqm = "fifo", buffer_bdp = 1},
            flows = {{label = "x", host = "client_x", cc = "*"}}, axes = axes}
end

local DELAYS = each({5, 10, 20, 40, 80}, function(owd)
    return {label = owd .. "ms", link = {rtt = 2 * owd .. "ms"}}
end)
local BUFFERS = each({0.5, 1, 2, 4, 8, 16}, function(bdp)
    return {label = bdp .. "bdp", link = {buffer_bdp = bdp}}
end)
local RATES = {12, 24, 48, 96, 192}
local STEPS = {}
for _, from in ipairs(RATES) do
    for _, factor in ipairs{0.25, 0.5, 2, 4} do
        local to = from * factor
        if to >= 12 and to <= 192 then
            STEPS[#STEPS + 1] = {label = ("%d-%dmbit"):format(from, to), link = {
                rate = from .. "mbit", steps = {{0, from .. "mbit"}, {7, ("%dmbit"):format(to)}}}}
        end
    end
end

return {
    name = "solo",
    title = "alone behind a tail-drop queue",
    quick = {
        alone("deep", 6, nil, {rate = "24mbit", rtt = "40ms", aqm = "fifo", buffer_bdp = 4}),
        alone("step", 6, nil, {rate = "48mbit", rtt = "20ms", aqm = "fifo", buffer_bdp = 1,
                               steps = {{0, "48mbit"}, {3, "24mbit"}}}),
    },
    full = {
        alone("flat", 30, {each(RATES, function(mbit)
            return {label = mbit .. "mbit", link = {rate = mbit .. "mbit"}}
        end), DELAYS, BUFFERS}),
        alone("steps", 30, {STEPS, DELAYS, BUFFERS}),
    },
}
