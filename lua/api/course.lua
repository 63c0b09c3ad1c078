-- The manual's chapter on the course. lua/prelude/help.lua says what an entry holds.

local NAME = {"name", "string", "of a lab: \"02-l4s-works\", \"02\", \"2\" or \"l4s-works\""}
local SHOWN = {"table", "`{lab=, lab_title=, step=, index=, of=, title=, intro=, text=, question=, "
    .. "takes=, take=, shown=, state=, place=, work=}`: texts are Markdown"}
local JUDGED = {"table", "`{lab=, step=, outcome=, checks={{name=, says=, outcome=, seen=, want=, "
    .. "host=, how=, why=, hint=}}, seen=, evidence=}`: an outcome is \"pass\", \"not_yet\" or "
    .. "\"cannot\""}
local NONE = "`usage`: no lab is begun"

-- The beginning of each example: a course of its own, in a replay.
local BEGIN = [[
local course = assert(lab.course{state = "course"})
assert(course:start("00", {replay = true}))
]]

return {
    title = "The course",
    text = "The labs of `ccalab labs` (labs.md), for scripts and CI.",
    classes = {{name = "Course", text = "The labs and a student's progress, made by `lab.course`.",
        fields = {{"dir", "string", "where the labs are"},
            {"state", "string", "where progress, work and evidence are kept"},
            {"labs", "table", "the labs, as a list and by name"},
            {"progress", "table", "what is kept: the current lab, its place, the steps"},
            {"testbed", "string", "name of the virtual lab"}}}},
    entries = {
        {name = "lab.course", args = {{"o?", "table", "", fields = {
            {"dir?", "string", "the folder of the labs",
             "$CCALAB_LABS, else where the console was installed or built"},
            {"state?", "string", "where progress is kept", "$XDG_STATE_HOME/ccalab/labs"},
            {"testbed?", "string", "name of the virtual lab", "\"course\""}}}},
         returns = {{"Course"}}, text = "Open the course.",
         errors = "`unavailable`: no labs; `input`: a lab or the progress is malformed; `io`",
         example = [[
local course = assert(lab.course{state = "course"})
assert(#course.labs >= 1)]]},
        {name = "Course:find", args = {NAME}, text = "A lab by its name.",
         returns = {{"table", "what its lab.lua returned, with `name` and `dir`"}},
         errors = "`usage`: there is none",
         example = [[
local course = assert(lab.course{state = "course"})
assert(course:find("0").name == "00-orientation")]]},
        {name = "Course:list", text = "The labs, and how far the student is.",
         returns = {{"table[]", "`{name=, title=, about=, minutes=, state=, done=, steps=, "
            .. "is_current=}`: `state` is \"open\", \"begun\" or \"done\""}},
         example = [[
local course = assert(lab.course{state = "course"})
assert(course:list()[1].state == "open")]]},
        {name = "Course:start", args = {NAME, {"o?", "table", "the place, by default the last one",
            fields = {{"lab?", "string", "machines of this lab file"},
                {"replay?", "boolean", "recordings", "false"},
                {"virtual?", "boolean", "virtual hosts", "false"},
                {"testbed?", "string", "name of the virtual lab"}}}},
         returns = {SHOWN}, errors = "the place cannot be made",
         text = "Begin a lab, or go on with it. The lab before is left as by `course:stop()`.",
         example = BEGIN .. "assert(course:show().step == \"roles\")"},
        {name = "Course:show", args = {{"name?", "string", "of a lab", "the current one"}},
         returns = {SHOWN}, errors = "`usage`: there is none", raises = NONE,
         text = "What there is to read and do in the current step.",
         example = BEGIN .. "print(course:show().text)"},
        {name = "Course:takes", args = {{"def", "table", "a lab"}, {"step", "table", "its step"}},
         returns = {{"table[]", "`{letter=, name=, does=}`"}},
         text = "The recordings to choose from in a replay. Empty elsewhere, and where a step is "
            .. "done without hosts.",
         example = BEGIN .. [[
local def = course:find("00")
assert(#course:takes(def, def.steps.console) == 2)]]},
        {name = "Course:check", args = {{"o?", "table", "", fields = {
            {"all?", "boolean", "every step of the lab; a list then", "false"}}}},
         returns = {JUDGED}, raises = NONE .. "; a place that has gone",
         text = "Look whether the current step is done, and keep what was measured as evidence.",
         example = BEGIN .. "assert(course:check().outcome == \"not_yet\")"},
        {name = "Course:hint", returns = {{"{tier: integer, of: integer, text: string}"}},
         raises = NONE, text = "The next hint of the current step, each plainer than the last.",
         example = BEGIN .. "assert(course:hint().tier == 1)"},
        {name = "Course:answer", args = {{"value", "any"}}, returns = {{"string"}},
         raises = NONE .. ", or the step asks nothing",
         text = "Answer the current step's question. Whether it is right, `course:check()` says.",
         example = BEGIN .. [[
course:answer("bn1")
assert(course:check().outcome == "pass")]]},
        {name = "Course:take", args = {{"letter", "string"}}, returns = {{"table", "the recording"}},
         raises = NONE .. ", or no such recording",
         text = "Choose a recording in a replay.",
         example = BEGIN .. [[
course:next{skip = true}
course:next{skip = true}
print(course:take("A").does)]]},
        {name = "Course:next", args = {{"o?", "table", "", fields = {
            {"skip?", "boolean", "without having passed", "false"}}}},
         returns = {{"table|string", "as of `course:show`; \"done\" after the last step"}},
         raises = "`failed`: the step is not passed",
         text = "Go on to the next step. Nothing else does.",
         example = BEGIN .. "assert(course:next{skip = true}.step == \"rtt\")"},
        {name = "Course:solve", returns = {JUDGED}, raises = NONE,
         text = "Do the current step for the student and judge it. It is kept as shown, not as "
            .. "passed.",
         example = BEGIN .. "assert(course:solve().outcome == \"pass\")"},
        {name = "Course:reset", args = {{"name?", "string", "of a lab", "the current one"}},
         returns = {{"true"}}, errors = "`usage`: there is none", raises = NONE,
         text = "Forget what was done in a lab and leave its place as it was found. Evidence stays.",
         example = BEGIN .. "assert(course:reset())"},
        {name = "Course:stop", returns = {{"true"}}, errors = "a host could not be put back",
         raises = NONE,
         text = "Leave the current lab: the virtual hosts go, machines are put back "
            .. "(restore.md). Progress stays.",
         example = BEGIN .. "assert(course:stop())"},
        {name = "Course:report", args = {{"o?", "table", "", fields = {
            {"name?", "string", "the student's"}, {"out?", "string", "a file for a copy"}}}},
         returns = {{"string", "its path"}}, errors = "`io`",
         text = "Write all that was passed, with its evidence, as one HTML page to hand in.",
         example = BEGIN .. "print(assert(course:report{name = \"A. Student\"}))"},
        {name = "Course:prove", args = {{"name?", "string", "of a lab", "all"},
            {"o", "table", "", fields = {{"state", "string", "an empty folder to work in"},
                {"replay?", "boolean", "from recordings", "false"},
                {"lab?", "string", "on the machines of this lab file"},
                {"testbed?", "string", "name of the virtual lab", "\"course\""},
                {"each?", "fun(proof: table)", "called after each"}}}},
         returns = {{"table[]", "`{lab=, step=, proof=, ok=, said=}`"}},
         errors = "`usage`: there is no such lab", raises = "a place cannot be made",
         text = "The proofs of every step: it starts unsolved, its solution passes, each wrong "
            .. "solution fails where it says.",
         example = [[
local course = assert(lab.course{state = "course"})
for _, proof in ipairs(assert(course:prove("00", {state = "proofs", replay = true}))) do
    assert(proof.ok, proof.said)
end]]},
        {name = "Course:record", args = {NAME, {"o", "table", "", fields = {
            {"state", "string", "an empty folder to work in"},
            {"testbed?", "string", "name of the virtual lab", "\"course\""}}}},
         returns = {{"true"}}, errors = "`usage`: there is no such lab",
         raises = "the virtual lab cannot be made", needs = "ssh",
         tested = "tests/labs/course_virtual.sh", tested_as = "ccalab labs record --testbed",
         text = "Make the recordings of a lab's replay anew, in its folder, from runs on the "
            .. "virtual lab.",
         example = [[
local course = assert(lab.course{state = "course"})
assert(course:record("02", {state = "scratch"}))]]},
    },
}
