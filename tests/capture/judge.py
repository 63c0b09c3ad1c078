"""What tshark and what we say of a capture file, in the same shape."""

import json
import os
import re
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


def look(path, filters=(), fields=(), options=()):
    """One pass of tshark, which takes longer to start than to read: {filter: frames that match},
    and of each frame the values of the fields."""
    args = ["tshark", "-n", "-r", path, *options, *([] if fields else ["-q"])]
    # The one table of tshark that takes a filter with commas and counts where no time passes. It
    # names the frame itself only where a filter asks for it.
    asked = dict.fromkeys([*filters, "frame"] if filters else [])
    args += [word for text in asked for word in ("-z", "io,phs," + text)]
    args += ["-T", "fields"] if fields else []
    args += [word for field in fields for word in ("-e", field)]
    # Standard error: what tshark grumbles about (running as root) is not ours.
    done = subprocess.run(args, check=False, capture_output=True, text=True)
    if done.returncode not in (0, 2):  # 2: the file is damaged somewhere; what came before counts
        sys.exit("tshark on %s: %s" % (path, done.stderr))
    lines, *tables = re.split("^=+\nProtocol Hierarchy Statistics\nFilter: ", done.stdout,
                              flags=re.M)
    counts = {}
    for table in tables:
        text, rest = table.split("\n", 1)
        found = re.match(r"\n(?:frame +frames:(\d+) |=)", rest)
        if found:
            counts[text] = int(found.group(1) or 0)
    if counts.keys() != asked.keys():
        sys.exit("tshark on %s: not counted: %s" % (path, asked.keys() - counts.keys()))
    rows = lines.splitlines()
    if fields and filters:
        rows.pop()  # an empty line before the first table
    return counts, [row.split("\t") for row in rows] if fields else []


def ours(path):
    out = subprocess.run([CLI, "ecn", path, "--json"], check=True, stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL, text=True).stdout
    return json.loads(out)


# Everything that packet_rows knows.
ROW_FIELDS = """frame.number frame.time_epoch frame.len frame.cap_len vlan.id ieee8021ad.id gre.proto ip.src ip.dst ip.ttl
ip.dsfield.dscp ip.dsfield.ecn ipv6.src ipv6.tclass.ecn udp.srcport udp.dstport udp.stream
sctp.srcport tcp.stream tcp.srcport tcp.dstport tcp.len tcp.seq tcp.ack tcp.seq_raw tcp.ack_raw
tcp.flags tcp.flags.ae tcp.flags.cwr tcp.flags.ece tcp.flags.ace tcp.window_size tcp.option_kind
tcp.options.acc_ecn.ee0b tcp.options.acc_ecn.eceb tcp.options.acc_ecn.ee1b tcp.time_relative
tcp.time_delta tcp.analysis.retransmission tcp.analysis.fast_retransmission
tcp.analysis.spurious_retransmission tcp.analysis.out_of_order tcp.analysis.duplicate_ack
tcp.analysis.duplicate_ack_num tcp.analysis.lost_segment tcp.analysis.ack_lost_segment
tcp.analysis.keep_alive tcp.analysis.keep_alive_ack tcp.analysis.zero_window
tcp.analysis.zero_window_probe tcp.analysis.window_update tcp.analysis.window_full
tcp.analysis.reused_ports tcp.analysis.ack_rtt tcp.analysis.initial_rtt tcp.analysis.rto
tcp.analysis.bytes_in_flight""".split()


def check_rows(checks, path, theirs):
    """Every field of every frame. theirs: of each, values that begin with those of ROW_FIELDS."""
    name = os.path.basename(path)
    mine = subprocess.run([os.path.join(os.environ.get("CCALAB_BUILD", "."), "packet_rows"), path,
                           *ROW_FIELDS], check=True, stdout=subprocess.PIPE, text=True)
    mine = mine.stdout.splitlines()
    checks.equal(name + " rows", len(mine), len(theirs))
    for ours_row, their_row in zip(mine, theirs):
        for field, a, b in zip(ROW_FIELDS, ours_row.split("\t"), their_row):
            checks.equal("%s frame %s %s" % (name, their_row[0], field), a, b)


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


# The eight display filters of the issue.
TOTALS = ["%s == %d" % (field, ecn) for field in ("ip.dsfield.ecn", "ipv6.tclass.ecn")
          for ecn in range(4)]


def check_totals(checks, path, mine, counts=None):
    """counts: what look() said of TOTALS, if it did."""
    counts = look(path, TOTALS)[0] if counts is None else counts
    totals = [mine[family][key] for family in ("ipv4", "ipv6") for key in NAMES]
    for text, total in zip(TOTALS, totals):
        checks.equal("%s %s" % (os.path.basename(path), text), total, counts[text])


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


FLOW_FIELDS = ["frame.number", "frame.time_epoch", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst",
               "ip.dsfield.ecn", "ipv6.tclass.ecn", "tcp.stream", "tcp.srcport", "tcp.dstport",
               "tcp.len", "udp.stream", "udp.srcport", "udp.dstport", "udp.length"]


def flow_rows(fields, rows):
    """Rows for flows_of_rows(), of frames that tshark gives a stream; of each field the first."""
    for row in rows:
        r = {field: value.split(",")[0] for field, value in zip(fields, row)}
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
