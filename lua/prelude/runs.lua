-- The records of runs: which there are, one by its name, what they hold as flat columns.

local function is_alive(record)
    local comm = record.pid and lab.read_file(("/proc/%d/comm"):format(record.pid))
    return comm ~= nil and comm:find("^ccalab") ~= nil
end

-- lab.run_records(base): the runs below `base` (default: $CCALAB_RUNS, else "runs"), oldest first:
-- {id="20261121T...-name", dir=, record=, status=}. `record` is run.json, nil with `error` where it cannot be
-- read; `status` is its own, but "killed" for one that says it is running and whose process is gone.
function lab.run_records(base)
    base = base or os.getenv("CCALAB_RUNS") or "runs"
    local names, err = lab.list_dir(base)
    if not names then
        return nil, err
    end
    local out = {}
    for _, name in ipairs(names) do
        local dir = base .. "/" .. name
        local text = name:find("^%d+T%d+Z") and lab.read_file(dir .. "/run.json")
        if text then
            local record, bad = lab.json_decode(text)
            local run = {id = name, dir = dir, record = record, error = bad, status = "unreadable"}
            if type(record) == "table" then
                run.status = tostring(record.status)
                if record.status == "running" and not is_alive(record) then
                    run.status = "killed"
                end
            else
                run.record = nil
            end
            out[#out + 1] = run
        end
    end
    return out
end

-- lab.find_run(which, base): the run that `which` means: a directory with a run.json; an id or a
-- part of exactly one; a name, then the latest of it; nil: the latest of all.
function lab.find_run(which, base)
    local text = which and lab.read_file(which .. "/run.json")
    if text then
        local record, err = lab.json_decode(text)
        if not record then
            return nil, err
        end
        return {id = which:gsub("/+$", ""):match("[^/]*$"), dir = which, record = record,
                status = tostring(record.status)}
    end
    local runs, err = lab.run_records(base)
    if not runs then
        return nil, err
    end
    local parts, ids = {}, {}
    for i = #runs, 1, -1 do
        local run = runs[i]
        ids[#ids + 1] = run.id
        if not which or run.id == which or (run.record and run.record.name == which) then
            return run
        elseif run.id:find(which, 1, true) then
            parts[#parts + 1] = run
        end
    end
    if #parts == 1 then
        return parts[1]
    elseif #parts > 1 then
        return lab.failure("usage", "runs", ("'%s' is part of %d runs"):format(which, #parts),
            ("say more, as %s"):format(parts[1].id))
    end
    local near = which and lab.did_you_mean(which, ids)
    return lab.failure("usage", "runs", which and "no run " .. which or "there are no runs yet",
        near and ("did you mean %s?"):format(near) or "see ccalab runs list")
end

-- lab.flatten(v): {["result.policy.loss"] = 0.25, ...}: every number, string and truth value of a
-- nested table under its path; lists count from 1.
function lab.flatten(v)
    local out = {}
    local function walk(path, x)
        if type(x) == "table" then
            for k, inner in pairs(x) do
                walk(path == "" and tostring(k) or path .. "." .. tostring(k), inner)
            end
        elseif x ~= lab.null then
            out[path] = x
        end
    end
    walk("", v)
    return out
end

local function csv_field(v)
    local text = v == nil and "" or math.type(v) == "float" and ("%.17g"):format(v) or tostring(v)
    return text:find('[,"\n\r]') and '"' .. text:gsub('"', '""') .. '"' or text
end

-- lab.csv(head, rows): the text of a table (RFC 4180, but lines end in LF). A missing value is empty;
-- numbers keep every digit.
function lab.csv(head, rows)
    local lines = {}
    local function add(row)
        local fields = {}
        for i = 1, #head do
            fields[i] = csv_field(row[i])
        end
        lines[#lines + 1] = table.concat(fields, ",")
    end
    add(head)
    for _, row in ipairs(rows) do
        add(row)
    end
    return table.concat(lines, "\n") .. "\n"
end
