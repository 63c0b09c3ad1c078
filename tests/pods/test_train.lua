-- Training on a pod, in consoles that are killed. Run by train.sh with the step as its argument.
local here = arg[0]:match("^(.*)/") or "."
local t = dofile(here .. "/helper.lua")
local check, step = t.check, arg[1]

if step == "up" then -- and be killed
    t.register_key()
    t.set{times = {0.1, 0.2, 0.3}}
    local pod = assert(lab.pod{name = "capped", gpu = "4090", budget = 1, hours = 8 / 3600, yes = true,
                               identity = t.identity})
    print("up", pod.id)
    lab.sleep(600)
elseif step == "stopped" then
    local who = arg[2] -- "curl": the watchdog there; "ccalab": the guard here
    local began = lab.now()
    while lab.now() - began < 120 do
        local pod = t.set{}[1]
        if pod and pod.status == "EXITED" then
            local asked = t.requests("^POST /v2/pods/%w+/action$")
            check(#asked == 1 and asked[1].agent:find("^" .. who), lab.pretty(asked))
            local spent = lab.pods()[1].spent_usd
            check(spent < 0.01, "it cost " .. spent)
            assert(lab._pod_stop(pod.id, true))
            return print("ok")
        end
        lab.sleep(0.2)
    end
    print(lab.read_file(t.sshd .. "/cache/ccalab/jobs/watchdog/out"), lab.read_file(t.sshd .. "/cache/ccalab/jobs/watchdog/err"))
    error("the pod was not stopped")
else
    t.register_key()
    local pod = assert(lab.pod{name = "gpu", gpu = "4090", budget = 1, yes = true, identity = t.identity})
    local o = {host = pod.host, pool = t.sshd .. "/pool", dir = t.sshd .. "/model", num_epochs = 3, rank = 4,
               remote_dir = t.sshd .. "/remote", netllm = here .. "/fake_netllm", name = "course"}
    if step == "train" then -- and be killed
        print("training")
        assert(lab.train(o))
        error("it was not killed")
    end
    -- A new console: the same call follows what runs, from its first event.
    local result = assert(lab.train(o))
    check(result.valid_loss == 0.25 and result.steps == 120 and result.dir == o.dir, lab.pretty(result))
    local said = assert(lab.read_file(o.dir .. "/adapter_config.json"))
    check(said:find("^adapt .*%-%-num%-epochs 3") and said:find("%-%-rank 4") and
          said:find("--devices auto", 1, true) and
          said:find("--exp-pool-path " .. o.remote_dir .. "/course/pool.safetensors", 1, true), said)
    check(#lab.read_file(o.dir .. "/adapter_model.safetensors") == 300000, "the checkpoint")
    check(lab.read_file(o.remote_dir .. "/course/pool.safetensors") == lab.read_file(o.pool), "the pool")
    -- It was collected; what is there already is not sent again.
    for _, job in ipairs(assert(pod.host:jobs())) do
        check(job.id ~= "course", "it was collected")
    end
    local again = assert(pod.host:upload(o.pool, o.remote_dir .. "/course/pool.safetensors"))
    check(again.data.sent == 0 and again.data.bytes == 0, lab.pretty(again.data))
    -- One that ended while nobody looked is fetched.
    o.name, o.dir, o.num_epochs = "short", t.sshd .. "/model2", 1
    local task = lab.spawn(function() return lab.train(o) end)
    local none, err = task:join(1)
    check(none == nil and err.status == "timeout", tostring(err))
    task:cancel()
    task:join()
    lab.sleep(1.5)
    check(assert(lab.train(o)).steps == 40, "fetched")
    -- A command that fails says why, and leaves what is there.
    o.name, o.netllm = "broken", "/nonexistent/netllm"
    none, err = lab.train(o)
    print(err, err.hint)
    check(none == nil and err.message:find("train broken", 1, true), tostring(err))
    assert(pod:stop())
    check(t.set{}[1].status == "EXITED", "stopped")
    print("ok")
end
