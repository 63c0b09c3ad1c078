-- Live captures over SSH, run by with_sshd: the tcpdump of a host, counted and written here. Loopback
-- addresses of our own tell our packets from others'.
local function check(ok, what)
    if not ok then
        error(what, 2)
    end
end

local dir, port = os.getenv("SSHD_DIR"), tonumber(os.getenv("SSHD_PORT"))
local far = assert(lab.ssh{name = "far", host = "127.0.0.1", port = port, identity = dir .. "/id",
                           known_hosts = dir .. "/known_hosts", config = "/dev/null"})
local address = ("127.%d.%d.9"):format(lab.pid // 256 % 256, lab.pid % 256)

local function ping(n, tos)
    assert(lab.localhost:run{"ping", "-q", "-i", "0.005", "-c", n, "-Q", tos, address})
end

local function capture(o)
    o.interface, o.filter = o.interface or "lo", o.filter or "icmp and host " .. address
    return far:capture(o)
end

-- Counted live, and in the file; nothing of the tail is lost.
local file, called, last = dir .. "/far.pcapng", 0
local job = assert(capture{file = file, interval = 0.1, on_count = function(counts)
    called, last = called + 1, counts
end})
ping(40, 3)
lab.sleep(0.5)
ping(5, 1)
local done = assert(job:finish()).data
check(done.frames == 90 and done.ipv4.ce == 80 and done.ipv4.ect1 == 10, lab.pretty(done.ipv4))
check(done.kernel_drops == 0 and not done.truncated, "tcpdump's own counters")
check(called >= 3 and last.ce == 80 and last.kernel_drops == nil, lab.pretty{called, last})
local cap = assert(lab.open_capture(file))
check(assert(cap:count("ip.dsfield.ecn == 3")) == 80 and assert(cap:ecn()).frames == 90, "the file")
local info = lab.localhost:run{"capinfos", file}
check(not info or info.out:find("Description = far") and info.out:find("nanoseconds")
    and info.out:find("Number of packets = 90") and info.out:find("Number of stat entries = 1"),
    info and info.out)

-- A burst, with whole frames and binary bytes in them.
job = assert(capture{file = file, snaplen = 0})
assert(lab.localhost:run{"ping", "-q", "-f", "-c", "3000", "-s", "1400", "-p", "0a0d00ff", address})
done = assert(job:finish()).data
check(done.frames == 6000 and assert(cap:count("frame.cap_len == 1442")) == 6000, lab.pretty(done.frames))

-- It ends by itself; a callback ends it.
job = assert(capture{count = 6})
ping(5, 0)
check(assert(job:wait(120)).data.frames == 6, "count")
job = assert(capture{seconds = 0.3})
check(assert(job:wait(120)).data.frames == 0, "seconds")
job = assert(capture{interval = 0.1, on_count = function(counts) return counts.packets == 0 end})
ping(1, 0)
check(assert(job:wait(120)).data.frames == 2, "a callback that returns false")

-- What can go wrong.
local function fails(o, status, says)
    local nothing, e = capture(o)
    check(nothing == nil and e.status == status and tostring(e):find(says, 1, true), tostring(e))
    return e
end
check(fails({filter = "tcp prot 80"}, "usage", "column 5: 'prot'").position == 5, "position")
fails({interface = "nosuch0"}, "host", "far has no interface nosuch0")
fails({file = "/nonexistent/x.pcapng"}, "io", "No such file")
check(not pcall(capture, {snaplength = 3}), "a misspelt option")

-- The connection is lost: what came is counted and in the file, which is whole.
local seen, t0 = 0, lab.now()
job = assert(capture{file = file, interval = 0.1, on_count = function(counts)
    seen = counts.packets
end})
ping(10, 3)
while seen < 20 and lab.now() - t0 < 60 do
    lab.sleep(0.05)
end
local session = assert(far:run{"sh", "-c", "echo $PPID"}).out:match("%d+")
local parent = assert(lab.localhost:run{"ps", "-o", "comm=", "-p", session}).out
check(parent:find("sshd"), parent)
assert(lab.localhost:run{"kill", "-9", session})
local nothing, e, left = job:wait(120)
check(nothing == nil and e.status == "host" and tostring(e):find("connection to far was lost"), tostring(e))
check(left.data.frames == 20 and left.data.truncated, lab.pretty(left.data.frames))
local n, truncated = cap:count(), cap.truncated
check(n == 20 and truncated == nil, lab.pretty{n, truncated})
-- Nothing of it is left there.
t0 = lab.now()
repeat
    lab.sleep(0.1)
    local ps = assert(lab.localhost:run{"ps", "-eo", "args"}).out
    check(lab.now() - t0 < 60, ps)
until not ps:find("host " .. address, 1, true)
print("captures over SSH: ok")
