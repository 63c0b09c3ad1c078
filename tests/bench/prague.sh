#!/bin/sh
# What TCP Prague reaches in the virtual lab, as the tables of docs/prague.md: alone, against CUBIC,
# two of it, at 50 and 100 Mbit/s and 10 and 20 ms. A measurement, not a test: run it as root on a
# quiet machine. Takes about five minutes. ONLY="50 20 alone" picks the cells that have these words;
# VERBOSE=1 adds what was sent in every second.
#   tests/bench/prague.sh [BUILD_DIRECTORY [SECONDS [CONGESTION_CONTROL]]]
build=${1:-$(dirname "$0")/../../build/release}
exec python3 - "$build" "${2:-12}" "${3:-}" <<'END'
import json, os, platform, subprocess, sys, threading, time

build, seconds, cc_asked = sys.argv[1], int(sys.argv[2]), sys.argv[3]
ccalab = os.path.join(build, "ccalab")
LAB = os.environ.get("LAB", "prague-bench")
SERVER = "10.98.3.2"
if not os.access(ccalab, os.X_OK):
    sys.exit("not built: " + ccalab)
if os.geteuid() != 0:
    sys.exit("needs root")


class Lab:
    """`ccalab testbed keep`, with its samples; `with` takes it down."""

    def __init__(self, rate, rtt, aqm):
        self.samples, self.up, self.down = [], None, None
        self.keeper = subprocess.Popen(
            [ccalab, "testbed", "keep", "--name", LAB, "--rate", rate, "--rtt", rtt,
             "--aqm", aqm, "--interval", "10ms", "--owner", str(os.getpid())],
            stdout=subprocess.PIPE, text=True)
        self.is_ready = threading.Event()
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self):
        for line in self.keeper.stdout:
            event = json.loads(line)
            if event["type"] == "sample":
                self.samples.append((event["t"], event["src"], event["values"]))
            elif event["type"] == "error":
                print(event["message"], event.get("hint", ""), file=sys.stderr)
            elif event["type"] == "result":
                if event["data"]["state"] == "up":
                    self.up = event["data"]
                    self.is_ready.set()
                else:
                    self.down = event["data"]
        self.is_ready.set()

    def __enter__(self):
        self.is_ready.wait()
        if not self.up:
            self.__exit__()
            sys.exit("the lab does not come up")
        return self

    def __exit__(self, *_):
        self.keeper.terminate()
        self.keeper.wait()
        self.reader.join()

    def run(self, host, *command):
        return subprocess.Popen(["ip", "netns", "exec", "%s-%s" % (LAB, host), *command],
                                stdout=subprocess.PIPE, text=True)


def flows(lab, ccs):
    """One flow each, X from client_x, Y from client_y: Mbit/s received in every second."""
    servers = []
    for i in range(len(ccs)):
        s = lab.run("server", "iperf3", "-s", "-1", "-p", str(5201 + i), "--forceflush")
        while "listening" not in s.stdout.readline():
            pass
        servers.append(s)
    clients = [lab.run(host, "iperf3", "-c", SERVER, "-p", str(5201 + i), "-C", cc, "-t",
                       str(seconds), "-J")
               for i, (host, cc) in enumerate(zip(("client_x", "client_y"), ccs))]
    out = []
    for c in clients:
        doc = json.loads(c.communicate()[0])
        if "error" in doc:
            sys.exit("iperf3: " + doc["error"])
        received = doc["end"]["sum_received"]
        out.append({"mbps": received["bits_per_second"] / 1e6,
                    "sent": [i["sum"]["bits_per_second"] / 1e6 for i in doc["intervals"]]})
    for s in servers:
        s.communicate()
    return out


def quantile(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))] / 1000 if values else None


def ms(value):
    return "%.2f" % value if value is not None else "-"


def cell(rate, rtt, aqm, kind):
    with Lab("%dmbit" % rate, "%dms" % rtt, aqm) as lab:
        prague = cc_asked or lab.up["prague"]["cc"] or sys.exit("no TCP Prague here")
        ccs = {"alone": [prague], "vs CUBIC": [prague, "cubic"], "2 Pragues": [prague] * 2}[kind]
        start = time.time()
        result = flows(lab, ccs)
        end = time.time()
    # The mean sojourn of every 10 ms in which the queue sent anything.
    inside = [v for t, src, v in lab.samples if src == "link/down" and start < t < end]
    queue = {k: [v[k] for v in inside if v[k] is not None] for k in ("delay_l_us", "delay_c_us")}
    if aqm == "dualpi2" and "cubic" not in ccs:
        queue["delay_c_us"] = []  # SYNs and iperf3's own connection
    attainable = rate * 1448 / 1500  # payload per IP packet with time stamps
    mbps = [f["mbps"] for f in result]
    ratio = jain = "-"
    if len(mbps) == 2:
        ratio = "%.2f" % (mbps[0] / mbps[1])
        jain = "%.3f" % (sum(mbps) ** 2 / 2 / sum(m * m for m in mbps))
    late = lab.down["link"]["late_us"]
    print("| %d | %d | %s | %s | %s | %.1f %% | %s | %s | %s / %s | %s / %s | %s%s |" % (
        rate, rtt, aqm, kind, " + ".join("%.1f" % m for m in mbps),
        100 * sum(mbps) / attainable, ratio, jain,
        ms(quantile(queue["delay_l_us"], 0.5)), ms(quantile(queue["delay_l_us"], 0.99)),
        ms(quantile(queue["delay_c_us"], 0.5)), ms(quantile(queue["delay_c_us"], 0.99)),
        late["p99"], " (late)" if lab.down["link"]["is_late"] else ""), flush=True)
    if os.environ.get("VERBOSE"):
        for f in result:
            print("    each second:", " ".join("%.1f" % m for m in f["sent"]))


print("Linux %s, %d cores, load %.1f, %d s a cell\n"
      % (platform.release(), os.cpu_count(), os.getloadavg()[0], seconds))
print("| Mbit/s | RTT ms | AQM | flows | Mbit/s received | utilisation | X/Y | Jain "
      "| L ms p50 / p99 | C ms p50 / p99 | late µs p99 |")
print("|---|---|---|---|---|---|---|---|---|---|---|")
cells = [(rate, rtt, "dualpi2", kind) for rate in (50, 100) for rtt in (20, 10)
         for kind in ("alone", "vs CUBIC", "2 Pragues")]
cells += [(50, 20, aqm, kind) for aqm in ("fifo limit 250kb", "codel ecn", "fq_codel ecn")
          for kind in ("alone", "vs CUBIC")]
for c in cells:
    if all(w in " ".join(map(str, c)).split() for w in os.environ.get("ONLY", "").split()):
        cell(*c)
END
