#!/bin/sh
# The packet screen on a generated file: from exec to the first packet on a terminal (a pty), and
# what packet_screen.c measures. A measurement, not a test: run it on a quiet machine.
#   tests/bench/packet_screen.sh [BUILD_DIRECTORY [PACKETS [FLOWS]]]
source=$(cd "$(dirname "$0")" && pwd)
build=${1:-$source/../../build/release}
packets=${2:-5000000}
flows=${3:-200}
dir=$(mktemp -d "${TMPDIR:-/var/tmp}/packet_screen.XXXXXX")
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM HUP

${CC:-cc} -O2 -o "$dir/make" "$source/pcap_make.c" || exit 1
"$dir/make" "$packets" "$flows" >"$dir/file.pcap" || exit 1
echo "$packets packets of $flows flows, $(($(wc -c <"$dir/file.pcap") >> 20)) MiB"
python3 - "$build/ccalab" "$dir/file.pcap" <<'END'
import fcntl, os, pty, select, signal, statistics, struct, sys, termios, time

ROUNDS = 10
env = dict(os.environ, TERM="xterm-256color", LC_ALL="C.UTF-8")


def first_page_ms():
    start = time.monotonic()
    pid, fd = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
        os.execve(sys.argv[1], [sys.argv[1], "packets", sys.argv[2]], env)
    seen = b""
    while b"Transmission Control Protocol" not in seen:
        if not select.select([fd], [], [], 10)[0]:
            os.kill(pid, signal.SIGKILL)
            sys.exit("no first page within 10 s")
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


first_page_ms()
times = [first_page_ms() for _ in range(ROUNDS)]
print("exec to the first packet     median %.1f ms, worst %.1f (limit 300, %d rounds)"
      % (statistics.median(times), max(times), ROUNDS))
END
"$build/packet_screen_bench" "$dir/file.pcap"
