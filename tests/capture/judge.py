"""What tshark and what we say of a capture file, in the same shape."""

import json
import os
import shutil
import subprocess
import sys

SKIP = 77
CLI = os.path.join(os.environ.get("CCALAB_BUILD", "."), "ccalab")
NAMES = ["not_ect", "ect1", "ect0", "ce"]


def skip(why):
    print("skipped:", why)
    sys.exit(SKIP)


def need_tshark():
    if shutil.which("tshark") is None:
        skip("tshark is not installed")


def tshark(*args):
    # Only the dissection counts; what tshark grumbles about (running as root) is not ours.
    return subprocess.run(["tshark", *args], check=False, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True).stdout


def tshark_count(path, display_filter):
    return len(tshark("-r", path, "-Y", display_filter).splitlines())


def ours(path):
    out = subprocess.run([CLI, "ecn", path, "--json"], check=True, stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL, text=True).stdout
    return json.loads(out)


class Checks:
    """Counts comparisons, prints the ones that differ."""

    def __init__(self):
        self.done = 0
        self.failed = 0

    def equal(self, what, got, expected):
        self.done += 1
        if got != expected:
            self.failed += 1
            print("NOT EQUAL %s: ccalab %s, tshark %s" % (what, got, expected))

    def finish(self, what):
        print("%s: %d comparisons, %d differ" % (what, self.done, self.failed))
        sys.exit(1 if self.failed or not self.done else 0)


def check_totals(checks, path, mine):
    """The eight display filters of the issue."""
    name = os.path.basename(path)
    for ecn, key in enumerate(NAMES):
        checks.equal("%s ip.dsfield.ecn == %d" % (name, ecn), mine["ipv4"][key],
                     tshark_count(path, "ip.dsfield.ecn == %d" % ecn))
        checks.equal("%s ipv6.tclass.ecn == %d" % (name, ecn), mine["ipv6"][key],
                     tshark_count(path, "ipv6.tclass.ecn == %d" % ecn))


def empty_dir():
    return {"data": dict.fromkeys(NAMES, 0), "ack": dict.fromkeys(NAMES, 0), "bytes": 0,
            "first_ce": None}


def flows_of_rows(rows):
    """rows: (frame, time, proto, stream, (src, sport), (dst, dport), ecn, payload bytes).
    Returns {(proto, stream): (fwd source, {"fwd", "rev"})}."""
    flows = {}
    for frame, time, proto, stream, source, dest, ecn, length in rows:
        first, dirs = flows.setdefault((proto, stream),
                                       (source, {"fwd": empty_dir(), "rev": empty_dir()}))
        d = dirs["fwd" if source == first else "rev"]
        kind = "ack" if proto == "tcp" and length == 0 else "data"
        d[kind][NAMES[ecn]] += 1
        d["bytes"] += length
        if ecn == 3 and d["first_ce"] is None:
            d["first_ce"] = {"frame": frame, "t": time}
    return flows


def check_flows(checks, name, mine, theirs):
    """theirs: as flows_of_rows() makes them."""
    mine = {(f["proto"], f["stream"]): f for f in mine["flows"]}
    checks.equal(name + " streams", sorted(mine), sorted(theirs))
    for key in sorted(set(mine) & set(theirs)):
        source, dirs = theirs[key]
        checks.equal("%s %s source" % (name, key), (mine[key]["src"], mine[key]["sport"]), source)
        for d in ("fwd", "rev"):
            for field in ("data", "ack", "bytes", "first_ce"):
                checks.equal("%s %s %s %s" % (name, key, d, field), mine[key][d][field],
                             dirs[d][field])


FIELDS = ["frame.number", "frame.time_epoch", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst",
          "ip.dsfield.ecn", "ipv6.tclass.ecn", "tcp.stream", "tcp.srcport", "tcp.dstport",
          "tcp.len", "udp.stream", "udp.srcport", "udp.dstport", "udp.length"]


def tshark_rows(path):
    """Rows for flows_of_rows(), from the frames that tshark gives a stream."""
    args = ["-r", path, "-T", "fields", "-E", "occurrence=f", "-E", "separator=,"]
    for field in FIELDS:
        args += ["-e", field]
    for line in tshark(*args).splitlines():
        r = dict(zip(FIELDS, line.split(",")))
        for proto in ("tcp", "udp"):
            if r[proto + ".stream"] == "":
                continue
            src, dst = r["ip.src"] or r["ipv6.src"], r["ip.dst"] or r["ipv6.dst"]
            if proto == "tcp":
                length = int(r["tcp.len"] or 0)
            else:
                length = int(r["udp.length"]) - 8
            yield (int(r["frame.number"]), float(r["frame.time_epoch"]), proto,
                   int(r[proto + ".stream"]), (src, int(r[proto + ".srcport"])),
                   (dst, int(r[proto + ".dstport"])),
                   int(r["ip.dsfield.ecn"] or r["ipv6.tclass.ecn"]), length)
