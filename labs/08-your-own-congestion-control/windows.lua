-- The driven flows that a student sent: their windows, and Little's law.

local MSS, BASE_MS = 1448, 20

-- A table, whatever a student's file has in its place.
local function fields(x)
    return type(x) == "table" and x or {}
end

-- The driven flows of the folder and its run directories: {{packets=, steady=, rtt_ms=, rate_mbit=,
-- little=, waiting= (packets)}}, by iperf3's own rows.
return function(c)
    local seen = {flows = {}, base_ms = BASE_MS}
    local rows = {}
    for _, f in ipairs(c:iperf3_files()) do
        if f.cc == "netllm" and f.cwnd_bytes and f.rtt_us then
            local document = lab.json_decode(lab.iperf3_document(lab.read_file(c:path(f.file)) or "") or "")
            local same, all = 0, 0
            for _, interval in ipairs(fields(fields(document).intervals)) do
                local cwnd = tonumber(fields(fields(fields(interval).streams)[1]).snd_cwnd) or 0
                if cwnd > 0 then
                    all, same = all + 1, same + (math.abs(cwnd - f.cwnd_bytes) < MSS and 1 or 0)
                end
            end
            local one = {packets = f.cwnd_bytes / MSS, steady = same / math.max(all, 1), rtt_ms = f.rtt_us / 1e3,
                         rate_mbit = (f.throughput_bps or 0) / 1e6}
            -- Little: what is in a place is the rate times the time there.
            local packets_per_ms = one.rate_mbit * 1e3 / 8 / MSS
            one.little, one.waiting = packets_per_ms * one.rtt_ms, packets_per_ms * math.max(0, one.rtt_ms - BASE_MS)
            seen.flows[#seen.flows + 1] = one
            rows[#rows + 1] = {("%.0f"):format(one.packets), ("%.1f"):format(one.rtt_ms),
                               ("%.1f"):format(one.rate_mbit), ("%.0f"):format(one.little)}
        end
    end
    table.sort(seen.flows, function(a, b) return a.packets < b.packets end)
    seen.table = #rows > 0 and {title = "Constant windows (medians)", rows = rows,
        header = {"window, packets", "RTT ms", "Mbit/s", "rate x RTT, packets"}} or nil
    return seen
end
