#!/bin/sh
# Startup times: `ccalab --version`, `netllm --help`, and from exec to the first whole frame on a
# terminal (a pty).
# Median, best and worst of 20. A measurement, not a test: run it on a quiet machine.
#   tests/bench/startup.sh [BUILD_DIRECTORY]
here=$(cd "$(dirname "$0")" && pwd)
build=${1:-$here/../../build/release}
PYTHONPATH=$here exec python3 - "$build/ccalab" "$build/netllm" <<'END'
import os, statistics, subprocess, sys, time
from first_frame import first_frame_ms

ccalab, netllm = sys.argv[1:]
for program in ccalab, netllm:
    if not os.access(program, os.X_OK):
        sys.exit("not built: " + program)
ROUNDS = 20


def run_ms(*words):
    start = time.monotonic()
    subprocess.run(words, stdout=subprocess.DEVNULL, check=True)
    return (time.monotonic() - start) * 1000


for name, measure, limit in (("ccalab --version", lambda: run_ms(ccalab, "--version"), 30),
                             ("netllm --help", lambda: run_ms(netllm, "--help"), 30),
                             # The key bar is the last row of the frame.
                             ("first frame", lambda: first_frame_ms([ccalab], 40, 120, b"quit"),
                              100)):
    measure()  # the first one reads the program from the disk
    times = [measure() for _ in range(ROUNDS)]
    print("%-18s median %6.1f ms, best %6.1f, worst %6.1f (limit %d ms, %d rounds)"
          % (name, statistics.median(times), min(times), max(times), limit, ROUNDS))
END
