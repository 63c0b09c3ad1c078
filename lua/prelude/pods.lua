-- Rented machines with a GPU (docs/pods.md). What the provider answers is judged in remote/runpod.c; here
-- is the waiting for a pause it asks for. How one is started is in pods_start.lua.

local RETRY_LIMIT_S, TRANSIENT_TRIES = 300, 5

-- What is known here of the pods that were started here: DIR/ID.json, which the title bar reads too.
local dir = lab._state_dir() .. "/pods"

local function read_note(id)
    local text = lab.read_file(("%s/%s.json"):format(dir, id))
    return text and lab.json_decode(text) or nil
end

local function write_note(note)
    local ok, err = lab.make_dir(dir)
    if not ok then
        return nil, err
    end
    note.looked = lab.now()
    return lab.write_file(("%s/%s.json"):format(dir, note.id), lab.json_encode(note))
end

local function spent(note)
    return note.spent_usd + math.max(0, (note.ended or lab.now()) - note.began) / 3600 * note.cost_per_h
end

-- The meter has stopped: what this start has cost is added up.
local function note_end(id)
    local note = read_note(id)
    if note and note.is_running then
        note.ended = lab.now()
        note.spent_usd, note.is_running = spent(note), false
        note.began = note.ended
        write_note(note)
    end
end

-- Asking ------------------------------------------------------------------------------------------

-- The answer to lab._runpod(); else nil, the error, and the kind of no. Pauses that the service asks for
-- are made, faults of its own tried again; but for `create`, of which nobody knows whether it was done.
local function api(o)
    local waited, tries = 0, 0
    while true do
        local r, err = lab._runpod(lab.localhost, o)
        if not r then
            return nil, err, "local"
        end
        local a = lab.json_decode(r.out)
        if a.kind == "ok" then
            return a.data == nil and true or a.data
        end
        local pause
        if a.kind == "rate" and waited + a.retry_s <= RETRY_LIMIT_S then
            pause = a.retry_s
            lab.log(("Runpod wants a pause of %d s"):format(pause))
        elseif a.kind == "transient" and o.op ~= "create" and tries < TRANSIENT_TRIES then
            tries = tries + 1
            pause = 0.25 * 2 ^ tries
        else
            local _, failure = lab.failure(a.error.status, "runpod", a.error.message, a.error.hint)
            return nil, failure, a.kind
        end
        lab.sleep(pause)
        waited = waited + pause
    end
end

local function matches(gpu, part)
    return (gpu.id .. " " .. (gpu.name or "")):lower():find(part:lower(), 1, true) ~= nil
end

function lab.pod_offers(o)
    o = o or {}
    local cloud, count = o.cloud or "SECURE", o.count or 1
    if cloud ~= "SECURE" and cloud ~= "COMMUNITY" then
        error("lab.pod_offers: cloud is SECURE or COMMUNITY", 2)
    end
    local gpus, err = api{op = "gpus", query = ("cloud=%s&count=%d"):format(cloud, count)}
    if not gpus then
        return nil, err
    end
    local offers = {}
    for _, gpu in ipairs(gpus) do
        local price = gpu[cloud:lower()]
        if price and (gpu.memory_gb or 0) >= (o.memory_gb or 0) and price <= (o.max_price or math.huge)
            and (not o.gpu or matches(gpu, o.gpu)) then
            offers[#offers + 1] = {id = gpu.id, name = gpu.name or gpu.id, memory_gb = gpu.memory_gb or 0,
                price_per_h = price, availability = gpu.availability or "NONE",
                data_centers = gpu.data_centers}
        end
    end
    table.sort(offers, function(a, b)
        return a.price_per_h == b.price_per_h and a.id < b.id or a.price_per_h < b.price_per_h
    end)
    return offers
end

local function with_note(pod)
    local note = read_note(pod.id)
    if note then
        pod.began, pod.budget_usd, pod.spent_usd = note.began, note.budget_usd, spent(note)
        pod.stop_in_s = note.is_running and math.max(0, note.stop_at - lab.now()) or nil
    end
    return pod
end

