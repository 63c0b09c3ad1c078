-- `ccalab teach`: from teachers to a distilled policy, in rounds (docs/judge.md).

local ABOUT = {
    name = "teach", help = "the whole loop in rounds: collect, adapt, distil, judge, learn on",
    usage = "[OPTIONS] [-- NETLLM OPTION=VALUE...]",
    flags = {
        {"--teachers", meta = "LIST", list = true, help = "as the judge's candidates (default labs/drive/teacher.lua)"},
        {"--size", meta = "SIZE", help = "the scenarios of labs/collect: quick, ... (default quick)"},
        {"--seeds", meta = "N", number = true, help = "how often a teacher is watched in each (default 1)"},
        {"--rounds", meta = "N", number = true, help = "in which it learns of what it did itself (default 1)"},
        {"--own", meta = "LIST", list = true, number = true,
         help = "the returns that it aims at then (default 1,0.75)"},
        {"--advisor", meta = "POLICY", help = "is asked what it would do then; the answers are what is learned"},
        {"--judge", help = "judge every round, over the judge's quick scenarios"},
        {"--baselines", meta = "LIST", list = true, help = "who it is held against (default cubic,bbr,prague)"},
        {"--sets", meta = "LIST", list = true, help = "the judge's (default: all)"},
        {"--judge-seeds", meta = "N", number = true, help = "how often each cell is judged (default 1)"},
        {"--out", meta = "DIR", help = "the new directory (default: one in runs/)"},
        {"--resume", meta = "DIR", help = "go on in that directory: what is done stays"},
        {"--testbed", meta = "NAME", help = "of its virtual labs (default teach-PID)"},
        {"--dry-run", help = "print what would be done"},
        {"--json", help = "print the result as JSON instead of the tables"},
    },
    examples = {
        "sudo ccalab teach --rounds 0 --judge",
        "sudo ccalab teach --size medium --rounds 2 --judge --judge-seeds 3 -- num-epochs=20 lr=3e-4",
        "sudo ccalab teach --teachers netllm:lua:own_cc.lua --rounds 0",
    },
}

local function misuse(text, hint)
    error({status = "usage", subsystem = "teach", message = text, hint = hint or "see ccalab teach --help"}, 0)
end

local o = lab.args(ABOUT, arg)
if not o then
    return
end
local adapt = lab._read_adapt_words({}, o, misuse)
if o.out and o.resume then
    misuse("--out and --resume exclude each other")
elseif o.out and lab.read_file(o.out .. "/run.json") then
    misuse(o.out .. " holds a run already", "--resume goes on with a teaching")
elseif o.resume and not lab.read_file(o.resume .. "/run.json") then
    misuse(o.resume .. " is no directory of a teaching", "the last line that ccalab teach prints is in it")
elseif not o.judge and (o.baselines or o.sets or o.judge_seeds) then
    misuse("--baselines, --sets and --judge-seeds belong to --judge")
end
local out = assert(lab.teach{teachers = o.teachers, scenarios = o.size, rounds = o.rounds, own = o.own,
    advisor = o.advisor, collect = o.seeds and {seeds = o.seeds}, adapt = adapt,
    judge = o.judge and {candidates = o.baselines, sets = o.sets, seeds = o.judge_seeds},
    dir = o.out or o.resume, testbed = o.testbed, dry_run = o.dry_run})
if o.dry_run then
    return
elseif o.json then
    print(lab.json_encode(out, true))
else
    lab._teach.print(out)
end
