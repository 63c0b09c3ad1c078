-- Runs: several flows at once between hosts of any kind, sampled, probed, and recorded (docs/run.md).

local IPERF3_MIN, STREAM_MIN = 302, 317 -- iperf3 with --forceflush (3.2); with --json-stream (3.17)
local LATE_S = 30                       -- a client may need this much longer than its traffic

local outcome = lab._run_result

local FLOW = {"client", "server", "cc", "start", "seconds", "port", "ecn", "parallel", "label",
              "reverse", "interval", "save"}
local RUN = {"record", "name", "probes", "sample", "progress", "at"}

local function failure(status, message, hint)
    return lab.failure(status, "run", message, hint)
end

-- What is asked for ------------------------------------------------------------------------------

-- Raise, at the caller of lab.run, for a named option that is none. Its numbered ones are the flows.
local function check_named(o, names, what)
    local named = {}
    for key, value in pairs(o) do
        if type(key) ~= "number" then
            named[key] = value
        end
    end
    lab._check_keys(named, names, what, 5)
end

local function check_integer(f, key, min, max)
    local value = math.tointeger(f[key])
    if f[key] ~= nil and not (value and value >= min and value <= max) then
        error(("flow %s: %s is a whole number from %d to %d"):format(f.label, key, min, max), 0)
    end
    f[key] = value
end

