-- What is left of a run of flows: the result of each, its raw texts, and its entry in a record (docs/run.md).

local M = {}

local function sum_of(list, key)
    local sum
    for _, x in ipairs(list or {}) do
        if x[key] then
            sum = (sum or 0) + x[key]
        end
    end
    return sum
end

-- Which socket has which series, so that what others say of the same socket can be found.
local function sockets_of(list)
    local out = {}
    for i, s in ipairs(list or {}) do
        out[i] = {src = s.src, ["local"] = s["local"], remote = s.remote, cc = s.cc}
    end
    return out
end

-- The result of one flow: iperf3's summary, and what the sampler saw.
function M.of(f, t0, clocks)
    local summary, _, partial = lab.iperf3_parse(f.text or "")
    local r = summary or partial or {}
    local shift = (clocks[f.sender.name] or {}).offset_s or 0
    local from = (f.started_s or t0) + shift - 0.01
    local to = (f.ended_s or lab.now()) + shift + 0.01
    local function stats(name)
        return lab.series_stats(f.label .. "/" .. name, from, to)
    end
    r.label, r.client, r.server, r.port = f.label, f.client.name, f.server.name, f.port
    r.cc_asked, r.ecn, r.parallel, r.error = f.cc, f.ecn, f.parallel, f.error
    r.start_s = f.started_s and f.started_s - t0
    r.end_s = f.ended_s and f.ended_s - t0
    r.sampler, r.sampler_error = f.sampler_how, f.sampler_error
    r.clock_offset_s = shift -- the times of its samples are the sender's
    r.tcp = f.sampled and {
        streams = #(f.sampled.flows or {}),
        samples = f.sampled.samples,
        bytes_acked = sum_of(f.sampled.flows, "bytes_acked"),
        delivered = sum_of(f.sampled.flows, "delivered"),
        delivered_ce = sum_of(f.sampled.flows, "delivered_ce"),
        retrans = sum_of(f.sampled.flows, "retrans"),
        cc = f.sampled.flows and f.sampled.flows[1] and f.sampled.flows[1].cc,
        sockets = sockets_of(f.sampled.flows),
        srtt_us = stats("srtt_us"),
        cwnd_bytes = stats("cwnd_bytes"),
        throughput_bps = stats("throughput_bps"),
    } or nil
    return r
end

-- iperf3's own text, and the document in it where it came as a stream.
function M.save_text(f, path)
    local text = f.text
    if not text or text == "" then
        return true
    end
    local ok, err = true, nil
    if text:find('^%s*{"event"') or text:find('\n{"event"') then
        local document = lab.iperf3_document(text)
        ok, err = lab.write_file(path:gsub("%.json$", "") .. ".jsonl", text)
        text = document
    end
    if ok and text then
        ok, err = lab.write_file(path, text)
    end
    return ok, err
end

local function is_there(path)
    local file = io.open(path)
    if file then
        file:close()
    end
    return file ~= nil
end

-- Where the raw output goes. A record that holds it already is not written over.
function M.plan(o, flows)
    for _, f in ipairs(flows) do
        if o.record then
            local path, err = o.record:path(("%siperf3/%s.json"):format(o.name and o.name .. "/" or "",
                f.label))
            if not path then
                return nil, err
            elseif is_there(path) or is_there(path .. "l") then
                return lab.failure("usage", "run", "the record already holds " .. path,
                                   "a second run in one record needs a name: name = \"second\"")
            end
            f.raw = path
        end
    end
    return true
end

-- The entry of the run in its record.
function M.keep(o, result, facts, clocks)
    if not o.record then
        return true
    end
    local flows = {}
    for i, r in ipairs(result.flows) do -- the rows are in the raw files
        local short = {}
        for key, value in pairs(r) do
            short[key] = value
        end
        short.rows = nil
        flows[i] = short
    end
    return o.record:set(o.name or "run", {
        t0 = result.t0, seconds = result.seconds, flows = flows, probes = result.probes,
        probes_error = result.probes_error, hosts = facts, clocks = clocks, iperf3 = result.iperf3,
    })
end

lab._run_result = M
