-- Rented machines with a GPU (docs/pods.md). What the provider answers is judged in remote/runpod.c; here
-- is the waiting: for a pause it asks for, for a machine to be free, for a pod to come up.

local IMAGE = "runpod/pytorch:1.0.2-cu1281-torch280-ubuntu2404"
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

-- Texts of which a name holds one: none given, any name.
local function parts_of(gpu)
    return type(gpu) == "table" and gpu or {gpu or ""}
end

local function matches_any(gpu, parts)
    for _, part in ipairs(parts) do
        if matches(gpu, part) then
            return true
        end
    end
    return false
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
            and matches_any(gpu, parts_of(o.gpu)) then
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

-- What pod_guard.lua needs of it.
lab._pod = {dir = dir, read_note = read_note, is_over = is_over, stop = stop}

-- Creating ----------------------------------------------------------------------------------------

-- Is a key of this user registered with the account? Without one nobody could log in.
local function check_keys(o)
    local registered, err = api{op = "keys"}
    if not registered then
        return nil, err
    end
    local r = lab.localhost:run{"sh", "-c",
        'if [ -n "$1" ]; then cat "$1.pub"; else cat "$HOME"/.ssh/*.pub; ssh-add -L; fi 2>/dev/null; true',
        "keys", o.identity or "", label = "public keys"}
    local ours = {}
    for kind, key in (r and r.out or ""):gmatch("([%w@.-]+) ([%w+/=]+)[^\n]*") do
        ours[kind .. " " .. key] = true
    end
    for _, line in ipairs(registered) do
        if ours[line:match("^%S+ %S+") or ""] then
            return true
        end
    end
    return lab.failure("unavailable", "pods", #registered == 0
        and "no SSH key is registered with the Runpod account: nobody could log in to a pod"
        or "none of your SSH keys is registered with the Runpod account",
        "paste the line of ~/.ssh/id_ed25519.pub into Runpod's settings, SSH public keys")
end

