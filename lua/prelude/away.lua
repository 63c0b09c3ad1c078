-- Training on another machine (docs/pods.md): what is needed there goes up, netllm is built there once, the
-- training runs detached, its events are followed, the checkpoint comes back.

-- Directories and files that netllm is built from.
local SOURCES = {"CMakeLists.txt", "core", "model", "cmake"}

local function failure(status, message, hint)
    return lab.failure(status, "train", message, hint)
end

local function is_there(host, test, path)
    return host:run{"test", test, path, label = "test"} ~= nil
end

-- ccalab's sources: those given, else around the build directory, else where a package puts them.
local function find_source(given)
    local self = assert(lab.program("ccalab")):match("^(.*)/[^/]*$")
    for _, dir in ipairs(given and {given} or {self .. "/../..", self .. "/..", self .. "/../share/ccalab/source"}) do
        if is_there(lab.localhost, "-f", dir .. "/model/netllm_main.c") then
            return dir
        end
    end
    return failure("unavailable", "ccalab's sources are not here, of which netllm is built there",
        "source = DIR (--source), or netllm = PROGRAM (--netllm) that is there already")
end

local HASH = [[cd "$1" && shift && find "$@" -type f | LC_ALL=C sort | xargs -d '\n' sha256sum | sha256sum]]

local function build(host, dir, given)
    local source, err = find_source(given)
    if not source then
        return nil, err
    end
    local r, ok
    r, err = lab.localhost:run{"sh", "-c", HASH, "hash", source, SOURCES[1], SOURCES[2], SOURCES[3], SOURCES[4],
                               label = "hash of the sources"}
    if not r then
        return nil, err
    end
    local hash, there = r.out:match("^%x+"), dir .. "/source"
    r, err = host:run{"mkdir", "-p", there, label = "mkdir"}
    if not r then
        return nil, err
    end
    for _, name in ipairs(SOURCES) do
        ok, err = host:upload(source .. "/" .. name, there .. "/" .. name)
        if not ok then
            return nil, err
        end
    end
    ok, err = lab._put_files(host, dir .. "/scripts", {["build_netllm.sh"] = lab._scripts.build_netllm})
    if not ok then
        return nil, err
    end
    r, err = host:run{"sh", dir .. "/scripts/build_netllm.sh", there, dir .. "/cache", hash, events = true,
                      label = "build netllm", timeout_s = 3600}
    if not r then
        return nil, err
    end
    return r.data.netllm
end

-- That nobody who looks at the directory later takes half a training for a whole one. A signal to the
-- group is netllm's; the shell waits for what it makes of it.
local RUN = [[trap : TERM INT; d=$1; shift; rm -f "$d/done"; "$@"; s=$?; [ $s -ne 0 ] || : >"$d/done"; exit $s]]

local function place_of(o)
    if o.remote_dir then
        return o.remote_dir
    elseif is_there(o.host, "-w", "/workspace") then
        return "/workspace/ccalab"
    end
    local places, err = lab._places_of(o.host)
    return places and places.home .. "/ccalab", err
end

local function backbone(o, dir)
    local there = o.plm_path:match("^there:(.*)$")
    if there then
        return there
    end
    there = ("%s/backbones/%s"):format(dir, o.plm_path:gsub("/+$", ""):match("[^/]+$"))
    local ok, err = o.host:run{"mkdir", "-p", dir .. "/backbones", label = "mkdir"}
    if not ok then
        return nil, err
    end
    ok, err = o.host:upload(o.plm_path, there)
    return ok and there, err
end

local function gpus_of(host, netllm)
    local r = host:run{netllm, "info", "--json", label = "netllm info"}
    local info = r and lab.json_decode(r.out)
    return type(info) == "table" and tonumber(info.cuda_devices) or 0
end

