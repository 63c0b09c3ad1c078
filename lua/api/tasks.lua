-- The manual's chapter on tasks. lua/prelude/help.lua says what an entry holds.
return {
    title = "Tasks",
    text = "A task is a function that runs beside others on the console's event loop. Functions "
        .. "that wait put their "
        .. "task aside; the others go on. A task owns the jobs and tasks that it started: when it "
        .. "ends, they are stopped.",
    classes = {{name = "Task", text = "A running or ended task, made by `lab.spawn`."}},
    entries = {
        {name = "lab.sleep", args = {{"seconds", "number",
            "how long, 0 to 10^7; 0 lets the other tasks run"}},
         returns = {{"true"}}, text = "Wait.",
         raises = "a negative time; `interrupted` when the task is cancelled",
         example = [[
lab.sleep(0.01)]]},
        {name = "lab.spawn", args = {{"fn", "fun(...): ...any", "what to run"},
            {"...", "any", "its arguments"}},
         returns = {{"Task"}},
             text = "Run `fn(...)` as a task of its own. It begins when the running task next "
             .. "waits.",
         example = [[
local task = lab.spawn(function(a, b) return a + b end, 1, 2)
assert(task:join() == 3)]]},
        {name = "lab.all", args = {{"functions", "(fun(): any)[]",
            "what to run side by side, without arguments"}},
         returns = {{"any[]", "their first results, in the order given"}},
         errors = "the first function, in the order given, that returned `nil, err` or raised; "
             .. "those after it are cancelled",
         text = "Run functions side by side and wait for all of them.",
         example = [[
local sums = assert(lab.all{function() return 1 + 1 end, function() lab.sleep(0.01) return 4 end})
assert(sums[1] == 2 and sums[2] == 4)]]},
        {name = "lab.timeout", args = {{"seconds", "number", "the limit; 0: none"},
            {"fn", "fun(...): ...any", "what to run"},
            {"...", "any", "its arguments"}},
         returns = {{"any", "the results of `fn`"}},
         errors = "`timeout`, with the task of `fn` and its jobs ended; and what `fn` itself "
             .. "returned or raised",
         text = "Run a function with a time limit.",
         example = [[
local value, err = lab.timeout(0.05, lab.sleep, 10)
assert(value == nil and err.status == "timeout")]]},
        {name = "Task:join", args = {{"seconds?", "number",
            "how long to wait; 0 or nothing: without a limit"}},
         returns = {{"any", "the results of its function"}},
         errors = "what it raised; `timeout` after `seconds`, the task going on",
         raises = "a task that waits for itself",
         text = "Wait for the end of a task.",
         example = [[
local task = lab.spawn(function() lab.sleep(0.01) return "done", 7 end)
local word, n = task:join()
assert(word == "done" and n == 7)]]},
        {name = "Task:cancel",
            text = "Ask a task to end: what it waits for raises an error of status `interrupted`, "
            .. "and its jobs "
            .. "and tasks are stopped. Returns at once; `task:join()` waits for it.",
         example = [[
local task = lab.spawn(lab.sleep, 60)
lab.sleep(0)
task:cancel()
local value, err = task:join()
assert(value == nil and err.status == "interrupted")]]},
    },
}
