-- A step of a lab of the course: what it observes, how that is judged, and what the functions of a lab
-- (labs/NN-name/lab.lua, docs/labs.md) are given: the context.
--
-- Live or from a recording, a check sees the same table: an observation is JSON before it is judged.

local Context = {}
Context.__index = Context

-- What a check answers. pass: what was seen. not_yet: {seen=, want=, host=, how=}. cannot: why.
function Context.pass(seen, host, how)
    return {outcome = "pass", seen = seen, host = host, how = how}
end

function Context.not_yet(t)
    return {outcome = "not_yet", seen = t.seen, want = t.want, host = t.host, how = t.how}
end

function Context.cannot(why, hint)
    return {outcome = "cannot", why = why, hint = hint}
end

-- pass or not_yet, by `ok`; nil: cannot be told.
function Context.judge(ok, t)
    if ok == nil then
        return Context.cannot(t.why or "there is no such value", t.hint)
    end
    return ok and Context.pass(t.seen, t.host, t.how) or Context.not_yet(t)
end

-- A file of the student's folder for this lab.
function Context:path(name)
    return self.work .. "/" .. name
end

function Context:exists(name)
    local f = io.open(self:path(name), "rb")
    return f ~= nil and f:close() == true
end

function Context:read_json(name)
    local text, err = lab.read_file(self:path(name))
    if not text then
        return nil, err
    end
    return lab.json_decode(text)
end

-- Copy a file of the recordings, of this lab or of another, into the student's folder.
function Context:copy_in(name, as, of)
    local dir = of and self.dir:gsub("[^/]*$", of) or self.dir
    assert(lab.localhost:run{"cp", dir .. "/replay/" .. name, self:path(as or name:match("[^/]*$")),
                             label = "copy"})
end

