-- The report of the course to hand in: what was passed, when, how it was measured, on which hosts.

local Course = lab._classes.Course

local MARK = {pass = "pass", not_yet = "not yet", cannot = "cannot measure"}
local STATE = {open = "open", passed = "passed", solved = "solution shown", skipped = "skipped"}

local function utc(t)
    return t and os.date("!%Y-%m-%d %H:%M UTC", math.floor(t)) or "-"
end

local function checks_section(title, evidence)
    local rows = {}
    for i, c in ipairs(evidence.checks or {}) do
        rows[i] = {MARK[c.outcome] or "?", c.says or c.name, c.host or "-", tostring(c.seen or c.why or "-"),
                   tostring(c.want or "-"), c.how or "-"}
    end
    local runs = evidence.runs and "; runs " .. table.concat(evidence.runs, ", ") or ""
    return {title = title, text = ("Measured %s, %s%s%s."):format(utc(evidence.time),
        evidence.place == "replay" and "from the recording '" .. tostring(evidence.take or "of the lab")
            .. "'" or evidence.place == "machines" and "on real machines" or "on the virtual lab", runs,
        evidence.answer and "; answer: " .. tostring(evidence.answer) or ""),
        table = {header = {"", "check", "host", "seen", "wanted", "how"}, rows = rows}}
end

-- Write the report of all that was done so far; o.name is the student's, o.out where a copy goes.
function Course:report(o)
    o = o or {}
    local record, err = lab.record{name = "labs-report", base = self.state .. "/reports"}
    if not record then
        return nil, err
    end
    local overview, sections, counts = {}, {}, {passed = 0, solved = 0, skipped = 0, open = 0}
    for _, def in ipairs(self.labs) do
        local kept = self:_kept(def)
        for _, step in ipairs(def.steps) do
            local mine = kept.steps[step.name]
            counts[mine.state] = (counts[mine.state] or 0) + 1
            overview[#overview + 1] = {def.name, step.title, STATE[mine.state] or mine.state,
                                       utc(mine.passed_at), mine.hints or 0, mine.tries or 0}
            local text = mine.evidence and lab.read_file(mine.evidence)
            local evidence = text and lab.json_decode(text)
            if type(evidence) == "table" then
                sections[#sections + 1] = checks_section(("%s: %s"):format(def.name, step.title), evidence)
                local t = type(evidence.seen) == "table" and evidence.seen.table
                if type(t) == "table" and type(t.rows) == "table" then
                    sections[#sections + 1] = {text = t.title, table = {header = t.header, rows = t.rows}}
                end
            end
        end
    end
    table.insert(sections, 1, {title = "Progress", table = {rows = overview,
        header = {"lab", "step", "state", "passed", "hints", "tries"}}})
    local notes = {}
    if counts.solved > 0 then
        notes[1] = ("In %d steps the solution was shown."):format(counts.solved)
    end
    if counts.skipped > 0 then
        notes[#notes + 1] = ("%d steps were skipped."):format(counts.skipped)
    end
    local path
    path, err = lab.report{record = record, title = "The congestion-control labs", notes = notes,
        subtitle = ("%s%d steps passed, %d open; ccalab %s, %s"):format(o.name and o.name .. ": " or "",
            counts.passed, counts.open, lab.version, utc(lab.now())), sections = sections}
    if not path then
        record:finish("failed", err.message)
        return nil, err
    end
    record:finish("ok")
    if o.out then
        local ok
        ok, err = lab.write_file(o.out, assert(lab.read_file(path)))
        if not ok then
            return nil, err
        end
        path = o.out
    end
    return path
end
