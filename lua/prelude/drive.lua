-- Flows that a policy drives, of this machine or of another (drive.md).

local flags = {"interval", "ect", "report", "target-return-scale", "max-flows", "cwnd-min", "cwnd-max",
               "lua-budget", "threads"}

local known = {policy = true, label = true, fifo = true, host = true}
for _, flag in ipairs(flags) do
    known[flag:gsub("-", "_")] = true
end

local function words_of(o)
    local cmd = {"drive", o.policy, label = o.label or "drive", events = true}
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
    return cmd
end

-- Start `netllm drive`: from then on every flow of the host's machine may ask for the congestion
-- control "netllm", until the job is finished or the task ends.
function lab.drive(o)
    lab._check_keys(o, lab._sorted_keys(known), "lab.drive")
    if type(o.policy) ~= "string" then
        error("lab.drive: `policy` must be a string, as of `netllm drive --help`", 2)
    end
    local cmd, job, err = words_of(o), nil, nil
    if o.host and o.host.kind == "ssh" then
        return lab._drive_there.start(o.host, cmd, (o.ect or "ect1") == "ect1")
    end
    local program
    program, err = lab.program("netllm")
    if not program then
        return nil, err
    end
    table.insert(cmd, 1, program)
    job, err = (o.host or lab.localhost):start(cmd)
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
