-- The judge: candidates side by side over sets of scenarios, repeated, in shuffled order, stopped and
-- resumed at will (docs/judge.md). A cell is judge_cell.lua's; tables and pages are judge_report.lua's.

local judge = lab._judge
local OPTIONS = {"candidates", "sets", "size", "seeds", "dir", "name", "base", "testbed", "dry_run",
                 "idle_min", "retries", "folder", "lab"}
local SETS = {"solo", "friendliness", "l4s"}
local CANDIDATES = {"cubic", "reno", "bbr", "prague"}
local MARGIN = 0.1 -- winners are within it of the best
local HIGHER = {power = true, share = false} -- is more of the score better?
judge.VALUES = {power = "power", share = "off_mbit"} -- which value of a cell is its score

-- What labs/KIND/NAME.lua says, or FOLDER/NAME.lua; nil where there is no such file.
function judge.load(kind, name, folder)
    local dir, err = folder, nil
    if not dir then
        dir, err = lab._find_labs()
        if not dir then
            error(err, 0)
        end
        dir = dir .. "/" .. kind
    end
    local path = ("%s/%s.lua"):format(dir, name)
    return tostring(name):find("^[%w_-]+$") and lab.read_file(path) and lab._scenario.load(path) or nil
end

-- The set `name` of the folder of labs, or a table that is one already.
function judge.read_set(name, folder)
    local set = type(name) == "table" and name or judge.load("judge", name, folder)
    if not set then
        local near = lab.did_you_mean(tostring(name), SETS)
        judge.misuse(("there is no set '%s'"):format(name), near and ("did you mean %s?"):format(near)
            or "the sets are " .. table.concat(SETS, ", "))
    end
    return set
end

-- Scores -------------------------------------------------------------------------------------------

-- Who is within 10 % of the best of {label = mean score}.
function judge.winners(scores, kind)
    local best
    for _, v in pairs(scores) do
        best = not best and v or HIGHER[kind] and math.max(best, v) or math.min(best, v)
    end
    local out = {}
    for label, v in pairs(scores) do
        out[label] = HIGHER[kind] and v >= (1 - MARGIN) * best
            or not HIGHER[kind] and v <= (1 + MARGIN) * best or nil
    end
    return out
end

