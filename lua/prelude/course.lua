-- The course: labs to work through, labs/NN-name/ (docs/labs.md). This file finds and reads them, keeps
-- the student's progress, and makes the place that a lab runs in: virtual hosts, machines of a lab
-- file, or recordings. course_step.lua judges a step, course_prove.lua holds labs to their own word.

local Course = {}
Course.__index, lab._classes.Course = Course, Course

local function failure(status, message, hint)
    return lab.failure(status, "labs", message, hint)
end

local function raise(status, message, hint)
    error((select(2, failure(status, message, hint))), 0)
end

-- Where the labs are: $CCALAB_LABS, beside an installed console, in the tree of one that was built.
function lab._find_labs()
    local self = assert(lab.program("ccalab")):match("^(.*)/[^/]*$") or "."
    local places = {self .. "/../share/ccalab/labs", self .. "/../labs", self .. "/../../labs", "labs"}
    local given = os.getenv("CCALAB_LABS")
    if given and given ~= "" then
        places = {given}
    end
    for _, place in ipairs(places) do
        for _, name in ipairs(lab.list_dir(place) or {}) do
            if name:find("^%d%d%-") then
                return place
            end
        end
    end
    return failure("unavailable", "the labs are not found: looked in " .. table.concat(places, ", "),
                   "set CCALAB_LABS to their folder")
end

-- Definitions ---------------------------------------------------------------------------------------

local function complain(path, what)
    raise("input", ("%s: %s"):format(path, what), "docs/labs.md says how a lab is written")
end

local function want(path, ok, what)
    if not ok then
        complain(path, what)
    end
end

