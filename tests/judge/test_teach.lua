-- lab.teach with stand-ins for what it calls: which stages run in which round and with what, what is
-- done again after it failed, that another teaching's directory is refused; and the grades, with
-- numbers that can be worked out by hand.

local teach = lab._teach
local function check(ok, what)
    if not ok then
        error(what, 2)
    end
end
local function near(got, want, what)
    check(type(got) == "number" and math.abs(got - want) < 1e-9, ("%s: %s, not %s"):format(what, tostring(got), want))
end

local dir = os.tmpname()
os.remove(dir)
assert(lab.make_dir(dir))
local tidy <close> = setmetatable({}, {__close = function() lab.localhost:run{"rm", "-r", dir} end})

-- Grades: power by its ratio, distances with a megabit a second added, and only what all rounds have.
near(teach.ratio("power", 30, {a = 60, b = 40}), 0.5, "power")
near(teach.ratio("share", 1, {a = 3, b = 7}), 2, "distance")
check(teach.ratio("power", nil, {a = 1}) == nil and teach.ratio("power", 1, {}) == nil, "nothing to compare")
local baselines = {x = {score = "power", by = {a = 10}}, y = {score = "share", by = {a = 1}},
                   z = {score = "power", by = {a = 1}}}
local function judged(x, y, z)
    return {x = {score = "power", value = x}, y = {score = "share", value = y}, z = {score = "power", value = z}}
end
local grades, n = teach.grade({judged(40, 1, 5), judged(10, 0)}, baselines)
check(n == 2, "scenarios that count: " .. n)
near(grades[1], 2, "round 0")            -- sqrt(4 * 1)
near(grades[2], math.sqrt(2), "round 1") -- sqrt(1 * 2)

-- A build that cannot train says so before anything is done; here it need not.
local can, why = teach.check_netllm()
local told = assert(lab.localhost:run{assert(lab.program("netllm")), "info"}).out
check((can == true) == not told:find("libtorch: not built in", 1, true), told)
check(can or why.status == "unavailable" and why.hint, lab.pretty(why))
function teach.check_netllm() return true end
-- Where it can, netllm is asked before all else whether it takes the options.
if can then
    for text, bad in pairs{["num-epochs"] = {adapt = {num_epochs = "x"}}, ["rank"] = {adapt = {rank = 65}},
                           ["hidden"] = {distill = {hidden = 0}}} do
        local no, e = lab.teach{adapt = bad.adapt, distill = bad.distill, dry_run = true}
        check(no == nil and e.message:find(text, 1, true), text .. ": " .. lab.pretty(e))
    end
    check(teach.check_options{adapt = {num_epochs = 2, lr = 1e-3}, distill = {}}, "good options")
end
local refuses
function lab._try_netllm(command)
    if command == refuses then
        return lab.failure("usage", "netllm", command .. " refuses")
    end
    return {}
end

-- The others, who note how they were asked.
local asked, fails = {}, nil
local function stand_in(name, fn)
    lab[name] = function(o)
        table.insert(asked, {name, o})
        if fails == name then
            fails = nil
            return lab.failure("failed", name, name .. " failed")
        end
        return fn(o)
    end
end
local function names()
    local out = {}
    for i, one in ipairs(asked) do
        out[i] = one[1]
    end
    return table.concat(out, " ")
end
local POWER = {cubic = 10, ["distilled:student-0.safetensors"] = 8, ["distilled:student-1.safetensors"] = 12,
               ["distilled:student-2.safetensors"] = 6}
stand_in("collect", function()
    return {train = {rows = 100, episodes = 3, recipe = "lab"}, test = {rows = 10}, missing = {{cell = "c", why = "w"}},
            held_out = {"s"}}
end)
stand_in("pool", function() return {rows = 200, episodes = 6, recipe = "lab"} end)
stand_in("adapt", function()
    return {train_loss = 2, valid_loss = 1, best_epoch = 1, epochs = 2,
            baselines = {constant = 3, persistence = lab.null, no_op = 5}}
end)
stand_in("test", function() return {test_loss = 4, baselines = {no_op = 6}} end)
stand_in("distill", function()
    return {valid_loss = 0.1, valid_constant = 0.2, best_epoch = 3, decision_p50_us = 5, decision_p99_us = 9}
end)
stand_in("judge", function(o)
    local by = {}
    for _, word in ipairs(o.candidates) do
        local label = lab._judge.candidate(word).label
        by[label] = {power = {mean = POWER[label]}}
    end
    return {sets = {{scenarios = {{name = "solo", score = "power", by = by}}}}}
end)

local given = {teachers = {"cubic", "reno"}, rounds = 2, own = {1, 0.5}, dir = dir .. "/t", judge = {candidates = {"cubic"}},
               adapt = {w = 4}, collect = {seeds = 2}}
local none, err
for _, command in ipairs{"adapt", "distill"} do
    refuses = command
    none, err = lab.teach(given)
    check(none == nil and err.message == command .. " refuses" and names() == "", lab.pretty(err) .. names())
    check(lab.list_dir(given.dir) == nil, "nothing is begun")
