-- Sampling and runs on hosts over SSH: the sampler that is uploaded, ss in a loop, and this machine's own
-- program beside one another on the same flow.

local function check(ok, what)
    if not ok then
        error(what, 2)
    end
end

if not lab.localhost:run{"iperf3", "--version"} then
    print("needs iperf3")
    return
end
local dir, port = os.getenv("SSHD_DIR"), tonumber(os.getenv("SSHD_PORT"))
local function ssh(name)
    return assert(lab.ssh{name = name, host = "127.0.0.1", port = port, identity = dir .. "/id",
                          known_hosts = dir .. "/known_hosts", config = "/dev/null"})
end
local a, b = ssh("server"), ssh("client")
local by = lab.sampler_of(b)
check(by.how == "ccalab-sampler", lab.pretty(by))
check(by.words[1]:find("/ccalab/sampler%-%x+$"), by.words[1])
check(lab.sampler_of(a).words[1] == by.words[1], "one host, one file")

-- One flow, seen three ways.
local PORT = 5977
local server = a:start{"iperf3", "-s", "-1", "--forceflush", "-p", PORT, ready = "listening"}
assert(server:wait_up())
local function sample(host, label, how)
    local job, used = lab.sample_flows{host = host, label = label, dport = PORT, peer = "127.0.0.1",
                                       interval = 0.05, how = how}
    return assert(job, tostring(used)), used
end
local jobs = {}
local used
jobs.near = sample(lab.localhost, "near")
jobs.sent, used = sample(b, "sent")
check(used == "ccalab-sampler", tostring(used))
jobs.ss, used = sample(b, "ss", "ss")
check(used == "ss", tostring(used))
assert(b:run{"iperf3", "-c", "127.0.0.1", "-p", PORT, "-C", "cubic", "-b", "50M", "-t", 3})
local seen = {}
for label, job in pairs(jobs) do
    seen[label] = assert(job:finish()).data
    check(#seen[label].flows == 1, label .. ": " .. lab.pretty(seen[label]))
    check(seen[label].flows[1].cc == "cubic", label)
end
check(seen.near.flows[1]["local"] == seen.ss.flows[1]["local"], "the same socket")
local function stats(label, name)
    return lab.series_stats(label .. "/" .. name) or error("no samples of " .. label .. "/" .. name)
end
-- Samples that a busy machine puts elsewhere see other intervals, so the mean of their rates is another,
-- not the bytes.
for _, label in ipairs{"sent", "ss"} do
    for name, tolerance in pairs{cwnd_bytes = 0.1, bytes_acked = 0.1, throughput_bps = 0.5,
                                 delivered = 0.1, pacing_rate_bps = 3, min_rtt_us = 3,
                                 delivery_rate_bps = 3, srtt_us = 3} do
        local one, two = stats("near", name), stats(label, name)
        local x, y = one.median, two.median
        if name == "bytes_acked" or name == "delivered" then
            x, y = one.last, two.last
        elseif name == "throughput_bps" then
            x, y = one.mean, two.mean
        end
        print(("%-5s %-18s %14.0f %14.0f  %d and %d samples"):format(label, name, x, y, one.count,
            two.count))
        check(math.abs(x / y - 1) <= tolerance, ("%s: %s is %g, near %g"):format(label, name, y, x))
    end
    check(stats(label, "delivered_ce").last == 0 and stats(label, "retrans").last >= 0, label)
end
check(stats("sent", "cwnd_bytes").count > 20, "50 ms apart")
check(stats("ss", "cwnd_bytes").count > 8, "as often as it can")

-- A whole run between SSH hosts, probed.
local r = assert(lab.run{{client = b, server = a, seconds = 1, label = "over_ssh"}, progress = false})
local flow = r.flows[1]
check(flow.sampler == "ccalab-sampler" and flow.tcp.samples >= 2, lab.pretty(flow.tcp))
check(flow.tcp.srtt_us, "stats of another host's samples")
check(r.probes.l.answered >= 5 and r.probes.c.answered >= 5, lab.pretty(r.probes))

-- The server's host is lost in mid-run: its session with it.
local SESSION = [[p=$$; while [ "$p" -gt 1 ]; do case "$(cat /proc/$p/comm)" in sshd*) break ;; esac
p=$(sed 's/.*) . \([0-9]*\).*/\1/' /proc/$p/stat); done; echo "$p"]]
local session = assert(a:run{"sh", "-c", SESSION}).out:match("%d+")
local task = lab.spawn(lab.run, {{client = b, server = a, seconds = 100, label = "lost"}, probes = false,
                                 progress = false})
repeat
    lab.sleep(0.1)
    local s = lab.series_stats("lost/cwnd_bytes")
until s and s.count > 8
local t0 = lab.now()
assert(lab.localhost:run{"kill", "-9", session})
local nothing, err, partial = task:join()
check(not nothing and err.message:find("lost: its server on server went away"), tostring(err))
check(lab.now() - t0 < 80, "at once, not after the 100 s")
check(partial.flows[1].tcp.samples > 5, "what came before is kept")
assert(b:run{"rm", "-f", by.words[1]})
print("ok")
