-- Experience of two teachers in two scenarios of the virtual lab, straight into pools: every episode
-- says in which scenario, by which congestion control and with which seed it was made, rows are a round
-- trip apart, those of the driven teacher its decisions, with what its advisor would have done, and the
-- scenario of the test pool is not in the other.

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
-- The second one is driven where that can be had: a window of 20 ms at 20 Mbit/s.
local second, cc, advisor = "netllm:bdp:20mbit:20ms", "netllm", "constant:25"
local drive, why = lab.drive{policy = "copy-last"}
if drive then
    assert(drive:finish())
else
    print("no driven teacher, reno instead: " .. why.message)
    second, cc, advisor = "reno", "reno", nil
end
local got = assert(lab.collect{teachers = {"cubic", second}, advisor = advisor, scenarios = tiny, seeds = 1, test_share = 0.5,
    dir = dir .. "/grid", out = dir .. "/pools", testbed = "collect-test", idle_min = 0})
for _, one in ipairs(got.missing) do
    if one.why:find("^invalid: the emulator was late") or one.why:find("registered already", 1, true) then
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
    assert(#info.flows >= 2 and info.recipe == "loop", lab.pretty(info))
    for _, f in ipairs(info.flows) do
        assert(f.scenario:find("^tiny t ") and f.seed == 1, lab.pretty(f))
        assert((f.scenario == got.held_out[1]) == (split == "test"), split .. " has " .. f.scenario)
        assert((f.source:find("samples/drive_", 1, true) ~= nil) == (f.cc == "netllm"), lab.pretty(f))
        where[f.scenario] = split
        ccs[f.cc] = (ccs[f.cc] or 0) + f.rows
    end
    -- 2 s each. With its window the driven flow has a round trip of 20 to 100 ms, as the other one fills
    -- the queue or not; CUBIC has up to 180 ms by itself.
    print(split, "rows of cubic", ccs.cubic, "of " .. cc, ccs[cc])
    assert((ccs.cubic or 0) >= 8 and ccs.cubic < 100, split .. " has rows of cubic: " .. (ccs.cubic or 0))
    assert((ccs[cc] or 0) >= 8 and ccs[cc] < 100, ("%s has rows of %s: %s"):format(split, cc, ccs[cc]))
    assert(info.columns.min_rtt_s.min > 0.0195 and info.columns.lost_share.min >= 0, lab.pretty(info.columns))
end
assert(where["tiny t shallow"] and where["tiny t deep"], "a scenario is in neither pool")
-- The advisor's answer stands beside each decision, and is not what was done.
local advised = 0
for _, run in ipairs(advisor and lab.run_records(dir .. "/grid/cells") or {}) do
    if run.status == "ok" and run.record.cell.teacher ~= "cubic" then
        local samples <close> = assert(lab.samples(run.dir))
        for _, name in ipairs(samples:names()) do
            local _, bytes = samples:values(name)
            local _, wanted = samples:values((name:gsub("advised_bytes$", "wanted_pkts")))
            for i = 1, name:find("/advised_bytes$") and #bytes or 0 do
                if bytes[i] and bytes[i] > 0 then
                    assert(bytes[i] % 25 == 0 and wanted[i] and math.abs(wanted[i] - 33) < 3, name)
                    advised = advised + 1
                end
            end
        end
    end
end
assert(not advisor or advised >= 20, advised .. " decisions with advice")
-- What a pool is built from again keeps its provenance.
local again = assert(lab.pool{files = {dir .. "/pools/test.safetensors"}, recipe = "loop", out = dir .. "/again.safetensors"})
assert(again.flows[1].scenario == got.held_out[1] and again.flows[1].seed == 1, lab.pretty(again.flows[1]))
print("ok")
