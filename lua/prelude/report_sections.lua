-- What a report shows of a run without being told: flows and fairness, everything over time, how RTT and
-- queue delay are distributed, checks, hosts, commands; whatever of it the record has.

local ROWS_MAX = 200 -- of a table of facts

local function mbit(bps)
    return ("%.2f"):format(bps / 1e6)
end

-- Sources that sampled KEY, in their order: {"client_x", ...}.
local function sources_of(samples, key)
    local out = {}
    for _, name in ipairs(samples:names()) do
        local src, last = name:match("^(.*)/([^/]+)$")
        if last == key then
            out[#out + 1] = src
        end
    end
    return out
end

local function lines_of(samples, key, scale)
    local lines = {}
    for _, src in ipairs(sources_of(samples, key)) do
        if #lines < 24 then
            lines[#lines + 1] = {series = src .. "/" .. key, label = src, scale = scale}
        end
    end
    return lines
end

-- Queue delays and probes of all sources, "link_down L".
local function delay_lines(samples)
    local lines = {}
    for _, part in ipairs{{"delay_l_us", " L queue"}, {"delay_c_us", " C queue"}} do
        for _, line in ipairs(lines_of(samples, part[1], 1e-3)) do
            line.label = line.label .. part[2]
            lines[#lines + 1] = samples:stats(line.series) and line or nil
        end
    end
    return lines
end

local function rtt_lines(samples)
    local lines = lines_of(samples, "srtt_us", 1e-3)
    for _, line in ipairs(lines_of(samples, "rtt_us", 1e-3)) do
        lines[#lines + 1] = line
    end
    return lines
end

-- Flows ----------------------------------------------------------------------------------------------

-- What lab.run() and ccalab run keep in the record; else what was sampled.
local function flows_of(record, samples)
    local flows = {}
    for _, part in pairs(record) do
        local list = type(part) == "table" and part.flows
        for _, f in ipairs(type(list) == "table" and list or {}) do
            if type(f) == "table" and type(f.received_bps) == "number" then
                flows[#flows + 1] = {label = f.label or "flow", cc = f.cc, bps = f.received_bps,
                    retransmits = f.retransmits, rtt_us = f.mean_rtt_us}
            end
        end
    end
    if #flows == 0 and samples then
        for _, src in ipairs(sources_of(samples, "throughput_bps")) do
            local rate = samples:stats(src .. "/throughput_bps")
            local rtt = samples:stats(src .. "/srtt_us")
            local retrans = samples:stats(src .. "/retrans")
            flows[#flows + 1] = rate and {label = src, bps = rate.mean, rtt_us = rtt and rtt.mean,
                retransmits = retrans and retrans.max}
        end
    end
    table.sort(flows, function(a, b) return a.label < b.label end)
    return flows
end

local function flow_section(flows)
    local sum, squares, rows = 0, 0, {}
    for _, f in ipairs(flows) do
        sum, squares = sum + f.bps, squares + f.bps * f.bps
    end
    for i, f in ipairs(flows) do
        rows[i] = {f.label, f.cc or "-", mbit(f.bps), sum > 0 and ("%.1f"):format(100 * f.bps / sum) or "-",
            f.retransmits and ("%d"):format(f.retransmits) or "-",
            f.rtt_us and ("%.2f"):format(f.rtt_us / 1e3) or "-"}
    end
    local text
    if #flows > 1 and squares > 0 then
        text = ("Fairness (Jain's index, 1 is equal shares): %.3f of %d flows; together %s Mbit/s."):format(
            sum * sum / (#flows * squares), #flows, mbit(sum))
    end
    return {title = "Flows", text = text, table = {rows = rows, header = {"flow", "congestion control",
        "Mbit/s", "share [%]", "retransmits", "mean RTT [ms]"}}}
end

-- Plots ----------------------------------------------------------------------------------------------

-- The mean squared errors that a policy must beat, wherever the record keeps them.
local function baselines_of(v, depth)
    if type(v) ~= "table" or depth > 6 then
        return nil
    elseif type(v.baselines) == "table" and v.valid_loss then
        return v.baselines
    end
    for _, inner in pairs(v) do
        local found = baselines_of(inner, depth + 1)
        if found then
            return found
        end
    end
end

local function loss_plot(record, samples)
    local lines = lines_of(samples, "loss")
    local levels = {}
    for name, loss in pairs(#lines > 0 and baselines_of(record, 0) or {}) do
        levels[#levels + 1] = type(loss) == "number" and {level = loss, label = "baseline " .. name} or nil
    end
    table.sort(levels, function(a, b) return a.label < b.label end)
    table.move(levels, 1, #levels, #lines + 1, lines)
    return {title = "Training loss", y = "MSE", lines = lines}
end

local function add_plots(sections, record, samples)
    local rates = lines_of(samples, "throughput_bps", 1e-6)
    for _, src in ipairs(sources_of(samples, "link_rate_bps")) do
        if #rates > 0 and src:find("down$") and samples:stats(src .. "/link_rate_bps") then
            rates[#rates + 1] = {series = src .. "/link_rate_bps", label = src .. " rate", scale = 1e-6}
        end
    end
    local first = true
    for _, o in ipairs{
        {title = "Throughput", y = "[Mbit/s]", zero = true, lines = rates, join_s = 2},
        {title = "Congestion window", y = "[kB]", zero = true, join_s = 2,
         lines = lines_of(samples, "cwnd_bytes", 1e-3)},
        {title = "Round-trip time", y = "[ms]", zero = true, join_s = 2, lines = rtt_lines(samples)},
        {title = "Queue delay", y = "[ms]", zero = true, join_s = 2, lines = delay_lines(samples)},
        {title = "CE marks", y = "share of ECN-capable packets", zero = true, join_s = 2,
         lines = lines_of(samples, "ce_ratio")},
        {title = "Marking probability", y = "p'", zero = true, join_s = 2, lines = lines_of(samples, "prob")},
        loss_plot(record, samples)} do
        if #o.lines > 0 then
            o.from, o.x = samples, "time [s]"
            o.marks = o.title == "Training loss" and "training" or "network"
            sections[#sections + 1] = {title = first and "Over time" or nil, plot = lab.plot(o)}
            first = false
        end
    end
    first = true
    for _, of in ipairs{{"Round-trip time", rtt_lines(samples)}, {"Queue delay", delay_lines(samples)}} do
        for _, kind in ipairs(#of[2] > 0 and {"cdf", "box"} or {}) do
            local o = {kind = kind, title = of[1] .. (kind == "cdf" and ": distribution" or ": quartiles"),
                       from = samples, lines = of[2]}
            o[kind == "cdf" and "x" or "y"] = "[ms]"
            sections[#sections + 1] = {title = first and "Distributions" or nil, plot = lab.plot(o)}
            first = false
        end
    end
end

-- Tables ---------------------------------------------------------------------------------------------

-- {ok=, name=, seen=} of lab.check, {verdict=, name=, text or seen=} of doctors: one shape.
local function check_rows(list)
    local rows = {}
    for _, c in ipairs(type(list) == "table" and list or {}) do
        if type(c) == "table" and c.name then
            local verdict = c.verdict or (c.ok == true and "ok" or c.ok == false and "fail" or "?")
            rows[#rows + 1] = {verdict, c.name, tostring(c.seen or c.text or ""), c.hint and tostring(c.hint) or ""}
        end
    end
    return rows
end

local function add_checks(sections, title, list)
    local rows = check_rows(list)
    if #rows > 0 then
        sections[#sections + 1] = {title = title,
            table = {header = {"", "check", "seen", "hint"}, rows = rows}}
    end
end

-- One row a fact, one column a host.
local function facts_section(title, by_host)
    local hosts, keys, flat, rows = {}, {}, {}, {}
    for host, facts in pairs(type(by_host) == "table" and by_host or {}) do
        if type(facts) == "table" then
            hosts[#hosts + 1] = host
            flat[host] = lab.flatten(facts)
            for key in pairs(flat[host]) do
                keys[key] = true
            end
        end
    end
    table.sort(hosts)
    local sorted = lab._sorted_keys(keys)
    for i = 1, math.min(#sorted, ROWS_MAX) do
        local row = {sorted[i]}
        for k, host in ipairs(hosts) do
            local v = flat[host][sorted[i]]
            row[k + 1] = v == nil and "" or tostring(v)
        end
        rows[i] = row
    end
    return #rows > 0 and {title = title, table = {header = {"fact", table.unpack(hosts)}, rows = rows}} or nil
end

local function add_hosts(sections, record)
    local hosts = record.hosts
    for _, part in pairs(record) do -- of lab.run()
        hosts = hosts or (type(part) == "table" and part.flows and part.hosts) or nil
    end
    if type(hosts) == "table" and hosts.before then
        sections[#sections + 1] = facts_section("Hosts before the run", hosts.before)
        sections[#sections + 1] = facts_section("Hosts after the run", hosts.after)
    else
        sections[#sections + 1] = facts_section("Hosts", hosts)
    end
    local machine = {}
    for key, v in pairs(type(record.machine) == "table" and record.machine or {}) do
        machine[key] = key ~= "doctor" and v or nil
    end
    sections[#sections + 1] = facts_section("The machine of the console", {here = machine})
end

local function add_commands(sections, record)
    local rows = {}
    for i, c in ipairs(type(record.commands) == "table" and record.commands or {}) do
        if i <= ROWS_MAX and type(c) == "table" then
            local words = {}
            for k, word in ipairs(type(c.argv) == "table" and c.argv or {}) do
                words[k] = tostring(word)
            end
            rows[#rows + 1] = {tostring(c.host), table.concat(words, " "), tostring(c.status or "-"),
                type(c.end_s) == "number" and type(c.start_s) == "number"
                    and ("%.1f"):format(c.end_s - c.start_s) or "-"}
        end
    end
    if #rows > 0 then
        sections[#sections + 1] = {title = "Commands",
            table = {header = {"host", "command", "ended", "seconds"}, rows = rows}}
    end
end

-- lab.report_sections(run): the sections of a report, of a run as of lab.find_run, or of a Record.
function lab.report_sections(run)
    local record, err = run.record, nil
    if not record then
        local text
        text, err = lab.read_file(run.dir .. "/run.json")
        record, err = text and lab.json_decode(text), err
    end
    if type(record) ~= "table" then
        return nil, err or select(2, lab.failure("input", "report", run.dir .. "/run.json is no record"))
    end
    local samples <close> = lab.samples(run) or nil -- a run without samples is one too
    local sections = {}
    local flows = flows_of(record, samples)
    if #flows > 0 then
        sections[1] = flow_section(flows)
    end
    if samples then
        add_plots(sections, record, samples)
        for _, s in ipairs(sections) do
            s.svg, s.plot = s.plot and s.plot:svg(), nil -- the samples end here
        end
    end
    add_checks(sections, "Checks", record.checks)
    add_checks(sections, "Fitness of the machine", type(record.machine) == "table"
        and type(record.machine.doctor) == "table" and record.machine.doctor.checks)
    add_hosts(sections, record)
    add_commands(sections, record)
    return sections
end
