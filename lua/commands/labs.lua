-- `ccalab labs`: the course, a step after the other (docs/labs.md).

local ABOUT = {
    name = "labs", help = "the course: labs to work through, each step checked against what is really there",
    usage = "[list|show|start NAME|check|hint|answer VALUE|take LETTER|next|solve|reset|stop|report] [OPTIONS]",
    flags = {
        {"--lab", meta = "FILE", help = "start, prove: on the machines of this lab file"},
        {"--replay", help = "start, prove: from recordings, without hosts and rights"},
        {"--virtual", help = "start: on virtual hosts of this machine (the default)"},
        {"--testbed", meta = "NAME", help = "start, prove: name of the virtual lab (default course)"},
        {"--all", help = "check: every step of the lab, for who has done it already"},
        {"--skip", help = "next: go on without having passed"},
        {"--yes", help = "reset, solve: without asking"},
        {"--name", meta = "NAME", help = "report: the student's name"},
        {"--output", meta = "FILE", help = "report: write it here too"},
        {"--json", help = "print JSON"},
    },
    examples = {"ccalab labs start 00", "ccalab labs start 02 --replay", "ccalab labs check", "ccalab labs next"},
}

local o = lab.args(ABOUT, arg)
if not o then
    return
end
local verb = o[1] or "list"
local course = assert(lab.course{testbed = o.testbed})

local function usage(message, hint)
    error({status = "usage", subsystem = "labs", message = message, hint = hint}, 0)
end

-- Print `value` as JSON where that is wanted, else let `say` print it.
local function tell(value, say)
    if o.json then
        print(lab.json_encode(value, true))
    else
        say(value)
    end
end

local MARK = {open = " ", begun = "o", done = "x", passed = "x", solved = "s", skipped = "-"}

