#!/bin/sh
# Many hosts in one console: connected side by side, then checked (one survey each), then a command
# on all of them at once, with the memory and the processor time of the console. They are sessions to
# one sshd on loopback, whose own work is part of the times. A measurement, not a test.
#   tests/bench/ssh_hosts.sh [BUILD_DIRECTORY]
#   HOSTS=64: how many
build=${1:-$(dirname "$0")/../../build/release}
build=$(cd "$build" && pwd)
if [ -z "${SSHD_DIR:-}" ]; then
    exec "$build/with_sshd" sh "$0" "$build"
fi
cat >"$SSHD_DIR/hosts.lua" <<EOF
local HOSTS, dir, port = ${HOSTS:-64}, "$SSHD_DIR", $SSHD_PORT
EOF
cat >>"$SSHD_DIR/hosts.lua" <<'EOF'
local function machine()
    local proc = "/proc/" .. lab.pid
    local rest = lab.read_file(proc .. "/stat"):match(".*%) (.*)")
    local fields = {}
    for field in rest:gmatch("%S+") do
        fields[#fields + 1] = tonumber(field)
    end
    local status = lab.read_file(proc .. "/status")
    return {cpu_s = (fields[11] + fields[12]) / 100, -- utime, stime: "S" and 10 more before them
            rss_mib = tonumber(status:match("VmRSS:%s+(%d+)")) / 1024,
            threads = tonumber(status:match("Threads:%s+(%d+)"))}
end

local function step(what, each)
    local before, began, work = machine(), lab.now(), {}
    for i = 1, HOSTS do
        work[i] = function() return each(i) end
    end
    local results = assert(lab.all(work))
    local seconds, after = lab.now() - began, machine()
    print(("%-34s %6.2f s, console: %5.2f s of processor, %5.1f MiB, %d threads"):format(what, seconds,
        after.cpu_s - before.cpu_s, after.rss_mib, after.threads))
    return results
end

local start = machine()
print(("%-34s           console: %5.2f s of processor, %5.1f MiB, %d threads"):format("before",
    start.cpu_s, start.rss_mib, start.threads))
local hosts = step(("%d hosts connected"):format(HOSTS), function(i)
    return lab.ssh{name = "h" .. i, host = "127.0.0.1", port = port, config = "/dev/null",
                   identity = dir .. "/id", known_hosts = dir .. "/known_hosts", connect_s = 60}
end)
local facts = step("each surveyed", function(i) return lab.facts(hosts[i]) end)
for i = 1, HOSTS do
    assert(facts[i].kernel, "host " .. i .. " said nothing of itself")
end
step("a command on each at once", function(i) return hosts[i]:run{"true"} end)
step("idle for 10 s", function() return lab.sleep(10) end)
EOF
exec "$build/ccalab" --run "$SSHD_DIR/hosts.lua"
