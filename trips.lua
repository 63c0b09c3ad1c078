local h = assert(lab.ssh{name = "h", host = "127.0.0.1", port = , config = "/dev/null",
    identity = "/id", known_hosts = "/known_hosts"})
local ms = {}
for i = 1, 300 do
    local began = lab.monotonic()
    assert(h:run{"true"})
    ms[i] = (lab.monotonic() - began) * 1000
end
table.sort(ms)
print(("exec round trip of 300: median %.2f ms, p95 %.2f ms (limit 5 ms)"):format(ms[150], ms[285]))
