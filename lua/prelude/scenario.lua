-- Scenarios as data: reading and checking the files of labs/scenarios/, labs/judge/ and labs/collect/,
-- laying out their cells; and what is done to a lab to have one of them. The format is described in
-- docs/bench.md. Used by labs/scenario.lua, judge.lua and collect.lua.

local data = {}
lab._scenario = data

-- What can be expected of a run; "flow" where it is a flow's, "pair" where it compares two.
data.MEASURES = {
    rate_mbit = "flow", srtt_ms = "flow", retransmits = "flow", mark_ratio = "flow",
    cwnd_pkts = "flow", half_distance_mbit = "flow", power_mbit2_ms = "flow", ratio = "pair",
    cwnd_ratio = "pair", srtt_ratio = "pair", jain = "link", prob = "link",
    utilisation = "link", sojourn_l_p50_ms = "link", sojourn_l_p99_ms = "link",
    sojourn_c_p50_ms = "link", sojourn_c_p99_ms = "link", packets_l = "link", marks = "link",
    drops = "link", late_p99_us = "link",
}

-- The list of make(v) of each value: the points of an axis.
local function each(values, make)
    local list = {}
    for i, v in ipairs(values) do
        list[i] = make(v)
    end
    return list
end

function data.load(path)
    local text = assert(lab.read_file(path))
    -- Data and no program: nothing but ipairs and each can be reached.
    local chunk, why = load(text, "@" .. path, "t", {ipairs = ipairs, each = each})
    if not chunk then
        error({status = "syntax", subsystem = "scenario", message = why}, 0)
    end
    return chunk()
end

