-- The queue at a port of a host: what it is, setting it, watching it (docs/qdisc.md). By the host's own tc,
-- in tc's own words.

local STEP_S = 5

local function failure(status, message, hint)
    return lab.failure(status, "qdisc", message, hint)
end

local function check_dev(dev)
    if type(dev) ~= "string" or not dev:match("^[%w_.][%w_.@-]*$") or #dev > 15 then
        error(("'%s' is no network interface"):format(tostring(dev)), 3)
    end
end

local function show(host, words, dev)
    local cmd = {"tc"}
    table.move(words, 1, #words, 2, cmd)
    cmd[#cmd + 1] = "qdisc"
    cmd[#cmd + 1] = "show"
    if dev then
        cmd[#cmd + 1] = "dev"
        cmd[#cmd + 1] = dev
    end
    cmd.label, cmd.timeout_s = "tc qdisc", STEP_S
    return host:run(cmd)
end

-- The queues of a port, or of all, and whether this tc speaks JSON of them (some do not, or not of every
-- kind: then its text is read).
function lab.qdiscs(host, dev, o)
    local stats = not o or o.stats ~= false
    local r, err, left = show(host, stats and {"-j", "-s"} or {"-j"}, dev)
    local list = r and lab.tc_qdiscs(r.out)
    if list then
        return list, true
    end
    local said = left and left.err or ""
    if not r and (err.status ~= "host" or said:find("Cannot find device", 1, true)) then
        return nil, err
    end
    r, err = show(host, stats and {"-s"} or {}, dev)
    if not r then
        return nil, err
    end
    list, err = lab.tc_qdiscs(r.out)
    if not list then
        return nil, err
    end
    return list, false
end

-- "fifo limit 100" is pfifo of 100 packets, "fifo limit 64kb" bfifo of so many bytes.
local function fifo_words(words)
    local limit = words[3]
    if #words == 1 then
        return {"pfifo"}
    elseif words[2] ~= "limit" or not limit or #words > 3 then
        return failure("usage", "fifo has one option: fifo limit PACKETS, or fifo limit 64kb")
    elseif limit:match("^%d+p?$") then
        return {"pfifo", "limit", limit:match("%d+")}
    elseif limit:match("^%d+[kKmM]?b$") then
        return {"bfifo", "limit", (limit:gsub("^(%d+)b$", "%1"))}
    end
    return failure("usage", ("fifo: '%s' is no limit"):format(limit), "packets (100), or bytes (64kb)")
end

local function spec_words(spec)
    local words = {}
    for word in spec:gmatch("%S+") do
        words[#words + 1] = word
    end
    if #words == 0 then
        return failure("usage", "a queue has a kind", "dualpi2, fifo limit 100, fq_codel, codel, pie, default")
    elseif words[1] == "fifo" then
        return fifo_words(words)
    end
    return words
end

local function tc(...)
    return {argv = {"tc", ...}}
end

-- A millisecond of the rate, so that packets wait in the queue and not in the shaper.
local function burst_of(bps)
    return math.max(bps // 8000, 3028)
end

local function with(step, words)
    table.move(words, 1, #words, #step.argv + 1, step.argv)
    return step
end

local function htb_words(rate, bps)
    local burst = burst_of(bps)
    return {"htb", "rate", rate, "ceil", rate, "burst", burst, "cburst", burst, "quantum", 3028}
end

-- The commands that make the queue. Under a shaper: one class, or one bucket, at the rate, a millisecond
-- deep, so that the queue is here and not in it.
local function make_steps(dev, words, o)
    local remove = tc("qdisc", "del", "dev", dev, "root")
    remove.may_fail = true
    if words[1] == "default" then
        return {remove}
    elseif not o.rate and not o.shaper then
        return {remove, with(tc("qdisc", "add", "dev", dev, "root"), words)}
    end
    local shaper = o.shaper or "htb"
    if not o.rate then
        return failure("usage", shaper .. " needs a rate", "rate = \"50mbit\"")
    end
    local bps, err = lab.rate_bps(o.rate)
    if not bps then
        return nil, err
    end
    local below = with(tc("qdisc", "add", "dev", dev, "parent", "1:1", "handle", "10:"), words)
    if shaper == "htb" then
        return {remove, tc("qdisc", "add", "dev", dev, "root", "handle", "1:", "htb", "default", "1"),
                with(tc("class", "add", "dev", dev, "parent", "1:", "classid", "1:1"), htb_words(o.rate, bps)), below}
    elseif shaper == "tbf" then
        return {remove, tc("qdisc", "add", "dev", dev, "root", "handle", "1:", "tbf", "rate", o.rate,
                           "burst", burst_of(bps), "latency", "50ms"), below}
    end
    return failure("usage", ("'%s' is no shaper"):format(shaper), "htb or tbf")
end

local function root_of(list)
    for _, q in ipairs(list) do
        if q.root then
            return q
        end
    end
end

-- How to come back to what is there: as tc tells it; else, where an earlier console set it to stay
-- (`ccalab qdisc set`), as that one set it.
local function plan_undo(open, before, dev, force)
    local steps, err = lab._tc_rebuild(before, dev)
    if steps then
        return steps
    end
    local pending, root = open.journal:pending(), root_of(before)
    for i = #pending, 1, -1 do
        local e = pending[i]
        if e.what == "qdisc" and e.target == dev and e.redo and root and e.root == root.kind then
            return e.redo
        end
    end
    if force then
        return {{argv = {"tc", "qdisc", "del", "dev", dev, "root"}, may_fail = true}}, nil, true
    end
    return nil, err
end

local function summary(list)
    local root = root_of(list)
    if not root or root.handle == "0:" then
        return "the kernel's default" .. (root and " (" .. root.kind .. ")" or "")
    end
    return root.kind .. " " .. lab.json_encode(root.options)
end

local function explain(err, left, host, kind)
    local said = left and left.err or ""
    kind = said:match("Unknown qdisc \"([%w_]+)\"") or kind
    if host.bin and (kind == "htb" or kind == "tbf") then
        err.hint = "the rate of a virtual router is its bottleneck's: bed:set{rate = ...}"
    elseif said:find("kind is unknown", 1, true) then
        err.hint = ("the kernel there has no sch_%s: modprobe sch_%s, or see ccalab doctor"):format(kind, kind)
    elseif said:find("^Unknown qdisc") or said:find("What is \"" .. kind, 1, true) then
        err.hint = ("the tc there does not know %s: iproute2 6.17, or that of the L4S team"):format(kind)
    end
    err.message = said:match("^[^\n]+") and ("%s: %s"):format(err.message:match("^[^:]+"), said:match("^[^\n]+"))
        or err.message
    return nil, err
end

-- Give a port another queue until the script ends. What could not be put back exactly is refused, unless
-- `force`: then the kernel's default comes back.
function lab.set_qdisc(host, dev, spec, o)
    o = o or {}
    check_dev(dev)
    local words, err = spec_words(spec)
    if not words then
        return nil, err
    end
    local steps
    steps, err = make_steps(dev, words, o)
    if not steps then
        return nil, err
    end
    local facts, before, open, undo, is_forced
    facts, err = lab._probe(host)
    if not facts then
        return nil, err
    end
    before, err = lab.qdiscs(host, dev, {stats = false})
    if not before then
        return nil, err
    end
    open, err = lab._journal_of(host, facts)
    if not open then
        return nil, err
    end
    undo, err, is_forced = plan_undo(open, before, dev, o.force)
    if not undo then
        lab._close_if_empty(open)
        err.message = host.name .. ": " .. err.message
        return nil, err
    end
    local entry = {what = "qdisc", target = dev, before = before, summary = summary(before), undo = undo,
                   after = spec .. (o.rate and (" under %s %s"):format(o.shaper or "htb", o.rate) or ""),
                   redo = steps, forced = is_forced, root = o.rate and (o.shaper or "htb") or words[1]}
    return lab._change(host, facts, entry, o.keep, function()
        for _, step in ipairs(steps) do
            local cmd = {label = "tc " .. dev, timeout_s = STEP_S, sudo = true}
            table.move(step.argv, 1, #step.argv, 1, cmd)
            local r, why, left = host:run(cmd)
            if not r and not (step.may_fail and left and left.exit_code == 2) then
                return explain(why, left, host, words[1])
            end
        end
        return true
    end)
end

-- Another rate for the htb that set_qdisc has put there: what is put back stays the same.
function lab._shape(host, dev, rate)
    local bps, err = lab.rate_bps(rate)
    if not bps then
        return nil, err
    end
    local cmd = with(tc("class", "change", "dev", dev, "parent", "1:", "classid", "1:1"), htb_words(rate, bps)).argv
    cmd.label, cmd.timeout_s, cmd.sudo = "tc " .. dev, STEP_S, true
    return host:run(cmd)
end

function lab._differs.qdisc(host, entry)
    local now = lab.qdiscs(host, entry.target, {stats = false})
    if not now then
        return "unknown"
    end
    return not entry.forced and not lab._tc_is_same(now, entry.before) and summary(now) or nil
end

-- Sample the statistics of a port's queue until the task ends.
function lab.watch_qdisc(host, dev, o)
    o = o or {}
    check_dev(dev)
    local list, is_json = lab.qdiscs(host, dev)
    if not list then
        return nil, is_json
    end
    -- The pause runs beside tc, so that its time does not add to the interval.
    local script = ([[while :; do sleep "$2" & tc %s -s qdisc show dev "$1" || exit
        echo ccalab-sample; wait $!; done]]):format(is_json and "-j" or "")
    return lab._start_up(host, {"sh", "-c", script, "sh", dev, ("%.3f"):format(o.interval or 0.1),
        label = ("qdisc %s %s"):format(host.name, dev),
        qdisc_samples = o.label or ("qdisc/%s/%s"):format(host.name, dev)})
end
