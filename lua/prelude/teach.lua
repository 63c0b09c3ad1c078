-- The whole loop, in rounds (docs/judge.md): teachers are watched, a policy learns of them and is
-- distilled, and judged; then it drives itself, what comes of that joins the experience, and it learns
-- on. A round is a directory; what is done in it stands in its round.json, so that a teaching that was
-- killed goes on where it was.

local judge = lab._judge
local teach = {}
lab._teach = teach

local OPTIONS = {"teachers", "scenarios", "own", "advisor", "rounds", "collect", "adapt", "distill", "judge", "dir",
                 "base", "name", "testbed", "dry_run"}
local RESERVED = { -- what teach says itself
    collect = {"teachers", "scenarios", "advisor", "out", "dir", "base", "name", "testbed", "dry_run"},
    adapt = {"pool", "dir", "resume", "start_from"}, distill = {"pool", "dir", "out"},
    judge = {"dir", "base", "name", "testbed", "dry_run"},
}
local OWN = {1, 0.75} -- returns that the student aims at when it makes experience, as shares of the largest
-- What docs/judge.md taught with "by one call"; `adapt` and `distill` may say otherwise, option by option.
local ADAPT = {num_epochs = 40, rank = 16, lr = 1e-3, grad_accum_steps = 16, sample_step = 3}
local DISTILL = {num_epochs = 100, lr = 5e-4}
local BASELINES = {"cubic", "bbr", "prague"}
local STAGES = {"collect", "pool", "adapt", "test", "distill", "judge"}
local SAYS = {baselines = "judging the baselines", collect = "collecting", pool = "joining the pools",
              adapt = "training", test = "testing on scenarios kept apart", distill = "distilling",
              judge = "judging"}

local function misuse(text, hint)
    error({status = "usage", subsystem = "teach", message = text, hint = hint}, 0)
end

-- Options and places -------------------------------------------------------------------------------

local function options_with(o, more)
    local out = {}
    for key, value in pairs(o or {}) do
        out[key] = value
    end
    for key, value in pairs(more or {}) do
        out[key] = value
    end
    return out
end

local function read_options(given)
    lab._check_keys(given, OPTIONS, "lab.teach")
    local o = options_with(given)
    if o.judge == true then
        o.judge = {}
    end
    for key, names in pairs(RESERVED) do
        if o[key] and type(o[key]) ~= "table" then
            misuse(("lab.teach: %s is a table of options"):format(key))
        end
        for _, name in ipairs(names) do
            if o[key] and o[key][name] ~= nil then
                misuse(("lab.teach: %s.%s is not for you to say"):format(key, name))
            end
        end
    end
    -- lab.collect and lab.judge check theirs.
    for key, flags in pairs{adapt = lab._adapt_flags, distill = lab._distill_flags} do
        local names = {}
        for i, flag in ipairs(flags) do
            names[i] = flag:gsub("-", "_")
        end
        lab._check_keys(o[key] or {}, names, "lab.teach: " .. key)
    end
    o.rounds, o.own = o.rounds or 1, o.own or OWN
    o.adapt, o.distill = options_with(ADAPT, o.adapt), options_with(DISTILL, o.distill)
    o.teachers = o.teachers or {"netllm:lua:" .. assert(lab._find_labs()) .. "/drive/teacher.lua"}
    if not math.tointeger(o.rounds) or o.rounds < 0 then
        misuse("rounds is a whole number: how often it learns of what it did itself")
    end
    for _, share in ipairs(o.own) do
        if type(share) ~= "number" then
            misuse("own is a list of numbers: the returns to aim at")
        end
    end
    if #o.own == 0 and o.rounds > 0 then
        misuse("own names no return to aim at")
    elseif o.advisor ~= nil and type(o.advisor) ~= "string" then
        misuse("advisor is a policy, as of netllm drive")
    end
    o.scenarios = o.scenarios or "quick"
    o.testbed = o.testbed or ("teach-%d"):format(lab.pid)
    return o
end

