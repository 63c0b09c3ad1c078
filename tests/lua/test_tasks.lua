-- Tasks: waiting looks synchronous, errors come as values, nothing outlives its owner.

local function check(ok, what)
    if not ok then
        error(what, 2)
    end
end

-- Sleeping tasks overlap.
local began = 0
local function letter(c)
    return function()
        began = began + 1
        lab.sleep(0.2)
        check(began == 2, "sleeps overlap")
        return c
    end
end
local r = assert(lab.all{
    letter("a"),
    letter("b"),
    function() return "c" end,
})
check(table.concat(r) == "abc", "results in order")

-- The first failure cancels the others, whose <close> variables run.
local closed = false
local _, err = lab.all{
    function() lab.sleep(0.02) error("first") end,
    function()
        local x <close> = setmetatable({}, {__close = function() closed = true end})
        lab.sleep(60)
    end,
}
check(tostring(err):find("first"), "the failure is reported: " .. tostring(err))
local t0 = lab.now()
while not closed and lab.now() - t0 < 30 do
    lab.sleep(0.01)
end
check(closed, "the other one was closed")

-- A time limit ends the task and its job.
local job
t0 = lab.now()
_, err = lab.timeout(0.1, function()
    job = assert(lab.localhost:start{"sleep", 60})
    job:wait()
end)
check(err.status == "timeout", "status " .. tostring(err.status))
check(lab.now() - t0 < 30, "in time")
check(not job:is_running(), "the job ended with its task")

-- A user's coroutine may wait; its own yields stay its own.
local co = coroutine.wrap(function(a)
    local b = coroutine.yield(a + 1)
    lab.sleep(0.01)
    local out = assert(lab.localhost:run{"echo", "inside"})
    coroutine.yield(b .. out.out)
    return "end"
end)
check(co(1) == 2 and co("x ") == "x inside\n" and co() == "end", "coroutine with waits")
local ok, message = pcall(co)
check(not ok and message:find("dead coroutine"), "a dead coroutine says so")

-- Waiting where it cannot be done is an error, not a hang.
ok, message = pcall(table.sort, {3, 2, 1}, function() lab.sleep(1) end)
check(not ok and tostring(message):find("cannot sleep here"), tostring(message))

-- A CPU-bound task does not keep the others from running.
local ticks = 0
local ticker = lab.spawn(function()
    while true do
        ticks = ticks + 1
        lab.sleep(0.01)
    end
end)
t0 = lab.now()
while ticks < 5 and lab.now() - t0 < 30 do end
check(ticks >= 5, "the ticker ran " .. ticks .. " times")
ticker:cancel()
_, err = ticker:join()
check(err.status == "interrupted", "a cancelled task says so")

-- Joining later gives the results again.
local late = lab.spawn(function(...) return select("#", ...), ... end, 1, nil, 3)
lab.sleep(0.02)
local n, a, b, c = late:join()
check(n == 3 and a == 1 and b == nil and c == 3, "results survive")
print("ok")
