-- Flows of this machine that a policy drives (drive.md).

local flags = {"interval", "ect", "report", "target-return-scale", "max-flows", "cwnd-min", "cwnd-max",
               "lua-budget", "threads"}

local known = {policy = true, label = true, fifo = true, awake = true}
for _, flag in ipairs(flags) do
    known[flag:gsub("-", "_")] = true
end

-- Start `netllm drive`: from then on every flow of this machine's hosts may ask for the congestion
-- control "netllm", until the job is finished or the task ends.
function lab.drive(o)
    lab._check_keys(o, lab._sorted_keys(known), "lab.drive")
    if type(o.policy) ~= "string" then
        error("lab.drive: `policy` must be a string, as of `netllm drive --help`", 2)
    end
    local program, err = lab.program("netllm")
    if not program then
        return nil, err
    end
    local cmd = {program, "drive", o.policy, label = o.label or "drive", events = true}
    for _, flag in ipairs(flags) do
        local value = o[flag:gsub("-", "_")]
        if value ~= nil then
            cmd[#cmd + 1] = "--" .. flag
            cmd[#cmd + 1] = tostring(value)
        end
    end
    if o.fifo == false then
        cmd[#cmd + 1] = "--no-fifo"
    end
    if o.awake then
        cmd[#cmd + 1] = "--awake"
    end
    local job
    job, err = lab.localhost:start(cmd)
    if not job then
        return nil, err
    end
    local up
    up, err = job:wait_up(300) -- a large policy has to be read
    if not up then
        job:cancel()
        return nil, err
    end
    return job
end