-- What the cells {cell = {scenario=, candidate=}, result=} say: for each set its scenarios, in each
-- what every candidate's values are over the repeats, and who won where. A scenario in which somebody
-- has no valid cell is shown and not counted.
function judge.verdict(rows, candidates)
    local sets, by_set, by_scenario = {}, {}, {}
    for _, row in ipairs(rows) do
        local sc, who = row.cell.scenario, row.cell.candidate.label
        local set = by_set[sc.set]
        if not set then
            set = {name = sc.set, scenarios = {}, wins = {}, counted = 0}
            sets[#sets + 1], by_set[sc.set] = set, set
        end
        local one = by_scenario[sc.label]
        if not one then
            one = {name = sc.label, score = row.result.score, by = {}, values = {}, ids = {}}
            set.scenarios[#set.scenarios + 1], by_scenario[sc.label] = one, one
        end
        local lists = one.values[who] or {}
        one.values[who], one.ids[who] = lists, one.ids[who] or {}
        table.insert(one.ids[who], row.id)
        for key, v in pairs(row.result) do
            if type(v) == "number" then
                lists[key] = lists[key] or {}
                table.insert(lists[key], v)
            else
                one.by[who] = one.by[who] or {}
                one.by[who][key] = v
            end
        end
    end
    for _, set in ipairs(sets) do
        for _, one in ipairs(set.scenarios) do
            local scores, is_whole = {}, true
            for _, who in ipairs(candidates) do
                local lists = one.values[who.label]
                for key, list in pairs(lists or {}) do
                    one.by[who.label][key] = lab.stats(list)
                end
                local score = lists and one.by[who.label][judge.VALUES[one.score]]
                scores[who.label] = score and score.mean
                is_whole = is_whole and score ~= nil
            end
            one.values = nil
            one.winners = is_whole and judge.winners(scores, one.score) or {}
            set.counted = set.counted + (is_whole and 1 or 0)
            for label in pairs(one.winners) do
                set.wins[label] = (set.wins[label] or 0) + 1
            end
        end
    end
    return sets
end

-- The judge itself ---------------------------------------------------------------------------------

local function plan(o)
    local p = {candidates = judge.candidates(o.candidates or CANDIDATES), scenarios = {}, sets = {},
               size = o.size or "quick", seeds = o.seeds or 5}
    if p.size ~= "quick" and p.size ~= "full" then
        local near = lab.did_you_mean(tostring(p.size), {"quick", "full"})
        judge.misuse(("'%s' is no size"):format(p.size), near and ("did you mean %s?"):format(near) or "quick or full")
    elseif not math.tointeger(p.seeds) or p.seeds < 1 then
        judge.misuse("seeds is a whole number from 1 on")
    end
    for i, name in ipairs(o.sets or SETS) do
        local set = judge.read_set(name, o.folder)
        if type(set[p.size]) ~= "table" then
            judge.misuse(("the set %s has no size %s"):format(set.name, p.size))
        end
        p.sets[i] = set
        local list = judge.lay_out(set.name, set[p.size])
        table.move(list, 1, #list, #p.scenarios + 1, p.scenarios)
    end
    if #p.candidates == 0 or #p.scenarios == 0 then
        judge.misuse("there is nobody to judge, or nothing to judge by")
    end
    return p
end

-- Judge. Returns {dir=, sets=, missing=, left_out=, place=, candidates=, files=}.
function lab.judge(o)
    o = o or {}
    lab._check_keys(o, OPTIONS, "lab.judge")
    local p, idle_min = plan(o), o.idle_min or 0.05
    local place, err = judge.place{lab = o.lab, testbed = o.testbed or ("judge-%d"):format(lab.pid)}
    if not place then
        return nil, err
    end
    local list, left_out, ok = p.scenarios, {}, nil
    if place.part then
        list, left_out = place:part(p.scenarios, o.dry_run)
        if #list == 0 then
            return lab.failure("unavailable", "judge", ("these machines can be none of the %d scenarios: %s"):format(
                #left_out, left_out[1].why))
        end
    end
    if not o.dry_run then
        ok, err = place:check(p.candidates)
        if not ok then
            return nil, err
        end
    end
    local m, missing = judge.grid{name = o.name or "judge", dir = o.dir, base = o.base, seed = 1,
        also = judge.depends_on(o.lab, p.candidates), repeats = p.seeds, retries = o.retries or 2,
        dry_run = o.dry_run, columns = judge.CELL_COLUMNS,
        axes = {{"scenario", list}, {"candidate", p.candidates}},
        run = function(cell, record)
            local s, who = cell.scenario.s, cell.candidate
            local raw = judge.run_cell(s, who, {place = place, seed = cell.seed, record = record, sample = 0.05})
            assert(record:set("raw", raw))
            local why = judge.why_invalid(raw, idle_min)
            if why then
                return lab.failure("failed", "judge", why)
            end
            local samples <close> = assert(lab.samples(record))
            local result, failed = judge.measure(s, who, raw, samples)
            if result then
                result.set = cell.scenario.set
            end
            return result, failed
        end}
    if not m then
        return nil, missing
    end
    local out = {dir = m.dir, candidates = p.candidates, size = p.size, seeds = p.seeds, left_out = left_out,
                 place = place.description, missing = missing, cells = #m.order, done = m.ndone}
    if o.dry_run then
        return out
    end
    out.sets = judge.verdict(m:rows(), p.candidates)
    out.files, err = judge.write(out, m)
    if not out.files then
        return nil, err
    end
    return out
end