-- What must be the same when a teaching goes on. Rounds may be added, and a judge, who then stays.
local function describe(o)
    return lab.pretty{teachers = o.teachers, scenarios = o.scenarios, own = o.own, advisor = o.advisor,
                      collect = o.collect, adapt = o.adapt, distill = o.distill}
end

local function round_dir(t, k)
    return ("%s/round-%d"):format(t.dir, k)
end

-- The paths of a round's files; the first round's experience is its pool.
function teach.files(dir, k)
    local at = ("%s/round-%d/"):format(dir, k)
    return {own = at .. "own/train.safetensors", test = at .. "own/test.safetensors", model = at .. "model",
            pool = at .. (k == 0 and "own/train.safetensors" or "pool.safetensors"),
            student = ("%sstudent-%d.safetensors"):format(at, k), judge = at .. "judge"}
end

-- Stages -------------------------------------------------------------------------------------------

local function save_round(t, k)
    assert(lab.write_file(round_dir(t, k) .. "/round.json", lab.json_encode(t.done[k], true)))
end

-- How long what is left will take, by the same stages of this teaching so far; nil as long as a stage
-- has never been timed.
local function seconds_left(t, k, name)
    local sum, is_after = 0, false
    for r = k, t.rounds do
        for _, stage in ipairs(STAGES) do
            is_after = is_after or r > k or stage == name
            if is_after and t.wants(r, stage) and not t.done[r][stage] then
                local took = t.took[stage]
                if not took then
                    return nil
                end
                sum = sum + took * t.size(r, stage)
            end
        end
    end
    return sum
end

local function say(t, k, name)
    local done, all = 0, 0
    for r = 0, t.rounds do
        for _, stage in ipairs(STAGES) do
            local is_wanted = t.wants(r, stage)
            all = all + (is_wanted and 1 or 0)
            done = done + (is_wanted and t.done[r][stage] and 1 or 0)
        end
    end
    local left = seconds_left(t, k, name)
    local text = ("round %d of %d: %s%s"):format(k, t.rounds, SAYS[name], not left and ""
        or left < 120 and (", %.0f s left"):format(left) or (", %.0f min left"):format(left / 60))
    lab.log(text)
    lab.progress(done, all, text)
end

-- Do a stage unless it is done; what it returns is kept with how long it took.
local function stage(t, k, name, fn)
    if not t.wants(k, name) then
        return nil
    end
    local kept = t.done[k][name]
    if not kept then
        say(t, k, name)
        local began = lab.now()
        kept = {result = fn()}
        kept.seconds = lab.now() - began
        t.done[k][name] = kept
        save_round(t, k)
    end
    t.took[name] = kept.seconds / t.size(k, name)
    return kept.result
end

-- Some fields of a result; a number that is none there is none here.
local function pick(from, names)
    local out = {}
    for _, name in ipairs(names) do
        local value = from[name]
        if type(value) == "table" then
            value = pick(value, lab._sorted_keys(value))
        end
        out[name] = value ~= lab.null and value or nil
    end
    return out
end

