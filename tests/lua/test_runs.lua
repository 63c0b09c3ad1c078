-- The records of runs, and `ccalab runs` on them.

local function check(ok, what)
    if not ok then
        error(what, 2)
    end
end

local dir = os.tmpname()
os.remove(dir)
local ids = {}
local function record(name, status, result)
    local run = assert(lab.record{name = name, base = dir})
    assert(run:set("result", result))
    if status then
        run:finish(status, status ~= "ok" and "the server, \"s\", went away" or nil)
    end
    ids[#ids + 1] = run.dir:match("[^/]*$")
    return run
end
record("first", "ok", {rate_bps = 4e7, marks = {ce = 10}, cc = "prague"})
record("first", "failed", {rate_bps = 2e7, marks = {ce = 10}, cc = "cubic"})
local open <close> = record("second", nil, {rate_bps = 1})
-- A run whose console was killed, and two directories that are none.
assert(lab.localhost:run{"sh", "-ec", ([[cd '%s'
mkdir 20200101T000000Z-dead 20200101T000001Z-broken notes
echo '{"name":"dead","status":"running","pid":999999999,"started_s":1577836800}' >20200101T000000Z-dead/run.json
echo '{"name":"bro' >20200101T000001Z-broken/run.json]]):format(dir)})

local runs = assert(lab.run_records(dir))
check(#runs == 5, #runs .. " runs")
local by = {}
for _, run in ipairs(runs) do
    by[run.id] = run
end
check(by["20200101T000000Z-dead"].status == "killed", by["20200101T000000Z-dead"].status)
check(by["20200101T000001Z-broken"].status == "unreadable", "an unreadable one")
check(by[ids[1]].status == "ok" and by[ids[2]].status == "failed", "their own status")
check(by[ids[3]].status == "running", "this process is alive: " .. by[ids[3]].status)
check(lab.find_run(nil, dir).id == runs[5].id, "the latest")
check(lab.find_run("dead", dir).id == "20200101T000000Z-dead", "by name")
check(lab.find_run(dir .. "/" .. ids[1]).record.result.cc == "prague", "by its directory")
local nothing, err = lab.find_run("2020", dir)
check(nothing == nil and err.message:find("part of 2"), tostring(err))
nothing, err = lab.find_run("secnd", dir)
check(nothing == nil and err.message:find("no run secnd"), tostring(err))
nothing, err = lab.run_records(dir .. "/none")
check(nothing == nil and err.status == "io", tostring(err))
local flat = lab.flatten{a = {1, {b = true}}, c = lab.null}
check(flat["a.1"] == 1 and flat["a.2.b"] == true and flat.c == nil, lab.pretty(flat))

local ccalab = assert(lab.program("ccalab"))
local function runs_command(...)
    return lab.localhost:run{ccalab, "runs", "--dir", dir, ...}
end
local out = assert(runs_command("list")).out
check(out:find("2020%-01%-01 00:00:00  killed"), out)
check(out:find(ids[2] .. '  (the server, "s", went away)', 1, true), out)
local list = lab.json_decode(assert(runs_command("list", "--json", "--name", "first")).out)
check(#list == 2 and list[2].status == "failed", lab.pretty(list))
out = assert(runs_command("show", ids[1])).out
check(out:find("result.rate_bps%s+40000000"), out)
out = assert(runs_command("compare", ids[1], ids[2])).out
check(out:find("result.rate_bps%s+4%S*%s+2%S*%s+0.500"), out)
check(not out:find("marks.ce", 1, true), "what is equal is left out: " .. out)
check(assert(runs_command("compare", "--all", ids[1], ids[2])).out:find("result.marks.ce", 1, true), "--all")
out = assert(runs_command("export", ids[1], ids[2])).out
local head, a, b = out:match("^([^\n]*)\n([^\n]*)\n([^\n]*)\n")
check(head == "run,name,status,started_s,duration_s,result.cc,result.marks.ce,result.rate_bps", head)
check(a:sub(1, #ids[1]) == ids[1] and a:find(",first,ok,[%d.]+,[%d.]+,prague,10,40000000$"), a)
check(b:find(",failed,"), b)
local _, _, left = runs_command("show", "20200101T000001Z-broken")
check(left and left.err:find("20200101T000001Z-broken/run.json", 1, true), "a broken one is named")
_, _, left = runs_command("lst")
check(left and left.exit_code == 2, "a word that is none")
open:finish("ok")
assert(lab.localhost:run{"rm", "-rf", dir .. "/"})
