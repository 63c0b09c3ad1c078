-- Experience of two teachers in two scenarios of the virtual lab, straight into pools: every episode
-- says in which scenario, by which congestion control and with which seed it was made, rows are 10 ms
-- apart, and the scenario of the test pool is not in the other.

if assert(lab.localhost:run{"id", "-u"}).out ~= "0\n" then
    error({status = "unavailable", subsystem = "test", message = "needs root"}, 0)
end
local dir = os.tmpname()
os.remove(dir)
assert(lab.make_dir(dir))
local tidy <close> = setmetatable({}, {__close = function() lab.localhost:run{"rm", "-r", dir} end})
local tiny = {name = "tiny", scenarios = {{name = "t", title = "T", seconds = 2, warmup_s = 0,
    link = {rate = "20mbit", rtt = "20ms", aqm = "fifo", buffer_bdp = 2},
    flows = {{label = "x", host = "client_x", cc = "*"}, {label = "y", host = "client_y", cc = "reno"}},
    axes = {{{label = "shallow"}, {label = "deep", link = {buffer_bdp = 8}}}}}}}
local got = assert(lab.collect{teachers = {"cubic", "reno"}, scenarios = tiny, seeds = 1, test_share = 0.5,
    dir = dir .. "/grid", out = dir .. "/pools", testbed = "collect-test", idle_min = 0})
for _, one in ipairs(got.missing) do
    if one.why:find("^invalid: the emulator was late") then
        error({status = "unavailable", subsystem = "test", message = one.why}, 0)
    end
    error(one.cell .. ": " .. one.why)
end
assert(got.scenarios == 2 and #got.held_out == 1, lab.pretty(got))
local netllm, where = assert(lab.program("netllm")), {}
for _, split in ipairs{"train", "test"} do
    local info = assert(lab.json_decode(assert(lab.localhost:run{netllm, "pool", "info", "--json",
        ("%s/pools/%s.safetensors"):format(dir, split)}).out))
    local ccs = {}
    assert(#info.flows >= 2, lab.pretty(info))
    for _, f in ipairs(info.flows) do
        assert(f.scenario:find("^tiny t ") and f.seed == 1, lab.pretty(f))
        assert((f.scenario == got.held_out[1]) == (split == "test"), split .. " has " .. f.scenario)
        where[f.scenario], ccs[f.cc] = split, true
    end
    assert(ccs.cubic and ccs.reno, split .. " lacks a teacher: " .. lab.pretty(info.flows))
    -- Two teachers, 2 s each, every 10 ms; a busy machine leaves some out.
    assert(info.rows > 200 and info.rows < 440, split .. " has " .. info.rows .. " rows")
end
assert(where["tiny t shallow"] and where["tiny t deep"], "a scenario is in neither pool")
-- What a pool is built from again keeps its provenance.
local again = assert(lab.pool{files = {dir .. "/pools/test.safetensors"}, out = dir .. "/again.safetensors"})
assert(again.flows[1].scenario == got.held_out[1] and again.flows[1].seed == 1, lab.pretty(again.flows[1]))
print("ok")