local function is_over(status)
    return status == "EXITED" or status == "TERMINATED" or status == "ERROR"
end

function lab.pods()
    local pods, err = api{op = "list"}
    if not pods then
        return nil, err
    end
    local alive = {}
    for _, pod in ipairs(pods) do
        alive[pod.id] = pod
        if is_over(pod.status) then
            note_end(pod.id)
        end
        with_note(pod)
    end
    for _, name in ipairs(lab.list_dir(dir) or {}) do -- gone without us
        local id = name:match("^(.*)%.json$")
        if id and not alive[id] then
            note_end(id)
        end
    end
    return pods
end

-- Stopping ----------------------------------------------------------------------------------------

-- Ask until the provider itself says that it runs no more: only then does it cost nothing.
local function stop(id)
    local ok, err, kind = api{op = "action", id = id, body = '{"action":"stop"}'}
    if not ok and kind ~= "conflict" and kind ~= "missing" then
        return nil, err
    end
    for _ = 1, 60 do
        local pod
        pod, err, kind = api{op = "get", id = id}
        if kind == "missing" or (pod and is_over(pod.status)) then
            note_end(id)
            return true
        elseif not pod then
            return nil, err
        end
        lab.sleep(1)
    end
    return lab.failure("timeout", "runpod", ("pod %s was told to stop, and still runs"):format(id),
        "it goes on costing money: look at it in Runpod's console")
end

local function delete(id)
    local ok, err, kind = api{op = "delete", id = id}
    if not ok and kind ~= "missing" then
        return nil, err
    end
    note_end(id)
    lab.localhost:run{"rm", "-f", "--", ("%s/%s.json"):format(dir, id), ("%s/%s.known_hosts"):format(dir, id),
                      label = "forget " .. id}
    return true
end

local Pod = {}
Pod.__index, lab._classes.Pod = Pod, Pod
Pod.__tostring = function(pod)
    return ("Pod %s (%s, %s, %.2f USD/h)"):format(pod.name, pod.id, pod.gpu or "no GPU", pod.cost_per_h)
end

function Pod:stop()
    local ok, err = stop(self.id)
    self.host = not ok and self.host or nil
    return ok, err
end

function Pod:delete()
    local ok, err = delete(self.id)
    self.host = not ok and self.host or nil
    return ok, err
end

-- lab._pod_stop(name or id, delete): by name as well.
function lab._pod_stop(name, is_delete)
    local pods, err = lab.pods()
    if not pods then
        return nil, err
    end
    for _, pod in ipairs(pods) do
        if pod.id == name or pod.name == name then
            return (is_delete and delete or stop)(pod.id)
        end
    end
    return lab.failure("usage", "pods", "there is no pod " .. name, "see ccalab pods list")
end

-- The guard here: a process of its own, which outlives this console, for the time before the watchdog
-- runs on the pod and for the case that it cannot reach the provider. It ends when the pod does.
function lab._pod_guard(name, stop_at)
    local was_known = false
    while true do
        local left = stop_at - lab.now()
        local note
        for _, file in ipairs(lab.list_dir(dir) or {}) do
            local one = file:match("%.json$") and read_note(file:sub(1, -6))
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
            for _, pod in ipairs(pods or {}) do
                if pod.name == name and not is_over(pod.status) then
                    is_alive = true
                    local ok
                    ok, err = stop(pod.id)
                    lab.log(ok and ("pod %s was stopped: its time or budget is over"):format(name)
                        or tostring(err), ok and "warn" or "error")
                end
            end
            if not is_alive then
                return true
            end
            lab.sleep(10)
        else
            lab.sleep(math.min(left, 2))
        end
    end
end

local function start_guard(name, stop_at)
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

local function end_guard(id)
    local job = lab.localhost:attach(id)
    if job then
        job:cancel()
        job:wait(5)
    end
end

-- What pods_start.lua needs of this file; it takes it away.
lab._pods = {dir = dir, read_note = read_note, write_note = write_note, api = api, matches = matches,
             is_over = is_over, stop = stop, delete = delete, start_guard = start_guard, end_guard = end_guard}
