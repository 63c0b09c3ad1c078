#!/bin/sh
# Packets per second and peak memory on one capture file, one core, best of ROUNDS: `ccalab ecn` with its
# whole accounting and `ccalab packets -Y FILTER --count`, beside `tcpdump --count` with a CE filter and
# tshark. tshark takes minutes: TSHARK=iostat runs it without filters only, TSHARK=none not at all.
# A measurement, not a test: run it on a quiet machine.
#   tests/bench/packets.sh [BUILD_DIRECTORY]
#   PACKETS=5000000 FLOWS=100 ROUNDS=5 TSHARK=all|iostat|none DIR=/tmp: the file, where, and how often
here=$(cd "$(dirname "$0")" && pwd)
build=${1:-$here/../../build/release}
dir=$(mktemp -d "${DIR:-/tmp}/ccalab-bench-XXXXXX") || exit 1
trap 'rm -rf "$dir"' EXIT
cc -O2 -o "$dir/pcap_make" "$here/pcap_make.c" || exit 1
python3 - "$build/ccalab" "$dir" <<'EOF'
import os, subprocess, sys, time

ccalab, where = sys.argv[1:]
packets = int(os.environ.get("PACKETS", 5000000))
flows = os.environ.get("FLOWS", "100")
rounds = int(os.environ.get("ROUNDS", 5))
with_tshark = os.environ.get("TSHARK", "all")
if not os.access(ccalab, os.X_OK):
    sys.exit("not built: " + ccalab)
core = str(max(os.sched_getaffinity(0)))
path = where + "/bench.pcap"
with open(path, "wb") as f:
    subprocess.run([where + "/pcap_make", str(packets), flows], stdout=f, check=True)
with open(path, "rb") as f:  # into the page cache
    while f.read(1 << 20):
        pass
CE = "(ip and ip[1] & 3 = 3) or (ip6 and ip6[1] & 0x30 = 0x30)"
FILTERS = ["ip.dsfield.ecn == 3", "tcp.analysis.retransmission", "tcp.flags.ace == 5 and tcp.len == 0",
           "ip.addr == 10.0.0.0/24 and not tcp.options.acc_ecn.eceb", "tcp.analysis.ack_rtt > 0.001"]


def peak_mib(pid):
    """So far. Not from wait4(): that knows what the process was before it became this program."""
    try:
        with open("/proc/%d/status" % pid) as f:
            return max((int(line.split()[1]) / 1024 for line in f if line.startswith("VmHWM")), default=0)
    except OSError:
        return 0


def best_of(n, command):
    """Seconds, MiB and the last line of the output."""
    seconds, peak = [], 0
    for _ in range(n):
        with open(where + "/out", "w") as out:
            began = time.monotonic()
            process = subprocess.Popen(["taskset", "-c", core, *command], stdout=out,
                                       stderr=subprocess.DEVNULL)
            while True:
                try:
                    process.wait(0.01)
                    break
                except subprocess.TimeoutExpired:
                    peak = max(peak, peak_mib(process.pid))
            seconds.append(time.monotonic() - began)
        if process.returncode:
            sys.exit("failed: " + " ".join(command))
    with open(where + "/out") as f:
        return min(seconds), peak, f.read().rstrip().split("\n")[-1]


def row(what, result, *compared):
    seconds, peak, _ = result
    text = "%-64s %8.2f s %8.3f M/s %7.0f MiB" % (what, seconds, packets / seconds / 1e6, peak)
    print(text + "".join("  %5.2f x %s" % (other / seconds, name) for name, other in compared))
    sys.stdout.flush()


# What tshark counted stands in the one row of its table.
def counted():
    with open(where + "/out") as f:
        return next(line.split("|")[2].strip() for line in f if "<>" in line)


print("%d packets, %s flows, %d MiB, best of %d, tshark once"
      % (packets, flows, os.path.getsize(path) >> 20, rounds))
tcpdump = best_of(rounds, ["tcpdump", "--count", "-r", path, CE])
row("tcpdump --count CE", tcpdump)
others = [("tcpdump", tcpdump[0])]
if with_tshark != "none":
    tshark = best_of(1, ["tshark", "-n", "-q", "-z", "io,stat,0", "-r", path])
    row("tshark -q -z io,stat,0", tshark)
    others.append(("tshark", tshark[0]))
row("ccalab ecn", best_of(rounds, [ccalab, "ecn", path, "--json"]), *others)
for text in FILTERS:
    ours = best_of(rounds, [ccalab, "packets", path, "-Y", text, "--count"])
    if with_tshark != "all":
        row("ccalab packets -Y '%s'" % text, ours, *others)
        continue
    theirs = best_of(1, ["tshark", "-n", "-q", "-z", "io,stat,0," + text, "-r", path])
    row("tshark -q -z io,stat,0,'%s'" % text, theirs)
    row("ccalab packets -Y '%s'" % text, ours, ("tshark", theirs[0]))
    if counted() != ours[2]:
        sys.exit("not the same count: ccalab %s, tshark %s" % (ours[2], counted()))
EOF
