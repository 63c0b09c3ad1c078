-- Experience of many teachers: flows of several congestion controls over a grid of scenarios, sampled
-- every 10 ms, straight into pools that say of each episode in which scenario it was made
-- (docs/judge.md). Whole scenarios are kept apart, so that a policy can be tested on what it never saw.

local judge = lab._judge
local OPTIONS = {"teachers", "scenarios", "out", "seeds", "test_share", "recipe", "dir", "name", "base",
                 "testbed", "dry_run", "idle_min", "retries", "folder", "lab", "advisor"}
local TEACHERS = {"cubic", "reno", "bbr", "prague"}
local SIZES = {"quick", "medium", "full"}
local SAMPLE_S = 0.01
local RECIPE = "loop" -- which learns what was advised, where somebody was asked

local function read_scenarios(which, folder)
    local list = type(which) == "table" and which or judge.load("collect", which, folder)
    if not list then
        local near = lab.did_you_mean(tostring(which), SIZES)
        judge.misuse(("there are no scenarios '%s'"):format(which), near and ("did you mean %s?"):format(near)
            or table.concat(SIZES, ", ") .. ", or a list of scenarios")
    end
    return list
end

-- Which scenarios are kept apart: a share of them, chosen by their names alone. So a scenario stays
-- where it is when others are added, as far as the share permits.
function judge.held_out(list, share)
    local order, out = {}, {}
    for i, one in ipairs(list) do
        local hash = 2166136261 -- FNV-1a
        for k = 1, #one.label do
            hash = ((hash ~ one.label:byte(k)) * 16777619) & 0xffffffff
        end
        order[i] = {hash, one.label}
    end
    table.sort(order, function(a, b) return a[1] < b[1] or a[1] == b[1] and a[2] < b[2] end)
    local n = share > 0 and math.max(1, math.floor(share * #list + 0.5)) or 0
    for i = 1, math.min(n, #list - 1) do
        out[order[i][2]] = true
    end
    return out
end

-- Whose samples are experience, and where they come from. The others' are there for the reward.
local function keep(record, cell, raw)
    local samples <close> = assert(lab.samples(record))
    local rows, cc, labels = 0, nil, {}
    for _, f in ipairs(raw.flows) do
        if f.is_candidate then
            local times = samples:values(f.label .. "/cwnd_bytes")
            if not times then
                return lab.failure("failed", "collect", f.label .. " was not sampled")
            end
            rows, cc, labels[#labels + 1] = math.max(rows, #times), f.cc, f.label
        end
    end
    assert(record:set("provenance", {scenario = cell.scenario.label, seed = cell.seed, cc = cc, flows = labels}))
    return {rows = rows, cc = cc}
end

-- An advisor is asked beside a policy that drives, and its answers are the recipe's.
local function check_advisor(o, teachers)
    local is_driven = false
    for _, who in ipairs(teachers) do
        is_driven = is_driven or not who.cc
    end
    if not is_driven then
        judge.misuse("an advisor is asked beside driven teachers, and there is none",
                     "a teacher netllm:POLICY")
    elseif (o.recipe or RECIPE) ~= RECIPE then
        judge.misuse(("recipe %s learns nothing of an advisor"):format(o.recipe), "recipe loop, the default, does")
    end
end

-- Collect. Returns {dir=, train=, test=, scenarios=, held_out=, missing=}, the pools as of lab.pool.
function lab.collect(o)
    lab._check_keys(o, OPTIONS, "lab.collect")
    if type(o.out) ~= "string" and not o.dry_run then
        error("lab.collect: `out` is the directory that the pools go to", 2)
    end
    local set, teachers = read_scenarios(o.scenarios or "quick", o.folder), judge.candidates(o.teachers or TEACHERS)
    local list, idle_min = judge.lay_out(set.name, set.scenarios), o.idle_min or 0.05
    if o.advisor then
        check_advisor(o, teachers)
    end
    local place, err = judge.place{lab = o.lab, testbed = o.testbed or ("collect-%d"):format(lab.pid)}
    if not place then
        return nil, err
    end
    local left_out, ok = {}, nil
    if place.part then
        list, left_out = place:part(list, o.dry_run)
    end
    if not o.dry_run then
        ok, err = place:check(teachers, o.advisor)
        if not ok then
            return nil, err
        end
    end
    local m, missing = judge.grid{name = o.name or "collect", dir = o.dir, base = o.base, seed = 1,
        also = judge.depends_on(o.lab, teachers, o.advisor), repeats = o.seeds or 1, retries = o.retries or 2,
        dry_run = o.dry_run,
        axes = {{"scenario", list}, {"teacher", teachers}},
        run = function(cell, record)
            local raw = judge.run_cell(cell.scenario.s, cell.teacher,
                                       {place = place, seed = cell.seed, record = record, sample = SAMPLE_S,
                                        report = "0", advisor = o.advisor}) -- every decision of a driven flow
            local why = judge.why_invalid(raw, idle_min)
            if why then
                return lab.failure("failed", "collect", why)
            end
            return keep(record, cell, raw)
        end}
    if not m then
        return nil, missing
    end
    local apart = judge.held_out(list, o.test_share or 0.25)
    local out = {dir = m.dir, missing = missing, scenarios = #list, held_out = {}, left_out = left_out}
    local files = {train = {}, test = {}}
    for _, one in ipairs(list) do
        out.held_out[#out.held_out + 1] = apart[one.label] and one.label or nil
    end
    if o.dry_run then
        return out
    end
    for _, row in ipairs(m:rows()) do
        table.insert(apart[row.cell.scenario.label] and files.test or files.train, m.dir .. "/cells/" .. row.id)
    end
    ok, err = lab.make_dir(o.out)
    for _, split in ipairs(ok and {"train", "test"} or {}) do
        if #files[split] > 0 then
            out[split], err = lab.pool{files = files[split], recipe = o.recipe or RECIPE,
                                       out = ("%s/%s.safetensors"):format(o.out, split)}
            if not out[split] then
                break
            end
        end
    end
    if err then
        return nil, err
    end
    return out
end
