#!/bin/sh
# Startup times: `ccalab --version`, and from exec to the first whole frame on a terminal (a pty).
# Median, best and worst of 20. A measurement, not a test: run it on a quiet machine.
#   tests/bench/startup.sh [BUILD_DIRECTORY]
build=${1:-$(dirname "$0")/../../build/release}
exec python3 - "$build/ccalab" <<'END'
import fcntl, os, pty, select, signal, statistics, struct, subprocess, sys, termios, time

ccalab = sys.argv[1]
if not os.access(ccalab, os.X_OK):
    sys.exit("not built: " + ccalab)
ROUNDS = 20
env = dict(os.environ, TERM="xterm-256color", LC_ALL="C.UTF-8")


def version_ms():
    start = time.monotonic()
    subprocess.run([ccalab, "--version"], stdout=subprocess.DEVNULL, check=True)
    return (time.monotonic() - start) * 1000


def first_frame_ms():
    start = time.monotonic()
    pid, fd = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        os.execve(ccalab, [ccalab], env)
    seen = b""
    # The key bar is the last row of the frame.
    while b"quit" not in seen:
        if not select.select([fd], [], [], 10)[0]:
            os.kill(pid, signal.SIGKILL)
            sys.exit("no first frame within 10 s")
        seen += os.read(fd, 65536)
    took = (time.monotonic() - start) * 1000
    os.kill(pid, signal.SIGTERM)
    try:
        while os.read(fd, 65536):
            pass
    except OSError:
        pass  # the other end is closed
    os.waitpid(pid, 0)
    os.close(fd)
    return took


for name, measure, limit in (("ccalab --version", version_ms, 30),
                             ("first frame", first_frame_ms, 100)):
    measure()  # the first one reads the program from the disk
    times = [measure() for _ in range(ROUNDS)]
    print("%-18s median %6.1f ms, best %6.1f, worst %6.1f (limit %d ms, %d rounds)"
          % (name, statistics.median(times), min(times), max(times), limit, ROUNDS))
END