local function say_list(list)
    local width = 0
    for _, l in ipairs(list) do
        width = math.max(width, #l.name)
    end
    for _, l in ipairs(list) do
        print(("%s [%s] %s%s  %s  (%d of %d step%s%s)"):format(l.is_current and ">" or " ", MARK[l.state], l.name,
            (" "):rep(width - #l.name), l.title, l.done, #l.steps, #l.steps == 1 and "" or "s",
            l.minutes and (", %d min"):format(l.minutes) or ""))
    end
    print("\nccalab labs show NAME, ccalab labs start NAME [--replay | --lab FILE]")
end

local function say_step(s)
    if s == "done" then
        print("That was the last step of this lab. Its place was left as it was found.\nccalab labs list")
        return
    end
    if s.intro then
        print(s.intro)
    end
    print(s.text)
    if #s.takes > 0 then
        print("This is a replay: instead of doing it, choose the recording where it was done right.\n")
        for _, take in ipairs(s.takes) do
            print(("  %s  %s%s"):format(take.letter, take.does, take.name == s.take and "  <- chosen" or ""))
        end
        print("\nccalab labs take LETTER, then ccalab labs check")
    end
    for _, one in ipairs(s.shown or {}) do
        print(("recorded, on %s: $ %s\n%s\n"):format(one.host, one.command, one.output))
    end
    if s.question then
        print("Question: " .. s.question .. "\nccalab labs answer VALUE, then ccalab labs check")
    end
    print(("[%s, step %d of %d: %s; %s; your folder: %s]"):format(s.lab, s.index, s.of, s.state, s.place, s.work))
end

local SIGN = {pass = "pass     ", not_yet = "not yet  ", cannot = "cannot   "}

local function say_judged(j)
    if j.does then
        print("done for you: " .. j.does)
    end
    for _, c in ipairs(j.checks) do
        print(("  %s %s"):format(SIGN[c.outcome], c.says))
        if c.outcome == "cannot" then
            print(("            cannot be measured: %s%s"):format(c.why, c.hint and "\n            " .. c.hint or ""))
        elseif c.seen then
            print(("            seen%s: %s"):format(c.host and " (" .. c.host .. ")" or "", tostring(c.seen)))
        end
        if c.outcome == "not_yet" and c.want then
            print("            wanted: " .. tostring(c.want))
        end
        if c.how and c.outcome ~= "cannot" then
            print("            how: " .. c.how)
        end
    end
    print(j.outcome == "pass" and "passed; go on with: ccalab labs next"
        or "not passed; a hint: ccalab labs hint")
end

-- The exit status of a judgement: 0, 1 (not yet), 6 (cannot be measured).
local function end_as(list)
    for _, j in ipairs(list) do
        if j.outcome ~= "pass" then
            error({status = j.outcome == "cannot" and "unavailable" or "failed", subsystem = "labs",
                   message = ("step '%s' is not passed"):format(j.step)}, 0)
        end
    end
end

-- A yes at the terminal, or --yes.
local function sure(question)
    if not assert(lab.confirm(question, {yes = o.yes})) then
        error({status = "interrupted", subsystem = "labs", message = "nothing was changed"}, 0)
    end
end

local function say_proof(p)
    print(("%s %s %s: %s (%s)"):format(p.ok and "ok  " or "FAIL", p.lab, p.step, p.proof, p.said))
end

local verbs = {}

function verbs.list()
    tell(course:list(), say_list)
end

function verbs.show()
    tell(assert(course:show(o[2])), say_step)
end

function verbs.start()
    tell(assert(course:start(o[2] or usage("start which lab?", "ccalab labs list"),
        {lab = o.lab, replay = o.replay, virtual = o.virtual, testbed = o.testbed})), say_step)
end

function verbs.check()
    local judged = course:check{all = o.all}
    local list = o.all and judged or {judged}
    tell(judged, function()
        for _, j in ipairs(list) do
            if o.all then
                print(j.step)
            end
            say_judged(j)
        end
    end)
    end_as(list)
end

function verbs.hint()
    tell(course:hint(), function(h) print(("hint %d of %d: %s"):format(h.tier, h.of, h.text)) end)
end

function verbs.answer()
    local value = course:answer(o[2] or usage("answer what?", "ccalab labs answer VALUE"))
    tell({answer = value}, function() print("your answer: " .. value) end)
end

function verbs.take()
    tell(course:take(o[2] or usage("take which recording?", "ccalab labs show")), function(t)
        print(("recording %s: %s"):format(t.letter, t.does))
    end)
end

verbs["next"] = function()
    tell(course:next{skip = o.skip}, say_step)
end

function verbs.solve()
    sure("Show the solution of this step and do it for you?")
    local judged = course:solve()
    tell(judged, say_judged)
    end_as{judged}
end

function verbs.reset()
    sure("Forget what was done in this lab, and leave its place as it was found?")
    assert(course:reset(o[2]))
    tell({reset = true}, function() print("reset") end)
end

function verbs.stop()
    assert(course:stop())
    tell({stopped = true}, function() print("left; your progress is kept") end)
end

function verbs.report()
    tell({report = assert(course:report{name = o.name, out = o.output})}, function(r) print(r.report) end)
end

-- For who writes labs: the three proofs of each step, and the recordings of replays.
local function scratch()
    local dir = assert(lab.localhost:run{"mktemp", "-d", label = "mktemp"}).out:match("^[^\n]*")
    lab._defer(function() lab.localhost:run{"rm", "-rf", dir} end) -- also when proofs fail
    return dir
end

function verbs.prove()
    local tmp = scratch()
    local failed = 0
    local proofs = assert(course:prove(o[2], {state = tmp, replay = o.replay, lab = o.lab,
        testbed = o.testbed or ("prove-%d"):format(lab.pid), each = function(p)
            failed = failed + (p.ok and 0 or 1)
            if not o.json then
                say_proof(p)
            end
        end}))
    if o.json then
        print(lab.json_encode(proofs, true))
    end
    if failed > 0 then
        error({status = "failed", subsystem = "labs", message = failed .. " proofs failed"}, 0)
    end
end

function verbs.record()
    local tmp = scratch()
    assert(course:record(o[2] or usage("record which lab?"), {state = tmp,
        testbed = o.testbed or ("record-%d"):format(lab.pid)}))
end

if not verbs[verb] then
    local names = lab._sorted_keys(verbs)
    local near = lab.did_you_mean(verb, names)
    usage(("'%s' is no word of ccalab labs"):format(verb), near and ("did you mean %s?"):format(near)
        or "there are " .. table.concat(names, ", "))
end
verbs[verb]()
