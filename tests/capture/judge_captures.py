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
            judge.check_totals(checks, path, mine)
            if name in WITHOUT_STREAMS:
                continue
            theirs = judge.flows_of_rows(expected_rows(expected))
            udp = judge.flows_of_rows(r for r in judge.tshark_rows(path) if r[2] == "udp")
            judge.check_flows(checks, name, mine, {**theirs, **udp})
            print("%-70s %6d frames %4d flows" % (name, frames, len(mine["flows"])))
            sys.stdout.flush()
    checks.finish("judge_captures")


if __name__ == "__main__":
    main()
