#!/bin/sh
# The console's cost and its answers, on a terminal (a pty of 120x40):
#   idle    processor time of a console that shows a screen and waits, over 30 s
#   live    from a key to its character on the screen, while flows are sampled and a policy trains (with root, iperf3
#           and a netllm with libtorch; what lacks is said, and the rest measured), and what the console took
# The first frame is measured by startup.sh. A measurement, not a test: run it on a quiet machine.
#   tests/bench/console.sh [BUILD_DIRECTORY]
build=${1:-$(dirname "$0")/../../build/release}
PATH="$PATH:/usr/sbin:/sbin"
exec env PYTHONPATH="$(dirname "$0")" PYTHONDONTWRITEBYTECODE=1 python3 - "$build" <<'END'
import os, shutil, statistics, subprocess, sys, tempfile, time

from pty_console import PtyConsole

build = os.path.realpath(sys.argv[1])
ccalab = build + "/ccalab"
if not os.access(ccalab, os.X_OK):
    print("skipped: not built: " + ccalab)
    sys.exit(77)
IDLE_S = int(os.environ.get("IDLE_S", "30"))
KEYS = int(os.environ.get("KEYS", "300"))
tmp = tempfile.mkdtemp()
env = dict(os.environ, TERM="xterm-256color", LC_ALL="C.UTF-8", HOME=tmp, XDG_STATE_HOME=tmp,
           CCALAB_RUNS=tmp + "/runs")
TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")


class Console(PtyConsole):
    def __init__(self, *args):
        super().__init__(ccalab, args, env, os.getcwd())

    def cpu_ms(self):
        fields = open("/proc/%d/stat" % self.pid).read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) * TICK_MS


def idle():
    c = Console()
    c.wait(b"quit", 10)
    c.drain(1)
    before, start = c.cpu_ms(), time.monotonic()
    c.drain(IDLE_S)
    took, passed = c.cpu_ms() - before, time.monotonic() - start
    c.end()
    print("idle     %.0f ms of processor time in %.1f s: %.2f %% (limit 0.0 %%; the kernel counts in %.0f ms)"
          % (took, passed, took / passed / 10, TICK_MS))


def live():
    lacks = []
    if os.getuid() != 0 or not shutil.which("iperf3") or not os.path.exists("/dev/net/tun"):
        lacks.append("no flows: they need root, iperf3 and /dev/net/tun")
    said = subprocess.run([build + "/netllm", "--version"], capture_output=True, text=True).stdout \
        if os.access(build + "/netllm", os.X_OK) else ""
    if not any(line.startswith("libtorch ") and line[9].isdigit() for line in said.split("\n")):
        lacks.append("no training: this build has no libtorch")
    script = tmp + "/live.lua"
    with open(script, "w") as f:
        f.write("local dir = %r\nlocal tasks = {}\n" % tmp)
        if not any(x.startswith("no flows") for x in lacks):
            f.write("""
local bed = assert(lab.testbed{name = "bench-console", rate = "50mbit", rtt = "20ms", aqm = "dualpi2"})
assert(lab.iperf3{client = bed.client_x, server = bed.server, cc = "cubic", seconds = 3, save = dir .. "/i.json"})
tasks[1] = function() return lab.run{{client = bed.client_x, cc = "cubic"}, {client = bed.client_y, cc = "cubic"},
    server = bed.server, seconds = 120} end
""")
            if len(lacks) == 0:
                f.write("""
assert(lab.pool{files = {dir .. "/i.json"}, out = dir .. "/pool.safetensors"})
tasks[2] = function() return lab.adapt{pool = dir .. "/pool.safetensors", dir = dir .. "/model", num_epochs = 5000,
    w = 8, batch_size = 4, grad_accum_steps = 4, threads = 1} end
""")
        f.write('assert(lab.write_file(dir .. "/measure", ""))\n'
                "if #tasks == 0 then lab.sleep(1000) end\nassert(lab.all(tasks))\n")
    c = Console(script)
    limit = time.monotonic() + 60
    while not os.path.exists(tmp + "/measure"):
        c.drain(0.1)
        if time.monotonic() > limit:
            sys.exit("the lab did not come up within 60 s")
    c.drain(5)
    os.write(c.fd, b":")
    c.drain(0.5)
    times, marks, before, start = [], "@~`^", c.cpu_ms(), time.monotonic()
    for i in range(KEYS):
        # A character that nothing else on the screen has.
        mark = marks[i % len(marks)].encode()
        c.drain(0.02 + 0.0137 * (i % 7))
        sent = time.monotonic()
        os.write(c.fd, mark)
        while mark not in c.read(1):
            if time.monotonic() - sent > 5:
                sys.exit("a key was never shown")
        times.append((time.monotonic() - sent) * 1000)
        if i % 40 == 39:
            os.write(c.fd, b"\x15")  # an empty line again
    passed = time.monotonic() - start
    cpu = (c.cpu_ms() - before) / passed / 10
    c.end()
    times.sort()
    for x in lacks:
        print("live     " + x)
    print("live     key to screen: median %.1f ms, p99 %.1f, worst %.1f of %d keys (limit 30 ms); console %.1f %% of a core"
          % (statistics.median(times), times[int(len(times) * 0.99)], times[-1], KEYS, cpu))


try:
    idle()
    live()
finally:
    shutil.rmtree(tmp, ignore_errors=True)
END
