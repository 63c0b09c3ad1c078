-- Grids of runs: every cell exactly once, whatever happens; and the statistics over them.

local function check(ok, what)
    if not ok then
        error(what, 2)
    end
end
local function near(a, b, tolerance)
    return math.abs(a - b) <= (tolerance or 1e-9)
end

-- Statistics, against values worked out by R: t.test(c(1, 2, 4, 8)).
local s = lab.stats{1, 2, 4, 8}
check(s.n == 4 and near(s.mean, 3.75) and near(s.sd, 3.095696, 1e-6), lab.pretty(s))
check(near(s.ci95, 4.925926, 1e-4), "95 % interval " .. s.ci95)
check(near(s.median, 3) and near(s.p95, 7.4) and s.min == 1 and s.max == 8, lab.pretty(s))
local many = {}
for i = 1, 21 do
    many[i] = i
end
s = lab.stats(many) -- sd 6.204837, qt(.975, 20) = 2.085963
check(near(s.ci95, 2.085963 * 6.204837 / math.sqrt(21), 2e-3), "21 values: " .. s.ci95)
s = lab.stats{5, 0 / 0, nil, 1 / 0}
check(s.n == 1 and s.missing == 3 and not s.ci95 and s.mean == 5, lab.pretty(s))
check(lab.stats{} == nil, "nothing")
check(lab.csv({"a", "b", "c"}, {{1, nil, 'x"y'}, {0.1, true, "a,b"}}) ==
    'a,b,c\n1,,"x""y"\n0.10000000000000001,true,"a,b"\n', "CSV")

