-- The last step of lab 08: a policy learns from your congestion control and from two others, a small network
-- learns to answer as it does, and the judge holds that network against its teacher.
--
-- usage: ccalab --run beat.lua OWN.lua DIR [--sets LIST] [--epochs N] [--testbed NAME]
--   needs root and a netllm with libtorch. What is done in DIR stays: started again, it goes on there.

local o = lab.args({name = "beat.lua", usage = "OWN.lua DIR [OPTIONS]",
    help = "collect from your own congestion control, adapt, distil, drive, judge",
    flags = {{"--sets", meta = "LIST", list = true, help = "of the judge: solo, friendliness, l4s (l4s)"},
             {"--epochs", meta = "N", number = true, help = "of the training (6)"},
             {"--testbed", meta = "NAME", help = "of the virtual labs (beat-PID)"}}}, arg)
if not o then
    return
elseif not o[1] or not o[2] or o[3] then
    error({status = "usage", subsystem = "beat", message = "wanted: OWN.lua DIR", hint = "see --help"}, 0)
end
local OWN, DIR = "netllm:lua:" .. o[1], o[2]
local NAME = o.testbed or ("beat-%d"):format(lab.pid)

print("eight scenarios of 6 s; CUBIC, Prague and yours teach")
local taught = assert(lab.teach{teachers = {"cubic", "prague", OWN}, rounds = 0, dir = DIR, testbed = NAME,
    adapt = {num_epochs = o.epochs or 6, lr = 3e-4, grad_accum_steps = 16, sample_step = 10}})
lab._teach.print(taught)
print("judging: CUBIC, yours, the policy")
local out = assert(lab.judge{candidates = {"cubic", OWN, "netllm:distilled:" .. taught.best.student},
    sets = o.sets or {"l4s"}, seeds = 1, dir = DIR .. "/judge", testbed = NAME})
lab._judge.print(out)
print("judge: " .. out.files.summary)
