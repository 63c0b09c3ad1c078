-- Where the cells of the judge and of the teachers run: in virtual labs, one made for each, or on the machines
-- of a lab file, whose router gets the scenario's queue for the time of the cell (docs/judge.md).
--
-- A place has open(scenario), which gives a cell's `at`: {bed=, aqm=, set_rate(rate), drive(options of lab.drive),
-- idle_share(), close()}, and check(candidates, advisor). What fails raises.

local judge, scenarios = lab._judge, lab._scenario

local LINK_INTERVAL = "20ms" -- between samples of an emulated bottleneck: what the CDFs are made of
local WATCH_S = 0.05         -- and of a router's, which runs tc for each
-- What a scenario and its link may have to be had on machines.
local ON_HOSTS = {name = true, title = true, seconds = true, warmup_s = true, link = true, flows = true, score = true,
                  expect = true, axes = true}
local LINK_ON_HOSTS = {rate = true, rtt = true, aqm = true, buffer_bdp = true, steps = true}

-- Jiffies that the processors of `text`, a /proc/stat, had, and those they were idle.
local function processor_times(text)
    local all, idle, n = 0, 0, 0
    for number in (text:match("^cpu +([%d ]+)") or ""):gmatch("%d+") do
        n = n + 1
        if n <= 8 then -- guests are counted in user and nice already
            all = all + tonumber(number)
            idle = idle + ((n == 4 or n == 5) and tonumber(number) or 0)
        end
    end
    return {all = all, idle = idle}
end

local function idle_between(a, b)
    return b.all > a.all and (b.idle - a.idle) / (b.all - a.all) or nil
end

-- Virtual labs -------------------------------------------------------------------------------------

local Virtual = {}
Virtual.__index = Virtual

function Virtual:open(s)
    local aqm = scenarios.aqm_spec(s.link)
    local bed = assert(lab.testbed{name = self.name, rate = s.link.rate, rtt = s.link.rtt, aqm = aqm,
                                   burst = s.link.burst, interval = LINK_INTERVAL})
    if s.link.paths then
        assert(bed:set{paths = s.link.paths})
    end
    scenarios.rewrite_ecn(bed, s.rewrite)
    scenarios.lay_tunnel(bed, s.tunnel)
    local before
    return setmetatable({
        bed = bed, aqm = aqm,
        set_rate = function(rate) return bed:set{rate = rate} end,
        drive = function(o)
            local job = assert(lab.drive(o))
            return function() return assert(job:finish()).data end
        end,
        idle_share = function()
            local now = processor_times(lab.read_file("/proc/stat") or "")
            local share = before and idle_between(before, now)
            before = now
            return share
        end,
        close = function() return assert(bed:down()) end,
    }, {__close = function() end}) -- the lab of a cell that failed ends with its task
end

-- Can all candidates, and the advisor of driven ones, be had? Found out before an hour of cells, and not by
-- each of them.
function Virtual:check(list, advisor)
    local bed <const>, err = lab.testbed{name = self.name}
    if not bed then
        return nil, err
    end
    for _, who in ipairs(list) do
        if who.cc then
            local cc
            cc, err = scenarios.resolve_cc(bed, who.cc)
            if not cc then
                break
            end
        else
            local drive
            drive, err = lab.drive{policy = who.policy or "bdp:1mbit:1ms", advisor = advisor}
            if not drive then
                break
            end
            drive:finish()
        end
    end
    bed:down()
    if err then
        return nil, err
    end
    return true
end

-- The machines of a lab file -----------------------------------------------------------------------

local Hosts = {}
Hosts.__index = Hosts

-- The words for set_qdisc: the lab file's own where it names the same kind with more to it, and the shaper.
local function queue_of(link, s)
    local spec = scenarios.aqm_spec(s.link)
    if link.aqm and not spec:find(" ") and link.aqm:match("^%S+") == spec then
        spec = link.aqm
    end
    local is_own = lab.rate_bps(s.link.rate) == link.rate_bps and not s.link.steps and not link.shaper
    return spec, not is_own and {rate = s.link.rate, shaper = link.shaper or "htb"} or nil
end

