-- Scripts that run away: each ends with its error and a traceback, and what it started is stopped.

local ccalab = assert(lab.program("ccalab"))
local dir = os.tmpname()
os.remove(dir)
assert(lab.make_dir(dir))

local BEGIN = ([[
local job = assert(lab.localhost:start{"sh", "-c", "echo $$ >%s/pid; echo up; exec sleep 1000", ready = "up"})
assert(job:wait_up(60))
local tidy <close> = setmetatable({}, {__close = function() print("tidied") end})
]]):format(dir)

local CASES = {
    {"a memory bomb", 9, "more than 64 MiB", [[
local t = {}
for i = 1, math.huge do
    t[i] = ("x"):rep(1000) .. i
end]]},
    {"a memory bomb in a coroutine", 9, "more than 64 MiB", [[
coroutine.wrap(function()
    local s = "x"
    while true do
        s = s .. s
    end
end)()]]},
    {"one that comes back from a small memory", 0, nil, [[
local kb = ("x"):rep(1000) -- letter by letter it would take seconds
for _ = 1, 200 do
    local s = kb:rep(5000)
end
local ok, err = pcall(string.rep, "x", 100000000)
assert(not ok and tostring(err):find("memory"), tostring(err))]]},
    {"a deep recursion", 1, "stack overflow", "local function f(n) return 1 + f(n) end\nf(1)"},
    {"an error in a coroutine", 1, "script.lua:6: attempt to index a nil value", [[
coroutine.wrap(function()
    local x
    x.y = 1
end)()]]},
    {"an error in a finaliser", 1, "script.lua:4: in the finaliser", [[
do local x <close> = setmetatable({}, {__close = function() error("in the finaliser") end}) end]]},
    {"an error that is no text", 1, "table", "error({1})"},
}

for _, case in ipairs(CASES) do
    local name, code, says, text = table.unpack(case, 1, 4)
    local path = dir .. "/script.lua"
    assert(lab.write_file(path, BEGIN .. text))
    local ok, err, left = lab.localhost:run{ccalab, "--memory", "64", "--run", path, timeout_s = 120}
    left = ok or left
    local function check(is, what)
        if not is then
            error(("%s: %s\n%s\n%s"):format(name, what, left.err, left.out), 0)
        end
    end
    check(left.exit_code == code, ("exit code %s, not %d"):format(left.exit_code, code))
    check(not says or left.err:find(says, 1, true), "nothing of " .. tostring(says))
    check(code == 0 or left.err:find("stack traceback", 1, true), "no traceback")
    check(left.out:find("tidied", 1, true), "its <close> variable did not run")
    local pid = lab.read_file(dir .. "/pid"):match("%d+")
    local t0 = lab.now()
    while lab.read_file("/proc/" .. pid .. "/comm") do -- whoever is to collect it may be busy
        check(lab.now() - t0 < 60, "its job still runs")
        lab.sleep(0.05)
    end
end
assert(lab.localhost:run{"rm", "-rf", dir .. "/"})
