-- The scenarios of labs/scenarios/ are complete, and the checks that say so can fail. Needs no lab.

local data = lab._scenario

local function check(ok, what)
    if not ok then
        error(what, 2)
    end
end

-- Every shipped scenario, every cell of it.
local names, cells = {}, 0
for _, path in ipairs(data.files(arg[1] .. "/labs/scenarios")) do
    local s = data.load(path)
    for _, cell in ipairs(data.cells(s)) do
        local ok, why = data.check(cell.s)
        check(ok, ("%s: %s"):format(path, why))
        check(data.aqm_spec(cell.s.link):find("^%a"), path .. ": no AQM")
        cells = cells + 1
    end
    check(not names[s.name], path .. ": its name is taken")
    names[s.name] = true
end
check(cells > 30 and names["smoke"] and names["aqm-grid"], cells .. " cells")

-- What is wrong with a scenario is found.
local function sample()
    return {name = "a", title = "A", seconds = 10, warmup_s = 2,
            link = {rate = "50mbit", rtt = "20ms", aqm = "fifo"},
            flows = {{label = "x", host = "client_x", cc = "cubic"}},
            expect = {{what = "rate_mbit", flow = "x", min = 1, source = "s"}}}
end
check(data.check(sample()), "a complete one is refused")
for what, spoil in pairs{
    ["the field 'link.speed' is unknown"] = function(s) s.link.speed = 1 end,
    ["the field 'flow' is unknown"] = function(s) s.flow = 1 end,
    ["no title"] = function(s) s.title = nil end,
    ["seconds and warmup_s do not fit"] = function(s) s.warmup_s = 10 end,
    ["is no quantity"] = function(s) s.link.rate = "fast" end,
    ["no flows"] = function(s) s.flows = {} end,
    ["a flow without host"] = function(s) s.flows[1].host = "nowhere" end,
    ["nobody measures 'joy'"] = function(s) s.expect[1].what = "joy" end,
    ["rate_mbit: no such flow"] = function(s) s.expect[1].flow = "z" end,
    ["an expectation without a source"] = function(s) s.expect[1].source = nil end,
    ["from_s and to_s go together"] = function(s) s.expect[1].from_s = 1 end,
    ["an incomplete rewrite"] = function(s) s.rewrite = {{host = "router"}} end,
} do
    local s = sample()
    spoil(s)
    local ok, why = data.check(s)
    check(not ok and why:find(what, 1, true), what .. ": " .. tostring(why))
end

-- A scenario is data: nothing of the program can be reached from it.
local path = os.tmpname()
assert(lab.write_file(path, "return {name = os.getenv('HOME')}"))
local ok, why = pcall(data.load, path)
os.remove(path)
check(not ok and tostring(why):find("os"), "a scenario called os.getenv")

-- Axes: each point laid over the base, expectations added.
local s = sample()
s.axes = {{{label = "slow", link = {rate = "10mbit"}}, {label = "fast"}},
          {{label = "p", link = {aqm = "pie"}, expect = {{what = "jain", min = 1, source = "s"}}}}}
local list = data.cells(s)
check(#list == 2 and list[1].name == "slow p" and list[1].s.link.rate == "10mbit"
    and list[2].s.link.rate == "50mbit" and list[2].s.link.aqm == "pie"
    and #list[1].s.expect == 2 and #s.expect == 1, lab.pretty(list))

-- Buffers, flows, capacity, stretching.
check(data.aqm_spec{rate = "100mbit", rtt = "10ms", aqm = "fifo", buffer_bdp = 2}
    == "fifo limit 250000b", "2 BDP in bytes")
check(data.aqm_spec{rate = "100mbit", rtt = "10ms", aqm = "codel ecn", buffer_bdp = 2}
    == "codel ecn limit 167", "2 BDP in packets")
s = sample()
s.flows[1].count = 3
local flows = data.flows(s)
check(#flows == 3 and flows[3].label == "x3" and flows[3].group == "x" and flows[3].port == 5203,
    lab.pretty(flows))
local link = {rate = "50mbit", steps = {{0, "50mbit"}, {10, "10mbit"}}}
check(data.capacity_bits(link, 8, 12) == 120e6, "capacity over a step")
check(data.capacity_bits(link, 12, 14) == 20e6, "capacity after the step")
s = sample()
s.expect[1].from_s, s.expect[1].to_s = 4, 8
data.stretch(s, 5)
check(s.seconds == 5 and s.warmup_s == 1 and s.expect[1].from_s == 2 and s.expect[1].to_s == 4,
    lab.pretty(s))
print(cells .. " cells")