local function collect(t, o, k)
    local who, advisor = o.teachers, nil
    if k > 0 then
        who, advisor = {}, o.advisor
        for i, share in ipairs(o.own) do
            who[i] = ("netllm@%g:distilled:%s"):format(share, teach.files(t.dir, k - 1).student)
        end
    end
    local got = assert(lab.collect(options_with(o.collect, {teachers = who, scenarios = o.scenarios,
        advisor = advisor, out = round_dir(t, k) .. "/own", dir = round_dir(t, k) .. "/collect",
        testbed = o.testbed})))
    if not got.train then
        error({status = "failed", subsystem = "teach", message = "no scenario to train on was valid",
               hint = got.missing[1] and got.missing[1].why .. "; is the machine busy?" or nil}, 0)
    end
    return {rows = got.train.rows, episodes = got.train.episodes, recipe = got.train.recipe,
            has_test = got.test ~= nil, held_out = got.held_out, missing = #got.missing}
end

-- What the judge said: {[scenario] = {score=, by={[label]=mean}}}.
local function scores_of(out)
    local scores = {}
    for _, set in ipairs(out.sets) do
        for _, one in ipairs(set.scenarios) do
            scores[one.name] = {score = one.score, by = {}}
            for label, v in pairs(one.by) do
                local value = v[judge.VALUES[one.score]]
                scores[one.name].by[label] = value and value.mean
            end
        end
    end
    return scores
end

local function ask_judge(o, candidates, dir)
    local out = assert(lab.judge(options_with(o.judge, {candidates = candidates, dir = dir, testbed = o.testbed,
                                                       seeds = o.judge.seeds or 1})))
    return scores_of(out)
end

local function has_training(dir)
    for _, name in ipairs(lab.list_dir(dir) or {}) do
        if name == "training.safetensors" then
            return true
        end
    end
    return false
end

local function run_round(t, o, k)
    local at, before = teach.files(t.dir, k), k > 0 and teach.files(t.dir, k - 1) or nil
    local got = stage(t, k, "collect", function() return collect(t, o, k) end)
    stage(t, k, "pool", function()
        local p = assert(lab.pool{files = {before.pool, at.own}, recipe = got.recipe, out = at.pool})
        return pick(p, {"rows", "episodes"})
    end)
    stage(t, k, "adapt", function()
        local r = assert(lab.adapt(options_with(o.adapt, {pool = at.pool, dir = at.model,
            resume = has_training(at.model), start_from = before and before.model})))
        return pick(r, {"train_loss", "valid_loss", "best_epoch", "epochs", "baselines"})
    end)
    stage(t, k, "test", function()
        -- The same rows for all rounds: those of the teachers in scenarios kept apart.
        local r = assert(lab.test{pool = teach.files(t.dir, 0).test, dir = at.model})
        return pick(r, {"test_loss", "baselines"})
    end)
    stage(t, k, "distill", function()
        local r = assert(lab.distill(options_with(o.distill, {pool = at.pool, dir = at.model, out = at.student})))
        return pick(r, {"valid_loss", "valid_constant", "best_epoch", "decision_p50_us", "decision_p99_us"})
    end)
    stage(t, k, "judge", function()
        local label = judge.candidate("netllm:distilled:" .. at.student).label
        local out = {}
        for name, one in pairs(ask_judge(o, {"netllm:distilled:" .. at.student}, at.judge)) do
            out[name] = {score = one.score, value = one.by[label]}
        end
        return out
    end)
end

-- Grades -------------------------------------------------------------------------------------------

-- How a value compares with the best baseline's: 1 is as good, more is better. A distance gets a
-- megabit a second added, so that one near nothing does not decide alone.
function teach.ratio(score, value, baselines)
    local best
    for _, v in pairs(baselines) do
        best = not best and v or score == "power" and math.max(best, v) or math.min(best, v)
    end
    if not best or not value or value ~= value then
        return nil
    elseif score == "power" then
        return best > 0 and value / best or nil
    end
    return (best + 1) / (value + 1)
end

-- The geometric mean of the ratios of each round, over the scenarios in which all rounds and a baseline
-- have a value. `judged` is a list of {[scenario] = {score=, value=}}. Returns the means, and how many
-- scenarios they are of.
function teach.grade(judged, baselines)
    local sums, n = {}, 0
    for name, base in pairs(baselines) do
        local ratios = {}
        for i, round in ipairs(judged) do
            ratios[i] = round[name] and teach.ratio(base.score, round[name].value, base.by)
        end
        local is_whole = #judged > 0
        for i = 1, #judged do
            is_whole = is_whole and ratios[i] ~= nil
        end
        if is_whole then
            n = n + 1
            for i, ratio in ipairs(ratios) do
                sums[i] = (sums[i] or 0) + math.log(math.max(ratio, 1e-6))
            end
        end
    end
    for i, sum in ipairs(sums) do
        sums[i] = math.exp(sum / n)
    end
    return sums, n
end

-- Rows of numbers of all rounds, what the judge says of them, and the best.
local function sum_up(t, o)
    local out = {dir = t.dir, rounds = {}, baselines = t.baselines or {}, files = {rounds = t.dir .. "/rounds.csv"}}
    local judged = {}
    for k = 0, t.rounds do
        local d, at = t.done[k], teach.files(t.dir, k)
        local pool, adapted = (d.pool or d.collect).result, d.adapt.result
        local tested, student = d.test and d.test.result or {}, d.distill.result
        local row = {round = k, rows = pool.rows, episodes = pool.episodes, own_rows = d.collect.result.rows,
            missing = d.collect.result.missing, train_loss = adapted.train_loss, valid_loss = adapted.valid_loss,
            constant = adapted.baselines.constant, persistence = adapted.baselines.persistence,
            no_op = adapted.baselines.no_op, test_loss = tested.test_loss,
            test_no_op = tested.baselines and tested.baselines.no_op, distill_loss = student.valid_loss,
            distill_constant = student.valid_constant, decision_p50_us = student.decision_p50_us,
            decision_p99_us = student.decision_p99_us, student = at.student, model = at.model, seconds = 0,
            judged = d.judge and d.judge.result}
        for _, name in ipairs(STAGES) do
            row.seconds = row.seconds + (d[name] and d[name].seconds or 0)
        end
        out.rounds[k + 1], judged[k + 1] = row, row.judged
    end
    local grades, n = {}, 0
    if o.judge then
        grades, n = teach.grade(judged, out.baselines)
    end
    out.scenarios, out.graded = 0, n
    for _ in pairs(out.baselines) do
        out.scenarios = out.scenarios + 1
    end
    local best = #out.rounds -- nobody said that another one is better
    for i, row in ipairs(out.rounds) do
        row.grade = grades[i]
        best = grades[i] and grades[i] > grades[best] and i or best
    end
    out.best = out.rounds[best]
    return out
end

-- The teaching itself ------------------------------------------------------------------------------

local function save(t, status, message, result)
    t.record.status, t.record.message, t.record.pid, t.record.result = status, message, lab.pid, result
    t.record.duration_s = status ~= "running" and lab.now() - t.record.started_s or nil
    return lab.write_file(t.dir .. "/run.json", lab.json_encode(t.record, true))
end

local function read_json(path)
    local text = lab.read_file(path)
    return text and lab.json_decode(text) or nil
end

-- The directory, new or with what is done in it.
local function open(o)
    local t = {rounds = o.rounds, done = {}, took = {},
        dir = o.dir or ("%s/%s-%s"):format(o.base or os.getenv("CCALAB_RUNS") or "runs",
            os.date("!%Y%m%dT%H%M%SZ"), o.name or "teach")}
    local text = o.dir and lab.read_file(o.dir .. "/run.json")
    if text then
        local err
        t.record, err = lab.json_decode(text)
        if not t.record then
            return nil, err
        end
        local was, is = t.record.teach, describe(o)
        if was == is and o.judge and t.record.judge then
            was, is = t.record.judge, lab.pretty(o.judge)
        end
        if was ~= is then
            return lab.failure("usage", "teach", ("%s holds another teaching: %s"):format(o.dir, tostring(was)),
                               "this one is " .. is)
        end
        err = lab._at_work("teach", o.dir, t.record)
        if err then
            return nil, err
        end
    else
        t.record = {name = o.name or "teach", teach = describe(o), ccalab = lab.version, started_s = lab.now(),
                    started_utc = os.date("!%Y%m%dT%H%M%SZ")}
    end
    t.record.judge = o.judge and lab.pretty(o.judge) or t.record.judge
    for k = 0, t.rounds do
        t.done[k] = read_json(round_dir(t, k) .. "/round.json") or {}
        local ok, err = lab.make_dir(round_dir(t, k))
        if not ok then
            return nil, err
        end
    end
    function t.wants(k, name)
        if name == "pool" then
            return k > 0
        elseif name == "test" then
            local first = t.done[0].collect
            return not first or first.result.has_test
        end
        return name ~= "judge" or o.judge ~= nil and o.judge ~= false
    end
    -- Of how many parts a stage is, where that decides how long it takes.
    function t.size(k, name)
        return name == "collect" and (k > 0 and #o.own or #o.teachers) or 1
    end
    return t
end

-- Who the students are held against is judged once, in the same scenarios with the same seeds.
local function judge_baselines(t, o)
    local path = t.dir .. "/baselines.json"
    t.baselines = read_json(path)
    if not t.baselines then
        lab.log(SAYS.baselines)
        t.baselines = ask_judge(o, o.judge.candidates or BASELINES, t.dir .. "/baselines")
        assert(lab.write_file(path, lab.json_encode(t.baselines, true)))
    end
end

-- Can this machine train? Found out before hours of flows, and not after them.
function teach.check_netllm()
    local program, err = lab.program("netllm")
    if not program then
        return nil, err
    end
    local info = assert(lab.json_decode(assert(lab.localhost:run{program, "info", "--json", label = "netllm?"}).out))
    if type(info.libtorch) ~= "string" then -- its version
        return lab.failure("unavailable", "teach", "this netllm was built without libtorch and cannot train", info.hint)
    end
    return true
end

-- Will netllm take what it is to learn with? Found out before hours of flows, too.
function teach.check_options(o)
    local ok, err = lab._try_netllm("adapt", o.adapt, lab._adapt_flags)
    if ok then
        ok, err = lab._try_netllm("distill", o.distill, lab._distill_flags)
    end
    return ok, err
end

-- Teach. Returns {dir=, rounds={{round=, rows=, valid_loss=, grade=, student=, ...}}, best=, baselines=,
-- files=}.
function lab.teach(o)
    o = read_options(o or {})
    local ok, err = teach.check_netllm()
    if ok then
        ok, err = teach.check_options(o)
    elseif o.dry_run then
        ok = true -- it can be shown where it cannot be done
    end
    if not ok then
        return nil, err
    elseif o.dry_run then
        return teach.dry(o)
    end
    local t
    t, err = open(o)
    if not t then
        return nil, err
    end
    ok, err = save(t, "running")
    if not ok then
        return nil, err
    end
    local out
    out, err = lab.spawn(function()
        if o.judge then
            judge_baselines(t, o)
        end
        for k = 0, t.rounds do
            run_round(t, o, k)
        end
        local all = sum_up(t, o)
        assert(lab.write_file(all.files.rounds, teach.csv(all)))
        return all
    end):join()
    if not out then
        err = type(err) == "table" and err or {status = "failed", subsystem = "teach", message = tostring(err)}
        save(t, err.status == "interrupted" and "interrupted" or "failed", err.message)
        if err.status == "interrupted" then
            error(err, 0)
        end
        err.hint = err.hint or ("what is done stays: go on with dir = \"%s\""):format(t.dir)
        return nil, err
    end
    ok, err = save(t, "ok", nil, pick(out.best, {"round", "grade", "student"}))
    if not ok then
        return nil, err
    end
    return out
end

-- Print what would be done.
function teach.dry(o)
    assert(lab.collect(options_with(o.collect, {teachers = o.teachers, scenarios = o.scenarios, dry_run = true})))
    if o.judge then
        assert(lab.judge(options_with(o.judge, {candidates = o.judge.candidates or BASELINES,
                                                 seeds = o.judge.seeds or 1, dry_run = true})))
    end
    for k = 0, o.rounds do
        print(("round %d: collect from %s, %sadapt, distil%s"):format(k, k > 0
            and ("the student at %s of the largest return%s"):format(table.concat(o.own, ", "),
                 o.advisor and ", advised by " .. o.advisor or "")
            or "the teachers", k > 0 and "join the pools, " or "", o.judge and ", judge" or ""))
    end
    return {rounds = {}, baselines = {}}
end