-- The flows with their defaults, as tables of our own; misuse raises.
local function read_flows(o)
    local both = table.move(FLOW, 1, #FLOW, #RUN + 1, table.move(RUN, 1, #RUN, 1, {}))
    local flows, labels, ecn = {}, {}, {}
    check_named(o, both, "lab.run")
    if #o == 0 then
        error("lab.run: no flows: lab.run{{client = ..., server = ...}, ...}", 0)
    end
    for i, given in ipairs(o) do
        check_named(given, FLOW, ("lab.run: flow %d"):format(i))
        local f = {cc = "cubic", start = 0, seconds = 20, interval = 0.1, parallel = 1}
        for _, key in ipairs(FLOW) do
            if given[key] ~= nil then
                f[key] = given[key]
            elseif o[key] ~= nil then
                f[key] = o[key]
            end
        end
        if not f.client or not f.server then
            error(("lab.run: flow %d needs a client and a server"):format(i), 0)
        end
        local label, n = f.label or f.client.name, 1
        while labels[label] do -- of several flows without a label of their own
            n = n + 1
            label = ("%s-%d"):format(f.label or f.client.name, n)
        end
        if not label:match("^[%w_][%w_.%-]*$") or #label > 64 then
            error(("lab.run: the label '%s' is to name files: letters, digits, '_', '-', '.'"):format(
                label), 0)
        end
        f.label, labels[label] = label, true
        check_integer(f, "seconds", 1, 86400)
        check_integer(f, "parallel", 1, 128)
        check_integer(f, "port", 1, 65535)
        if f.interval < 0.1 or f.interval > 60 then
            error(("flow %s: iperf3 reports every 0.1 to 60 s"):format(label), 0)
        end
        if f.ecn ~= nil then
            f.ecn = f.ecn == true and 1 or f.ecn == false and 0 or f.ecn
            check_integer(f, "ecn", 0, 5)
            local name = f.client.name
            if ecn[name] and ecn[name] ~= f.ecn then
                error(("lab.run: %s has one tcp_ecn: %d and %d cannot both be"):format(name,
                    ecn[name], f.ecn), 0)
            end
            ecn[name] = f.ecn
        end
        f.sender = f.reverse and f.server or f.client
        flows[i] = f
    end
    return flows
end

-- Hosts --------------------------------------------------------------------------------------------

-- Every host that takes part, once, in order.
local function hosts_of(flows)
    local hosts, seen = {}, {}
    for _, f in ipairs(flows) do
        for _, host in ipairs{f.client, f.server} do
            if not seen[host.name] then
                seen[host.name] = true
                hosts[#hosts + 1] = host
            end
        end
    end
    return hosts
end

-- fn(host) on all of them side by side: results by name, or nil, err.
local function on_all(hosts, fn)
    local functions, by_name = {}, {}
    for i, host in ipairs(hosts) do
        functions[i] = function() return fn(host) end
    end
    local results, err = lab.all(functions)
    if not results then
        return nil, err
    end
    for i, host in ipairs(hosts) do
        by_name[host.name] = results[i]
    end
    return by_name
end

-- 312 of "3.12", 309 of "3.9"
local function version_number(version)
    local major, minor = version:match("(%d+)%.(%d+)")
    return tonumber(major) * 100 + tonumber(minor)
end

-- The version of a host's iperf3, "3.12".
local function iperf3_version(host)
    local r, err = host:run{"iperf3", "--version", label = "iperf3 version", timeout_s = 15}
    if not r and err.status == "unavailable" then
        return failure("unavailable", "iperf3 is not installed on " .. host.name,
                       ("on %s: apt-get install iperf3"):format(host.name))
    elseif not r and err.status ~= "host" then
        return nil, err
    end
    local text = r and r.out or ""
    local version = text:match("iperf (%d+%.%d+)")
    if not version or version_number(version) < IPERF3_MIN then
        return failure("unavailable", ("the iperf3 of %s is too old: %s"):format(host.name,
            text:match("iperf [%w.]+") or "it does not tell its version"),
            "3.2 or later is needed (-C, --json, --forceflush): apt-get install iperf3")
    end
    return version
end

-- How far the host's clock is from ours: {offset_s=, error_s=}, at most error_s off.
local function clock_of(host)
    if host.kind ~= "ssh" then
        return {offset_s = 0, error_s = 0}
    end
    local best = {}
    for _ = 1, 3 do
        local t0 = lab.now()
        local r = host:run{"date", "+%s.%N", label = "clock", timeout_s = 10}
        local t1, there = lab.now(), r and tonumber((r.out:gsub("%s", "")))
        if there and (not best.error_s or (t1 - t0) / 2 < best.error_s) then
            best = {offset_s = there - (t0 + t1) / 2, error_s = (t1 - t0) / 2}
        end
    end
    return best
end

-- Set tcp_ecn of the clients that ask for it. Returns what puts it back when it is closed, and an error.
local function set_ecn(flows)
    local undo, done = {}, {}
    local guard = setmetatable({}, {__close = function()
        for _, fn in ipairs(undo) do -- what is not done in time, the end of the script does
            fn()
        end
    end})
    for _, f in ipairs(flows) do
        if f.ecn and not done[f.client.name] then
            done[f.client.name] = true
            local ok, more = lab.set_sysctl(f.client, "net.ipv4.tcp_ecn", f.ecn)
            if not ok then
                return guard, more
            end
            undo[#undo + 1] = more
        end
    end
    return guard
end

-- Servers ------------------------------------------------------------------------------------------

local taken = {} -- by host and port: servers of ours that run

-- Start the flow's server, on a free port where none was asked for. Sets f.port and f.listener.
local function start_server(f)
    local port, tries = f.port or 5201, f.port and 1 or 100
    for _ = 1, tries do
        local key = f.server.name .. " " .. port
        if not taken[key] or f.port then
            local job, err = f.server:start{"iperf3", "-s", "-1", "--forceflush", "-p", port,
                label = ("iperf3 server %s:%d"):format(f.server.name, port), ready = "listening",
                timeout_s = f.start + f.seconds + 2 * LATE_S}
            if not job then
                return nil, err
            end
            local up, why, left = job:wait_up(15)
            if up then
                taken[key] = true
                f.port, f.listener, f.taken = port, job, key
                return true
            end
            job:cancel()
            local said = left and left.err or ""
            if not said:find("Address already in use", 1, true) then
                return nil, why
            elseif f.port then
                return failure("host", ("port %d of %s is in use"):format(port, f.server.name),
                    "leave out port= and a free one is chosen, or see who has it: ss -ltnp")
            end
        end
        port = port + 1
    end
    return failure("host", ("no free port from 5201 to %d on %s"):format(port - 1, f.server.name),
                   "ss -ltnp shows who has them")
end

local function stop_server(f)
    if f.listener then
        if f.text and not f.error then
            f.listener:wait(2) -- it ends by itself after its one client
        end
        f.listener:cancel()
        f.listener:wait()
        taken[f.taken] = nil
    end
end

-- Flows --------------------------------------------------------------------------------------------

local function client_command(f, version)
    local streams = version_number(version) >= STREAM_MIN
    local cmd = {"iperf3", "-c", f.server.address, "-p", f.port, "-C", f.cc, "-t", f.seconds, "-i",
                 f.interval, streams and "--json-stream" or "--json",
                 label = "iperf3 " .. f.label, timeout_s = f.seconds + LATE_S,
                 reader = streams and {kind = "iperf3", label = f.label} or nil}
    if f.parallel > 1 then
        table.move({"-P", f.parallel}, 1, 2, #cmd + 1, cmd)
    end
    if f.reverse then
        cmd[#cmd + 1] = "-R"
    end
    return cmd
end

-- What a client that failed has to say for itself: iperf3's own words where there are some.
local function client_error(f, err, text)
    if err.status == "host" and text and text ~= "" then
        local _, said = lab.iperf3_parse(text)
        err = said or err
    end
    err.message = ("%s: %s"):format(f.label, err.message)
    return err
end

-- Run one flow to its end. Sets f.started_s, f.ended_s, f.text; returns true, or nil, err.
local function run_flow(f, t0, version)
    local wait = t0 + f.start - lab.now()
    if wait > 0 then
        lab.sleep(wait)
    end
    if f.is_over then
        return failure("interrupted", f.label .. ": another flow had failed")
    end
    local err
    f.started_s = lab.now()
    f.job, err = f.client:start(client_command(f, version))
    if not f.job then
        return nil, client_error(f, err)
    end
    -- A server that goes away leaves a client that may wait for long.
    local lost
    local watch = lab.spawn(function()
        local done, why = f.listener:wait()
        if not done and f.job:is_running() then
            lost = why
            lab.sleep(2) -- the client may see it by itself, and say more
            f.job:finish()
        end
    end)
    local client, why, left = f.job:wait()
    watch:cancel()
    f.ended_s = lab.now()
    f.text = (client or left or {}).out
    if client then
        local _, parse_err = lab.iperf3_parse(f.text)
        if not parse_err then
            return true
        end
        why = parse_err
    end
    err = client_error(f, why, f.text)
    if not lost and not f.is_over then -- a lost host tells the client before it tells us
        local done, gone, unfinished = f.listener:wait(1)
        if not done and gone.status ~= "timeout" and ((unfinished or {}).exit_code or -1) < 0 then
            lost = gone
        end
    end
    if lost then
        err.message = ("%s: its server on %s went away: %s"):format(f.label, f.server.name,
            lost.message)
        err.hint = "was it stopped, or is the host lost?"
    elseif not f.listener:is_running() then -- it ended first, and may have said why
        local done, _, unfinished = f.listener:wait()
        local said = ((done or unfinished or {}).err or ""):match("iperf3: error %- (.-)%s*iperf3:")
        err.hint = said and ("the iperf3 on %s said: %s"):format(f.server.name, said) or err.hint
    elseif f.is_over then
        return failure("interrupted", f.label .. ": stopped, as another flow had failed")
    end
    return nil, err
end

-- Run all flows, and each {seconds, function} of `at` at its time. The first that fails stops the
-- others: what is left would be another experiment.
local function run_flows(flows, versions, at)
    local t0, tasks, failed, deeds = lab.now() + 0.05, {}, nil, {}
    for i, f in ipairs(flows) do
        tasks[i] = lab.spawn(function()
            local ok, err = run_flow(f, t0, versions[f.client.name])
            f.error = not ok and err or nil
            if err and not failed then
                failed = err
                for _, other in ipairs(flows) do
                    other.is_over = true
                    if other.job and other.job:is_running() then
                        other.job:finish() -- SIGTERM: iperf3 tells how far it came
                    end
                end
            end
            return true
        end)
    end
    for i, deed in ipairs(at or {}) do
        deeds[i] = lab.spawn(function()
            lab.sleep(math.max(t0 + deed[1] - lab.now(), 0))
            return assert(deed[2]())
        end)
    end
    for i, task in ipairs(tasks) do
        local ok, err = task:join()
        if not ok then -- it raised
            flows[i].error, failed = err, failed or err
        end
    end
    for _, task in ipairs(deeds) do
        local is_due, err = task:join(0)
        if err and err.status ~= "timeout" then
            failed = failed or err
        elseif not is_due then -- the flows ended before
            task:cancel()
        end
    end
    return t0, failed
end

local function show_progress(flows)
    local total, t0 = 0, lab.now()
    for _, f in ipairs(flows) do
        total = math.max(total, f.start + f.seconds)
    end
    return lab.spawn(function()
        while true do
            local done = math.min(lab.now() - t0, total)
            lab.progress(done, total, ("%d flow%s, %.0f s left"):format(#flows,
                #flows == 1 and "" or "s", total - done))
            lab.sleep(0.5)
        end
    end)
end

-- The run ------------------------------------------------------------------------------------------

-- Begin to sample the flow's sockets. A run without samples is still a run: it is said, no more.
local function start_sampler(f, interval)
    local numeric = f.server.address:match("^[%d.]+$") or f.server.address:find(":", 1, true)
    local job, how = lab.sample_flows{host = f.sender, label = f.label, interval = interval,
        dport = not f.reverse and f.port or nil, sport = f.reverse and f.port or nil,
        peer = not f.reverse and numeric and f.server.address or nil}
    if job then
        f.sampler, f.sampler_how = job, how
    else
        f.sampler_error = how
        lab.log(("%s: its sockets cannot be sampled: %s"):format(f.label, how.message), "warn")
    end
end

local function start_probes(o, flows)
    local p = type(o.probes) == "table" and o.probes or {}
    local job, err = lab.probe_path{host = p.from or flows[1].client,
        to = p.to and p.to.address or flows[1].server.address, interval = p.interval}
    if not job and not o.probes then
        lab.log("no probes of the RTT: " .. err.message, "warn")
    end
    return job, err
end

local function facts_of(hosts)
    return on_all(hosts, function(host) return lab.facts(host) or {} end)
end

local function run(o, flows)
    local hosts, result = hosts_of(flows), {flows = {}, by_label = {}}
    local ok, err = outcome.plan(o, flows)
    if not ok then
        return nil, err
    end
    result.iperf3, err = on_all(hosts, iperf3_version)
    if not result.iperf3 then
        return nil, err
    end
    local facts, clocks = o.record and {before = facts_of(hosts)}, {before = on_all(hosts, clock_of)}
    local ecn <close>, ecn_err = set_ecn(flows)
    if ecn_err then
        return nil, ecn_err
    end
    for _, f in ipairs(flows) do
        ok, err = start_server(f)
        if not ok then
            break
        elseif o.sample ~= false then
            start_sampler(f, o.sample)
        end
    end
    local probe, failed
    if ok and o.probes ~= false then
        probe, result.probes_error = start_probes(o, flows)
        failed = o.probes and result.probes_error or nil
    end
    if ok and not failed then
        local ticker = o.progress ~= false and show_progress(flows)
        result.t0, failed = run_flows(flows, result.iperf3, o.at)
        if ticker then
            ticker:cancel()
        end
    end
    result.seconds = result.t0 and lab.now() - result.t0
    for _, f in ipairs(flows) do
        local sampled = f.sampler and f.sampler:finish()
        f.sampled = sampled and sampled.data
        stop_server(f)
    end
    if probe then
        local probed = probe:finish()
        result.probes = probed and probed.data
    end
    if not result.t0 then
        return nil, failed or err
    end
    for i, f in ipairs(flows) do
        result.flows[i] = outcome.of(f, result.t0, clocks.before)
        result.by_label[f.label] = result.flows[i]
        for _, path in ipairs{f.raw or f.save, f.raw and f.save} do
            ok, err = outcome.save_text(f, path)
            failed = failed or not ok and err or nil
        end
    end
    clocks.after = on_all(hosts, clock_of)
    if facts then
        facts.after = facts_of(hosts)
    end
    ok, err = outcome.keep(o, result, facts, clocks)
    failed = failed or not ok and err or nil
    if failed then
        return nil, failed, result
    end
    return result
end

-- Run flows side by side, each from its `start` on. What is given beside the flows is the default of all.
function lab.run(o)
    local flows = read_flows(o)
    return lab.spawn(run, o, flows):join() -- whatever ends it, its jobs end with it
end

-- One flow of lab.run{}, without probes.
function lab.iperf3(o)
    local r, err, left = lab.run{o, probes = false, progress = false}
    if not r then
        return nil, err, left and left.flows[1]
    end
    return r.flows[1]
end
