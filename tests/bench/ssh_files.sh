#!/bin/sh
# Files to a host over SSH: `host:upload` beside scp -r and rsync -a, in one run, on a loopback sshd.
# One large file, many small ones, and both once more with nothing changed. Every time is that of a
# whole program, from its start over the login to its end; medians. Then the round trip of a command
# on an open session. A measurement, not a test: run it on a quiet machine. rsync is a Debian package.
#   tests/bench/ssh_files.sh [BUILD_DIRECTORY]
#   BYTES=1073741824 FILES=10000 ROUNDS=3 [WHAT=big|small]: the sizes, how often, and only one of them
build=${1:-$(dirname "$0")/../../build/release}
build=$(cd "$build" && pwd)
if [ -z "${SSHD_DIR:-}" ]; then
    exec "$build/with_sshd" sh "$0" "$build"
fi
cd "$SSHD_DIR" || exit 1
cat >open.lua <<EOF
local h = assert(lab.ssh{name = "h", host = "127.0.0.1", port = $SSHD_PORT, config = "/dev/null",
    identity = "$SSHD_DIR/id", known_hosts = "$SSHD_DIR/known_hosts"})
EOF
cat open.lua - >up.lua <<'EOF'
assert(h:upload(arg[1], arg[2]))
EOF
cat open.lua - >trips.lua <<'EOF'
local ms = {}
for i = 1, 300 do
    local began = lab.now()
    assert(h:run{"true"})
    ms[i] = (lab.now() - began) * 1000
end
table.sort(ms)
print(("exec round trip of 300: median %.2f ms, p95 %.2f ms (limit 5 ms)"):format(ms[150], ms[285]))
EOF
exec python3 - "$build/ccalab" <<'EOF'
import os, shutil, statistics, subprocess, sys, time

ccalab, there, port = sys.argv[1], os.environ["SSHD_DIR"], os.environ["SSHD_PORT"]
nbytes = int(os.environ.get("BYTES", 1 << 30))
nfiles = int(os.environ.get("FILES", 10000))
rounds = int(os.environ.get("ROUNDS", 3))
wanted = os.environ.get("WHAT", "big small").split()
env = dict(os.environ, HOME=there)  # the login's home directory is another: nothing of it is used
ssh = ["-F", "/dev/null", "-i", there + "/id", "-o", "UserKnownHostsFile=" + there + "/known_hosts"]
tools = {
    "ccalab": lambda a, b: [ccalab, "--run", "up.lua", a, b],
    "scp -r": lambda a, b: ["scp", "-q", "-r", "-P", port, *ssh, a, "127.0.0.1:" + b],
    "rsync -a": lambda a, b: ["rsync", "-a", "-e", " ".join(["ssh", "-p", port, *ssh]),
                              a + "/" if os.path.isdir(a) else a, "127.0.0.1:" + b],
}
if not shutil.which("rsync"):
    print("no rsync here: compared with scp alone")
    del tools["rsync -a"]


def make(path, size):
    with open(path, "wb") as f:
        while size > 0:
            f.write(os.urandom(min(size, 1 << 20)))
            size -= 1 << 20


def target(tool):
    return there + "/to_" + tool.split()[0]


def run(tool, source):
    os.sync()  # nobody pays for what another has left to be written
    began = time.monotonic()
    if subprocess.run(tools[tool](source, target(tool)), env=env).returncode:
        sys.exit(tool + " failed")
    return time.monotonic() - began


def clear(tool):
    subprocess.run(["rm", "-rf", target(tool)])


def show(what, times):
    mid = {tool: statistics.median(t) for tool, t in times.items()}
    rival = min((tool for tool in mid if tool != "ccalab"), key=mid.get)
    for tool, t in times.items():
        print("  %-10s %s" % (tool, " ".join("%.2f" % x for x in t)))
    print("%-32s %s  ratio to %s %.2f" % (
        what, "  ".join("%s %.2f s" % m for m in mid.items()), rival, mid["ccalab"] / mid[rival]),
        flush=True)


if "big" in wanted:
    make("big", nbytes)
for i in range(nfiles if "small" in wanted else 0):
    os.makedirs("small/%d" % (i // 100), exist_ok=True)
    make("small/%d/%d" % (i // 100, i), 10240)
names = {"big": "1 file of %.0f MiB" % (nbytes / 2**20), "small": "%d files of 10 KiB" % nfiles}
for source in wanted:
    first = {tool: [] for tool in tools}
    again = {tool: [] for tool in tools if tool != "scp -r"}
    order = list(tools)
    for _ in range(rounds):
        for tool in order:
            clear(tool)
            first[tool].append(run(tool, source))
        order.append(order.pop(0))  # being the first may cost: memory that nobody has touched yet
    for tool in tools:
        if subprocess.run(["diff", "-rq", source, target(tool)]).returncode:
            sys.exit(tool + ": what arrived is not what was sent")
    show(names[source], first)
    for _ in range(rounds + 2):
        for tool in again:
            again[tool].append(run(tool, source))
    show("again, nothing changed", again)
    for tool in tools:
        clear(tool)
subprocess.run([ccalab, "--run", "trips.lua"], env=env, check=True)
EOF
