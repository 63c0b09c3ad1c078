-- A lab with faults of its own, for course_replay.sh: FAULT, in the environment, says which.
local FAULT = os.getenv("FAULT") or "none"

return {
    title = "A lab of the tests",
    about = "made to be wrong",
    steps = {
        {
            name = "only", title = "The only step", acts = "files", observes = "files",
            question = "what is two and two?",
            observe = function(c)
                if FAULT == "host" then
                    error({status = "host", subsystem = "test", message = "the host is away"}, 0)
                end
                return {wanted = 4, answer = tonumber(c.answer or "")}
            end,
            checks = {{name = "sum", says = "You can add", look = function(seen, c)
                return c.judge(seen.answer == seen.wanted or FAULT == "solved" or false,
                               {seen = seen.answer or "nothing", want = seen.wanted, how = "arithmetic"})
            end}},
            hints = {"count on your fingers", "four"},
            solution = {does = "adds", run = function(c) c.answer = FAULT == "solution" and "3" or "4" end},
            wrong = FAULT ~= "no-wrong" and {{name = "five", does = "adds one more", fails = "sum",
                run = function(c) c.answer = FAULT == "wrong" and "4" or "5" end}} or {},
        },
    },
}
