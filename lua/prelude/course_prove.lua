-- The proofs that a lab keeps to its word: each step starts unsolved, its solution passes, and each wrong
-- solution fails at the check that it names. And the recordings that replays are made of.

local Course = lab._classes.Course

-- A trial: a fresh place, the step's beginning, what `act` does, the judgement.
local function trial(course, def, step, take, act)
    local place = course.progress.place
    assert(lab.localhost:run{"rm", "-rf", course.state .. "/work/" .. def.name, label = "clear"})
    course.progress.labs[def.name] = nil
    course:_kept(def).step = step.index
    if place.kind == "virtual" and lab._course_needs_hosts(step) then
        assert(course:_virtual_up(def, true))
    end
    course:_enter(def, step)
    if place.kind == "replay" and step.acts ~= "files" then
        course:_apply_take(def, step, take)
        act = nil
    end
    local judged = course:_with(def, step, function(c)
        if act then
            act(c)
        end
        return lab._course_judge(step, c)
    end)
    if place.kind == "machines" then
        assert(course:_leave(def))
    end
    return judged
end

-- "check 'x': not yet, seen 1" of what did not pass.
local function said(judged)
    local out = {}
    for _, c in ipairs(judged.checks) do
        if c.outcome ~= "pass" then
            out[#out + 1] = ("'%s' %s: %s"):format(c.name, c.outcome == "cannot" and "cannot be measured"
                or "not yet", tostring(c.seen or c.why))
        end
    end
    return #out > 0 and table.concat(out, "; ") or "all checks pass"
end

-- Run the three proofs of a lab, or of all: {{lab=, step=, proof=, ok=, said=, unavailable=}}. The
-- student's progress is not touched: o.state is another folder. o.each(proof) is called after each.
function Course:prove(word, o)
    local labs, out = self.labs, {}
    if word then
        local def, err = self:find(word)
        if not def then
            return nil, err
        end
        labs = {def}
    end
    local course = assert(lab.course{dir = self.dir, state = o.state, testbed = o.testbed})
    course.progress = {version = 1, labs = {}, place = o.replay and {kind = "replay"}
        or o.lab and {kind = "machines", file = o.lab}
        or {kind = "virtual", name = course.testbed, file = course.state .. "/lab.lua"}}
    local function note(def, step, proof, ok, judged)
        out[#out + 1] = {lab = def.name, step = step.name, proof = proof, ok = ok, said = said(judged)}
        if o.each then
            o.each(out[#out])
        end
    end
    for _, given in ipairs(labs) do
        local def = course.labs[given.name]
        for _, step in ipairs(def.steps) do
            local judged = trial(course, def, step, "before")
            local is_measured = true
            for _, c in ipairs(judged.checks) do
                is_measured = is_measured and c.outcome ~= "cannot"
            end
            note(def, step, "starts unsolved", judged.outcome ~= "pass" and is_measured, judged)
            judged = trial(course, def, step, "solution", step.solution.run)
            note(def, step, "the solution passes", judged.outcome == "pass", judged)
            for _, wrong in ipairs(step.wrong) do
                judged = trial(course, def, step, wrong.name, wrong.run)
                local failed = false
                for _, c in ipairs(judged.checks) do
                    failed = failed or (c.name == wrong.fails and c.outcome == "not_yet")
                end
                note(def, step, ("wrong '%s' fails at '%s'"):format(wrong.name, wrong.fails), failed, judged)
            end
        end
        course:_leave(def)
    end
    return out
end

-- iperf3's documents, without what names this machine.
local function copy_json(from, to)
    local document = assert(lab.json_decode(assert(lab.read_file(from))))
    if type(document.start) == "table" then
        document.start.system_info, document.start.cookie = nil, nil
    end
    assert(lab.write_file(to, lab.json_encode(document) .. "\n"))
end

-- Make the recordings of a lab's replay anew, on the virtual lab: for each step that hosts act in, its
-- beginning, its solution and each wrong solution.
function Course:record(word, o)
    local def, err = self:find(word)
    if not def then
        return nil, err
    end
    local course = assert(lab.course{dir = self.dir, state = o.state, testbed = o.testbed})
    def = course.labs[def.name]
    course.progress = {version = 1, labs = {}, place = {kind = "virtual", name = course.testbed,
        file = course.state .. "/lab.lua"}}
    for _, step in ipairs(def.steps) do
        local takes = {{"before"}}
        if step.acts ~= "files" then
            takes[2] = {"solution", step.solution.run}
            for _, wrong in ipairs(step.wrong) do
                takes[#takes + 1] = {wrong.name, wrong.run}
            end
        elseif step.observes == "files" then
            takes = {}
        end
        for _, take in ipairs(takes) do
            local judged = trial(course, def, step, take[1], take[2])
            local to = ("%s/replay/%s/%s"):format(def.dir, step.name, take[1])
            assert(lab.localhost:run{"rm", "-rf", to, label = "clear"})
            assert(lab.make_dir(to))
            if step.observes ~= "files" then
                assert(lab.write_file(to .. "/facts.json", lab.json_encode(judged.seen, true) .. "\n"))
            end
            local folder = (course:_work(def) .. "/"):gsub("%p", "%%%0") -- where it was is left out
            for _, name in ipairs(step.keep or {}) do
                local text = lab.read_file(course:_work(def) .. "/" .. name)
                if text then
                    assert(lab.make_dir(to .. "/" .. (name:match("^(.*)/") or "")))
                    assert(lab.write_file(to .. "/" .. name, (text:gsub(folder, ""))))
                end
            end
            for _, name in ipairs(not step.keep and lab.list_dir(course:_work(def)) or {}) do
                if name:find("%.[gp]%w+$") then
                    assert(lab.localhost:run{"cp", course:_work(def) .. "/" .. name, to, label = "copy"})
                elseif name:find("%.json$") then
                    copy_json(course:_work(def) .. "/" .. name, to .. "/" .. name)
                end
            end
            print(("%s %s: %s"):format(step.name, take[1], said(judged)))
        end
    end
    course:_leave(def)
    return true
end