local function check_step(path, i, s)
    local at = ("step %d%s"):format(i, type(s) == "table" and type(s.name) == "string"
        and " '" .. s.name .. "'" or "")
    want(path, type(s) == "table" and type(s.name) == "string" and s.name:find("^[a-z0-9-]+$"),
         at .. " needs a name of small letters")
    want(path, type(s.title) == "string", at .. " needs a title")
    want(path, type(s.observe) == "function", at .. " needs a function observe")
    want(path, type(s.checks) == "table" and #s.checks > 0, at .. " has no checks")
    want(path, type(s.hints) == "table" and #s.hints > 1, at .. " needs hints of two tiers at least")
    want(path, type(s.solution) == "table" and type(s.solution.run) == "function"
         and type(s.solution.does) == "string", at .. " needs a solution {does=, run=}")
    want(path, type(s.wrong) == "table" and #s.wrong > 0, at .. " needs wrong solutions")
    local names = {}
    for _, c in ipairs(s.checks) do
        want(path, type(c.name) == "string" and type(c.says) == "string" and type(c.look) == "function",
             at .. ": a check is {name=, says=, look=}")
        names[c.name] = true
    end
    for _, w in ipairs(s.wrong) do
        want(path, type(w.name) == "string" and type(w.does) == "string" and type(w.run) == "function"
             and names[w.fails], at .. ": a wrong solution is {name=, does=, run=, fails= a check}")
    end
end

-- Read labs/NAME/lab.lua. Fails: `io`, `syntax`, `input`.
local function load_lab(base, name)
    local dir = base .. "/" .. name
    local path = dir .. "/lab.lua"
    local chunk, why = loadfile(path)
    if not chunk then
        return failure("input", why or path)
    end
    local ok, def = pcall(chunk, dir)
    if not ok or type(def) ~= "table" then
        return failure("input", ("%s: %s"):format(path, ok and "returns no table" or tostring(def)))
    end
    local fine, err = pcall(function()
        want(path, type(def.title) == "string" and type(def.about) == "string", "needs title and about")
        want(path, type(def.steps) == "table" and #def.steps > 0, "has no steps")
        for i, s in ipairs(def.steps) do
            check_step(path, i, s)
            want(path, def.steps[s.name] == nil, "two steps are called " .. s.name)
            def.steps[s.name], s.index = s, i
        end
    end)
    if not fine then
        return nil, err
    end
    def.name, def.dir = name, dir
    return def
end

-- The course -----------------------------------------------------------------------------------------

-- Open the course of the labs in o.dir with the progress kept in o.state.
function lab.course(o)
    o = o or {}
    local dir, err = o.dir, nil
    if not dir then
        dir, err = lab._find_labs()
        if not dir then
            return nil, err
        end
    end
    local c = setmetatable({dir = dir, state = o.state or lab._state_dir() .. "/labs", labs = {},
                            testbed = o.testbed or "course"}, Course)
    local names
    names, err = lab.list_dir(dir)
    if not names then
        return nil, err
    end
    for _, name in ipairs(names) do
        if name:find("^%d%d%-[%w-]+$") and lab.read_file(dir .. "/" .. name .. "/lab.lua") then
            local def
            def, err = load_lab(dir, name)
            if not def then
                return nil, err
            end
            c.labs[#c.labs + 1], c.labs[name] = def, def
        end
    end
    if not lab.make_dir(c.state) then
        return failure("io", "cannot make " .. c.state, "progress is kept there")
    end
    local text = lab.read_file(c.state .. "/progress.json")
    c.progress = {version = 1, labs = {}}
    if text then
        local kept = lab.json_decode(text)
        if type(kept) ~= "table" or kept.version ~= 1 or type(kept.labs) ~= "table" then
            return failure("input", c.state .. "/progress.json is not what was written there",
                           "move it away to begin anew")
        end
        c.progress = kept
    end
    return c
end

function Course:_save()
    assert(lab.write_file(self.state .. "/progress.json", lab.json_encode(self.progress, true)))
end

-- A lab by its name, its number or the end of its name: "02-l4s-works", "02", "2", "l4s-works".
function Course:find(word)
    for _, def in ipairs(self.labs) do
        local number, rest = def.name:match("^(%d%d)%-(.+)$")
        if word == def.name or word == rest or tonumber(word) == tonumber(number) then
            return def
        end
    end
    local names = {}
    for _, def in ipairs(self.labs) do
        names[#names + 1] = def.name
    end
    local near = lab.did_you_mean(tostring(word), names)
    return failure("usage", ("there is no lab '%s'"):format(tostring(word)),
                   near and ("did you mean %s?"):format(near) or "ccalab labs list")
end

-- What is kept of a lab: {step=, steps={NAME={state=, hints=, answer=, take=, ...}}}.
function Course:_kept(def)
    local kept = self.progress.labs[def.name] or {step = 1, steps = {}}
    self.progress.labs[def.name] = kept
    kept.steps = type(kept.steps) == "table" and kept.steps or {}
    kept.step = math.min(math.max(math.tointeger(kept.step) or 1, 1), #def.steps)
    for _, s in ipairs(def.steps) do
        kept.steps[s.name] = kept.steps[s.name] or {state = "open", hints = 0}
    end
    return kept
end

-- The labs with how far the student is: {{name=, title=, about=, minutes=, state=, done=, steps=, current=}}.
function Course:list()
    local out = {}
    for i, def in ipairs(self.labs) do
        local kept, done, steps = self:_kept(def), 0, {}
        for k, s in ipairs(def.steps) do
            local state = kept.steps[s.name].state
            done = done + (state ~= "open" and 1 or 0)
            steps[k] = {name = s.name, title = s.title, state = state}
        end
        out[i] = {name = def.name, title = def.title, about = def.about, minutes = def.minutes,
                  done = done, steps = steps, is_current = self.progress.current == def.name,
                  state = done == #def.steps and "done" or done > 0 and "begun" or "open"}
    end
    return out
end

-- Steps -----------------------------------------------------------------------------------------------

function Course:_current()
    local def = self.progress.current and self.labs[self.progress.current]
    if not def then
        raise("usage", "no lab is being worked on", "ccalab labs list, then ccalab labs start NAME")
    end
    local kept = self:_kept(def)
    local step = def.steps[kept.step]
    return def, step, kept, kept.steps[step.name]
end

function Course:_work(def)
    local work = self.state .. "/work/" .. def.name
    assert(lab.make_dir(work))
    return work
end

-- Call fn(c) with the step's context; what it left running is stopped whatever happens.
function Course:_with(def, step, fn)
    local bed, err = self:_bed(def, step)
    if err then
        error(err, 0)
    end
    local mine = self:_kept(def).steps[step.name]
    local c = lab._course_context_new{def = def, step = step, work = self:_work(def), state = self.state,
                                      place = self.progress.place, take = mine.take,
                                      answer = mine.answer, bed = bed}
    local ended <close> = setmetatable({}, {__close = function() c:stop_tasks() end})
    local result = table.pack(fn(c))
    if c.answer ~= mine.answer then
        mine.answer = c.answer
    end
    c:stop_tasks()
    return table.unpack(result, 1, result.n)
end

local function replay_file(def, step, take)
    return ("%s/replay/%s/%s"):format(def.dir, step.name, take)
end

-- What a replayed step's recordings show, in an order that says nothing: {{letter=, name=, does=}}.
function Course:takes(def, step)
    if self.progress.place.kind ~= "replay" or step.acts == "files" then
        return {}
    end
    local takes = {{name = "solution", does = step.solution.does}}
    for _, w in ipairs(step.wrong) do
        takes[#takes + 1] = {name = w.name, does = w.does}
    end
    table.sort(takes, function(a, b) return a.does < b.does end)
    for i, take in ipairs(takes) do
        take.letter = string.char(64 + i)
    end
    return takes
end

function Course:_apply_take(def, step, name)
    local work = self:_work(def)
    assert(lab.localhost:run{"find", work, "-mindepth", "1", "-delete", label = "clear"})
    for _, file in ipairs(lab.list_dir(replay_file(def, step, name)) or {}) do
        if file ~= "facts.json" then
            assert(lab.localhost:run{"cp", "-r", replay_file(def, step, name) .. "/" .. file, work .. "/",
                                     label = "copy"})
        end
    end
    self:_kept(def).steps[step.name].take = name
end

-- Make a step's beginning. On machines nothing is changed: they are taken as they are.
function Course:_enter(def, step)
    if self.progress.place.kind == "replay" and step.acts ~= "files" then
        self:_apply_take(def, step, "before")
        self.progress.place.words = lab._course_words(self.progress.place)
    end
    self:_with(def, step, function(c)
        if step.setup and (c.place.kind ~= "replay" or step.acts == "files") then
            step.setup(c)
        end
        self.progress.place.words = lab._course_words(c.place, c.bed)
    end)
    local mine = self:_kept(def).steps[step.name]
    mine.entered = mine.entered or lab.now()
end

-- Begin a lab, or go on with it, in a place: o.lab, o.replay, or virtual hosts.
function Course:start(word, o)
    o = o or {}
    local def, err = self:find(word)
    if not def then
        return nil, err
    end
    local before = self.progress.current and self.labs[self.progress.current]
    local old = self.progress.place
    if before then
        self:_leave(before)
    end
    local place
    if o.lab then
        local file
        file, err = lab.read_labfile(o.lab)
        if not file then
            return nil, err
        end
        local path = o.lab:sub(1, 1) == "/" and o.lab
            or assert(lab.localhost:run{"realpath", o.lab, label = "realpath"}).out:gsub("%s+$", "")
        place = {kind = "machines", file = path}
    elseif o.replay then
        place = {kind = "replay"}
    elseif o.virtual or not old or old.kind == "virtual" then
        place = {kind = "virtual", name = o.testbed or self.testbed, file = self.state .. "/lab.lua"}
    else
        place = old
    end
    self.progress.place, self.progress.current = place, def.name
    local kept = self:_kept(def)
    local step = def.steps[kept.step]
    if place.kind == "virtual" and self:_needs_hosts(def) then
        local ok
        ok, err = self:_virtual_up(def, true)
        if not ok then
            self.progress.current, self.progress.place = nil, old
            self:_save()
            return nil, err
        end
    end
    self:_enter(def, step)
    self:_save()
    return self:show()
end

-- What there is to read: {lab=, step=, title=, text=, steps=, takes=, question=, place=}.
function Course:show(word)
    local def, step, err
    if word then
        def, err = self:find(word)
        if not def then
            return nil, err
        end
        step = def.steps[self:_kept(def).step]
    else
        def, step = self:_current()
    end
    local place = self.progress.place or {kind = "virtual"}
    local is_here = self.progress.current == def.name
    local words = is_here and place.words or lab._course_words(place)
    words.work, words.dir = self.state .. "/work/" .. def.name, def.dir
    local text = lab.read_file(("%s/%d-%s.md"):format(def.dir, step.index, step.name)) or ""
    local intro = step.index == 1 and lab.read_file(def.dir .. "/README.md") or nil
    local function filled(t)
        return t and (t:gsub("{{(%w+)}}", words))
    end
    local kept, shown = self:_kept(def), nil
    if is_here and place.kind == "replay" and step.observes ~= "files" then
        local facts = lab.read_file(replay_file(def, step, kept.steps[step.name].take or "before")
            .. "/facts.json")
        shown = facts and (lab.json_decode(facts) or {}).shown
    end
    return {shown = shown, lab = def.name, lab_title = def.title, step = step.name, index = step.index, of = #def.steps,
            title = step.title, intro = filled(intro), text = filled(text), question = step.question,
            takes = is_here and self:takes(def, step) or {}, take = kept.steps[step.name].take,
            state = kept.steps[step.name].state, place = place.kind, work = words.work}
end

local function keep_evidence(course, def, step, judged)
    local dir = ("%s/evidence/%s"):format(course.state, def.name)
    assert(lab.make_dir(dir))
    local mine = course:_kept(def).steps[step.name]
    local runs = {}
    for _, run in ipairs(lab.run_records(course:_work(def) .. "/runs") or {}) do
        runs[#runs + 1] = run.id
    end
    mine.tries = (mine.tries or 0) + 1
    local file = ("%s/%s-%03d.json"):format(dir, step.name, mine.tries)
    assert(lab.write_file(file, lab.json_encode({lab = def.name, step = step.name, time = lab.now(),
        place = course.progress.place.kind, version = lab.version, outcome = judged.outcome,
        answer = mine.answer, take = mine.take, checks = judged.checks, seen = judged.seen,
        runs = #runs > 0 and runs or nil}, true)))
    return file
end

function Course:_judge(def, step, before)
    local judged = self:_with(def, step, function(c)
        if before then
            before(c)
        end
        return lab._course_judge(step, c)
    end)
    local mine = self:_kept(def).steps[step.name]
    local file = keep_evidence(self, def, step, judged)
    if judged.outcome == "pass" then
        mine.evidence, mine.passed_at = file, lab.now()
        if mine.state ~= "solved" then
            mine.state = before and "solved" or "passed"
        end
    end
    judged.lab, judged.step, judged.evidence = def.name, step.name, file
    return judged
end

-- Look whether the current step is done; o.all: every step of the lab, for who has done it already.
function Course:check(o)
    local def, step = self:_current()
    local out = {}
    for _, s in ipairs(o and o.all and def.steps or {step}) do
        out[#out + 1] = self:_judge(def, s)
    end
    self:_save()
    return o and o.all and out or out[1]
end

-- The next hint of the current step, each a tier plainer: {tier=, of=, text=}.
function Course:hint()
    local _, step, _, mine = self:_current()
    mine.hints = math.min((mine.hints or 0) + 1, #step.hints)
    self:_save()
    return {tier = mine.hints, of = #step.hints, text = step.hints[mine.hints]}
end

-- Answer the current step's question. Whether it is right, check() says.
function Course:answer(value)
    local _, step, _, mine = self:_current()
    if not step.question then
        raise("usage", "this step asks nothing", "ccalab labs show")
    end
    mine.answer = tostring(value)
    self:_save()
    return mine.answer
end

-- Choose a recording, by its letter, in a replay.
function Course:take(word)
    local def, step = self:_current()
    local letters = {}
    for _, take in ipairs(self:takes(def, step)) do
        letters[#letters + 1] = take.letter
        if take.letter == tostring(word):upper() then
            self:_apply_take(def, step, take.name)
            self:_save()
            return take
        end
    end
    raise("usage", ("'%s' is no recording of this step"):format(tostring(word)), #letters > 0
        and "there are " .. table.concat(letters, ", ") or "recordings are for a replay: start NAME --replay")
end

-- Go on to the next step; o.skip: without having passed. Returns as show() does, or "done" after the last.
function Course:next(o)
    local def, step, kept, mine = self:_current()
    if mine.state == "open" then
        if not (o and o.skip) then
            raise("failed", ("step '%s' is not passed yet"):format(step.name),
                  "ccalab labs check; who knows it already goes on with next --skip")
        end
        mine.state = "skipped"
    end
    if step.index == #def.steps then
        self:_leave(def)
        self.progress.current = nil
        self:_save()
        return "done"
    end
    kept.step = step.index + 1
    self:_enter(def, def.steps[kept.step])
    self:_save()
    return self:show()
end

-- Do the current step for the student, and judge it. It is written down as shown, not as passed.
function Course:solve()
    local def, step = self:_current()
    local judged
    if self.progress.place.kind == "replay" and step.acts ~= "files" then
        self:_apply_take(def, step, "solution")
        judged = self:_judge(def, step, function() end)
    else
        judged = self:_judge(def, step, step.solution.run)
    end
    judged.does = step.solution.does
    self:_save()
    return judged
end

-- Forget what was done in a lab and leave its place as it was found; evidence is kept.
function Course:reset(word)
    local def, err
    if word then
        def, err = self:find(word)
        if not def then
            return nil, err
        end
    else
        def = self:_current()
    end
    if self.progress.current == def.name then
        self:_leave(def)
        self.progress.current = nil
    end
    assert(lab.localhost:run{"rm", "-rf", self.state .. "/work/" .. def.name, label = "clear"})
    self.progress.labs[def.name] = nil
    self:_save()
    return true
end

-- Leave the current lab; its progress stays.
function Course:stop()
    local def = self:_current()
    local ok, err = self:_leave(def)
    if not ok then
        return nil, err
    end
    self.progress.current = nil
    self:_save()
    return true
end