-- Why these machines cannot be scenario `s`, as far as the lab file tells, or nil.
function judge.why_left_out(s, link, hosts)
    for _, part in ipairs{{s, ON_HOSTS}, {s.link, LINK_ON_HOSTS}} do
        for _, key in ipairs(lab._sorted_keys(part[1])) do
            if not part[2][key] then
                return ("'%s' takes the virtual lab"):format(key)
            end
        end
    end
    local rtt_us = 1e6 * scenarios.seconds(s.link.rtt)
    if math.abs(rtt_us - link.rtt_us) > 0.05 * link.rtt_us then
        return ("its round trip is %s, this lab's %s"):format(s.link.rtt, link.rtt)
    end
    local rates = {s.link.rate}
    for _, step in ipairs(s.link.steps or {}) do
        rates[#rates + 1] = step[2]
    end
    for _, rate in ipairs(rates) do
        if lab.rate_bps(rate) > link.rate_bps then
            return ("its rate is %s, this link's %s"):format(rate, link.rate)
        end
    end
    if s.link.steps and link.shaper == "tbf" then
        return "its rate steps, which tbf cannot without changing the queue below it"
    end
    for _, f in ipairs(s.flows) do
        if not hosts[f.host] then
            return "there is no " .. f.host
        end
    end
end

-- "bfifo limit 30000 under htb 24mbit": what the router's tc says that is there.
local function describe(list, shaper)
    local leaf = list[1]
    for _, q in ipairs(list) do
        leaf = not q.root and q or leaf
    end
    local words = {leaf and leaf.kind or "nothing"}
    for _, key in ipairs(leaf and lab._sorted_keys(leaf.options or {}) or {}) do
        local v = leaf.options[key]
        if type(v) == "number" then
            words[#words + 1] = ("%s %s"):format(key, math.type(v) == "float" and ("%g"):format(v) or v)
        elseif v == true then
            words[#words + 1] = key
        end
    end
    return table.concat(words, " ") .. (shaper and (" under %s %s"):format(shaper.shaper, shaper.rate) or ""), leaf
end

-- Give the router's port the scenario's queue. Returns {shaper=, aqm=, leaf=, put_back=}, or nil and an error.
local function set_queue(place, s)
    local bed = place.bed
    local spec, shaper = queue_of(place.link, s)
    local ok, put_back = lab.set_qdisc(bed.router, bed.egress, spec, shaper)
    if not ok then
        return nil, put_back
    end
    local list, err = lab.qdiscs(bed.router, bed.egress)
    if not list then
        put_back()
        return nil, err
    end
    local aqm, leaf = describe(list, shaper)
    return {shaper = shaper, aqm = aqm, leaf = leaf, put_back = put_back}
end

-- What left the queue since `before`, and what did not.
local function count_since(bed, before)
    local list = assert(lab.qdiscs(bed.router, bed.egress))
    local _, leaf = describe(list)
    local function grown(key)
        return leaf[key] and math.max(0, leaf[key] - (before[key] or 0))
    end
    return {out_pkts = grown("packets"), drop = grown("drops"), ecn_mark = grown("ecn_mark") or grown("marked")}
end

-- `netllm drive` on every kernel that a candidate's flow starts from; and on the server's, as both ends of a
-- connection have the same congestion control. Returns what ends them all and gives the account of the first
-- candidate's.
local function drive_on(place, s, o)
    local hosts, kernels, ends, taken_back = {}, {}, {}, {}
    local function add(host)
        local boot = place.facts[host.name].boot_id
        hosts[#hosts + 1] = not kernels[boot] and host or nil
        kernels[boot] = true
    end
    for _, f in ipairs(s.flows) do
        if f.cc == "*" then
            add(place.bed[f.host])
        end
    end
    local candidates = #hosts
    add(place.bed.server)
    for i = #hosts, 1, -1 do -- the first candidate's last: the console shows, and aims, what was started last
        local host = hosts[i]
        local with = i > candidates and {policy = "copy-last", report = "1s", label = "drive server"}
            or scenarios.copy(o)
        with.host = host
        local drive, undo = lab.drive(with)
        ends[i] = assert(drive, undo)
        if host.kind ~= "ssh" then -- lab.drive leaves this machine as it is
            undo = select(2, assert(lab._drive_there.add_rule(host)))
        end
        taken_back[i] = undo
    end
    return function()
        local account = assert(ends[1]:finish()).data
        for i = 2, #ends do
            assert(ends[i]:finish())
        end
        for _, undo in ipairs(taken_back) do
            assert(undo())
        end
        return account
    end
end

local function times_of(hosts)
    local functions = {}
    for i, host in ipairs(hosts) do
        functions[i] = function()
            return processor_times(assert(host:run{"cat", "/proc/stat", label = "stat", timeout_s = 10}).out)
        end
    end
    return assert(lab.all(functions))
end

function Hosts:open(s)
    local bed, before = self.bed, nil
    local queue = assert(set_queue(self, s))
    local at = {bed = bed, aqm = queue.aqm}
    local is_open = true
    local function put_back()
        if is_open then
            is_open = false
            assert(queue.put_back())
        end
    end
    -- A cell that fails must not leave its queue to the next one; of one that is interrupted the end of the
    -- script puts it back.
    setmetatable(at, {__close = function() pcall(put_back) end})
    local watch = assert(lab.watch_qdisc(bed.router, bed.egress, {label = "link/down", interval = WATCH_S}))
    function at.set_rate(rate)
        return lab._shape(bed.router, bed.egress, rate)
    end
    function at.drive(o)
        return drive_on(self, s, o)
    end
    function at.idle_share() -- of the busiest host
        local now, least = times_of(bed.hosts), nil
        for i, t in ipairs(now) do
            local share = before and idle_between(before[i], t)
            least = share and math.min(least or 1, share) or least
        end
        before = now
        return least
    end
    function at.close()
        watch:cancel()
        local totals = {is_late = false, is_hosts = true, down = count_since(bed, queue.leaf)}
        put_back()
        return totals
    end
    return at
end

function Hosts:check(list, advisor)
    local bed, s = self.bed, {flows = {{host = "client_x", cc = "*"}}}
    for _, who in ipairs(list) do
        local ok, err = true, nil
        if who.cc then
            for _, host in ipairs{bed.server, bed.client_x, bed.client_y} do
                ok, err = scenarios.resolve_cc({server = host, prague = bed.prague}, who.cc)
                if not ok then
                    err.message = ("%s: %s"):format(host.name, err.message)
                    return nil, err
                end
            end
        else
            ok, err = pcall(function()
                drive_on(self, s, {policy = who.policy or "bdp:1mbit:1ms", advisor = advisor})()
            end)
            if not ok then
                return nil, err
            end
        end
    end
    return true
end

-- Part the scenarios {label=, s=} into those that these machines can be, and {scenario=, why=}. A queue that the
-- router may not have is tried, unless `is_dry`.
function Hosts:part(list, is_dry)
    local can, cannot, tried = {}, {}, {}
    for _, one in ipairs(list) do
        local why = judge.why_left_out(one.s, self.link, self.bed)
        if not why and not is_dry then
            local _, shaper = queue_of(self.link, one.s)
            local key = one.s.link.aqm .. (shaper and " " .. shaper.shaper or "")
            if tried[key] == nil then
                local queue, err = set_queue(self, one.s)
                if queue then
                    assert(queue.put_back())
                elseif err.subsystem ~= "sudo" and err.message:find("failed with exit status", 1, true) then -- tc's word
                    lab.log(("%s: %s"):format(one.label, err.message), "warn")
                else
                    error(err, 0)
                end
                tried[key] = queue and "" or err.message .. (err.hint and " (" .. err.hint .. ")" or "")
            end
            why = tried[key] ~= "" and tried[key] or nil
        end
        if why then
            cannot[#cannot + 1] = {scenario = one.label, why = why}
        else
            can[#can + 1] = one
        end
    end
    return can, cannot
end

-- The shortest of some pings, in ms: is the path what the lab file says?
local function base_rtt(bed)
    local r = bed.client_x:run{"ping", "-n", "-c", 5, "-i", 0.2, "-W", 2, bed.server.address, label = "ping",
                               timeout_s = 15}
    return r and tonumber(r.out:match("= ([%d.]+)/"))
end

-- Places -------------------------------------------------------------------------------------------

-- Where cells run: o.lab is a lab file; without it virtual labs are made under the name o.testbed.
function judge.place(o)
    if not o.lab then
        return setmetatable({name = o.testbed, description = "virtual labs; queue and path emulated"}, Virtual)
    end
    local bed, err = lab.open_lab(o.lab, {partial = false})
    if not bed then
        return nil, err
    end
    for _, role in ipairs{"client_x", "router", "server"} do
        if not bed[role] then
            return lab.failure("usage", "judge", ("%s has no %s"):format(o.lab, role),
                               ("add: %s = ssh{host = \"...\"}"):format(role))
        end
    end
    if not bed.link.rate then
        return lab.failure("input", "judge", o.lab .. " does not say what the link is",
                           'add: link = {rate = "50mbit", rtt = "20ms"}')
    end
    local facts = {}
    for _, host in ipairs(bed.hosts) do
        facts[host.name], err = lab._probe(host)
        if not facts[host.name] then
            return nil, err
        end
    end
    local rtt = base_rtt(bed)
    local place = setmetatable({bed = bed, link = bed.link, facts = facts, file = o.lab}, Hosts)
    place.description = ("the machines of %s: link %s, base RTT %s (ping: %s); router with Linux %s, port %s"):format(
        o.lab, bed.link.rate, bed.link.rtt, rtt and ("%.1f ms"):format(rtt) or "no answer", facts.router.kernel,
        bed.egress)
    if rtt and math.abs(1e3 * rtt - bed.link.rtt_us) > math.max(1000, 0.1 * bed.link.rtt_us) then
        lab.log(("the base round trip is %.1f ms, %s says %s"):format(rtt, o.lab, bed.link.rtt), "warn")
    end
    return place
end