local dir = os.tmpname()
os.remove(dir)
local calls = {}
local function grid(with)
    local o = {name = "grid", dir = dir, repeats = 2, seed = 7,
               axes = {{"cc", {"prague", "cubic"}}, {"rtt", {10, {label = "long", ms = 80}}}},
               run = function(cell, record)
                   calls[#calls + 1] = cell
                   assert(lab.write_file(assert(record:path("raw.txt")), cell.cc))
                   return {rate = (cell.cc == "cubic" and 10 or 20) + cell["repeat"], seed = cell.seed}
               end}
    for k, v in pairs(with or {}) do
        o[k] = v
    end
    return lab.matrix(o)
end

-- Misuse.
check(not pcall(grid, {axes = {{"repeat", {1}}}}), "an axis called repeat")
check(not pcall(grid, {axes = {{"x", {1, 1}}}}), "two cells of one name")

-- A dry run does nothing.
local m = assert(grid{dry_run = true})
check(#m.order == 8 and #calls == 0 and not lab.read_file(dir .. "/run.json"), "dry run")

-- The first time some cells fail.
local err
m, err = grid{run = function(cell)
    calls[#calls + 1] = cell
    if cell.cc == "cubic" and cell["repeat"] == 2 then
        if cell.rtt == 10 then
            error("it burns")
        end
        return lab.failure("host", "test", "no such host")
    end
    return {rate = 20 + cell["repeat"]}
end}
check(m == nil and err.message:find("2 of 8 cells failed"), tostring(err))
check(err.message:find("cc=cubic,rtt=10,repeat=2: .*it burns"), err.message)
check(err.message:find("cc=cubic,rtt=long,repeat=2: no such host"), err.message)
check(#err.matrix:rows() == 6, "six are done")
local record = lab.json_decode(lab.read_file(dir .. "/run.json"))
check(record.status == "failed" and record.result.done == 6 and #record.result.failed == 2, lab.pretty(record))
-- Repeats come one after another, each in another order.
local order = {}
for i, cell in ipairs(calls) do
    order[i] = cell["repeat"]
end
check(table.concat(order) == "11112222", table.concat(order))
check(calls[1].seed == 7 and calls[8].seed == 8, "seeds")

-- The second time only those.
calls = {}
m = assert(grid())
check(#calls == 2 and calls[1].cc == "cubic" and calls[2]["repeat"] == 2, lab.pretty(calls))
local rows = m:rows()
check(#rows == 8 and rows[1].cell.cc == "prague" and rows[1].cell.rtt == 10 and rows[2].cell["repeat"] == 2
    and rows[8].cell.rtt.label == "long", lab.pretty(rows))
check(lab.read_file(("%s/cells/%s/raw.txt"):format(dir, rows[6].id)) == "cubic", "raw data of a cell")
local by = m:stats("rate", {"cc"})
check(#by == 2 and by[1].cell.cc == "prague" and by[1].stats.n == 4 and near(by[1].stats.mean, 21.5), lab.pretty(by))
check(#m:stats("rate") == 4 and m:stats("nothing")[1].stats == nil, "by all axes")
local csv = lab.read_file(dir .. "/cells.csv")
check(csv:find("^cc,rtt,repeat,seed,rate,seed\nprague,10,1,7,21,") and csv:find("\ncubic,long,2,8,12,8\n"), csv)
calls = {}
assert(grid())
check(#calls == 0, "nothing is left to do")
for key, value in pairs{seed = 8, also = "by another policy"} do
    m, err = grid{[key] = value}
    check(m == nil and err.message:find("another matrix"), tostring(err))
end
assert(grid{repeats = 3})
check(#calls == 4, "more repeats go on where it ended")

-- Where another process is at work nobody joins in; where it was killed it goes on.
assert(lab.write_file(dir .. "/other.lua", "assert(lab.write_file(arg[1], tostring(lab.pid))) lab.sleep(60)"))
local other, pid = assert(lab.localhost:start{assert(lab.program("ccalab")), "--run", dir .. "/other.lua",
                                              dir .. "/pid"}), nil
repeat
    lab.sleep(0.02)
    pid = math.tointeger(tonumber(lab.read_file(dir .. "/pid") or ""))
until pid or not other:is_running()
local record = assert(lab.json_decode(assert(lab.read_file(dir .. "/run.json"))))
record.status, record.pid = "running", pid
assert(lab.write_file(dir .. "/run.json", lab.json_encode(record)))
m, err = grid{repeats = 3}
check(m == nil and err.message == ("process %d is at work in %s"):format(pid, dir), tostring(err))
other:cancel()
other:wait()
assert(grid{repeats = 3})

-- Time limits and unshuffled order.
calls = {}
m, err = lab.matrix{name = "slow", dir = dir .. "/slow", shuffle = false, timeout_s = 2,
                    axes = {{"wait", {0, 30, 0.001}}}, run = function(cell)
    calls[#calls + 1] = cell.wait
    lab.sleep(cell.wait)
    return {}
end}
check(m == nil and err.message:find("1 of 3 cells failed"), tostring(err))
check(table.concat(calls, " ") == "0 30 0.001", table.concat(calls, " "))

-- Killed at random moments, 24 cells end with each exactly once.
assert(lab.write_file(dir .. "/script.lua", ([[
assert(lab.write_file(arg[1], tostring(lab.pid)))
print("pid", lab.pid)
local m = assert(lab.matrix{name = "killed", dir = %q, repeats = 4, axes = {{"a", {1, 2, 3}}, {"b", {"x", "y"}}},
    run = function(cell, record)
        lab.sleep(0.05)
        return {product = cell.a * cell["repeat"]}
    end})
print("done", #m:rows())]]):format(dir .. "/killed")))
local ccalab = assert(lab.program("ccalab"))
math.randomseed(20261121)
local kills = 0
for _ = 1, 6 do
    local job = assert(lab.localhost:start{ccalab, "--run", dir .. "/script.lua", dir .. "/killed.pid", ready = "pid"})
    assert(job:wait_up(60))
    lab.sleep(0.02 + 0.15 * math.random())
    if job:is_running() then
        kills = kills + 1
        lab.localhost:run{"kill", "-9", assert(lab.read_file(dir .. "/killed.pid"))}
    end
    job:wait()
end
check(kills >= 3, "the kills missed")
local done = assert(lab.localhost:run{ccalab, "--run", dir .. "/script.lua", dir .. "/killed.pid"})
check(done.out:find("done\t24"), done.out)
local ok_of, attempts = {}, 0
for _, run in ipairs(assert(lab.run_records(dir .. "/killed/cells"))) do
    attempts = attempts + 1
    if run.status == "ok" then
        ok_of[run.record.key] = (ok_of[run.record.key] or 0) + 1
        check(run.record.result.product == run.record.cell.a * run.record.cell["repeat"], lab.pretty(run.record))
    end
end
local cells = 0
for key, n in pairs(ok_of) do
    check(n == 1, key .. " was done " .. n .. " times")
    cells = cells + 1
end
check(cells == 24, cells .. " cells of 24")
check(attempts > 24, "no attempt was broken off")
check(lab.json_decode(lab.read_file(dir .. "/killed/run.json")).status == "ok", "its own record")
assert(lab.localhost:run{"rm", "-rf", dir .. "/"})
