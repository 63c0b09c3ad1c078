#!/bin/sh
# What plots cost: plots.c (frames, memory), then the whole console on a terminal (a pty of 200x50) with
# a job that samples 20 series 1000 times a second, against ttyplot with two series of the same data,
# which is what it can show. CPU time is that of the process that draws, by /proc. A measurement, not a
# test: run it on a quiet machine.
#   tests/bench/plots.sh [BUILD_DIRECTORY [SECONDS]]
source=$(cd "$(dirname "$0")" && pwd)
build=${1:-$source/../../build/release}
seconds=${2:-10}

python3 - "$build/ccalab" "$seconds" <<'END'
import fcntl, os, pty, select, shutil, signal, struct, subprocess, sys, tempfile, termios, threading, time

ccalab, seconds = sys.argv[1], float(sys.argv[2])
work = tempfile.mkdtemp(prefix="ccalab_plots.")
HZ = os.sysconf("SC_CLK_TCK")
GENERATOR = r"""
import math, sys, time
series, kind = int(sys.argv[1]), sys.argv[2]
start, i = time.time(), 0
def value(k, i):
    return (10 + k + 20 * ((i + k * 311) % 4000) / 4000 + (i * 7919 % 100) / 50) * 1e6
while True:
    while i / 1000 <= time.time() - start:
        if kind == "events":
            values = ",".join('"flow_%02d/throughput_bps":%d' % (k, value(k, i)) for k in range(series))
            print('{"t":%.3f,"type":"sample","src":"bench","values":{%s}}' % (start + i / 1000, values))
        else:
            print(*("%.3f" % (value(k, i) / 1e6) for k in range(series)))
        i += 1
    sys.stdout.flush()
    time.sleep(0.005)
"""
open(work + "/gen.py", "w").write(GENERATOR)
open(work + "/bench.lua", "w").write("""
local job = assert(lab.localhost:start{"python3", arg[1], arg[2], "events", events = true, label = "gen"})
lab.sleep(3600)
""")


def cpu_s(pid):
    fields = open("/proc/%d/stat" % pid).read().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / HZ


def measure(name, argv, keys=b"", stdin=None):
    """Run argv on a terminal; after a warm-up its CPU share and bytes a second."""
    pid, fd = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
        if stdin is not None:
            os.dup2(stdin, 0)
        os.execvpe(argv[0], argv, dict(os.environ, TERM="xterm-256color", LC_ALL="C.UTF-8",
                                       XDG_STATE_HOME=work, XDG_CONFIG_HOME=work))
    total, is_done = [0], threading.Event()

    def drain():
        while not is_done.is_set():
            if select.select([fd], [], [], 0.2)[0]:
                try:
                    total[0] += len(os.read(fd, 1 << 16))
                except OSError:
                    return
    reader = threading.Thread(target=drain)
    reader.start()
    time.sleep(1.5)
    if keys:
        os.write(fd, keys)
    time.sleep(2.5)
    cpu, written, start = cpu_s(pid), total[0], time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - start
    print("%-28s %5.1f %% of a core, %6.1f kB/s to the terminal"
          % (name, 100 * (cpu_s(pid) - cpu) / took, (total[0] - written) / took / 1000))
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + 10
    while os.waitpid(pid, os.WNOHANG)[0] == 0:
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
    is_done.set()
    reader.join()
    os.close(fd)


try:
    for n in (20, 2):
        measure("ccalab, %d series at 1 kHz" % n,
                [ccalab, work + "/bench.lua", work + "/gen.py", str(n)], b"2")
    if shutil.which("ttyplot"):
        gen = subprocess.Popen([sys.executable, work + "/gen.py", "2", "numbers"],
                               stdout=subprocess.PIPE)
        measure("ttyplot, 2 series at 1 kHz", ["ttyplot", "-2"], stdin=gen.stdout.fileno())
        gen.kill()
        gen.wait()
    else:
        print("ttyplot is not installed (Debian's ttyplot): not compared")
finally:
    shutil.rmtree(work, ignore_errors=True)
END
