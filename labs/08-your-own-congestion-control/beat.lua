-- The last step of lab 08: a policy learns from your congestion control and from two others, a small network
-- learns to answer as it does, and the judge holds that network against its teacher.
--
-- usage: ccalab --run beat.lua OWN.lua DIR [--sets LIST] [--epochs N] [--testbed NAME]
--   needs root and a netllm with libtorch. What is done in DIR stays: started again, it goes on there.

local o = lab.args({name = "beat.lua", usage = "OWN.lua DIR [OPTIONS]",
    help = "collect from your own congestion control, adapt, distil, drive, judge",
    flags = {{"--sets", meta = "LIST", help = "of the judge: solo, friendliness, l4s (l4s)"},
             {"--epochs", meta = "N", number = true, help = "of the training (6)"},
             {"--testbed", meta = "NAME", help = "of the virtual labs (beat-PID)"}}}, arg)
if not o then
    return
elseif not o[1] or not o[2] or o[3] then
    error({status = "usage", subsystem = "beat", message = "wanted: OWN.lua DIR", hint = "see --help"}, 0)
end
-- Found out before minutes of flows, and not after them.
if assert(lab.localhost:run{assert(lab.program("netllm")), "info"}).out:find("libtorch: not built in", 1, true) then
    error({status = "unavailable", subsystem = "beat",
           message = "this netllm was built without libtorch and cannot train",
           hint = "netllm info says what it needs"}, 0)
end
local OWN, DIR = "netllm:lua:" .. o[1], o[2]
local MODEL, STUDENT = DIR .. "/model", DIR .. "/student.safetensors"
local NAME = o.testbed or ("beat-%d"):format(lab.pid)
local sets = {}
for word in (o.sets or "l4s"):gmatch("[^,]+") do
    sets[#sets + 1] = word
end
assert(lab.make_dir(DIR))

print("collecting: eight scenarios of 6 s; CUBIC, Prague and yours teach")
local got = assert(lab.collect{teachers = {"cubic", "prague", OWN}, out = DIR .. "/pools",
                               dir = DIR .. "/collect", testbed = NAME})
for _, one in ipairs(got.missing) do
    print(("  left out: %s: %s"):format(one.cell, one.why))
end
local train = assert(got.train, "no scenario to train on was valid: is the machine busy?")
print(("  %d rows of %d flows"):format(train.rows, train.episodes))

if not lab.read_file(MODEL .. "/netllm.json") then
    print("training")
    local r = assert(lab.adapt{pool = train.path, dir = MODEL, num_epochs = o.epochs and math.tointeger(o.epochs) or 6,
                               lr = 3e-4, grad_accum_steps = 16, sample_step = 10})
    print(("  loss %.5f; of who leaves the window as it is %.5f (validation)"):format(r.valid_loss, r.baselines.no_op))
end
if not lab.read_file(STUDENT) then
    print("distilling")
    local r = assert(lab.distill{pool = train.path, dir = MODEL, out = STUDENT})
    print(("  off its teacher's answers by %.5f; who always says the same, by %.5f"):format(r.valid_loss,
        r.valid_constant))
end
print("judging: CUBIC, yours, the policy")
local out = assert(lab.judge{candidates = {"cubic", OWN, "netllm:distilled:" .. STUDENT}, sets = sets, seeds = 1,
                             dir = DIR .. "/judge", testbed = NAME})
lab._judge.print(out)
print("judge: " .. out.files.summary)
