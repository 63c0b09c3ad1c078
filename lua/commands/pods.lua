-- `ccalab pods`: rented machines with a GPU.

local about = {
    name = "pods", help = "rented machines with a GPU: prices, start, stop, what they cost",
    usage = "[list|offers|up|stop|down|ssh|guard] [NAME] [OPTIONS]",
    flags = {{"--gpu", meta = "TEXT", many = true, help = "types with this in their name, in order of preference"},
             {"--memory", meta = "GB", number = true, help = "GPU memory at least"},
             {"--max-price", meta = "USD", number = true, help = "per hour and GPU"},
             {"--budget", meta = "USD", number = true, help = "up: what it may cost at most"},
             {"--hours", meta = "H", number = true, help = "up: stopped after so long (24)"},
             {"--idle", meta = "MIN", number = true, help = "up: stopped when the GPU idles so long (30; 0: never)"},
             {"--cloud", meta = "TIER", help = "SECURE or COMMUNITY"},
             {"--count", meta = "N", number = true, help = "GPUs (1)"},
             {"--volume", meta = "NAME", help = "network volume, mounted at /workspace"},
             {"--image", meta = "IMAGE", help = "container image with PyTorch and sshd"},
             {"--data-center", meta = "ID", many = true, help = "only there"},
             {"--identity", meta = "FILE", help = "private key to log in with"},
             {"--stop-at", meta = "T", number = true, help = "guard: seconds since 1970"},
             {"--yes", help = "up: do not ask; needs --budget"},
             {"--json", help = "list, offers: as JSON"}}}
local o = lab.args(about, arg)
if not o then
    return
end
local verb, name = o[1] or "list", o[2]

local function usage(message, hint)
    error({status = "usage", subsystem = "pods", message = message, hint = hint or "see ccalab pods --help"}, 0)
end

local function need_name()
    return name or usage("which pod?", ("ccalab pods %s NAME"):format(verb))
end

local function table_of(rows)
    local widths = {}
    for _, row in ipairs(rows) do
        for i, cell in ipairs(row) do
            widths[i] = math.max(widths[i] or 0, utf8.len(cell) or #cell)
        end
    end
    for _, row in ipairs(rows) do
        local out = {}
        for i, cell in ipairs(row) do
            out[i] = cell .. (" "):rep(widths[i] - (utf8.len(cell) or #cell))
        end
        print((table.concat(out, "  "):gsub("%s+$", "")))
    end
end

local verbs = {}

function verbs.list()
    local pods = assert(lab.pods())
    if o.json then
        return print(lab.json_encode(#pods > 0 and pods or lab.json_decode("[]")))
    elseif #pods == 0 then
        return print("no pods")
    end
    local rows, per_h = {{"NAME", "ID", "STATUS", "GPU", "USD/h", "SPENT", "STOPS IN", "WHERE"}}, 0
    for _, pod in ipairs(pods) do
        per_h = per_h + (pod.cost_per_h or 0)
        rows[#rows + 1] = {pod.name, pod.id, pod.status, pod.gpu or "-", ("%.2f"):format(pod.cost_per_h or 0),
            pod.spent_usd and ("%.2f"):format(pod.spent_usd) or "-",
            pod.stop_in_s and ("%.1f h"):format(pod.stop_in_s / 3600) or "-", pod.data_center or "-"}
    end
    table_of(rows)
    print(("%.2f USD per hour in all"):format(per_h))
end

function verbs.offers()
    local offers = assert(lab.pod_offers{gpu = o.gpu, memory_gb = o.memory, max_price = o.max_price,
                                         cloud = o.cloud, count = o.count})
    if o.json then
        return print(lab.json_encode(#offers > 0 and offers or lab.json_decode("[]")))
    end
    local rows = {{"GPU", "GB", "USD/h", "FREE", "WHERE"}}
    for _, offer in ipairs(offers) do
        rows[#rows + 1] = {offer.id, ("%.0f"):format(offer.memory_gb), ("%.2f"):format(offer.price_per_h),
            offer.availability:lower(), table.concat(offer.data_centers, " ")}
    end
    table_of(rows)
end

function verbs.up()
    local pod = assert(lab.pod{name = name, gpu = o.gpu, memory_gb = o.memory, max_price = o.max_price,
        budget = o.budget, hours = o.hours, idle_min = o.idle, cloud = o.cloud, count = o.count,
        volume = o.volume, image = o.image, data_centers = o.data_center, identity = o.identity, yes = o.yes})
    print(("%s is up: ccalab train --host %s ..., ccalab pods ssh %s, ccalab pods stop %s"):format(pod.name,
        pod.name, pod.name, pod.name))
end

function verbs.stop()
    assert(lab._pod_stop(need_name()))
    print(name .. " is stopped; its network volume keeps what is on it")
end

function verbs.down()
    local yes = lab.confirm(("Give back %s for good? What is not on a network volume is lost."):format(need_name()), o)
    if not yes then
        usage(name .. " is left as it is", "--yes says yes beforehand")
    end
    assert(lab._pod_stop(name, true))
    print(name .. " is given back")
end

-- What to type: a command of ours has no terminal of its own.
function verbs.ssh()
    for _, pod in ipairs(assert(lab.pods())) do
        if pod.name == need_name() or pod.id == name then
            if not pod.ssh then
                usage(("%s is %s: it cannot be logged in to"):format(name, pod.status:lower()))
            end
            return print(("ssh -p %d -o UserKnownHostsFile=%s/pods/%s.known_hosts %s%s@%s"):format(pod.ssh.port,
                lab._state_dir(), pod.id, o.identity and ("-i %s "):format(o.identity) or "", pod.ssh.user,
                pod.ssh.host))
        end
    end
    usage("there is no pod " .. need_name(), "see ccalab pods list")
end

function verbs.guard()
    assert(lab._pod_guard(need_name(), o.stop_at or usage("--stop-at?")))
end

if not verbs[verb] then
    local near = lab.did_you_mean(verb, lab._sorted_keys(verbs))
    usage("pods cannot " .. verb, near and ("did you mean %s?"):format(near))
end
verbs[verb]()