-- Run beside what comes next; stopped when the step has been judged.
function Context:later(fn)
    self.tasks[#self.tasks + 1] = lab.spawn(fn)
end

function Context:stop_tasks()
    for _, task in ipairs(self.tasks) do
        task:cancel()
    end
    for _, task in ipairs(self.tasks) do
        task:join()
    end
    self.tasks = {}
end

-- Set a sysctl on roles: until `ccalab restore` on machines; the virtual lab is taken down as a whole.
function Context:set_sysctl(roles, name, value)
    for _, role in ipairs(roles) do
        if self.place.kind == "virtual" then
            assert(self.bed[role]:run{"sh", "-c", 'echo "$1" >"$2"', "sh", tostring(value),
                                      "/proc/sys/" .. name:gsub("%.", "/"), label = "sysctl"})
        else
            assert(lab.set_sysctl(self.bed[role], name, value, {keep = true}))
        end
    end
end

-- Give the router's port towards the server another queue; on machines under the lab file's shaper.
function Context:set_queue(spec)
    local link = self.bed.link
    if self.place.kind == "virtual" then
        assert(lab.localhost:run{assert(lab.program("ccalab")), "testbed", "set", "--name",
                                 self.place.name, "aqm=" .. spec, label = "testbed set"})
        return
    end
    local shaped = link.shaper and spec ~= "default"
        and {rate = link.rate, shaper = link.shaper, keep = true}
    assert(lab.set_qdisc(self.bed.router, self.bed.egress, spec, shaped or {keep = true}))
end

-- {kinds = {"dualpi2"}, dev = "bn1", shaper = "htb"} of the router's port towards the server.
function Context:queue()
    local list, err = lab.qdiscs(self.bed.router, self.bed.egress, {stats = false})
    if not list then
        return nil, err
    end
    local q = {kinds = {}, dev = self.bed.egress, is_virtual = self.place.kind == "virtual"}
    for _, one in ipairs(list) do
        q.kinds[#q.kinds + 1] = one.kind
        if one.kind == "htb" or one.kind == "tbf" then
            q.shaper = one.kind
        end
    end
    return q
end

-- Capture headers at the router's port while the student's flows run, packed, as `name` in the
-- student's folder: {file=, client_x=, client_y=, server=, dev=}, the addresses to tell flows by.
function Context:capture(name, seconds, count)
    local bed, plain = self.bed, self:path(name:gsub("%.gz$", ""))
    local job, err = lab.capture{host = bed.router, interface = bed.egress, filter = "tcp", file = plain,
                                 snaplen = 80, seconds = seconds, count = count}
    if not job then
        return nil, err
    end
    local done
    done, err = job:wait(seconds + 20)
    if not done then
        return nil, err
    end
    assert(lab.localhost:run{"gzip", "-nf", plain, label = "gzip"})
    return {file = name, dev = bed.egress, seconds = seconds, client_x = bed.client_x.address,
            client_y = bed.client_y and bed.client_y.address or nil, server = bed.server.address}
end

-- Of a capture made by capture(): the account of the data packets that the host of that address sent,
-- {not_ect=, ect0=, ect1=, ce=, total=}, nil if it sent none.
function Context:data_of(seen, role)
    local ecn = assert(lab.ecn(self:path(seen.file)))
    local sum = {not_ect = 0, ect0 = 0, ect1 = 0, ce = 0, total = 0}
    for _, flow in ipairs(ecn.flows) do
        for _, side in ipairs{{flow.src, flow.fwd}, {flow.dst, flow.rev}} do
            if side[1] == seen[role] and side[2] and side[2].data then
                for _, key in ipairs{"not_ect", "ect0", "ect1", "ce"} do
                    sum[key] = sum[key] + (side[2].data[key] or 0)
                    sum.total = sum.total + (side[2].data[key] or 0)
                end
            end
        end
    end
    return sum.total > 0 and sum or nil
end

-- A table, whatever a student's file has in its place.
local function fields(x)
    return type(x) == "table" and x or {}
end

-- The iperf3 documents in the student's folder, those of run directories below runs/ too:
-- {{file=, cc=, from= (address), rows=, rtt_us= (median), cwnd_bytes= (median), throughput_bps=, error=}}.
function Context:iperf3_files()
    local paths, out = {}, {}
    for _, name in ipairs(lab.list_dir(self.work) or {}) do
        if name:find("%.json$") then
            paths[#paths + 1] = name
        end
    end
    for _, run in ipairs(lab.list_dir(self:path("runs")) or {}) do
        for _, name in ipairs(lab.list_dir(self:path("runs/" .. run .. "/iperf3")) or {}) do
            paths[#paths + 1] = "runs/" .. run .. "/iperf3/" .. name
        end
    end
    for _, path in ipairs(paths) do
        local text = lab.read_file(self:path(path)) or ""
        local summary, err = lab.iperf3_parse(text)
        local document = fields(lab.json_decode(lab.iperf3_document(text) or ""))
        local rtt, cwnd, rate = {}, {}, {}
        for _, interval in ipairs(fields(document.intervals)) do
            local s = fields(fields(fields(interval).streams)[1])
            local rtt_us, cwnd_bytes = tonumber(s.rtt) or 0, tonumber(s.snd_cwnd) or 0
            if rtt_us > 0 and cwnd_bytes > 0 then
                rtt[#rtt + 1], cwnd[#cwnd + 1] = rtt_us, cwnd_bytes
                rate[#rate + 1] = tonumber(s.bits_per_second)
            end
        end
        local cc = fields(document["end"]).sender_tcp_congestion
        out[#out + 1] = {file = path, cc = type(cc) == "string" and cc or nil, rows = #rtt,
            from = fields(fields(fields(document.start).connected)[1]).local_host,
            rtt_us = #rtt > 0 and lab.stats(rtt).median or nil,
            cwnd_bytes = #cwnd > 0 and lab.stats(cwnd).median or nil,
            throughput_bps = summary and summary.received_bps or (#rate > 0 and lab.stats(rate).mean or nil),
            error = not summary and err and err.message or nil}
    end
    return out
end

-- The recordings of lab 03, {"prague.json", ...}: the student's own where they are, else ours.
function Context:bring_recordings()
    local names = {}
    for i, name in ipairs{"prague", "cubic", "reno"} do
        names[i] = name .. ".json"
        if not self:exists(names[i]) then
            self:copy_in("record/solution/" .. names[i], nil, "03-collect")
        end
    end
    return names
end

local NO_TORCH = 6 -- exit status of a netllm without libtorch

-- Run netllm in the student's folder; what it prints. Raises, `unavailable` where it has no libtorch.
function Context:netllm(words)
    table.insert(words, 1, assert(lab.program("netllm")))
    words.cwd, words.label = self.work, words[2]
    local r, err, left = lab.localhost:run(words)
    if not r then
        if left and left.exit_code == NO_TORCH then
            err.status = "unavailable"
        end
        error(err, 0)
    end
    return r.out
end

-- Call fn(c, ...); in a build that cannot do it, take the recording of when we did.
function Context:do_or_take(take, fn, ...)
    local ok, err = pcall(fn, self, ...)
    if not ok and type(err) == "table" and err.status == "unavailable" then
        assert(lab.localhost:run{"cp", "-r", ("%s/replay/%s/%s/."):format(self.dir, self.step.name, take),
                                 self.work .. "/", label = "copy"})
    elseif not ok then
        error(err, 0)
    end
end

-- Our pool tool on files of the student's folder; the object that `netllm pool info --json` prints.
function Context:pool_info(name)
    local program, err = lab.program("netllm")
    if not program then
        return nil, err
    end
    local r
    r, err = lab.localhost:run{program, "pool", "info", "--json", self:path(name), label = "pool info"}
    if not r then
        return nil, err
    end
    return lab.json_decode(r.out)
end

-- The rows of a pool as its CSV export has them: {{rtt_s=, cwnd_bytes=, ..., done=}}.
function Context:pool_rows(name)
    local program, err = lab.program("netllm")
    if not program then
        return nil, err
    end
    local csv = os.tmpname()
    local r
    r, err = lab.localhost:run{program, "pool", "export", self:path(name), "--csv", "-o", csv,
                               label = "pool export"}
    local text = r and lab.read_file(csv)
    os.remove(csv)
    if not text then
        return nil, err
    end
    local rows, names = {}, nil
    for line in text:gmatch("[^\n]+") do
        local cells = {}
        for cell in (line .. ","):gmatch("([^,]*),") do
            cells[#cells + 1] = cell
        end
        if not names then
            names = cells
        else
            local row = {}
            for i, key in ipairs(names) do
                row[key] = tonumber(cells[i]) or cells[i]
            end
            rows[#rows + 1] = row
        end
    end
    return rows
end

-- Observation and judgement --------------------------------------------------------------------------

local MAY_FAIL = {host = true, timeout = true, unavailable = true, io = true}

-- The table that a step's checks see. In a replay, what hosts would have been asked is read from the
-- take that was chosen. Fails as what it asked fails.
function lab._course_observe(step, c)
    if c.place.kind == "replay" and step.observes ~= "files" then
        local text, err = lab.read_file(("%s/replay/%s/%s/facts.json"):format(c.dir, step.name,
                                                                           c.take or "before"))
        if not text then
            return nil, err
        end
        return lab.json_decode(text)
    end
    local ok, seen, err = pcall(step.observe, c)
    if not ok then
        if type(seen) == "table" and MAY_FAIL[seen.status] then
            return nil, seen
        end
        error(seen, 0)
    elseif not seen then
        return nil, err
    end
    return lab.json_decode(lab.json_encode(seen))
end

-- Judge a step: {outcome=, checks={{name=, says=, outcome=, seen=, want=, host=, how=, why=, hint=}}, seen=}.
-- The step passes when all its checks pass; it cannot be measured when one cannot and none fails.
function lab._course_judge(step, c)
    local seen, err = lab._course_observe(step, c)
    local out = {outcome = "pass", checks = {}, seen = seen}
    for i, check in ipairs(step.checks) do
        local ok, r
        if not seen then
            r = c.cannot(err and err.message or "nothing was observed", err and err.hint)
        else
            ok, r = pcall(check.look, seen, c)
            if not ok then
                if type(r) ~= "table" or not MAY_FAIL[r.status] then
                    error(r, 0)
                end
                r = c.cannot(r.message, r.hint)
            end
        end
        r.name, r.says = check.name, check.says
        out.checks[i] = r
        if r.outcome == "not_yet" or (r.outcome == "cannot" and out.outcome == "pass") then
            out.outcome = r.outcome
        end
    end
    return out
end

-- What the step observes now: for solutions that look before they answer.
function Context:observed()
    return assert(lab._course_observe(self.step, self))
end

-- A new context. `o` has def, step, work, state, place, take, answer, bed.
function lab._course_context_new(o)
    return setmetatable({step = o.step, dir = o.def.dir, work = o.work, place = o.place, take = o.take,
                         answer = o.answer, bed = o.bed, lab_name = o.def.name, state = o.state,
                         tasks = {}}, Context)
end
