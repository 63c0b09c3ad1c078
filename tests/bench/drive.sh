#!/bin/sh
# From a sample of the kernel's to the new window in its array, and the CPU that it takes: netllm
# drive with samples for every ACK of a 50 Mbit/s flow, idle, idle with processors kept awake, and
# under two busy loops, with SCHED_FIFO and without. The table of docs/drive.md. A measurement, not
# a test: as root, on a quiet machine. About two minutes. STUDENT names a network of netllm distill,
# which is measured too.
#   [STUDENT=FILE] tests/bench/drive.sh [BUILD_DIRECTORY [SECONDS [POLICY...]]]
here=$(cd "$(dirname "$0")" && pwd)
CCALAB_BUILD=$(cd "${1:-$here/../../build/release}" && pwd) || exit 2
export CCALAB_BUILD
student=${STUDENT:+distilled:$(realpath -e "$STUDENT")} || exit 2
cd "$here/../drive" || exit 2
[ $# -gt 0 ] && shift
seconds=${1:-5}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- copy-last constant:80 "lua:$here/each_ack.lua"
[ -z "$student" ] || set -- "$@" "$student"
exec python3 - "$seconds" "$@" <<'E'
import sys
sys.path.insert(0, ".")
from lab import *

seconds, policies = sys.argv[1], sys.argv[2:]
print("| policy | machine | priority | Mbit/s | events | event to window us, p50 / p99 | policy us, "
      "p50 / p99 | CPU ms per 1000 events | CPU % |")
print("|---|---|---|---|---|---|---|---|---|")
with Lab("drive-bench") as lab:
    for policy in policies:
        for hogs, words in ((0, []), (0, ["--awake"]), (2, []), (2, ["--no-fifo"])):
            busy = [lab.start(None, [sys.executable, "-c", "while True: pass"])
                    for _ in range(hogs)]
            agent = lab.drive(policy, "--interval", "0", "--report", "10s", *words)
            rate = json.loads(lab.iperf3(seconds).communicate()[0])["end"]["sum_received"]
            agent.process.send_signal(signal.SIGINT)
            agent.process.wait()
            r = agent.events()[-1]["data"]
            for p in busy:
                p.kill()
                p.wait()
            until(lambda: not has_cc(), 2)
            machine = "two busy loops" if hogs else "awake" if words else "idle"
            print(f"| {policy.split('/')[-1]} | {machine} | "
                  f"{'default' if '--no-fifo' in words else 'FIFO'} | {rate['bits_per_second'] / 1e6:.1f} | "
                  f"{r['intervals']} | {r['event_p50_us']:.0f} / {r['event_p99_us']:.0f} | "
                  f"{r['decide_p50_us']:.1f} / {r['decide_p99_us']:.1f} | "
                  f"{1e6 * r['cpu_s'] / r['intervals']:.1f} | "
                  f"{100 * r['cpu_s'] / float(seconds):.1f} |", flush=True)
E
