-- Live captures in the virtual lab at its highest rate: two TCP flows through an unlimited bottleneck for
-- SECONDS (10), captured here, and over SSH where the lab has sshd, each into a file and counted. Says
-- what came, what the kernel dropped, and at which rates. Needs root. Run it alone:
--     ccalab --run tests/bench/live_capture.lua [SECONDS]
local seconds = tonumber(arg[1]) or 10
local dir = assert(lab.localhost:run{"mktemp", "-d"}).out:match("[^\n]+")
local bed = assert(lab.testbed{name = "live-bench", rate = "unlimited", rtt = "0ms", aqm = "fifo",
                               sshd = true})
local far = assert(lab.ssh{name = "router-ssh", host = "router", config = bed.ssh_config})

local function measure(what, host, o)
    o.host, o.interface, o.file = host, bed.egress, dir .. "/" .. what .. ".pcapng"
    local job = assert(lab.capture(o))
    local t0 = lab.now()
    local run, why = lab.run{{client = bed.client_x, server = bed.server, cc = "cubic", seconds = seconds},
                             {client = bed.client_y, server = bed.server, cc = "cubic", seconds = seconds},
                             sample = false, probes = false}
    if not run then
        error(why)
    end
    local took = lab.now() - t0
    local t1 = lab.now()
    local account = assert(job:finish()).data
    local bytes, packets = 0, 0
    for _, flow in ipairs(account.flows) do
        bytes = bytes + flow.fwd.bytes + flow.rev.bytes
        packets = packets + flow.fwd.wire_packets + flow.rev.wire_packets
    end
    local size = tonumber(assert(lab.localhost:run{"stat", "-c", "%s", o.file}).out)
    print(("%-18s %9d frames %9.0f frames/s %6.2f Gbit/s payload, %d dropped by the kernel, file %.0f MB, stopped in %.2f s"):format(
        what, account.frames, account.frames / seconds, bytes * 8 / seconds / 1e9,
        account.kernel_drops or -1, size / 1e6, lab.now() - t1))
    os.remove(o.file)
end

measure("here", bed.router, {})
measure("here, whole frames", bed.router, {snaplen = 0})
measure("over SSH", far, {})
lab.localhost:run{"rm", "-r", dir}