function data.files(directory)
    local found = assert(lab.localhost:run{"find", directory, "-name", "*.lua"})
    local files = {}
    for path in found.out:gmatch("[^\n]+") do
        files[#files + 1] = path
    end
    table.sort(files)
    return files
end

function data.copy(v)
    if type(v) ~= "table" then
        return v
    end
    local t = {}
    for key, value in pairs(v) do
        t[key] = data.copy(value)
    end
    return t
end

-- The cells of a scenario: one of each axis, laid over the base.
function data.cells(scenario)
    local cells = {{name = nil, s = data.copy(scenario)}}
    for _, axis in ipairs(scenario.axes or {}) do
        local next_cells = {}
        for _, cell in ipairs(cells) do
            for _, point in ipairs(axis) do
                local s = data.copy(cell.s)
                for key, value in pairs(point.link or {}) do
                    s.link[key] = data.copy(value)
                end
                s.flows = data.copy(point.flows) or s.flows
                for _, e in ipairs(point.expect or {}) do
                    s.expect[#s.expect + 1] = data.copy(e)
                end
                next_cells[#next_cells + 1] = {
                    name = cell.name and cell.name .. " " .. point.label or point.label, s = s}
            end
        end
        cells = next_cells
    end
    return cells
end

-- count = 4 becomes four flows of one group, each with its own label and port.
function data.flows(s)
    local flows = {}
    for _, f in ipairs(s.flows) do
        for i = 1, f.count or 1 do
            flows[#flows + 1] = {label = f.count and f.label .. i or f.label, group = f.label,
                host = f.host, cc = f.cc, start_s = f.start_s or 0, seconds = f.seconds,
                has_ecn = f.ecn ~= false, port = 5201 + #flows}
        end
    end
    return flows
end

-- Units -------------------------------------------------------------------------------------------

local RATE_UNITS = {kbit = 1e3, mbit = 1e6, gbit = 1e9}
local TIME_UNITS = {us = 1e-6, ms = 1e-3, s = 1}

local function quantity(text, units)
    local number, unit = text:match("^([%d.]+)(%a+)$")
    if not number or not units[unit] then
        error(("'%s' is no quantity of the scenario"):format(text), 0)
    end
    return tonumber(number) * units[unit]
end

-- "20ms" in seconds.
function data.seconds(text)
    return quantity(text, TIME_UNITS)
end

-- tc's words for a buffer of so many bandwidth-delay products: bytes for a FIFO, else packets.
function data.aqm_spec(link)
    if not link.buffer_bdp then
        return link.aqm
    end
    local bytes = quantity(link.rate, RATE_UNITS) * quantity(link.rtt, TIME_UNITS) / 8
        * link.buffer_bdp
    if link.aqm:find("^fifo") then
        return ("%s limit %db"):format(link.aqm, math.ceil(math.max(bytes, 3000)))
    end
    return ("%s limit %d"):format(link.aqm, math.ceil(math.max(bytes / 1500, 2)))
end

-- Bits that the bottleneck could have let through between two seconds of the scenario.
function data.capacity_bits(link, from_s, to_s)
    local steps = link.steps or {{0, link.rate}}
    local bits = 0
    for i, step in ipairs(steps) do
        local next_s = steps[i + 1] and steps[i + 1][1] or to_s
        local seconds = math.min(to_s, next_s) - math.max(from_s, step[1])
        bits = bits + math.max(0, seconds) * quantity(step[2], RATE_UNITS)
    end
    return bits
end

-- Make the scenario last so many seconds: every time in it keeps its share.
function data.stretch(scenario, seconds)
    local k = seconds / scenario.seconds
    local function stretch(s)
        for _, f in ipairs(s.flows or {}) do
            f.start_s = f.start_s and f.start_s * k
            f.seconds = f.seconds and f.seconds * k
        end
        for _, e in ipairs(s.expect or {}) do
            e.from_s, e.to_s = e.from_s and e.from_s * k, e.to_s and e.to_s * k
        end
        for _, step in ipairs(s.link and s.link.steps or {}) do
            step[1] = step[1] * k
        end
    end
    stretch(scenario)
    for _, axis in ipairs(scenario.axes or {}) do
        for _, point in ipairs(axis) do
            stretch(point)
        end
    end
    scenario.warmup_s, scenario.seconds = scenario.warmup_s * k, seconds
end

-- Checking ----------------------------------------------------------------------------------------

local HOSTS = {client_x = true, client_y = true, router = true, server = true}
local CELL_KEYS = {name = true, title = true, seconds = true, warmup_s = true, link = true,
                   flows = true, expect = true, rewrite = true, tunnel = true, axes = true, score = true}
local LINK_KEYS = {rate = true, rtt = true, aqm = true, buffer_bdp = true, steps = true,
                   paths = true, burst = true}

-- Is a cell (of data.cells()) complete, and is there nothing in it that nobody reads? True, or nil
-- and the reason.
function data.check(s)
    local function need(ok, ...)
        if not ok then
            error((...):format(select(2, ...)), 0)
        end
    end
    local ok, why = pcall(function()
        for key in pairs(s) do
            need(CELL_KEYS[key], "the field '%s' is unknown", key)
        end
        for key in pairs(s.link or {}) do
            need(LINK_KEYS[key], "the field 'link.%s' is unknown", key)
        end
        need(type(s.name) == "string" and s.name:find("^[%w-]+$"), "no proper name")
        need(type(s.title) == "string", "no title")
        need(type(s.seconds) == "number" and type(s.warmup_s) == "number"
            and s.warmup_s < s.seconds, "seconds and warmup_s do not fit")
        need(type(s.link) == "table" and type(s.link.aqm) == "string", "no link.aqm")
        quantity(s.link.rate, RATE_UNITS)
        quantity(s.link.rtt, TIME_UNITS)
        local labels = {}
        for _, f in ipairs(s.flows) do
            need(HOSTS[f.host] and type(f.cc) == "string" and type(f.label) == "string"
                and not labels[f.label], "a flow without host, cc, or a label of its own")
            labels[f.label] = true
        end
        need(next(labels), "no flows")
        for _, e in ipairs(s.expect or {}) do
            local kind = data.MEASURES[e.what]
            need(kind, "nobody measures '%s'", tostring(e.what))
            need(kind == "link" or labels[e.flow], "%s: no such flow", e.what)
            need(kind ~= "pair" or labels[e.of], "%s: no such other flow", e.what)
            need(type(e.source) == "string", "%s: an expectation without a source", e.what)
            need(not e.from_s == not e.to_s, "%s: from_s and to_s go together", e.what)
        end
        need(s.tunnel == nil or s.tunnel == "client_x" or s.tunnel == "client_y",
            "a tunnel that is not of a client")
        need(s.link.burst == nil or quantity(s.link.burst, TIME_UNITS) > 0, "no proper burst")
        for _, r in ipairs(s.rewrite or {}) do
            need(HOSTS[r.host] and r.hook and r.from and r.to, "an incomplete rewrite")
        end
    end)
    return ok or nil, why
end

-- In a lab ----------------------------------------------------------------------------------------

-- The name under which the lab has a congestion control: `prague` is what it takes for TCP Prague,
-- `dctcp` may be `bpf_dctcp`.
function data.resolve_cc(bed, cc)
    if cc == "prague" then
        if not bed.prague.cc then
            return lab.failure("unavailable", "scenario", "no TCP Prague: " .. (bed.prague.reason or "?"),
                               bed.prague.hint)
        end
        return bed.prague.cc
    end
    local available, err = lab.sysctl(bed.server, "net.ipv4.tcp_available_congestion_control")
    local names = {}
    for name in (available or ""):gmatch("%S+") do
        names[#names + 1] = name
        if name == cc or name == "bpf_" .. cc then
            return name
        end
    end
    if not available then
        return nil, err
    end
    local near = lab.did_you_mean(cc, names)
    return lab.failure("unavailable", "scenario",
        ("no congestion control '%s' here, only %s"):format(cc, available),
        near and ("did you mean %s?"):format(near) or "modprobe tcp_" .. cc .. ", if the kernel has it")
end

-- Change ECN fields on the path, until the lab goes.
function data.rewrite_ecn(bed, rules)
    for i, r in ipairs(rules or {}) do
        local from = r.source and ("ip saddr %s "):format(bed[r.source].address) or ""
        assert(bed[r.host]:run{"nft", ([[table ip scenario%d {
            chain c {
                type filter hook %s priority mangle; policy accept;
                %sip ecn %s ip ecn set %s;
            };
        }]]):format(i, r.hook, from, r.from, r.to), label = "rewrite ECN"})
    end
end

-- One end of a tunnel: TCP to $2 goes through it, in UDP between two fixed ports, so that all of it
-- is one flow to whoever looks from outside. Linux copies the ECN field of what is inside to the
-- outer header; the rule takes it off there.
local TUNNEL_END = [[set -e
ip link add tunnel type vxlan id 98 local $1 remote $2 dstport 4789 srcport 4789 4790 dev eth0
ip link set tunnel $(ip -d link show eth0 | grep -o 'gso_max_segs [0-9]*') up
ip addr add $3/30 dev tunnel
ip route add $2 via $4 dev tunnel src $1 table 98
ip rule add to $2 ipproto tcp lookup 98
nft 'table ip tunnel { chain c { type filter hook output priority mangle; policy accept;
    udp dport 4789 ip ecn set not-ect; }; }']]

-- Lay a tunnel that hides ECN from the bottleneck between a client (or nil) and the server, until the
-- lab goes.
function data.lay_tunnel(bed, name)
    local ends = name and {{bed[name], bed.server, "10.98.250.1", "10.98.250.2"},
                           {bed.server, bed[name], "10.98.250.2", "10.98.250.1"}}
    for _, e in ipairs(ends or {}) do
        assert(e[1]:run{"sh", "-c", TUNNEL_END, "tunnel", e[1].address, e[2].address, e[3], e[4],
                        label = "tunnel"})
    end
end
