-- Beside one CUBIC that was there first (set II of ccBench): does the candidate take its half of the
-- rate, and leave the other half? "*" is the candidate.
local function joining(name, seconds, start_s, warmup_s, link, axes)
    return {name = name, title = "Joins CUBIC", seconds = seconds, warmup_s = warmup_s,
            score = "share", link = link, axes = axes,
            flows = {{label = "x", host = "client_x", cc = "*", start_s = start_s},
                     {label = "y", host = "client_y", cc = "cubic"}}}
end

return {
    name = "friendliness",
    title = "beside a CUBIC that was there first",
    quick = {
        joining("shallow", 8, 1, 3, {rate = "24mbit", rtt = "20ms", aqm = "fifo", buffer_bdp = 1}),
        joining("deep", 8, 1, 3, {rate = "48mbit", rtt = "20ms", aqm = "fifo", buffer_bdp = 4}),
    },
    full = {
        joining("join", 120, 5, 15, {rate = "48mbit", rtt = "20ms", aqm = "fifo", buffer_bdp = 1}, {
            each({12, 24, 48, 96, 192}, function(mbit)
                return {label = mbit .. "mbit", link = {rate = mbit .. "mbit"}}
            end),
            each({5, 10, 20, 40, 80}, function(owd)
                return {label = owd .. "ms", link = {rtt = 2 * owd .. "ms"}}
            end),
            each({1, 2, 4, 8, 16}, function(bdp)
                return {label = bdp .. "bdp", link = {buffer_bdp = bdp}}
            end),
        }),
    },
}
