-- Pre-trained models from the Hugging Face hub, straight onto a host: the hub's list is read and judged
-- here (remote/hub.c), the files are downloaded there (remote/hub_get.sh).

-- Formats of the same weights that nothing here reads, or not beside safetensors.
local function wanted(files)
    local has_safetensors = false
    for _, file in ipairs(files) do
        has_safetensors = has_safetensors or file.path:find("%.safetensors$") ~= nil and not file.path:find("/")
    end
    local out, bytes = {}, 0
    for _, file in ipairs(files) do
        local path = file.path
        if not path:find("/") and (path:find("%.json$") or path:find("%.safetensors$") or path:find("%.txt$")
            or path:find("%.model$") or path:find("^LICENSE") or
            (path:find("^pytorch_model.*%.bin$") and not has_safetensors)) then
            out[#out + 1] = file
            bytes = bytes + file.size
        end
    end
    return out, bytes
end

local function ask(repo, revision)
    local waited, tries = 0, 0
    while true do
        local r, err = lab._hub(lab.localhost, repo, revision)
        if not r then
            return nil, err
        end
        local a = lab.json_decode(r.out)
        local pause = a.kind == "rate" and a.retry_s or a.kind == "transient" and tries < 4 and 2 ^ tries
        if a.kind == "ok" then
            return a.data
        elseif not pause or waited + pause > 300 then
            return lab.failure(a.error.status, "hub", a.error.message, a.error.hint)
        end
        tries, waited = tries + 1, waited + pause
        lab.sleep(pause)
    end
end

function lab.backbone(o)
    local repo, host, revision = o.repo, o.host or lab.localhost, o.revision or "main"
    local name = repo:match("[^/]+$") or ""
    local model, err = ask(repo, revision)
    if not model then
        return nil, err
    end
    local files, bytes = wanted(model.files)
    if #files == 0 then
        return lab.failure("input", "hub", repo .. " has no weights that can be read here",
            "safetensors or pytorch_model.bin are wanted")
    end
    local places
    places, err = lab._places_of(host)
    if not places then
        return nil, err
    end
    local dir = o.dir or name
    if dir:sub(1, 1) ~= "/" then
        local from = host.kind == "ssh" and places.home or assert(lab.localhost:run{"pwd"}).out:match("^[^\n]*")
        dir = from .. "/" .. dir
    end
    local id = "backbone-" .. name:gsub("[^%w_.-]", "-"):sub(1, 50)
    local work = places.cache .. "/" .. id
    local job
    local jobs
    jobs, err = host:jobs()
    if not jobs then
        return nil, err
    end
    for _, one in ipairs(jobs) do
        if one.id == id and one.state == "runs" then
            job, err = host:attach(id, {events = true, label = "download " .. name})
        elseif one.id == id then -- of an earlier time: nobody saw its end
            local old = host:attach(id, {label = id})
            if old then
                old:wait()
            end
        end
    end
    if err then
        return nil, err
    end
    if not job then
        local lines = {}
        for _, file in ipairs(files) do
            lines[#lines + 1] = ("%s %s %.0f %s\n"):format(file.sha256 and "sha256" or "git_sha1",
                file.sha256 or file.git_sha1, file.size, file.path)
        end
        lab.log(("%s: %d files, %.1f GB, to %s on %s"):format(repo, #files, bytes / 1e9, dir, host.name))
        local ok
        ok, err = lab._put_files(host, work, {list = table.concat(lines), ["hub_get.sh"] = lab._scripts.hub_get},
                                 "hub")
        if not ok then
            return nil, err
        end
        job, err = host:start{"sh", work .. "/hub_get.sh", work, dir,
            ("%s/%s/resolve/%s"):format(lab._hub_base, repo, model.commit), detached = id, events = true,
            label = "download " .. name}
        if not job then
            return nil, err
        end
    end
    local r
    r, err = job:wait()
    if not r then
        return nil, err
    end
    return {dir = dir, commit = model.commit, files = r.data.files, bytes = r.data.bytes, sent = r.data.sent}
end
