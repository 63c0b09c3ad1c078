-- Laboratories of real machines: a lab file (docs/labfile.md) says which machine plays which part, and
-- what is opened from it has the shape of what lab.testbed{} gives, so that one script serves both.

local Lab = {}
Lab.__index, lab._classes.Lab = Lab, Lab

local function failure(status, message, hint)
    return lab.failure(status, "labfile", message, hint)
end

-- What every host is asked first: that it answers, who we are there, and what it is.
local PROBE = [[id -u; cat /proc/sys/kernel/random/boot_id; readlink /proc/self/ns/net
cat /proc/sys/kernel/osrelease /proc/sys/net/ipv4/tcp_available_congestion_control]]

-- lab._probe(host): {uid=, boot_id=, net=, kernel=, ccs=}: the user that commands run as there, what tells
-- the running system from any other (boot id, network namespace), its kernel and congestion controls.
function lab._probe(host)
    local r, err = host:run{"sh", "-c", PROBE, label = "probe " .. host.name, timeout_s = 10}
    if not r then
        return nil, err
    end
    local lines = {}
    for line in r.out:gmatch("[^\n]+") do
        lines[#lines + 1] = line
    end
    if not tonumber(lines[1]) or #lines < 5 then
        return failure("unavailable", host.name .. " does not answer as Linux does",
                       "the hosts of a lab are Linux machines with /proc")
    end
    return {uid = tonumber(lines[1]), boot_id = lines[2], net = lines[3], kernel = lines[4],
            ccs = lines[5]}
end

-- The host that a table with its kind describes, or nil, err.
function lab._host_of(h)
    local o = {}
    for key, value in pairs(h) do
        o[key] = value
    end
    o.kind = nil
    if h.kind == "ssh" then
        return lab.ssh(o)
    end
    return lab._open_host(o)
end

local function open_host(h)
    local host, err = lab._host_of(h)
    if not host then
        return nil, err
    end
    local facts
    facts, err = lab._probe(host)
    if not facts then
        return nil, err
    end
    return {host = host, facts = facts}
end

local SCALABLE = {{"prague", "TCP Prague (kernel)", "kernel"}, {"bpf_prague", "BPF Prague", "bpf"},
                  {"dctcp", "DCTCP (kernel)", "kernel"}, {"bpf_dctcp", "BPF DCTCP", "bpf"}}

-- The scalable congestion controls that all these hosts offer: both ends must, the receiver sends the
-- accurate feedback.
local function find_ccs(facts)
    local ccs = {}
    for _, c in ipairs(SCALABLE) do
        local everywhere = #facts > 0
        for _, f in ipairs(facts) do
            everywhere = everywhere and (" " .. f.ccs .. " "):find(" " .. c[1] .. " ", 1, true) ~= nil
        end
        if everywhere then
            ccs[#ccs + 1] = {cc = c[1], label = c[2], source = c[3]}
        end
    end
    return ccs
end

local function find_prague(ccs, path)
    for _, c in ipairs(ccs) do
        if c.cc:find("prague", 1, true) then
            return c
        end
    end
    return {reason = "client_x and server do not both offer prague",
            hint = ("ccalab doctor --lab %s says what is missing where"):format(path)}
end

-- The router's port towards the server, as the router itself would send.
local function find_egress(router, server)
    local r, err = router:run{"ip", "route", "get", server.address, label = "ip route get"}
    if not r then
        return nil, err
    end
    local dev = r.out:match("%sdev%s+(%S+)")
    if not dev then
        return failure("host", ("router has no route to the server's address %s"):format(
            server.address), "give the server's address in the lab: address = \"...\"")
    end
    return dev
end

local function complain(err)
    if err.mistakes and #err.mistakes > 1 then
        for _, mistake in ipairs(err.mistakes) do
            lab.log(mistake, "error")
        end
    end
    return nil, err
end

-- Tell whoever draws the lab, as the keeper of a virtual one does.
local function publish(bed)
    local data = {state = "up", name = bed.name:match("[^/]*$"), hosts = {}, names = {}, routers = {},
                  prague = bed.prague}
    for i, host in ipairs(bed.hosts) do
        data.names[i] = host.name
        data.hosts[host.name] = {role = host.name:match("^%a+"), address = host.address}
    end
    for i, router in ipairs(bed.routers) do
        data.routers[i] = {name = router.name, egress = router.egress, link = router.link}
    end
    lab._publish_lab(data)
end

-- Open the machines of a lab file, all side by side: each that cannot be reached is named, and none delays
-- the others. The result has the shape of what lab.testbed{} gives.
function lab.open_lab(path, o)
    o = o or {}
    local file, err = lab.read_labfile(path)
    if not file then
        return complain(err)
    end
    local wanted, known = {}, {}
    for _, h in ipairs(file.hosts) do
        known[h.name] = h
    end
    for _, role in ipairs(o.roles or {}) do
        if not known[role] then
            return failure("usage", ("%s has no %s"):format(path, role), "add: " .. role
                .. " = ssh{host = \"...\"}")
        end
        wanted[#wanted + 1] = known[role]
    end
    if not o.roles then
        wanted = file.hosts
    end

    local tasks = {}
    for i, h in ipairs(wanted) do
        tasks[i] = lab.spawn(open_host, h)
    end
    local bed = setmetatable({name = path, file = file, link = file.link or {}, hosts = {},
                              routers = {}, dead = {}}, Lab)
    local facts = {}
    for i, task in ipairs(tasks) do
        local opened, why = task:join()
        local name = wanted[i].name
        if opened then
            bed.hosts[#bed.hosts + 1] = opened.host
            bed.hosts[name], bed[name] = opened.host, opened.host
            facts[name] = opened.facts
        else
            bed.dead[#bed.dead + 1] = {name = name, error = why}
        end
    end
    if #bed.dead > 0 and not o.partial then
        local said = {}
        for _, d in ipairs(bed.dead) do
            said[#said + 1] = d.name .. ": " .. d.error.message
        end
        return failure(bed.dead[1].error.status, table.concat(said, "; "), bed.dead[1].error.hint)
    end
    bed.ccs = find_ccs({facts.client_x, facts.server})
    if not (facts.client_x and facts.server) then
        bed.ccs = {}
    end
    bed.prague = find_prague(bed.ccs, path)
    if bed.router and (bed.link.egress or bed.server) then
        bed.egress = bed.link.egress
        if not bed.egress then
            bed.egress, err = find_egress(bed.router, bed.server)
            if not bed.egress and not o.partial then -- the doctor says what is wrong there
                return nil, err
            end
        end
        bed.routers[1] = {name = "router", egress = bed.egress, link = bed.link}
    end
    publish(bed)
    return bed
end

-- Leave the machines as they were found. The router's port stands in place of an emulator's totals.
function Lab:down()
    local totals, err = {is_late = false, dev = self.egress}, nil
    if self.egress then
        totals.qdiscs, err = lab.qdiscs(self.router, self.egress)
        if not totals.qdiscs then
            return nil, err
        end
    end
    for _, host in ipairs(self.hosts) do
        local n
        n, err = lab.restore(host)
        if not n then
            return nil, err
        end
    end
    lab._publish_lab{state = "down"}
    return totals
end
