-- What teachers are watched in, some four minutes a teacher: 20 scenarios of 8 s, each another pair of
-- rate and round trip, from 8 to 80 Mbit/s and 8 to 80 ms; behind DualPI2 and tail-drop queues of half
-- to four bandwidth-delay products; alone, into the arms of a CUBIC, with one that comes and goes, and
-- with a step of the rate by two. None of the pairs is one of the judge's. "*" is the teacher.
local function x(start_s)
    return {label = "x", host = "client_x", cc = "*", start_s = start_s}
end
local function y(start_s, seconds)
    return {label = "y", host = "client_y", cc = "cubic", start_s = start_s, seconds = seconds}
end
local QUEUES = {
    ["dualpi2"] = {aqm = "dualpi2"},
    ["fifo-half"] = {aqm = "fifo", buffer_bdp = 0.5},
    ["fifo-1bdp"] = {aqm = "fifo", buffer_bdp = 1},
    ["fifo-2bdp"] = {aqm = "fifo", buffer_bdp = 2},
    ["fifo-4bdp"] = {aqm = "fifo", buffer_bdp = 4},
}
local FLOWS = {alone = {x(0)}, joins = {x(1), y(0)}, joined = {x(0), y(2, 3)}, step = {x(0)}}

-- Queue, what happens, Mbit/s (from, to at 4 s), ms
local CELLS = {}
for i, c in ipairs{
    {"dualpi2", "alone", 30, 30, 16}, {"dualpi2", "joins", 15, 15, 35},
    {"dualpi2", "joined", 60, 60, 9}, {"dualpi2", "step", 40, 80, 25},
    {"fifo-half", "alone", 80, 80, 14}, {"fifo-half", "joins", 30, 30, 50},
    {"fifo-half", "joined", 16, 16, 30}, {"fifo-half", "step", 20, 10, 70},
    {"fifo-1bdp", "alone", 10, 10, 60}, {"fifo-1bdp", "joins", 64, 64, 12},
    {"fifo-1bdp", "joined", 36, 36, 28}, {"fifo-1bdp", "step", 15, 30, 8},
    {"fifo-2bdp", "alone", 8, 8, 80}, {"fifo-2bdp", "joins", 20, 20, 15},
    {"fifo-2bdp", "joined", 70, 70, 34}, {"fifo-2bdp", "step", 64, 32, 18},
    {"fifo-4bdp", "alone", 40, 40, 32}, {"fifo-4bdp", "joins", 14, 14, 9},
    {"fifo-4bdp", "joined", 20, 20, 45}, {"fifo-4bdp", "step", 28, 56, 22},
} do
    local queue, what, from, to, rtt = c[1], c[2], c[3], c[4], c[5]
    local link = {rate = from .. "mbit", rtt = rtt .. "ms", aqm = QUEUES[queue].aqm,
                  buffer_bdp = QUEUES[queue].buffer_bdp}
    if what == "step" then
        link.steps = {{0, link.rate}, {4, to .. "mbit"}}
    end
    CELLS[i] = {label = queue .. "-" .. what, link = link, flows = FLOWS[what]}
end
return {
    name = "medium",
    title = "20 scenarios of 8 s",
    scenarios = {{name = "medium", title = "Teaching", seconds = 8, warmup_s = 0,
        link = {rate = "40mbit", rtt = "30ms", aqm = "dualpi2"}, flows = {x(0)}, axes = {CELLS}}},
}
