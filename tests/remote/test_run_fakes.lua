-- What lab.run makes of other iperf3: arg[1] says which one stands in PATH (fake_iperf3).

local function check(ok, what)
    if not ok then
        error(what, 2)
    end
end

local kind = arg[1]
local record <close> = assert(lab.record{name = kind})
local host = lab.localhost
local r, err, left = lab.run{{client = host, server = host, seconds = 1, label = "f"}, record = record,
                             sample = false, probes = false, progress = false}
local function failed(status, message, hint)
    check(not r and err.status == status, tostring(err))
    check(err.message:find(message, 1, true), err.message)
    check((err.hint or ""):find(hint, 1, true), tostring(err))
end

local cases = {
    missing = function()
        failed("unavailable", "iperf3 is not installed on local", "apt-get install iperf3")
    end,
    old = function()
        failed("unavailable", "the iperf3 of local is too old: iperf 3.0.11", "3.2 or later")
    end,
    two = function()
        failed("unavailable", "too old", "3.2 or later")
    end,
    stream = function() -- 3.17 and later: intervals live, raw lines and the document kept
        local flow = assert(r, tostring(err)).flows[1]
        check(#flow.rows == 4 and flow.cc == "cubic" and flow.received_bps > 15e6, lab.pretty(flow))
        local live = lab.series_stats("iperf3/f/bits_per_second")
        check(live and live.count == 4, "live intervals: " .. lab.pretty(live))
        check(lab.read_file(record.dir .. "/iperf3/f.jsonl"):find('{"event":"start"', 1, true) == 1, "raw")
        local document = lab.json_decode(lab.read_file(record.dir .. "/iperf3/f.json"))
        check(#document.intervals == 4 and document["end"].sum_received, "document")
        check(lab.read_file(record.dir .. "/samples/iperf3_f.csv"), "samples")
    end,
    stream_killed = function()
        failed("host", "did not come to its end", "killed")
        check(#left.flows[1].rows == 2, "what came before is kept")
        check(lab.series_stats("iperf3/f/rtt_us").count == 2, "live")
        check(lab.read_file(record.dir .. "/iperf3/f.jsonl"), "raw")
    end,
    text = function()
        check(assert(r, tostring(err)).flows[1].received_bps > 20e6, "text around the document")
        check(lab.read_file(record.dir .. "/iperf3/f.json"):find("warning", 1, true) == 1, "raw is raw")
    end,
    clock = function()
        local flow = assert(r, tostring(err)).flows[1]
        check(flow.has_clock_jump and not flow.received_bps, lab.pretty(flow))
        for i, row in ipairs(flow.rows) do
            check(math.abs(row.start_s - 0.5 * (i - 1)) < 0.01, lab.pretty(row))
        end
    end,
    server_refuses = function()
        failed("host", "control socket", "the iperf3 on local said: unable to set TCP_CONGESTION: not here")
    end,
    garbage = function()
        failed("host", "it printed no result", "--json")
    end,
}
cases[kind]()
record:finish("ok")