end
refuses, fails = nil, "adapt"
none, err = lab.teach(given)
check(none == nil and err.message == "adapt failed" and err.hint:find(dir, 1, true), lab.pretty(err))
check(names() == "judge collect adapt", names())
asked, fails = {}, "pool"
none = lab.teach(given)
check(none == nil and names() == "adapt test distill judge collect pool", "it goes on where it was: " .. names())
-- A training that stands there goes on.
assert(lab.make_dir(dir .. "/t/round-1/model"))
assert(lab.write_file(dir .. "/t/round-1/model/training.safetensors", "x"))
asked = {}
local out = assert(lab.teach(given))
check(names() == "pool adapt test distill judge collect pool adapt test distill judge", names())
local first, second = asked[2][2], asked[8][2]
local at = dir .. "/t/round-"
check(asked[1][2].files[1] == at .. "0/own/train.safetensors" and asked[1][2].files[2] == at .. "1/own/train.safetensors"
    and asked[7][2].files[1] == at .. "1/pool.safetensors", "pools of earlier rounds are kept")
check(first.resume and first.start_from == at .. "0/model" and first.w == 4 and first.pool == at .. "1/pool.safetensors",
    lab.pretty(first))
check(not second.resume and second.start_from == at .. "1/model", lab.pretty(second))
check(asked[3][2].pool == at .. "0/own/test.safetensors", "every round is tested on the same rows")
local own = asked[6][2]
check(own.seeds == 2 and #own.teachers == 2 and own.teachers[1] == "netllm@1:distilled:" .. at .. "1/student-1.safetensors"
    and own.teachers[2] == "netllm@0.5:distilled:" .. at .. "1/student-1.safetensors", lab.pretty(own))
local who = lab._judge.candidate(own.teachers[2])
check(who.target == 0.5 and who.label == "distilled:student-1.safetensors@0.5"
    and who.policy == "distilled:" .. at .. "1/student-1.safetensors", lab.pretty(who))
near(out.rounds[1].grade, 0.8, "grade")
near(out.rounds[2].grade, 1.2, "grade")
check(out.best.round == 1 and out.best.student == at .. "1/student-1.safetensors", "the best is not the last")
check(out.rounds[2].rows == 200 and out.rounds[2].persistence == nil and out.rounds[2].test_no_op == 6, lab.pretty(out.rounds))
local csv = assert(lab.read_file(out.files.rounds))
local _, lines = csv:gsub("\n", "")
check(lines == 4 and csv:find("solo: student,solo: cubic\n", 1, true) and csv:find("\n1,200,6,100,1,2,1,3,,5,4,6,", 1, true)
    and csv:find(",8,10\n", 1, true) and csv:find(",12,10\n", 1, true), csv)
teach.print(out)

-- All done: nothing runs, the same comes out. A round may be added, another teaching not.
asked = {}
check(assert(lab.teach(given)).best.round == 1 and names() == "", names())
given.rounds = 3
POWER["distilled:student-3.safetensors"] = 13
check(assert(lab.teach(given)).best.round == 3 and names() == "collect pool adapt test distill judge", names())
for key, value in pairs{own = {1}, advisor = "copy-last", judge = {candidates = {"reno"}}} do
    local other = {}
    for name, kept in pairs(given) do
        other[name] = kept
    end
    other[key] = value
    none, err = lab.teach(other)
    check(none == nil and err.status == "usage" and err.message:find("another teaching", 1, true),
          key .. ": " .. lab.pretty(err))
end
-- An advisor is asked in the rounds, beside the student, and not where the teachers drive; a judge may be added.
asked, given.dir, given.judge, given.rounds, given.advisor = {}, dir .. "/advised", nil, 1, "lua:teacher.lua"
assert(lab.teach(given))
check(names() == "collect adapt test distill collect pool adapt test distill", names())
check(asked[1][2].advisor == nil and asked[5][2].advisor == "lua:teacher.lua", lab.pretty(asked[5][2]))
asked, given.judge = {}, {candidates = {"cubic"}}
assert(lab.teach(given))
check(names() == "judge judge judge", "a judge may be added: " .. names())
given.advisor = nil
-- Unjudged the last round is named, and said to be that.
given.dir, given.judge, given.rounds, POWER = dir .. "/u", nil, 1, {}
out = assert(lab.teach(given))
check(out.best.round == 1 and out.best.grade == nil and not next(out.baselines), lab.pretty(out.best))
teach.print(out)

for text, bad in pairs{["did you mean 'rounds'"] = {round = 1}, ["did you mean 'num_epochs'"] = {adapt = {num_epoch = 1}},
                       ["not for you"] = {adapt = {start_from = "x"}}, ["whole number"] = {rounds = -1},
                       ["a table"] = {distill = 3},
                       ["not for you to say"] = {collect = {advisor = "copy-last"}}, ["is a policy"] = {advisor = 7}, ["no return"] = {own = {}}} do
    local ok, e = pcall(lab.teach, bad)
    check(not ok and tostring(type(e) == "table" and e.message or e):find(text, 1, true), text .. ": " .. tostring(e))
end
print("ok")
