-- The records of runs: which there are, one by its name, what they hold as flat columns.

local function is_alive(record)
    local comm = record.pid and lab.read_file(("/proc/%d/comm"):format(record.pid))
    return comm ~= nil and comm:find("^ccalab") ~= nil
end

-- The failure of whoever would go on with the record of `dir` while another process does; nil where none does.
function lab._at_work(subsystem, dir, record)
    if record.status == "running" and record.pid ~= lab.pid and is_alive(record) then
        return select(2, lab.failure("usage", subsystem, ("process %d is at work in %s"):format(record.pid, dir),
                                     "wait for its end, or end it with Ctrl-C: what is done stays"))
    end
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

-- What a run was of and what came out, without what differs for each: times, processes, machines.
local RESULTS = {"result", "link", "lab", "seeds"}

function lab._run_columns(run)
    local picked = {}
    for _, key in ipairs(RESULTS) do
        picked[key] = run.record and run.record[key]
    end
    return lab.flatten(picked)
end

-- The columns of each, and the sorted names of all.
local function columns_of(runs)
    local flats, keys = {}, {}
    for i, run in ipairs(runs) do
        flats[i] = lab._run_columns(run)
        for k in pairs(flats[i]) do
            keys[k] = true
        end
    end
    return flats, lab._sorted_keys(keys)
end

-- What of runs differs (with is_all: everything), a row for each value: {key=, [i]=, ratio= of two}.
function lab._compare_runs(runs, is_all)
    local flats, keys = columns_of(runs)
    local rows = {}
    for _, key in ipairs(keys) do
        local row, differs = {key = key}, false
        for i, flat in ipairs(flats) do
            row[i] = flat[key]
            differs = differs or flat[key] ~= flats[1][key]
        end
        local a, b = row[1], row[2]
        if #flats == 2 and type(a) == "number" and type(b) == "number" and a ~= 0 then
            row.ratio = b / a
        end
        if differs or is_all then
            rows[#rows + 1] = row
        end
    end
    return rows
end

-- One row a run, one column a value, as CSV: what a spreadsheet or pandas.read_csv() takes.
function lab._export_runs(runs)
    local flats, keys = columns_of(runs)
    local head, rows = {"run", "name", "status", "started_s", "duration_s"}, {}
    table.move(keys, 1, #keys, #head + 1, head)
    for i, run in ipairs(runs) do
        local row = {run.id, run.record.name, run.status, run.record.started_s, run.record.duration_s}
        for k, key in ipairs(keys) do
            row[5 + k] = flats[i][key]
        end
        rows[i] = row
    end
    return lab.csv(head, rows)
end

-- The text of a value in a table of them.
function lab._value_text(v)
    return math.type(v) == "float" and ("%.6g"):format(v) or tostring(v)
end

-- How long something took, for people.
function lab._took_text(s)
    return type(s) == "number" and (s < 120 and ("%.1f s"):format(s) or s < 7200 and ("%.1f min"):format(s / 60)
        or ("%.1f h"):format(s / 3600)) or "-"
end

-- When a run began, in UTC, for people.
function lab._run_utc(run)
    local text = run.record and run.record.started_utc or run.id
    return (text:gsub("^(%d%d%d%d)(%d%d)(%d%d)T(%d%d)(%d%d)(%d%d)Z.*$", "%1-%2-%3 %4:%5:%6"))
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

-- What the screen Runs asks (console/view_runs.c), each with JSON for an answer. Records are read when they
-- are asked for.
lab._screen = {}

local function readable_runs(ids)
    local by_id, out = {}, {}
    for _, run in ipairs(lab.run_records() or {}) do
        by_id[run.id] = run
    end
    for i, id in ipairs(ids) do
        local run = by_id[id]
        if not run or not run.record then
            error(("%s: %s"):format(id, run and tostring(run.error) or "no such run"), 0)
        end
        out[i] = run
    end
    return out
end

local NUMBERS_SHOWN = 3

function lab._screen.runs()
    local runs, err = lab.run_records()
    if not runs then
        error(err, 0)
    end
    local out = lab.json_decode("[]")
    for i, run in ipairs(runs) do
        local figures, flat, keys = {}, run.record and lab.flatten{result = run.record.result} or {}, nil
        keys = lab._sorted_keys(flat)
        for _, key in ipairs(keys) do
            if type(flat[key]) == "number" and #figures < NUMBERS_SHOWN then
                figures[#figures + 1] = key:gsub("^result%.", "") .. " " .. lab._value_text(flat[key])
            end
        end
        out[i] = {id = run.id, dir = run.dir, status = run.status, started = lab._run_utc(run),
                  took = lab._took_text(run.record and run.record.duration_s), figures = table.concat(figures, "  "),
                  message = run.record and run.record.message}
    end
    return out
end

-- The rows of lab._compare_runs() as lines of text, with columns of these widths.
function lab._compare_lines(runs, rows, key_cols, cols)
    local lines, head = {}, {("%-" .. key_cols .. "s"):format("")}
    for i, run in ipairs(runs) do
        lines[i] = ("%s  %s (%s)"):format(string.char(64 + i), run.id, run.status)
        head[i + 1] = ("%" .. cols .. "s"):format(string.char(64 + i))
    end
    lines[#lines + 1] = table.concat(head, " ") .. (#runs == 2 and ("%9s"):format("B/A") or "")
    for _, row in ipairs(rows) do
        local line = {("%-" .. key_cols .. "s"):format(row.key)}
        for i = 1, #runs do
            line[i + 1] = ("%" .. cols .. "s"):format(row[i] == nil and "-" or lab._value_text(row[i]))
        end
        lines[#lines + 1] = table.concat(line, " ") .. (row.ratio and ("%9.3f"):format(row.ratio) or "")
    end
    if #rows == 0 then
        lines[#lines + 1] = "no difference"
    end
    return lines
end

-- Rows of text: the run's own values, or those of several side by side where they differ.
function lab._screen.compare(ids)
    local runs = readable_runs(ids)
    return lab._compare_lines(runs, lab._compare_runs(runs, #runs == 1), 36, 12)
end

function lab._screen.export(ids)
    return {lab._export_runs(readable_runs(ids))}
end
