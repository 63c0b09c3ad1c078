-- The loop closed, in some minutes: a teacher is watched, a policy learns from it and is distilled to
-- a small network, that network steers an iperf3 flow through DualPI2, and the judge holds it against
-- CUBIC and Prague. `ccalab teach` is the same with all options, and for hours.
--
-- usage: sudo ccalab --run labs/drive.lua [--rounds N] [--seeds N] [--dir DIR] [--testbed NAME] [--no-judge]
--   needs a netllm with libtorch, root and Linux 6.4; exit status 1 where the flow does not follow the policy

local o = lab.args({name = "labs/drive.lua", usage = "[OPTIONS]", help = "collect, adapt, distil, drive, judge",
    flags = {{"--rounds", meta = "N", number = true, help = "in which it learns of what it did itself (0)"},
             {"--seeds", meta = "N", number = true, help = "of the judge (1)"},
             {"--dir", meta = "DIR", help = "its directory; one that is there goes on (a new one in runs/)"},
             {"--testbed", meta = "NAME", help = "of the virtual labs (drive-PID)"},
             {"--no-judge", help = "end after the driven flow"},
             {"--tiny", help = "everything as small as can be, for tests: it learns nothing"}}}, arg)
if not o then
    return
end
local NAME = o.testbed or ("drive-%d"):format(lab.pid)
local FOLLOWED = 0.9 -- of the windows that are sampled, at least so many are decisions
local X = {{label = "x", host = "client_x", cc = "*"}}

-- What the teacher is watched in: eight scenarios of 6 s, two of which are kept for the test. None is one
-- of the judge's.
local function grid(seconds, cells)
    return {name = "short", scenarios = {{name = "short", title = "Teaching", seconds = seconds, warmup_s = 0,
        link = {rate = "20mbit", rtt = "30ms", aqm = "dualpi2"}, flows = X, axes = {cells}}}}
end
local function link(rate, rtt, buffer_bdp, to)
    return {rate = rate .. "mbit", rtt = rtt .. "ms", aqm = buffer_bdp and "fifo" or "dualpi2", buffer_bdp = buffer_bdp,
            steps = to and {{0, rate .. "mbit"}, {3, to .. "mbit"}} or nil}
end
local function beside(start_s, cubic_s, seconds)
    return {{label = "x", host = "client_x", cc = "*", start_s = start_s},
            {label = "y", host = "client_y", cc = "cubic", start_s = cubic_s, seconds = seconds}}
end
local CELLS = {
    {label = "dualpi2-alone", link = link(30, 16)},
    {label = "dualpi2-step", link = link(20, 30, nil, 40)},
    {label = "dualpi2-joined", link = link(40, 25), flows = beside(0, 2, 3)},
    {label = "fifo-alone", link = link(20, 45, 4)},
    {label = "fifo-small", link = link(60, 14, 1)},
    {label = "fifo-step", link = link(64, 18, 2, 32)},
    {label = "fifo-joined", link = link(36, 28, 1), flows = beside(0, 2, 3)},
    {label = "fifo-joins", link = link(16, 35, 2), flows = beside(1, 0)},
}
local what = {scenarios = grid(6, CELLS)} -- teacher and training are lab.teach's own
local DRIVEN_S, judged = 8, {"cubic", "prague"}
local sets
if o.tiny then
    -- Some fifty round trips in 2 s at least, as a pool has a row for each.
    what = {teachers = {"cubic"}, scenarios = grid(2, {{label = "dualpi2", link = link(20, 10)},
            {label = "fifo", link = link(20, 10, 2)}}), own = {1}, collect = {test_share = 0.5, idle_min = 0},
            adapt = {num_epochs = 1, w = 4, rank = 2, state_feature_dim = 16, grad_accum_steps = 4},
            distill = {rows = 4, hidden = 8, num_epochs = 3}}
    DRIVEN_S, judged = 3, {"cubic"}
    sets = {{name = "tiny", quick = {{name = "one", title = "One", seconds = 2, warmup_s = 0, score = "power",
        link = {rate = "20mbit", rtt = "20ms", aqm = "dualpi2"}, flows = X}}}}
end
what.rounds, what.testbed = o.rounds or 0, NAME

local base = o.dir or ("%s/%s-drive"):format(os.getenv("CCALAB_RUNS") or "runs", os.date("!%Y%m%dT%H%M%SZ"))
what.dir = base .. "/teach"
print("collecting, training, distilling")
local taught = assert(lab.teach(what))
lab._teach.print(taught)
local STUDENT = taught.best.student

print("driving a flow through DualPI2, 48 Mbit/s, 20 ms")
local run <close> = assert(lab.record{base = base, name = "driven"})
local bed = assert(lab.testbed{name = NAME, rate = "48mbit", rtt = "20ms", aqm = "dualpi2"})
local drive = assert(lab.drive{policy = "distilled:" .. STUDENT, report = "0"})
local r = assert(lab.run{{client = bed.client_x, cc = "netllm", label = "driven"}, server = bed.server,
                         seconds = DRIVEN_S, sample = 0.01, record = run})
local d = assert(drive:finish()).data
assert(bed:down())
assert(run:set("drive", d))
print(("  %.1f Mbit/s; %d decisions, %.0f us at the median, 99 %% within %.0f us; the watchdog had %.1f %%"):format(
    r.by_label.driven.received_bps / 1e6, d.decisions, d.decide_p50_us or 0, d.decide_p99_us or 0,
    100 * (d.watchdog_share or 0)))

local follow
do
    local samples <close> = assert(lab.samples(run))
    follow = assert(lab._drive_follow(samples, "driven"))
end
print(("  of %d windows that were sampled, %d are decisions"):format(follow.sampled, follow.agree))
assert(run:set("follow", follow))
if follow.sampled == 0 or follow.agree < FOLLOWED * follow.sampled then
    error({status = "failed", subsystem = "drive",
           message = ("the flow does not follow: %d of %d windows are decisions, of %d"):format(
               follow.agree, follow.sampled, follow.decisions),
           hint = "the samples are in " .. run.dir}, 0)
end
run:finish("ok")

if not o.no_judge then
    print("judging")
    table.insert(judged, "netllm:distilled:" .. STUDENT)
    local out = assert(lab.judge{candidates = judged, sets = sets, seeds = o.seeds or 1,
        dir = base .. "/judge", testbed = NAME, idle_min = o.tiny and 0 or nil})
    lab._judge.print(out)
end
print("directory: " .. base)
