-- The laboratory: hosts, the virtual lab, flows, captures, pools and the policy. All of it is jobs on
-- hosts; what they measure goes to the plots and the run record by itself.
--
-- A function that can fail returns nil and an error table {status, subsystem, message, hint}; wrap
-- it in assert() to stop the script with that error.

local ccalab = assert(lab.program("ccalab"))

-- lab.localhost: the machine the console runs on.
lab.localhost = lab._open_host{name = "local"}

-- Start a job and wait until it is up; then it. Else nil and an error.
function lab._start_up(host, cmd)
    local job, err = host:start(cmd)
    if not job then
        return nil, err
    end
    local up
    up, err = job:wait_up(15)
    if not up then
        job:cancel()
        return nil, err
    end
    return job
end

-- Append to the command `cmd` "--name value" for every entry of `flags` that `o` has a value for.
function lab._add_flags(cmd, o, flags)
    for _, flag in ipairs(flags) do
        local value = o[flag:gsub("-", "_")]
        if value ~= nil then
            cmd[#cmd + 1] = "--" .. flag
            cmd[#cmd + 1] = tostring(value)
        end
    end
    return cmd
end
local add_flags = lab._add_flags

-- The virtual lab ---------------------------------------------------------------------------------

local Testbed = {}
Testbed.__index, lab._classes.Testbed = Testbed, Testbed

-- Append `o` as flags, in a fixed order: every key is handed on, so that what this build does not know
-- is refused by `testbed keep` and not passed over. true is a flag without a value.
local function add_testbed_flags(cmd, o)
    for _, key in ipairs(lab._sorted_keys(o)) do
        local value = o[key]
        if type(value) == "table" then
            value = lab.json_encode(value)
        end
        if value ~= false then
            cmd[#cmd + 1] = "--" .. key:gsub("_", "-")
            cmd[#cmd + 1] = value ~= true and tostring(value) or nil
        end
    end
    return cmd
end

-- The virtual lab: network namespaces with an emulated bottleneck, kept up by a service of the task.
-- A topology may be a table, such as
--   {hosts = {{name = "a", role = "client", delay = "5ms"}, {name = "s", role = "server"}},
--    routers = {{name = "r1", rate = "50mbit"}, {name = "r2", rate = "20mbit", aqm = "codel ecn"}}}
function lab.testbed(o)
    local job, err = lab.localhost:start(add_testbed_flags(
        {ccalab, "testbed", "keep", "--owner", tostring(lab.pid), label = "testbed", events = true,
         service = true, grace_s = 5}, o or {}))
    if not job then
        return nil, err
    end
    local up, left
    up, err, left = job:wait_up(30)
    if not up then
        return nil, err, left
    end
    local bed = setmetatable({job = job, name = up.name, prague = up.prague, ccs = up.ccs,
                              rung = up.rung, link = up.link, egress = up.router.egress,
                              routers = up.routers, ssh_config = up.ssh_config, hosts = {},
                              roles = {}}, Testbed)
    local bin = {} -- a router's own tc, which speaks of its bottleneck
    for _, router in ipairs(up.routers) do
        bin[router.name] = router.bin
    end
    for _, name in ipairs(up.names) do
        local h = up.hosts[name]
        local host = lab._open_host{name = name, netns = h.netns, userns = h.userns,
                                   address = h.address, bin = bin[name]}
        bed.hosts[#bed.hosts + 1] = host
        bed.hosts[name], bed.roles[name] = host, h.role
        if bed[name] == nil then -- a host may have the name of one of the fields
            bed[name] = host
        end
    end
    return bed
end

local function steer(bed, verb, o, words)
    local cmd = {ccalab, "testbed", verb, "--name", bed.name, label = "testbed " .. verb}
    if o.router then
        cmd[#cmd + 1] = "--router"
        cmd[#cmd + 1] = o.router
    end
    for _, word in ipairs(words) do
        cmd[#cmd + 1] = word
    end
    local r, err, left = lab.localhost:run(cmd)
    if not r and left and left.err then -- the command says what is wrong and, below, what helps
        err.message = left.err:match("^[^\n]+") or err.message
        err.hint = left.err:match("hint: ([^\n]+)") or err.hint
    end
    return r, err, left
end

-- Change a bottleneck while it runs; both directions of the first router unless others are named.
function Testbed:set(o)
    local words = {}
    for key, value in pairs(o) do
        if key == "direction" then
            words[#words + 1] = "--" .. value
        elseif key == "paths" then
            for host, delay in pairs(value) do
                words[#words + 1] = ("path.%s=%s"):format(host, delay)
            end
        elseif key ~= "router" then
            words[#words + 1] = ("%s=%s"):format(key, value)
        end
    end
    table.sort(words)
    local r, err, left = steer(self, "set", o, words)
    if not r then
        return nil, err, left
    end
    return true
end

-- What a bottleneck does now (docs/link.md).
function Testbed:get(o)
    local r, err, left = steer(self, "get", o or {}, {"--json"})
    if not r then
        return nil, err, left
    end
    return lab.json_decode(r.out)
end

-- Take the lab down and wait until it is. bed.totals has the totals of all bottlenecks, by router.
function Testbed:down()
    local result, err = self.job:finish()
    for _, host in ipairs(self.hosts) do
        host:_set_up(false)
    end
    if not result then
        return nil, err
    end
    self.totals = result.data and result.data.links or {}
    return result.data and result.data.link or {}
end

-- What `ccalab testbed doctor --quick` tells.
function lab.machine()
    local r, err = lab.localhost:run{ccalab, "testbed", "doctor", "--json", "--quick",
                                     label = "doctor"}
    if not r then
        return nil, err
    end
    return lab.json_decode(r.out)
end

-- The policy --------------------------------------------------------------------------------------

local function netllm(cmd)
    local program, err = lab.program("netllm")
    if not program then
        return nil, err
    end
    table.insert(cmd, 1, program)
    cmd.events = true
    local r
    r, err = (cmd.host or lab.localhost):run(cmd)
    if not r then
        return nil, err
    end
    return r.data
end

-- An experience pool, an episode a flow (docs/netllm.md).
function lab.pool(o)
    local cmd = {"pool", "build", "--recipe", o.recipe or "lab", "-o", o.out, label = "pool"}
    for _, file in ipairs(o.files) do
        cmd[#cmd + 1] = file
    end
    return netllm(cmd)
end

-- Options of `netllm adapt`; a script's have underscores for the dashes.
lab._adapt_flags = {"num-epochs", "lr", "rank", "w", "gamma", "scale", "seed", "batch-size",
    "grad-accum-steps", "warmup-steps", "warmup-fraction", "weight-decay", "plm-config", "plm-path",
    "random-init", "sample-step", "state-feature-dim", "which-layer", "threads", "workers", "horizon",
    "label-clip", "loss", "bins", "decision", "lora-targets", "base-dtype", "patience",
    "eval-per-epoch", "save-checkpoint-per-epoch", "save-per-steps", "device", "device-mid",
    "device-out", "devices"}

function lab._adapt_words(cmd, o)
    return add_flags(cmd, o, lab._adapt_flags)
end

-- Train the policy.
function lab.adapt(o)
    local cmd = {"adapt", "--exp-pool-path", o.pool, "--model-dir", o.dir, label = "adapt", host = o.host}
    cmd[#cmd + 1] = o.resume and "--resume" or nil
    return netllm(lab._adapt_words(add_flags(cmd, o, {"start-from"}), o))
end

lab._distill_flags = {"rows", "hidden", "num-epochs", "lr", "seed", "threads"}

-- Teach a small network to answer as the policy does, for driving (docs/drive.md).
function lab.distill(o)
    return netllm(add_flags({"distill", "--exp-pool-path", o.pool, "--model-dir", o.dir, "-o", o.out,
        label = "distill", host = o.host}, o, lab._distill_flags))
end

-- Would `netllm adapt` or `netllm distill` take these options? It is asked itself, and trains nothing.
function lab._try_netllm(command, o, names)
    return netllm(add_flags({command, "--dry-run", label = command}, o, names))
end

-- Score the trained policy on the held-out part of the pool.
function lab.test(o)
    return netllm(add_flags({"test", "--exp-pool-path", o.pool, "--model-dir", o.dir,
        label = "test", host = o.host}, o, {"threads"}))
end

-- Checks ------------------------------------------------------------------------------------------

local Checks = {}
Checks.__index, lab._classes.Checks = Checks, Checks

-- A list of named checks; ok = nil means that it could not be told.
function lab.checks()
    return setmetatable({list = {}, said = {}, failed = 0}, Checks)
end

function Checks:add(c)
    local mark = c.ok == nil and "?   " or c.ok and "ok  " or "FAIL"
    self.list[#self.list + 1] = c
    if c.ok == false then
        self.failed = self.failed + 1
    end
    self.said[#self.said + 1] = {name = c.name, seen = c.seen, want = c.want, fix = c.fix,
                                 verdict = c.ok == nil and "unknown" or c.ok and "pass" or "fail"}
    lab._publish_checks("script", "all", self.said)
    print(("  %s %s: %s"):format(mark, c.name, c.seen or "-"))
    if c.ok == false then
        print(("       wanted: %s"):format(c.want or "-"))
        if c.fix then
            print(("       to fix: %s"):format(c.fix))
        end
    end
    return c.ok
end

-- A kernel parameter, as text.
function lab.sysctl(host, name)
    local r, err = host:run{"cat", "/proc/sys/" .. name:gsub("%.", "/"), label = "sysctl"}
    if not r then
        return nil, err
    end
    return (r.out:gsub("%s+$", ""))
end

-- Machines over SSH -------------------------------------------------------------------------------

local ssh_options = {name = true, host = true, port = true, user = true, identity = true,
                     known_hosts = true, config = true, address = true, accept_new = true,
                     connect_s = true, idle_s = true, ask = true}

local ssh_opened = {} -- by name: the options of the first time

-- Of an SSH host, what it takes to reach it again: options without secrets. The journal of changes has
-- it.
function lab._ssh_options(host)
    local copy = {}
    for key, value in pairs(ssh_opened[host.name] or {}) do
        if key ~= "ask" then
            copy[key] = value
        end
    end
    return copy
end

-- A machine over SSH, connected; the same name gives the same host, connected anew if need be.
function lab.ssh(o)
    lab._check_keys(o, lab._sorted_keys(ssh_options), "lab.ssh")
    local name = o.name or o.host
    ssh_opened[name] = ssh_opened[name] or o
    return lab._open_ssh(o)
end

-- Jobs that outlive the console -------------------------------------------------------------------

local job_list = [[
j=${XDG_CACHE_HOME:-$HOME/.cache}/ccalab/jobs
cd "$j" 2>/dev/null || exit 0
for d in *; do
    test -f "$d/label" || continue
    s=gone; p=; l=
    if test -e "$d/exit"; then s=$(cat "$d/exit")
    elif { read -r p b <"$d/pid" && read -r l <"/proc/$p/stat" && l=${l##*) } && set -- $l &&
        test "${20}" = "$b"; } 2>/dev/null; then s=runs; fi
    printf '%s\t%s\t%s\t%s\t%s\t' "$d" "$s" "$(cat "$d/began")" $(($(wc -c <"$d/out"))) \
        $(($(wc -c <"$d/err")))
    tr '\n\t' '  ' <"$d/label"; echo
done]]

-- host:jobs(): the detached jobs that are on the host, running or not yet collected, as a list of {id=,
-- label=, state= "runs", "ended" or "gone" (with the host's last start), began= (seconds since 1970),
-- exit_code= (128 and more: by a signal), out_bytes=, err_bytes=}.
getmetatable(lab.localhost).methods.jobs = function(host)
    local r, err = host:run{"sh", "-c", job_list, label = "jobs"}
    if not r then
        return nil, err
    end
    local jobs = {}
    for id, state, began, out, errors, label in
        r.out:gmatch("([^\t\n]*)\t([^\t\n]*)\t(%d*)\t(%d+)\t(%d+)\t([^\n]*)\n") do
        jobs[#jobs + 1] = {id = id, label = label, began = tonumber(began),
                           state = tonumber(state) and "ended" or state,
                           exit_code = tonumber(state), out_bytes = tonumber(out),
                           err_bytes = tonumber(errors)}
    end
    return jobs
end