local function find_volume(name)
    local volumes, err = api{op = "volumes"}
    if not volumes then
        return nil, err
    end
    local names = {}
    for _, volume in ipairs(volumes) do
        names[#names + 1] = ("%s (%s, %s, %.0f GB)"):format(volume.name or "", volume.id,
            volume.data_center or "?", volume.size_gb or 0)
        if volume.id == name or volume.name == name then
            return volume
        end
    end
    return lab.failure("usage", "pods", "there is no network volume " .. name,
        #names > 0 and "there are " .. table.concat(names, ", ") or "there is none; make one in Runpod's console")
end

-- Offers in the order in which they shall be tried.
local function candidates(o)
    local all, err = lab.pod_offers{cloud = o.cloud, count = o.count, max_price = o.max_price,
                                    memory_gb = o.gpu and 0 or o.memory_gb or 16}
    if not all then
        return nil, err
    end
    local list, seen = {}, {}
    for _, part in ipairs(parts_of(o.gpu)) do
        for _, offer in ipairs(all) do
            if matches(offer, part) and not seen[offer.id] then
                seen[offer.id] = true
                list[#list + 1] = offer
            end
        end
    end
    return list, all
end

local function others(all)
    local out = {}
    for _, offer in ipairs(all) do
        if offer.availability ~= "NONE" and #out < 4 then
            out[#out + 1] = ("%s (%.2f USD/h, %s)"):format(offer.name, offer.price_per_h,
                table.concat(offer.data_centers, " ", 1, math.min(3, #offer.data_centers)))
        end
    end
    return #out > 0 and "there is room for " .. table.concat(out, "; ") or "nothing is free now; try later"
end

-- A pod of this name and not over, or nil; nil, err where nobody can tell.
local function find(name)
    local pods, err = lab.pods()
    if not pods then
        return nil, err
    end
    for _, pod in ipairs(pods) do
        if pod.name == name and pod.status ~= "TERMINATED" then
            return pod
        end
    end
end

local function request(o, offer, volume)
    local body = {name = o.name, image = o.image or IMAGE, gpu = {id = offer.id, count = o.count or 1},
                  cloud = o.cloud or "SECURE", disk = o.disk_gb or 40, ports = {"22/tcp"}, startSsh = true}
    local wanted = volume and {volume.data_center} or o.data_centers
    if wanted and #wanted > 0 then
        body.dataCenterIds = wanted
    end
    if volume then
        body.mounts = {network = {{volumeId = volume.id, path = "/workspace"}}}
    end
    return lab.json_encode(body)
end

-- Round after round over all that may have room, with longer and longer pauses between.
local function create(o, volume)
    local last
    for round = 1, o.tries or 5 do
        local list, all = candidates(o)
        if not list then
            return nil, all
        elseif #list == 0 then
            return lab.failure("usage", "pods", "there is no GPU like that at that price", others(all))
        end
        for _, offer in ipairs(list) do
            if offer.availability ~= "NONE" then
                lab.progress(round - 1, o.tries or 5, "asking for " .. offer.name)
                local pod, err, kind = api{op = "create", body = request(o, offer, volume)}
                if not pod and kind == "transient" then -- was it done? Its name tells
                    lab.sleep(1)
                    pod = find(o.name)
                end
                if pod then
                    return pod
                elseif kind ~= "candidate" and kind ~= "forbidden" and kind ~= "transient" then
                    return nil, err
                end
                lab.log(("%s: %s"):format(offer.name, err.message))
                last = err
            end
        end
        if round == (o.tries or 5) then
            return lab.failure("host", "pods", last and "no machine was to be had: " .. last.message
                or "no machine of that kind is free", others(all))
        end
        local pause = math.min(60, (o.pause_s or 5) * 2 ^ (round - 1))
        lab.log(("no machine is free; again in %.0f s"):format(pause))
        lab.sleep(pause)
    end
end

local opened = {} -- host names by pod and address: a pod that was stopped comes back elsewhere

local function connect(pod, o, until_t)
    local ssh = pod.ssh
    local place = ("%s %s %d"):format(pod.id, ssh.host, ssh.port)
    local n = 1
    for other in pairs(opened) do
        n = n + (other:match("^%S+") == pod.id and 1 or 0)
    end
    opened[place] = opened[place] or (n == 1 and pod.name or ("%s-%d"):format(pod.name, n))
    while true do
        local host, err = lab.ssh{name = opened[place], host = ssh.host, port = ssh.port, user = ssh.user,
            identity = o.identity, known_hosts = ("%s/%s.known_hosts"):format(dir, pod.id), accept_new = true}
        -- sshd may need a moment more; another key than the one of before is no matter of time.
        if host or err.message:find("CHANGED", 1, true) or lab.now() > until_t then
            return host, err
        end
        lab.sleep(1)
    end
end

local function wait_up(id, wait_s)
    local began, pause, pod, err = lab.now(), 0.5, nil, nil
    while lab.now() - began < wait_s do
        pod, err = api{op = "get", id = id}
        if not pod then
            return nil, err
        elseif is_over(pod.status) then
            return lab.failure("host", "pods", ("pod %s came to its end: %s"):format(id, pod.status),
                "look at its log in Runpod's console; is the image right?")
        elseif pod.status == "RUNNING" and pod.ssh then
            return pod
        end
        lab.progress(lab.now() - began, wait_s, ("pod %s: %s%s"):format(pod.name, pod.status:lower(),
            pod.status == "RUNNING" and ", its sshd has no address yet" or ""))
        lab.sleep(pause)
        pause = math.min(5, pause * 1.3)
    end
    return lab.failure("timeout", "pods", ("pod %s was not up within %g s"):format(id, wait_s),
        "an image that must be fetched first may take longer: wait_s")
end

-- `most`: what it costs an hour if another must be taken.
local function agree(o, price, most, what)
    local hours = o.budget and math.min(o.hours or 24, o.budget / price) or o.hours or 24
    print(("%s: %.2f USD per hour%s%s\nusually up in a few minutes; stopped after %.1f hours at the latest%s"):
        format(what, price, most > price and (", up to %.2f if another must be taken"):format(most) or "",
               o.budget and (", budget %.2f USD"):format(o.budget) or "", hours,
               (o.idle_min or 30) > 0 and (", or when the GPU has idled %g minutes"):format(o.idle_min or 30) or ""))
    if o.yes then
        return true
    end
    if not o.budget then
        local answer, err = lab.ask("How many USD may it cost?")
        o.budget = answer and tonumber(answer)
        if not o.budget or o.budget <= 0 then
            return nil, err or select(2, lab.failure("usage", "pods", "that is no amount", "a number of USD"))
        end
    end
    local yes, err = lab.confirm("Start it?")
    if yes then
        return true
    end
    return nil, err or select(2, lab.failure("interrupted", "pods", "nothing was started"))
end

local options = {name = true, gpu = true, memory_gb = true, max_price = true, budget = true, hours = true,
    idle_min = true, yes = true, cloud = true, count = true, image = true, disk_gb = true, volume = true,
    data_centers = true, identity = true, tries = true, wait_s = true, pause_s = true}

function lab.pod(given)
    local o = {}
    lab._check_keys(given or {}, lab._sorted_keys(options), "lab.pod")
    for key, value in pairs(given or {}) do
        o[key] = value
    end
    o.name = o.name or "ccalab"
    if not o.name:find("^%w[%w_.-]*$") or #o.name > 48 then
        error("lab.pod: a name is letters, digits and '._-'", 2)
    end
    if o.yes and not (o.budget and o.budget > 0) then
        return lab.failure("usage", "pods", "without a question a budget must be given",
            "--budget USD (budget = USD in Lua) is what it may cost at most")
    end
    local ok, err = check_keys(o)
    if not ok then
        return nil, err
    end
    local pod
    pod, err = find(o.name)
    if err then
        return nil, err
    end
    local volume, price, what
    local most, pod_gpu = 0, pod and pod.gpu
    if pod and pod.status ~= "EXITED" and pod.status ~= "ERROR" then
        price, what = pod.cost_per_h or 0, ("%s runs already, on %s"):format(pod.name, pod.gpu or "no GPU")
        o.yes = o.yes or read_note(pod.id) ~= nil
        o.budget = o.budget or (read_note(pod.id) or {}).budget_usd
    else
        if o.volume then
            volume, err = find_volume(o.volume)
            if not volume then
                return nil, err
            end
        end
        local list, all = candidates(o)
        if not list then
            return nil, all
        elseif #list == 0 then
            return lab.failure("usage", "pods", "there is no GPU like that at that price", others(all))
        end
        local first
        for _, offer in ipairs(list) do -- what is not free now may be in a later round
            local fits = offer.id == pod_gpu or not pod_gpu
            first = first or (fits and (pod_gpu or offer.availability ~= "NONE") and offer) or nil
            most = math.max(most, fits and offer.price_per_h * (o.count or 1) or 0)
        end
        first = first or list[1]
        price = first.price_per_h * (o.count or 1)
        what = ("%s on %d x %s, %.0f GB, %s"):format(o.name, o.count or 1, pod_gpu or first.name,
            first.memory_gb, first.availability:lower())
    end
    price = math.max(price, 0.001)
    most = math.max(most, price)
    ok, err = agree(o, price, most, what)
    if not ok then
        return nil, err
    end
    -- From here on money may be spent: first the guard, then the order.
    local began, is_new, is_start = lab.now(), not pod, pod ~= nil and is_over(pod.status)
    local function stop_at(cost)
        return began + 3600 * math.min(o.hours or 24, o.budget / math.max(cost, 0.001))
    end
    local note = pod and read_note(pod.id)
    if note and note.is_running then
        began = note.began
    end
    local guard
    guard, err = lab._pod.start_guard(o.name, stop_at(most)) -- until the note says what it really costs
    if not guard then
        return nil, err
    end
    local undo = {is_open = true} -- .id: what shall not go on costing if it does not come up
    local function give_back()
        local is_safe = undo.is_open
        undo.is_open = false
        if is_safe and undo.id then
            lab.log(("pod %s is given back"):format(o.name), "warn")
            local why
            is_safe, why = (is_new and delete or stop)(undo.id)
            if not is_safe then
                lab.log(("%s; the guard here tries again at its cap"):format(tostring(why)), "error")
            end
        end
        if is_safe then
            lab._pod.end_guard(guard)
        end
    end
    local function write(p)
        local cost = (p.cost_per_h or 0) > 0 and p.cost_per_h or most
        note = {id = p.id, name = o.name, gpu = p.gpu, cost_per_h = cost, began = began,
                spent_usd = note and note.spent_usd or 0, budget_usd = o.budget, stop_at = stop_at(cost),
                is_running = true}
        return write_note(note)
    end
    local function bring_up()
        local host
        if is_new then
            pod, err = create(o, volume)
        elseif is_start then
            os.remove(("%s/%s.known_hosts"):format(dir, pod.id)) -- its container is a new one
            pod, err = api{op = "action", id = pod.id, body = '{"action":"start"}'}
        end
        if not pod then
            return nil, err
        end
        undo.id = (is_new or is_start) and pod.id or nil
        write(pod)
        pod, err = wait_up(pod.id, o.wait_s or 900)
        if not pod then
            return nil, err
        end
        write(pod) -- now its real price is known
        host, err = connect(pod, o, lab.now() + 120)
        if not host then
            return nil, err
        end
        ok, err = lab._watch_pod(host, pod.id, {stop_after_s = note.stop_at - lab.now(),
                                               idle_s = 60 * (o.idle_min or 30)})
        return ok and host, err
    end
    lab._defer(give_back) -- Ctrl-C
    local host
    host, err = bring_up()
    if not host then
        give_back()
        return nil, err
    end
    undo.is_open = false
    lab.log(("pod %s is up: %s, %.2f USD/h, stopped in %.1f hours at the latest"):format(o.name,
        pod.gpu or "?", note.cost_per_h, (note.stop_at - lab.now()) / 3600))
    return setmetatable({id = pod.id, name = o.name, host = host, gpu = pod.gpu, gpu_count = pod.gpu_count,
        cost_per_h = note.cost_per_h, data_center = pod.data_center, budget_usd = o.budget}, Pod)
end

-- lab._pod_host(name): the running pod of this name as a host; nil where there is no such pod, nil, err.
function lab._pod_host(name, o)
    local known
    for _, file in ipairs(lab.list_dir(dir) or {}) do
        local note = file:match("%.json$") and read_note(file:sub(1, -6))
        known = note and note.name == name and note or known
    end
    if not known then
        return nil
    end
    local pod, err = api{op = "get", id = known.id}
    if not pod then
        return nil, err
    elseif not pod.ssh then
        return lab.failure("host", "pods", ("pod %s is %s"):format(name, pod.status:lower()),
            "ccalab pods up --name " .. name)
    end
    return connect(pod, o or {}, lab.now() + 30)
end

-- lab._pod_or_ssh(name, o): what --host and --to of the commands mean: a running pod, else what ssh knows,
-- [USER@]HOST. The host, and whether it is a pod; or nil, err.
function lab._pod_or_ssh(name, o)
    local host, err = lab._pod_host(name, {identity = o.identity})
    if host or err then
        return host, host and true or err
    end
    local user, address = name:match("^([^@]+)@(.+)$")
    return lab.ssh{name = name, host = address or name, user = user, port = o.port,
                   identity = o.identity, known_hosts = o.known_hosts}
end
