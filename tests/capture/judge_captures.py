#!/usr/bin/env python3
"""Every public capture of ../shared/data/captures: our counts are tshark's, in the totals by its
display filters, per stream by the rows that were made with it."""

import csv
import gzip
import os
import shutil
import sys
import tempfile

import judge

# tshark 4.0 takes the payload length 0 of IPv6 BIG TCP at its word and finds no TCP header there.
WITHOUT_STREAMS = {"tcpdump_bigtcp-ipv6.pcap"}


def expected_rows(path):
    with gzip.open(path, "rt", newline="") as f:
        for r in csv.DictReader(f):
            if r["tcp.stream"] == "" or r["ip.src"] == "":
                continue
            yield (int(r["frame.number"]), float(r["frame.time_epoch"]), "tcp",
                   int(r["tcp.stream"]), (r["ip.src"], int(r["tcp.srcport"])),
                   (r["ip.dst"], int(r["tcp.dstport"])), int(r["ip.dsfield.ecn"]),
                   int(r["tcp.len"] or 0))


def modulo_deltas(values, bits):
    """What counters of so many bits grew by, one after the other."""
    values = list(values)
    return [(b - a) % (1 << bits) for a, b in zip(values, values[1:])]


def check_conservation(checks, path, mine):
    """What the AccECN options of the receiver add up to is what it acknowledged, and 77 segments were
    marked: the ground truth of ../shared/data/captures/README.md, and the same worked out from
    tshark's rows."""
    with gzip.open(path, "rt", newline="") as f:
        acks = [r for r in csv.DictReader(f)
                if r["tcp.stream"] == "1" and r["tcp.srcport"] == "5201"]
    flow = next(f for f in mine["flows"] if f["proto"] == "tcp" and f["stream"] == 1)
    accecn = flow["fwd"]["accecn"]
    truth = {"ee0b": 62158861, "eceb": 110264, "ee1b": 0, "acked_bytes": 62269125,
             "ce_segments": 77, "negotiated": True, "ambiguous": 0}
    for key, value in truth.items():
        checks.equal("conservation: " + key, accecn[key], value)
    with_option = [r for r in acks if r["tcp.options.acc_ecn.eceb"]]
    for key in ("ee0b", "eceb", "ee1b"):
        grown = modulo_deltas((int(r["tcp.options.acc_ecn." + key]) for r in with_option), 24)
        # An ACK that was overtaken takes a counter back, and the next one puts it forward again.
        checks.equal("conservation: rows' " + key,
                     sum(d if d < 1 << 23 else d - (1 << 24) for d in grown), accecn[key])
    # Not the reset at the end, which acknowledges nothing.
    raw = modulo_deltas((int(r["tcp.ack_raw"]) for r in acks if int(r["tcp.flags"], 16) & 0x14 == 0x10),
                        32)
    acked = sum(d if d < 1 << 31 else d - (1 << 32) for d in raw)
    checks.equal("conservation: rows' acknowledged bytes", acked, accecn["acked_bytes"])
    checks.equal("conservation: the sum",
                 accecn["ee0b"] + accecn["eceb"] + accecn["ee1b"], accecn["acked_bytes"])
    checks.equal("conservation: whole segments", accecn["ce_segments"] * 1432, accecn["eceb"])


def main():
    folder = os.path.join(os.environ["CCALAB_SOURCE"], "..", "shared", "data", "captures")
    if not os.path.isdir(folder):
        judge.skip("no ../shared/data/captures beside the tree")
    judge.need_tshark()
    checks = judge.Checks()
    with tempfile.TemporaryDirectory(prefix="ccalab-judge-") as tmp:
        for file in sorted(os.listdir(folder)):
            if not file.endswith((".pcap", ".pcap.gz")):
                continue
            path = os.path.join(folder, file)
            name = file[:-3] if file.endswith(".gz") else file
            if file.endswith(".gz"):
                path = os.path.join(tmp, name)
                with gzip.open(os.path.join(folder, file)) as src, open(path, "wb") as dst:
                    shutil.copyfileobj(src, dst)
            expected = os.path.join(folder, "expected", name + ".tshark4.0.17.csv.gz")
            with gzip.open(expected, "rt") as f:
                frames = sum(1 for _ in f) - 1
            mine = judge.ours(path)
            checks.equal(name + " frames", mine["frames"], frames)
            checks.equal(name + " truncated", mine["truncated"], False)
            counts, rows = judge.look(path, judge.TOTALS, judge.FLOW_FIELDS)
            judge.check_totals(checks, path, mine, counts)
            if name.startswith("heistp_"):
                check_conservation(checks, expected, mine)
            if name in WITHOUT_STREAMS:
                continue
            theirs = judge.flows_of_rows(expected_rows(expected))
            udp = judge.flows_of_rows(r for r in judge.flow_rows(judge.FLOW_FIELDS, rows)
                                      if r[2] == "udp")
            judge.check_flows(checks, name, mine, {**theirs, **udp})
            print("%-70s %6d frames %4d flows" % (name, frames, len(mine["flows"])))
            sys.stdout.flush()
    checks.finish("judge_captures")


if __name__ == "__main__":
    main()
