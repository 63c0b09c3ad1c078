-- The guard of a pod on this machine: a process of its own, which outlives this console, for the time before
-- the watchdog runs on the pod and for the case that it cannot reach the provider. It ends when the pod does.

local pod = lab._pod
local ORDER_S = 900 -- what a console may take from starting its guard to ordering the pod

-- `ccalab pods guard`, in that process.
function lab._pod_guard(name, stop_at)
    local was_known = false
    while true do
        local left = stop_at - lab.now()
        local note
        for _, file in ipairs(lab.list_dir(pod.dir) or {}) do
            local one = file:match("%.json$") and pod.read_note(file:sub(1, -6))
            if one and one.name == name and one.is_running then
                note = one
            end
        end
        if was_known and not note then
            return true
        elseif note then
            was_known = true
            left = note.stop_at - lab.now() -- the real price may be another
        end
        if left <= 0 then
            local pods, err = lab.pods()
            local is_alive = not pods
            for _, one in ipairs(pods or {}) do
                if one.name == name and not pod.is_over(one.status) then
                    is_alive = true
                    local ok
                    ok, err = pod.stop(one.id)
                    lab.log(ok and ("pod %s was stopped: its time or budget is over"):format(name)
                        or tostring(err), ok and "warn" or "error")
                end
            end
            if not is_alive and (was_known or lab.now() > stop_at + ORDER_S) then
                return true
            end
            lab.sleep(10)
        else
            lab.sleep(math.min(left, 2))
        end
    end
end

-- Start it for the pod of this name, to be stopped at the wall time `stop_at`; its job's name.
function pod.start_guard(name, stop_at)
    for _, job in ipairs(lab.localhost:jobs() or {}) do -- those of earlier starts that have ended
        if job.id:find("^pod%-guard%-") and job.state == "ended" then
            local old = lab.localhost:attach(job.id)
            if old then
                old:wait()
            end
        end
    end
    local job, err = lab.localhost:start{assert(lab.program("ccalab")), "pods", "guard", name,
        "--stop-at", ("%.0f"):format(stop_at), label = "pod guard",
        detached = ("pod-guard-%s-%.0f-%d"):format(name:sub(1, 24), lab.now(), lab.pid)}
    if not job then
        return nil, err
    end
    lab.sleep(0.3)
    job:leave()
    return job:id()
end

function pod.end_guard(id)
    local job = lab.localhost:attach(id)
    if job then
        job:cancel()
        job:wait(5)
    end
end
