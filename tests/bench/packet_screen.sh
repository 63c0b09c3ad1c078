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
PYTHONPATH=$source python3 - "$build/ccalab" "$dir/file.pcap" <<'END'
import statistics, sys
from first_frame import first_frame_ms

ROUNDS = 10


def first_page_ms():
    return first_frame_ms([sys.argv[1], "packets", sys.argv[2]], 50, 200,
                          b"Transmission Control Protocol")


first_page_ms()
times = [first_page_ms() for _ in range(ROUNDS)]
print("exec to the first packet     median %.1f ms, worst %.1f (limit 300, %d rounds)"
      % (statistics.median(times), max(times), ROUNDS))
END
"$build/packet_screen_bench" "$dir/file.pcap"
