-- Flows that a policy drives, of this machine or of another (drive.md).

local flags = {"interval", "ect", "report", "target-return-scale", "explore", "seed", "advisor", "max-flows",
               "cwnd-min", "cwnd-max", "lua-budget", "threads"}

local known = {policy = true, label = true, fifo = true, awake = true, host = true}
for _, flag in ipairs(flags) do
    known[flag:gsub("-", "_")] = true
end

-- A job that decides windows. What it has not itself is the job's: drive:finish() is job:finish().
local Drive = {}
lab._classes.Drive = Drive
local newest -- the Drive started last: one netllm drive runs on a machine at a time

function Drive.__index(drive, key)
    if Drive[key] ~= nil then
        return Drive[key]
    end
    local method = rawget(drive, "job")[key]
    return method and function(_, ...)
        if key == "finish" and newest == drive then
            newest = nil -- its process takes a moment to end, and is not what the console's keys aim
        end
        return method(drive.job, ...)
    end
end

function Drive.__close(drive)
    drive.job:cancel()
end

local TARGET_MAX = 1e6 -- as of --target-return-scale

-- Aim at another return from here on.
function Drive:aim(scale)
    if type(scale) ~= "number" or not (math.abs(scale) <= TARGET_MAX) then
        error("drive:aim: a number is needed, the return as a share of the largest of the training", 2)
    end
    if not self.target then
        return lab.failure("usage", "drive", self.policy .. " aims at no return")
    end
    local line = lab.json_encode{target_return_scale = scale}
    local ok, err = lab._drive_there.say(self.job, line)
    if not ok and not err then
        ok, err = self.job:write(line .. "\n")
    end
    if not ok then
        return nil, err
    end
    self.target = scale
    return true
end

-- What the screen Runs asks: aim so much higher, or lower.
function lab._screen.aim(by)
    if not newest or not newest.job:is_running() then
        error(select(2, lab.failure("usage", "drive", "nothing is driven from here")), 0)
    end
    local to = math.max(0, math.floor(((newest.target or 0) + by) * 100 + 0.5) / 100)
    local ok, err = newest:aim(to)
    return ok and {target = to} or error(err, 0)
end

local function words_of(o)
    local cmd = lab._add_flags({"drive", o.policy, label = o.label or "drive", events = true}, o, flags)
    if o.fifo == false then
        cmd[#cmd + 1] = "--no-fifo"
    end
    if o.awake then
        cmd[#cmd + 1] = "--awake"
    end
    return cmd
end

-- Here, or in a namespace of this machine. Returns the job, and what `up` said.
local function start_here(host, cmd)
    local program, err = lab.program("netllm")
    if not program then
        return nil, err
    end
    table.insert(cmd, 1, program)
    cmd.input = true
    local job, up
    job, err = host:start(cmd)
    if not job then
        return nil, err
    end
    up, err = job:wait_up(300) -- a large policy has to be read
    if not up then
        job:cancel()
        return nil, err
    end
    return job, up
end

-- Start `netllm drive`: from then on every flow of the host's machine may ask for the congestion
-- control "netllm", until the job is finished or the task ends.
function lab.drive(o)
    lab._check_keys(o, lab._sorted_keys(known), "lab.drive")
    if type(o.policy) ~= "string" then
        error("lab.drive: `policy` must be a string, as of `netllm drive --help`", 2)
    end
    local job, up, undo
    if o.host and o.host.kind == "ssh" then
        job, undo, up = lab._drive_there.start(o.host, o, words_of)
    else
        job, up = start_here(o.host or lab.localhost, words_of(o))
    end
    if not job then
        return nil, undo or up
    end
    local target = up.target_return_scale
    newest = setmetatable({job = job, policy = o.policy, target = target ~= lab.null and target or nil}, Drive)
    return newest, undo
end

-- How well the window follows the decisions: of the sampled windows of the flow `label` those that were
-- decided just before, {sampled=, agree=, decisions=}. A decision holds from the next ACK on, and until the one after
-- it. `samples` are a record's, of a drive with report = "0". Fails: nothing was decided.
function lab._drive_follow(samples, label)
    local decided_t, decided = {}, nil
    for _, name in ipairs(samples:names()) do
        if name:find("^drive_.*/wanted_pkts$") then -- of several flows the one with the most decisions
            local t, v = samples:values(name)
            if #t > #decided_t then
                decided_t, decided = t, v
            end
        end
    end
    if not decided then
        return lab.failure("failed", "drive", "no decisions were reported")
    end
    local seen_t, seen = samples:values(label .. "/cwnd_pkts")
    local out, first = {sampled = 0, agree = 0, decisions = #decided_t}, 1
    for i, t in ipairs(seen_t or {}) do
        while decided_t[first] and decided_t[first] < t - 0.1 do
            first = first + 1
        end
        local k, is_same = first, false
        while decided_t[k] and decided_t[k] < t + 0.02 do
            is_same = is_same or decided[k] and seen[i] and math.abs(decided[k] - seen[i]) <= 1
            k = k + 1
        end
        if seen[i] and t > decided_t[1] + 0.1 and t < decided_t[#decided_t] then
            out.sampled, out.agree = out.sampled + 1, out.agree + (is_same and 1 or 0)
        end
    end
    return out
end