-- Upload and start; the Job.
local function begin(o, dir, work)
    local netllm, ok, err = o.netllm, nil, nil
    if not netllm then
        netllm, err = build(o.host, dir, o.source)
        if not netllm then
            return nil, err
        end
    end
    ok, err = o.host:run{"mkdir", "-p", work, label = "mkdir"}
    if ok then
        ok, err = o.host:upload(o.pool, work .. "/pool.safetensors")
    end
    if not ok then
        return nil, err
    end
    local flags = {}
    if o.plm_path then
        flags.plm_path, err = backbone(o, dir)
        if not flags.plm_path then
            return nil, err
        end
    end
    if o.plm_config then
        flags.plm_config = work .. "/plm_config.json"
        ok, err = o.host:upload(o.plm_config, flags.plm_config)
        if not ok then
            return nil, err
        end
    end
    if not (o.device or o.devices) and gpus_of(o.host, netllm) > 0 then
        flags.devices = "auto"
    end
    for key, value in pairs(o) do
        flags[key] = flags[key] or value
    end
    local cmd = lab._adapt_words({"sh", "-c", RUN, "train", work, netllm, "adapt", "--exp-pool-path",
        work .. "/pool.safetensors", "--model-dir", work .. "/model"}, flags)
    cmd.detached, cmd.events, cmd.label = o.name, true, "train " .. o.name
    local job
    job, err = o.host:start(cmd)
    if not job then
        return nil, err
    end
    for _ = 1, 100 do -- until it is there: its guard looks for it
        local jobs = o.host:jobs() or {}
        for _, one in ipairs(jobs) do
            if one.id == o.name then
                local guard
                guard, err = lab.guard(o.host, {hours = o.max_hours or 24, job = o.name, idle_min = o.idle_min})
                if not guard then
                    lab.log("the training has no guard: " .. tostring(err), "warn")
                else
                    guard:leave()
                end
                return job
            end
        end
        lab.sleep(0.1)
    end
    return job
end

local function fetch(o, work, data)
    local ok, err = o.host:download(work .. "/model", o.dir)
    if not ok then
        return nil, err
    end
    o.host:run{"rm", "-f", work .. "/done", label = "rm"}
    data = data or {}
    data.dir = o.dir
    return data
end

local options = {host = true, pool = true, dir = true, name = true, remote_dir = true, netllm = true,
    source = true, max_hours = true, idle_min = true}
for _, flag in ipairs(lab._adapt_flags) do
    options[flag:gsub("-", "_")] = true
end

function lab.train(given)
    local o = {}
    lab._check_keys(given, lab._sorted_keys(options), "lab.train")
    for key, value in pairs(given) do
        o[key] = value
    end
    if not (o.host and o.pool and o.dir) then
        error("lab.train: host, pool and dir are needed", 2)
    end
    o.name = o.name or "train"
    local dir, err = place_of(o)
    if not dir then
        return nil, err
    end
    local work, jobs, job = ("%s/%s"):format(dir, o.name), nil, nil
    jobs, err = o.host:jobs()
    if not jobs then
        return nil, err
    end
    for _, one in ipairs(jobs) do
        if one.id == o.name and one.state ~= "gone" then
            lab.log(("the training %s %s there: it is followed from its first event"):format(o.name, one.state))
            job, err = o.host:attach(o.name, {events = true, label = "train " .. o.name})
            if not job then
                return nil, err
            end
        elseif one.id == o.name then -- the machine was started anew under it
            o.host:run{"sh", "-c", 'rm -rf "${XDG_CACHE_HOME:-$HOME/.cache}/ccalab/jobs/$1"', "rm", o.name,
                       label = "rm"}
        end
    end
    if not job and is_there(o.host, "-f", work .. "/done") then
        lab.log(("the training %s has ended there; it is fetched"):format(o.name))
        return fetch(o, work)
    end
    if not job then
        job, err = begin(o, dir, work)
        if not job then
            return nil, err
        end
    end
    local r
    r, err = job:wait()
    if not r then
        err.hint = err.hint or ("what it has left is in %s on %s"):format(work, o.host.name)
        return nil, err
    end
    return fetch(o, work, r.data)
end
