-- The watchdog (remote/watchdog.sh): a script that runs on the host itself, so that it goes on when this
-- console, its machine or the network is gone.

local WATCHDOG = "watchdog" -- a pod's own; lab.guard() on a pod must not take its place

-- The login's home directory, and where things are kept there that can be made anew.
local function places_of(host)
    local r, err = host:run{"sh", "-c", 'cd && pwd && echo "${XDG_CACHE_HOME:-$HOME/.cache}/ccalab"',
                            label = "home"}
    if not r then
        return nil, err
    end
    local home, cache = r.out:match("^([^\n]*)\n([^\n]*)")
    return {home = home, cache = cache}
end
lab._places_of = places_of

-- Write `files` ({name = text}) into a directory that only its owner can look into.
local function put(host, path, files, secret)
    local r, err = host:run{"sh", "-c", 'umask 077; mkdir -p "$1" && chmod 700 "$1"', "put", path, label = "mkdir"}
    if not r then
        return nil, err
    end
    local here
    r, err = lab.localhost:run{"mktemp", "-d", label = "mktemp"}
    if not r then
        return nil, err
    end
    here = r.out:match("^[^\n]*")
    local function clear()
        if here then
            lab.localhost:run{"rm", "-rf", "--", here, label = "rm"}
            here = nil
        end
    end
    lab._defer(clear) -- Ctrl-C: a key must not be left behind
    local function fill()
        for name, text in pairs(files) do
            local ok, why = lab.write_file(here .. "/" .. name, text)
            if not ok then
                return nil, why
            end
        end
        if secret then
            local has, why = lab._secret_file(secret, here .. "/key")
            if has == nil then
                return nil, why
            end
        end
        return host:upload(here, path, {delta = false})
    end
    local ok
    ok, err = fill()
    clear()
    return ok and true, err
end
lab._put_files = put

-- End the watchdog of that name that is there, if there is one.
local function end_old(host, id)
    local jobs, err = host:jobs()
    if not jobs then
        return nil, err
    end
    for _, job in ipairs(jobs) do
        if job.id == id then
            local old = host:attach(id, {label = id})
            if old and job.state == "runs" then
                old:cancel()
            end
            if old then
                old:wait(10)
            end
        end
    end
    return true
end

local function start(host, id, files, secret)
    local places, err = places_of(host)
    if not places then
        return nil, err
    end
    local path, ok = places.cache .. "/" .. id, nil
    ok, err = end_old(host, id)
    if not ok then
        return nil, err
    end
    files["watchdog.sh"] = lab._scripts.watchdog
    ok, err = put(host, path, files, secret)
    if not ok then
        return nil, err
    end
    local job
    job, err = host:start{"sh", path .. "/watchdog.sh", path, detached = id, events = true, label = id}
    if not job then
        return nil, err
    end
    ok, err = job:wait_up(20)
    if not ok then
        return nil, err
    end
    return job
end

local function whole(x)
    return ("%.0f"):format(math.max(0, math.floor(x)))
end

local function conf(o)
    return ("stop_after_s=%s\nidle_s=%s\nevery_s=%s\ngrace_s=%s\n"):format(whole(o.stop_after_s),
        whole(o.idle_s or 0), whole(o.every_s or 15), whole(o.grace_s or 60))
end

function lab.guard(host, o)
    if not o.hours then
        error("lab.guard: hours?", 2)
    end
    if not o.job then
        return start(host, "guard", {conf = conf{stop_after_s = 3600 * o.hours}})
    end
    return start(host, ("guard-%s"):format(o.job):sub(1, 64), {job = o.job .. "\n",
        conf = conf{stop_after_s = 3600 * o.hours, idle_s = 60 * (o.idle_min or 0), grace_s = o.grace_s}})
end

-- The pod's own: it stops the pod by the provider's API, from inside.
function lab._watch_pod(host, id, o)
    local base = os.getenv("CCALAB_RUNPOD_URL")
    base = base and base ~= "" and base or "https://api.runpod.io"
    o.every_s = math.max(1, math.min(15, (o.stop_after_s or 60) / 4))
    local job, err = start(host, WATCHDOG, {conf = conf(o), url = ("%s/v2/pods/%s\n"):format(base, id)}, "runpod")
    if not job then
        return nil, err
    end
    job:leave()
    return true
end
