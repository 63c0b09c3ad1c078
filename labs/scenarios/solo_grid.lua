-- One sender alone, over rate, delay and buffer: the flat part of the grid that ccBench's set I
-- uses. 450 cells, two hours and a half: choose with only=, as in only='48mbit 10ms OWD 1 BDP'.
return {
    name = "solo-grid",
    title = "One sender alone: power over rate, delay and buffer",
    seconds = 20,
    warmup_s = 5,
    link = {rate = "48mbit", rtt = "20ms", aqm = "fifo", buffer_bdp = 1},
    flows = {{label = "x", host = "client_x", cc = "cubic"}},
    expect = {
        {what = "power_mbit2_ms", flow = "x", source = "score r^2/d of ccBench, set I: compared "
            .. "between algorithms, winners within 10 %"},
        {what = "utilisation", min = 0.7, source = "own bound"},
    },
    axes = {
        each({"cubic", "prague", "bbr"}, function(cc)
            return {label = cc, flows = {{label = "x", host = "client_x", cc = cc}}}
        end),
        each({12, 24, 48, 96, 192}, function(mbit)
            return {label = mbit .. "mbit", link = {rate = mbit .. "mbit"}}
        end),
        each({5, 10, 20, 40, 80}, function(owd)
            return {label = owd .. "ms OWD", link = {rtt = 2 * owd .. "ms"}}
        end),
        each({0.5, 1, 2, 4, 8, 16}, function(bdp)
            return {label = bdp .. " BDP", link = {buffer_bdp = bdp}}
        end),
    },
}
