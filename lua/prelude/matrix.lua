-- Grids of runs: every combination of some axes, several times, in an order that hides no drift,
-- stopped and resumed at will.
--
-- A matrix is a directory with run.json (what it is and how far it came), cells.csv (at its end), and
-- cells/, in which every attempt at a cell is a run directory of its own. A cell is done when one of
-- them ended "ok"; so whatever happens, no cell counts twice.

local Matrix = {}
Matrix.__index, lab._classes.Matrix = Matrix, Matrix

local function misuse(text)
    error("lab.matrix: " .. text, 3)
end

local function label_of(v)
    return type(v) == "table" and tostring(v.label) or tostring(v)
end

local function key_of(axes, cell)
    local words = {}
    for _, axis in ipairs(axes) do
        words[#words + 1] = axis[1] .. "=" .. label_of(cell[axis[1]])
    end
    words[#words + 1] = "repeat=" .. cell["repeat"]
    return table.concat(words, ",")
end

-- All cells, the last axis running fastest, the repeats slowest: whoever stops early has whole grids.
local function all_cells(o)
    local cells = {}
    local function walk(depth, cell)
        local axis = o.axes[depth]
        if not axis then
            local copy = {}
            for k, v in pairs(cell) do
                copy[k] = v
            end
            if not o.only or o.only(copy) then
                cells[#cells + 1] = copy
            end
            return
        end
        for _, v in ipairs(axis[2]) do
            cell[axis[1]] = v
            walk(depth + 1, cell)
        end
    end
    for i = 1, o.repeats do
        walk(1, {["repeat"] = i, seed = o.seed + i - 1})
    end
    return cells
end

-- Fisher and Yates within each repeat, by a generator of its own: the script's math.random goes on
-- as if nobody had asked.
local function shuffle(cells, seed)
    local state = (seed * 2654435761 + 1) & 0xffffffff
    local function below(n)
        state = (state * 1664525 + 1013904223) & 0xffffffff
        return (state >> 8) % n
    end
    local first = 1
    while first <= #cells do
        local last = first
        while cells[last + 1] and cells[last + 1]["repeat"] == cells[first]["repeat"] do
            last = last + 1
        end
        for i = last, first + 1, -1 do
            local j = first + below(i - first + 1)
            cells[i], cells[j] = cells[j], cells[i]
        end
        first = last + 1
    end
end

local function describe(o)
    local axes = {}
    for i, axis in ipairs(o.axes) do
        local labels = {}
        for k, v in ipairs(axis[2]) do
            labels[k] = label_of(v)
        end
        axes[i] = axis[1] .. "=" .. table.concat(labels, "|")
    end
    return table.concat(axes, " ") .. (" seed=%d"):format(o.seed) .. (o.also and " " .. o.also or "")
end

-- What the attempts so far say: the latest "ok" of each key.
local function read_cells(dir)
    local done = {}
    for _, run in ipairs(lab.run_records(dir .. "/cells") or {}) do
        local key = run.record and run.record.key
        if key and run.status == "ok" then
            done[key] = run
        end
    end
    return done
end

local function save(m, status, message)
    local failed = {}
    for key, err in pairs(m.failed) do
        failed[#failed + 1] = {cell = key, error = tostring(err.message or err)}
    end
    table.sort(failed, function(a, b) return a.cell < b.cell end)
    m.record.status, m.record.message, m.record.pid = status, message, lab.pid
    m.record.result = {cells = #m.order, done = m.ndone, failed = failed}
    m.record.duration_s = status ~= "running" and lab.now() - m.record.started_s or nil
    return lab.write_file(m.dir .. "/run.json", lab.json_encode(m.record, true))
end

local function eta_text(took, left)
    local stats = lab.stats(took)
    if not stats then
        return ""
    end
    local s = stats.mean * left
    return s < 120 and (", %.0f s left"):format(s) or s < 7200 and (", %.0f min left"):format(s / 60)
        or (", %.1f h left"):format(s / 3600)
end

-- One attempt: a record of its own, and a task of its own, so that whatever the cell started or
-- changed is put back before the next one begins.
local function attempt(m, o, cell, key)
    local record <close>, err = lab.record{base = m.dir .. "/cells", name = key}
    if not record then
        return nil, err
    end
    local ok
    ok, err = record:set("key", key)
    if not ok then
        return nil, err
    end
    local plain = {}
    for k, v in pairs(cell) do
        plain[k] = type(v) == "table" and label_of(v) or v
    end
    ok, err = record:set("cell", plain)
    if not ok then
        return nil, err
    end
    local function once()
        local result, why = o.run(cell, record)
        if result == nil then
            error(why or {status = "failed", subsystem = "matrix", message = "the cell returned nothing"}, 0)
        end
        return result
    end
    local result
    if o.timeout_s then
        result, err = lab.timeout(o.timeout_s, once)
    else
        result, err = lab.spawn(once):join()
    end
    if result ~= nil then
        ok, err = record:set("result", result)
        if ok then
            record:finish("ok")
            return true
        end
    end
    if type(err) ~= "table" then
        err = {status = "failed", subsystem = "matrix", message = tostring(err)}
    end
    record:finish(err.status == "interrupted" and "interrupted" or "failed", err.message)
    return nil, err
end

-- Run what is left of a grid: every combination of the axes, `repeats` times.
function lab.matrix(o)
    if type(o.axes) ~= "table" or type(o.run) ~= "function" then
        misuse("wants axes = {{name, values}, ...} and run = function(cell, record)")
    end
    local seen = {["repeat"] = true, seed = true}
    for _, axis in ipairs(o.axes) do
        if type(axis) ~= "table" or type(axis[1]) ~= "string" or type(axis[2]) ~= "table" then
            misuse("an axis is {name, {value, ...}}")
        elseif seen[axis[1]] then
            misuse(("there cannot be another axis '%s'"):format(axis[1]))
        end
        seen[axis[1]] = true
    end
    local with = {repeats = 1, seed = 1}
    for k, v in pairs(o) do
        with[k] = v
    end
    o = with
    local order, name = all_cells(o), o.name or "matrix"
    if o.shuffle ~= false then
        shuffle(order, o.seed)
    end
    local m = setmetatable({axes = o.axes, columns = o.columns, order = order, ndone = 0, failed = {}, done = {}}, Matrix)
    local keys = {}
    for _, cell in ipairs(order) do
        local key = key_of(o.axes, cell)
        if keys[key] then
            misuse("two cells are called " .. key)
        end
        keys[key] = true
    end
    m.dir = o.dir or ("%s/%s-%s"):format(o.base or os.getenv("CCALAB_RUNS") or "runs",
        os.date("!%Y%m%dT%H%M%SZ"), name)
    local text = o.dir and lab.read_file(o.dir .. "/run.json")
    if text then
        local record, err = lab.json_decode(text)
        if not record then
            return nil, err
        elseif record.matrix ~= describe(o) then
            return lab.failure("usage", "matrix", ("%s holds another matrix: %s"):format(o.dir,
                tostring(record.matrix)), "this one is " .. describe(o))
        end
        err = not o.dry_run and lab._at_work("matrix", o.dir, record) or nil
        if err then
            return nil, err
        end
        m.record = record
        m.done = read_cells(m.dir)
    else
        m.record = {name = name, matrix = describe(o), ccalab = lab.version,
                    started_s = lab.now(), started_utc = os.date("!%Y%m%dT%H%M%SZ")}
    end
    for key in pairs(m.done) do
        m.done[key] = keys[key] and m.done[key] or nil
    end
    for _ in pairs(m.done) do
        m.ndone = m.ndone + 1
    end
    if o.dry_run then
        for i, cell in ipairs(order) do
            local key = key_of(o.axes, cell)
            print(("%4d  %s%s"):format(i, key, m.done[key] and "  done" or ""))
        end
        return m
    end
    local ok, err = lab.make_dir(m.dir .. "/cells")
    if not ok then
        return nil, err
    end
    ok, err = save(m, "running")
    if not ok then
        return nil, err
    end
    local guard <close> = setmetatable({}, {__close = function(_, e)
        if e then
            local status = type(e) == "table" and e.status == "interrupted" and "interrupted" or "failed"
            save(m, status, tostring(type(e) == "table" and e.message or e))
            if status == "interrupted" then
                lab.log(("stopped: %d of %d cells are done, and stay, in %s; resumed there, only the others run"):format(
                    m.ndone, #order, m.dir))
            end
        end
    end})
    local took = {}
    for _, cell in ipairs(order) do
        local key = key_of(o.axes, cell)
        if not m.done[key] then
            local left = #order - m.ndone
            for _ in pairs(m.failed) do
                left = left - 1
            end
            lab.progress(#order - left, #order, key .. eta_text(took, left))
            local t0 = lab.now()
            ok, err = attempt(m, o, cell, key)
            if ok then
                took[#took + 1] = lab.now() - t0
                m.ndone = m.ndone + 1
                m.done[key] = true
            elseif err.status == "interrupted" then
                error(err, 0)
            else
                m.failed[key] = err
                lab.log(("%s: %s"):format(key, err.message), "warn")
                if err.hint then
                    lab.log("hint: " .. err.hint)
                end
            end
            ok, err = save(m, "running")
            if not ok then
                return nil, err
            end
        end
    end
    lab.progress(#order, #order, name)
    m.done = read_cells(m.dir)
    ok, err = lab.write_file(m.dir .. "/cells.csv", m:csv())
    local nfailed = #order - m.ndone
    local message = nfailed > 0 and ("%d of %d cells failed"):format(nfailed, #order) or nil
    if ok then
        ok, err = save(m, nfailed > 0 and "failed" or "ok", message)
    end
    if not ok then
        return nil, err
    elseif nfailed > 0 then
        local names = {}
        for key, why in pairs(m.failed) do
            names[#names + 1] = ("%s: %s"):format(key, why.message)
        end
        table.sort(names)
        local _, e = lab.failure("failed", "matrix", message .. "\n  " .. table.concat(names, "\n  "),
            "run it again with dir = \"" .. m.dir .. "\": what is done stays")
        e.matrix = m
        return nil, e
    end
    return m
end

-- The done cells in the order of the axes.
function Matrix:rows()
    local keys, out = {}, {}
    for _, cell in ipairs(self.order) do
        keys[#keys + 1] = {key_of(self.axes, cell), cell}
    end
    local place = {}
    for a, axis in ipairs(self.axes) do
        place[a] = {}
        for i, v in ipairs(axis[2]) do
            place[a][v] = i
        end
    end
    table.sort(keys, function(x, y)
        for a, axis in ipairs(self.axes) do
            local i, j = place[a][x[2][axis[1]]], place[a][y[2][axis[1]]]
            if i ~= j then
                return i < j
            end
        end
        return x[2]["repeat"] < y[2]["repeat"]
    end)
    for _, k in ipairs(keys) do
        local run = self.done[k[1]]
        if type(run) == "table" then
            out[#out + 1] = {cell = k[2], result = run.record.result, id = run.id}
        end
    end
    return out
end

-- lab.stats() of a value for each combination of the axes in `by`, over the rest.
function Matrix:stats(value, by)
    if not by then
        by = {}
        for _, axis in ipairs(self.axes) do
            by[#by + 1] = axis[1]
        end
    end
    local groups, out = {}, {}
    for _, row in ipairs(self:rows()) do
        local cell, words = {}, {}
        for _, name in ipairs(by) do
            cell[name] = row.cell[name]
            words[#words + 1] = label_of(row.cell[name])
        end
        local key = table.concat(words, "\0")
        if not groups[key] then
            groups[key] = {cell = cell, values = {}, n = 0}
            out[#out + 1] = groups[key]
        end
        local g = groups[key]
        g.n = g.n + 1
        local v = lab.flatten(row.result)[value]
        g.values[g.n] = type(v) == "number" and v or 0 / 0
    end
    for _, g in ipairs(out) do
        g.stats = lab.stats(g.values)
        g.values, g.n = nil, nil
    end
    return out
end

-- A row for each done cell: the axes, the repeat, the seed, and every value of the results.
function Matrix:csv()
    local rows, columns, names = self:rows(), {}, {}
    for i, name in ipairs(self.columns or {}) do
        columns[name], names[i] = true, name
    end
    for i, row in ipairs(rows) do
        row.flat = lab.flatten(row.result)
        for k in pairs(row.flat) do
            if not columns[k] then
                columns[k] = true
                names[#names + 1] = k
            end
        end
        rows[i] = row
    end
    table.sort(names)
    local head = {}
    for _, axis in ipairs(self.axes) do
        head[#head + 1] = axis[1]
    end
    local naxes = #head
    head[#head + 1], head[#head + 2] = "repeat", "seed"
    table.move(names, 1, #names, #head + 1, head)
    local table_rows = {}
    for i, row in ipairs(rows) do
        local cells = {}
        for k = 1, naxes do
            cells[k] = label_of(row.cell[head[k]])
        end
        cells[naxes + 1], cells[naxes + 2] = row.cell["repeat"], row.cell.seed
        for k, name in ipairs(names) do
            cells[naxes + 2 + k] = row.flat[name]
        end
        table_rows[i] = cells
    end
    return lab.csv(head, table_rows)
end
