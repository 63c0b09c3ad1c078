-- `ccalab runs`: the records of runs.

local about = {
    name = "runs", help = "the records of runs: list, show, compare, export them",
    usage = "list | show [RUN] | compare RUN RUN... | export [RUN...]",
    flags = {{"--dir", meta = "DIR", help = "where the runs are (default: $CCALAB_RUNS, else runs)"},
             {"--name", meta = "NAME", help = "list, export: only the runs of this name"},
             {"--json", help = "list, show, compare: as JSON"},
             {"--all", help = "compare: also what is equal"},
             {"--output", meta = "FILE", help = "export: the CSV file (default: standard output)"}}}
local o = lab.args(about, arg)
if not o then
    return
end

local function usage(message)
    error({status = "usage", subsystem = "runs", message = message,
           hint = "see ccalab runs --help"}, 0)
end

local columns_of, sorted_keys, value_text = lab._run_columns, lab._sorted_keys, lab._value_text
local seconds, utc = lab._took_text, lab._run_utc

local function readable(run)
    if not run.record then
        error({status = "input", subsystem = "runs",
               message = ("%s/run.json: %s"):format(run.dir, tostring(run.error))}, 0)
    end
    return run
end

local function wanted_runs()
    local runs = assert(lab.run_records(o.dir))
    local out = {}
    for _, run in ipairs(runs) do
        if not o.name or (run.record and run.record.name == o.name) then
            out[#out + 1] = run
        end
    end
    return out
end

local verbs = {}

function verbs.list()
    if o[2] then
        usage("list takes no runs")
    end
    local runs = wanted_runs()
    if o.json then
        local out = lab.json_decode("[]")
        for i, run in ipairs(runs) do
            out[i] = {id = run.id, dir = run.dir, status = run.status,
                      name = run.record and run.record.name,
                      started_s = run.record and run.record.started_s,
                      duration_s = run.record and run.record.duration_s,
                      message = run.record and run.record.message}
        end
        print(lab.json_encode(out, true))
        return
    elseif #runs == 0 then
        print("no runs" .. (o.name and " of that name" or ""))
        return
    end
    print(("%-19s  %-11s %9s  %s"):format("started (UTC)", "status", "took", "run"))
    for _, run in ipairs(runs) do
        local record = run.record or {}
        print(("%-19s  %-11s %9s  %s%s"):format(utc(run), run.status, seconds(record.duration_s),
            run.id, record.message and "  (" .. record.message .. ")" or ""))
    end
end

function verbs.show()
    if o[3] then
        usage("show takes one run")
    end
    local run = readable(assert(lab.find_run(o[2], o.dir)))
    local r = run.record
    if o.json then
        print(lab.json_encode(r, true))
        return
    end
    print(("%s, %s, %s UTC, took %s"):format(run.id, run.status, utc(run), seconds(r.duration_s)))
    if r.message then
        print("  " .. r.message)
    end
    print("directory   " .. run.dir)
    print("ccalab      " .. tostring(r.ccalab))
    local m = r.machine or {}
    print(("machine     Linux %s, %s, %s cores, %s"):format(m.kernel or "?", m.machine or "?",
        m.cores or "?", m.memory_bytes and ("%.1f GiB"):format(m.memory_bytes / 2 ^ 30) or "?"))
    local flat = columns_of(run)
    for _, key in ipairs(sorted_keys(flat)) do
        print(("  %-44s %s"):format(key, value_text(flat[key])))
    end
    if r.checks then
        print("checks")
        for _, c in ipairs(r.checks) do
            print(("  %-4s %s: %s"):format(c.ok == true and "ok" or c.ok == false and "FAIL" or "?",
                tostring(c.name), tostring(c.seen)))
        end
    end
    if r.commands and #r.commands > 0 then
        print("commands")
        for _, c in ipairs(r.commands) do
            print(("  %-12s %-24s %-11s %9s"):format(tostring(c.host), tostring(c.label),
                tostring(c.status or "running"),
                seconds(c.end_s and c.start_s and c.end_s - c.start_s)))
        end
    end
    print("files       " .. table.concat(assert(lab.list_dir(run.dir)), " "))
end

function verbs.compare()
    if not o[3] then
        usage("compare takes two runs or more")
    end
    local runs = {}
    for i = 2, #o do
        runs[i - 1] = readable(assert(lab.find_run(o[i], o.dir)))
    end
    local rows = lab._compare_runs(runs, o.all)
    if o.json then
        local out = {runs = {}, values = {}}
        for i, run in ipairs(runs) do
            out.runs[i] = run.id
        end
        for _, row in ipairs(rows) do
            local values = {}
            for i = 1, #runs do
                values[i] = row[i] == nil and lab.null or row[i]
            end
            out.values[row.key] = values
        end
        print(lab.json_encode(out, true))
        return
    end
    print(table.concat(lab._compare_lines(runs, rows, 44, 14), "\n"))
end

function verbs.export()
    local runs = {}
    for i = 2, #o do
        runs[#runs + 1] = readable(assert(lab.find_run(o[i], o.dir)))
    end
    if #o == 1 then
        for _, run in ipairs(wanted_runs()) do
            if run.record then
                runs[#runs + 1] = run
            end
        end
    end
    local text = lab._export_runs(runs)
    if o.output then
        assert(lab.write_file(o.output, text))
    else
        io.write(text)
    end
end

local verb = verbs[o[1] or ""]
if not verb then
    usage(o[1] and ("'%s' is none of list, show, compare, export"):format(o[1])
        or "list, show, compare or export?")
end
verb()
