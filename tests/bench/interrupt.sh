#!/bin/sh
# How long Ctrl-C takes: from SIGINT, or from the key on a terminal (a pty), to the end of the process, or to the
# console's "idle". A lab that was up is then down. What needs root, /dev/net/tun, iperf3 or libtorch is skipped without
# them, and said so. A measurement, not a test: run it on a quiet machine. Two minutes.
#   tests/bench/interrupt.sh [BUILD_DIRECTORY]     (ROUNDS: 10 of each, half of that where flows have to start first)
build=${1:-$(dirname "$0")/../../build/release}
PATH="$PATH:/usr/sbin:/sbin"
exec env PYTHONPATH="$(dirname "$0")" PYTHONDONTWRITEBYTECODE=1 python3 - "$build" <<'END'
import json, os, shutil, signal, statistics, subprocess, sys, tempfile, time

from pty_console import PtyConsole

build = os.path.realpath(sys.argv[1])
ccalab, netllm = build + "/ccalab", build + "/netllm"
if not os.access(ccalab, os.X_OK):
    print("skipped: not built: " + ccalab)
    sys.exit(77)
ROUNDS = int(os.environ.get("ROUNDS", "10"))
LAB = "bench-stop"
tmp = tempfile.mkdtemp()
env = dict(os.environ, TERM="xterm-256color", LC_ALL="C.UTF-8", HOME=tmp, XDG_STATE_HOME=tmp,
           CCALAB_RUNS=tmp + "/runs", XDG_RUNTIME_DIR=tmp)
INTERRUPTED = 130
STARTED = 'lab.write_file("started", "")\n'
BED = 'local bed = assert(lab.testbed{name = "%s", rate = "20mbit", rtt = "20ms"})\n' % LAB
FLOW = BED + """
lab.spawn(function() return lab.run{{client = bed.client_x, cc = "cubic"}, server = bed.server, seconds = 120} end)
lab.sleep(1.5)
"""


def script(name, text):
    with open("%s/%s.lua" % (tmp, name), "w") as f:
        f.write(text)
    return ["--run", "%s/%s.lua" % (tmp, name)]


def wait_until(is_so, what, seconds=60):
    limit = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > limit:
            sys.exit("no %s within %g s" % (what, seconds))
        time.sleep(0.005)


def lab_is_up():
    return subprocess.run([ccalab, "testbed", "status", "--name", LAB], env=env,
                          capture_output=True).returncode == 0


def stop_ms(argv, is_begun, after_s=0):
    """SIGINT once is_begun(its output so far), and until it has ended."""
    with open(tmp + "/out", "wb") as out:
        p = subprocess.Popen(argv, cwd=tmp, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    def said():
        if p.poll() is not None:
            sys.exit("%s ended before it was stopped: %s" % (argv, open(tmp + "/out").read()))
        return open(tmp + "/out").read()
    wait_until(lambda: is_begun(said()), "begin of " + " ".join(argv))
    time.sleep(after_s)
    signal.alarm(60)  # p.wait(60) would look every 50 ms only
    start = time.monotonic()
    p.send_signal(signal.SIGINT)
    p.wait()
    signal.alarm(0)
    took = (time.monotonic() - start) * 1000
    if p.returncode != INTERRUPTED:
        sys.exit("%s: exit status %d: %s" % (argv, p.returncode, open(tmp + "/out").read()))
    if lab_is_up():
        sys.exit("%s: the lab is still up" % argv)
    return took


def run_ms(argv):
    if os.path.exists(tmp + "/started"):
        os.unlink(tmp + "/started")
    return stop_ms([ccalab, *argv], lambda said: os.path.exists(tmp + "/started"))


def judge_ms():
    """In the middle of the first cell."""
    return stop_ms([ccalab, "judge", "--sets", "solo", "--seeds", "1", "--candidates", "cubic", "--testbed", LAB],
                   lambda said: " 0 %" in said, 2)


def adapt_ms():
    shutil.rmtree(tmp + "/model", ignore_errors=True)
    return stop_ms([netllm, "adapt", "--exp-pool-path", "pool.safetensors", "--model-dir", "model",
                    "--num-epochs", "60000", "--w", "8"], lambda said: '"train"' in said, 0.2)


class Console(PtyConsole):
    def __init__(self):
        super().__init__(ccalab, [], env, tmp)
        self.wait(b"quit", 60)

    def stop_ms(self, line):
        os.write(self.fd, b":" + line.encode() + b"\r")
        self.wait(b"running", 60)
        self.drain(0.5)
        start = time.monotonic()
        os.write(self.fd, b"\x03")
        self.wait(b"idle", 60)
        took = (time.monotonic() - start) * 1000
        self.drain(0.2)
        return took


def show(name, measure, rounds):
    times = [measure() for _ in range(rounds)]
    print("%-44s min %7.1f ms, median %7.1f, max %7.1f (%d)"
          % (name, min(times), statistics.median(times), max(times), rounds), flush=True)


def make_pool():
    """A window that grows and halves, as a table of samples."""
    with open(tmp + "/flow.csv", "w") as f:
        f.write("t_s,cwnd_bytes,srtt_us,min_rtt_us,throughput_bps,bytes_acked,delivered,delivered_ce,lost\n")
        for i in range(2000):
            cwnd = 15000 + 1500 * (i % 50)
            f.write("%g,%d,%d,20000,%d,%d,%d,0,%d\n" % (100 + i / 50, cwnd, 20000 + cwnd // 10, cwnd * 400,
                                                        i * 20000, i * 14, i // 50))
    subprocess.run([netllm, "pool", "build", "-o", "pool.safetensors", "flow.csv"], cwd=tmp, check=True,
                   stdout=subprocess.DEVNULL)


try:
    few = max(3, ROUNDS // 2)
    for name, text in (("--run, a script that waits", "lab.sleep(1000)"),
                       ("--run, a loop without an end", "while true do end")):
        argv = script("plain", STARTED + text)
        show(name, lambda: run_ms(argv), ROUNDS)
    if os.getuid() != 0 or not shutil.which("iperf3") or not os.path.exists("/dev/net/tun"):
        print("skipped: with a lab up, an iperf3 run, the judge: they need root, iperf3 and /dev/net/tun")
    else:
        for name, text, rounds in (("--run, a lab up, and down again", BED, ROUNDS),
                                   ("--run, iperf3 in a lab, and that down", FLOW, few)):
            argv = script("lab", text + STARTED + "lab.sleep(1000)")
            show(name, lambda: run_ms(argv), rounds)
        show("judge, in the middle of a cell", judge_ms, few)
    engine = subprocess.run([netllm, "info", "--json"], capture_output=True, text=True).stdout \
        if os.access(netllm, os.X_OK) else "{}"
    if isinstance(json.loads(engine).get("libtorch"), str):
        make_pool()
        show("netllm adapt, and its state written", adapt_ms, ROUNDS)
    else:
        print("skipped: netllm adapt: this build has no libtorch")
    c = Console()
    for name, line in (("console, a task that waits", "lab.sleep(1000)"),
                       ("console, a loop without an end", "while true do end")):
        show(name, lambda: c.stop_ms(line), ROUNDS)
    c.end()
finally:
    shutil.rmtree(tmp, ignore_errors=True)
END
