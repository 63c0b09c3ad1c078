-- The loop closed, in some minutes: teachers are watched, a policy learns from them and is distilled to
-- a small network, that network steers an iperf3 flow through DualPI2, and the judge holds it against
-- CUBIC and Prague.
--
-- usage: sudo ccalab --run labs/drive.lua [--seeds N] [--testbed NAME] [--no-judge]
--   needs a netllm with libtorch, root and Linux 6.4

local o = lab.args({name = "labs/drive.lua", usage = "[OPTIONS]", help = "collect, adapt, distil, drive, judge",
    flags = {{"--seeds", meta = "N", number = true, help = "of the judge (1)"},
             {"--testbed", meta = "NAME", help = "of the virtual labs (drive-PID)"},
             {"--no-judge", help = "end after the driven flow"}}}, arg)
if not o then
    return
end
local NAME = o.testbed or ("drive-%d"):format(lab.pid)
local run <close> = assert(lab.record{name = "drive"})
local MODEL, STUDENT = run.dir .. "/model", run.dir .. "/student.safetensors"

print("collecting: eight scenarios of 6 s, three teachers")
local got = assert(lab.collect{teachers = {"cubic", "bbr", "prague"}, out = run.dir .. "/pools",
                               base = run.dir, testbed = NAME})
for _, one in ipairs(got.missing) do
    print(("  left out: %s: %s"):format(one.cell, one.why))
end
local train = assert(got.train, "no scenario to train on was valid: is the machine busy?")
print(("  %d rows of %d flows to train on; %d scenarios are kept apart"):format(train.rows, train.episodes,
    #got.held_out))

print("training")
local adapted = assert(lab.adapt{pool = train.path, dir = MODEL, num_epochs = 6, lr = 3e-4, grad_accum_steps = 16,
                                 sample_step = 10})
print(("  loss %.5f, leaving the window as it is %.5f (validation)"):format(adapted.valid_loss,
    adapted.baselines.no_op))
if got.test then
    local tested = assert(lab.test{pool = got.test.path, dir = MODEL})
    print(("  in scenarios it never saw: loss %.5f, leaving the window as it is %.5f"):format(tested.test_loss,
        tested.baselines.no_op))
end

print("distilling")
assert(lab.distill{pool = train.path, dir = MODEL, out = STUDENT})

print("driving a flow through DualPI2, 48 Mbit/s, 20 ms")
local bed = assert(lab.testbed{name = NAME, rate = "48mbit", rtt = "20ms", aqm = "dualpi2"})
local drive = assert(lab.drive{policy = "distilled:" .. STUDENT, report = "0"})
local r = assert(lab.run{{client = bed.client_x, cc = "netllm", label = "driven"}, server = bed.server,
                         seconds = 8, sample = 0.01, record = run})
local d = assert(drive:finish()).data
assert(bed:down())
print(("  %.1f Mbit/s; %d decisions, %.0f us at the median, 99 %% within %.0f us; the watchdog had %.1f %%"):format(
    r.by_label.driven.received_bps / 1e6, d.decisions, d.decide_p50_us or 0, d.decide_p99_us or 0,
    100 * (d.watchdog_share or 0)))

-- The window that the kernel had is one that was decided just before: a decision holds from the next
-- ACK on, and until the one after it.
do
    local samples <close> = assert(lab.samples(run))
    local wanted
    for _, name in ipairs(samples:names()) do
        wanted = name:find("^drive_.*/wanted_pkts$") and name or wanted
    end
    local decided_t, decided = samples:values(assert(wanted, "no decisions were reported"))
    local seen_t, seen = samples:values("driven/cwnd_pkts")
    local agree, all, first = 0, 0, 1
    for i, t in ipairs(seen_t) do
        while decided_t[first] and decided_t[first] < t - 0.1 do
            first = first + 1
        end
        local k, is_same = first, false
        while decided_t[k] and decided_t[k] < t + 0.02 do
            is_same = is_same or decided[k] and seen[i] and math.abs(decided[k] - seen[i]) <= 1
            k = k + 1
        end
        if seen[i] and k > first and t > decided_t[1] + 0.1 then
            all, agree = all + 1, agree + (is_same and 1 or 0)
        end
    end
    print(("  of %d windows that were sampled, %d are decisions"):format(all, agree))
    assert(run:set("follow", {sampled = all, agree = agree}))
end

if not o.no_judge then
    print("judging")
    local out = assert(lab.judge{candidates = {"cubic", "prague", "netllm:distilled:" .. STUDENT},
        seeds = o.seeds and math.tointeger(o.seeds) or 1, base = run.dir, testbed = NAME})
    lab._judge.print(out)
end
print("run directory: " .. run.dir)
run:finish("ok")
