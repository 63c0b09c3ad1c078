#!/usr/bin/env python3
"""A corpus of hand-made captures: every link type, tags, extension headers, lengths that lie, every
truncation, reused ports. Totals and streams are tshark's; where they are not, the difference is
stated here as an expectation of its own (docs/capture.md, "What differs from Wireshark")."""

import os
import struct
import tempfile

import judge
from packets import (ACK, AE, CWR, ECE, ETHERNET, FIN, IPV4, IPV6, LOOP, NULL, PSH, RAW, RST, SLL,
                     SLL2, SYN, eth, eth6, extension, fragment6, ipv4, ipv6, pcap, sll, sll2, tcp,
                     udp)

LINKS = {
    "ethernet": (ETHERNET, eth, eth6),
    "raw": (RAW, bytes, bytes),
    "ipv4": (IPV4, bytes, None),
    "ipv6": (IPV6, None, bytes),
    "sll": (SLL, sll, lambda p: sll(p, 0x86DD)),
    "sll2": (SLL2, sll2, lambda p: sll2(p, 0x86DD)),
    "loop": (LOOP, lambda p: struct.pack(">I", 2) + p, lambda p: struct.pack(">I", 24) + p),
    "null": (NULL, lambda p: struct.pack("<I", 2) + p, lambda p: struct.pack("<I", 30) + p),
    "null_swapped": (NULL, lambda p: struct.pack(">I", 2) + p,
                     lambda p: struct.pack(">I", 28) + p),
}


def link_types():
    for name, (link, wrap4, wrap6) in LINKS.items():
        frames = []
        for ecn in range(4):
            for i in range(ecn + 1):
                for there in (True, False):
                    ends = dict(src=1, dst=2) if there else dict(src=2, dst=1)
                    ports = dict(sport=1000, dport=2000) if there else dict(sport=2000, dport=1000)
                    segment = tcp(**ports, seq=100 + i, ack=50, flags=ACK | AE if i else ACK,
                                  payload=b"x" * 10 * i)
                    datagram = udp(**ports, payload=b"y" * i)
                    if wrap4:
                        frames.append(wrap4(ipv4(segment, ecn=ecn, **ends)))
                        frames.append(wrap4(ipv4(datagram, 17, ecn=3 - ecn, **ends)))
                    if wrap6:
                        frames.append(wrap6(ipv6(segment, ecn=ecn, **ends)))
                        frames.append(wrap6(ipv6(datagram, 17, ecn=3 - ecn, **ends)))
        yield "link_" + name, link, frames


def truncations():
    options = b"\x01" * 12
    shim = extension(60, extension(6, tcp(payload=b"x" * 9), units=1))
    whole = {
        "tcp4": eth(ipv4(tcp(payload=b"x" * 10, options=options), ecn=3)),
        "udp4": eth(ipv4(udp(payload=b"y" * 10), 17, ecn=3)),
        "tcp6": eth6(ipv6(tcp(payload=b"x" * 10), ecn=3)),
        "ext6": eth6(ipv6(shim, 0, ecn=3)),
        "qinq": eth(ipv4(tcp(payload=b"x" * 10), ecn=3), tags=((0x88A8, 1), (0x8100, 2))),
        "sll": None,
        "sll2": None,
    }
    for name, p in whole.items():
        link = ETHERNET
        if name == "sll":
            link, p = SLL, sll(ipv4(tcp(payload=b"x"), ecn=2))
        elif name == "sll2":
            link, p = SLL2, sll2(ipv4(tcp(payload=b"x"), ecn=1))
        yield "snap_" + name, link, [(p[:n], len(p)) for n in range(len(p) + 1)]
        if name != "udp4":  # udp.length is what the header claims; ours is cut down to the frame
            yield "short_" + name, link, [p[:n] for n in range(len(p) + 1)]


def odd_lengths():
    t = tcp(payload=b"x" * 10)
    yield "odd_ipv4", ETHERNET, [eth(p) for p in (
        ipv4(t, ecn=3, first=0x44), ipv4(t, ecn=3, first=0x40), ipv4(t, ecn=3, first=0x55),
        ipv4(t, ecn=3, first=0x4F), ipv4(t, ecn=1, total=10), ipv4(t, ecn=1, total=19),
        ipv4(t, ecn=2, total=20), ipv4(t, ecn=2, total=30), ipv4(t, ecn=2, total=45),
        ipv4(t, ecn=2, total=1000), ipv4(t, ecn=3, total=0), ipv4(t, ecn=3, options=b"\x01" * 40),
        ipv4(t, ecn=3, options=bytes(8)), ipv4(t + bytes(6), ecn=1, total=50),
        ipv4(b"", ecn=1), ipv4(b"abcdefgh", 255, ecn=2), ipv4(t, ecn=3, fragment=0x4000))]
    yield "odd_ipv6", ETHERNET, [eth6(p) for p in (
        ipv6(t, ecn=3, version=4), ipv6(t, ecn=3, version=5), ipv6(t, ecn=3, length=10),
        ipv6(t, ecn=3, length=25), ipv6(t, ecn=2, length=1000), ipv6(t + bytes(4), ecn=1, length=30),
        ipv6(b"", 59, ecn=1), ipv6(b"12345678", 58, ecn=2))] + [eth(ipv6(t, ecn=3))]
    yield "odd_tcp", ETHERNET, [eth(ipv4(tcp(seq=i, payload=b"x" * 30, words=i), ecn=i % 4))
                                for i in range(16)]
    yield "odd_udp", ETHERNET, [eth(ipv4(udp(payload=b"y" * 10, length=n), 17, ecn=n % 4))
                                for n in (0, 1, 7, 8, 9, 12, 17, 18)]
    yield "not_ip", ETHERNET, [eth(bytes(40), 0x0806), eth(bytes(40), 0x88CC), eth(bytes(46), 46),
                               eth(ipv4(t, ecn=1)), eth(b"", 0x0800)]


def headers():
    t = tcp(payload=b"x" * 10)
    for ecn in range(4):
        yield "vlan_%d" % ecn, ETHERNET, [
            eth(ipv4(t, ecn=ecn), tags=((0x8100, 5),)),
            eth(ipv4(t, ecn=ecn), tags=((0x88A8, 5), (0x8100, 6))),
            eth(ipv4(t, ecn=ecn), tags=((0x9100, 5), (0x8100, 6))),
            eth6(ipv6(t, ecn=ecn), tags=((0x8100, 5), (0x8100, 6), (0x8100, 7)))]
        routing = extension(6, t, fill=bytes([253, 0, 0, 0, 0, 0]))
        yield "ext6_%d" % ecn, ETHERNET, [eth6(p) for p in (
            ipv6(extension(6, t), 0, ecn=ecn), ipv6(extension(6, t, units=3), 60, ecn=ecn),
            ipv6(extension(60, extension(6, t)), 0, ecn=ecn), ipv6(routing, 43, ecn=ecn),
            ipv6(extension(17, udp(payload=b"y" * 4)), 60, ecn=ecn),
            ipv6(fragment6(6, t), 44, ecn=ecn),
            ipv6(struct.pack(">BBHII", 6, 1, 0, 1, 2) + t, 51, ecn=ecn),
            ipv6(extension(59, b""), 0, ecn=ecn))]


def port_reuse():
    sa, fa = SYN | ACK, FIN | ACK
    # (from B?, sequence number, acknowledgement, flags)
    cases = {
        "open": [(0, 100, 0, SYN), (1, 500, 101, sa), (0, 101, 501, ACK), (0, 900, 0, SYN),
                 (1, 700, 901, sa), (0, 901, 701, ACK)],
        "retransmitted": [(0, 100, 0, SYN), (0, 100, 0, SYN), (1, 500, 101, sa), (1, 500, 101, sa)],
        "closed_same": [(0, 100, 0, SYN), (1, 500, 101, sa), (0, 101, 501, fa), (1, 501, 102, fa),
                        (0, 100, 0, SYN), (1, 500, 101, sa)],
        "reset_same": [(0, 100, 0, SYN), (1, 500, 101, RST | ACK), (0, 100, 0, SYN),
                       (1, 600, 101, sa)],
        "closed_other": [(0, 100, 0, SYN), (1, 500, 101, sa), (0, 101, 501, fa), (0, 900, 0, SYN),
                         (1, 700, 901, sa), (0, 101, 501, ACK)],
        "other_side": [(0, 100, 0, SYN), (1, 500, 101, sa), (1, 3000, 0, SYN), (0, 9, 3001, sa)],
        "simultaneous": [(0, 100, 0, SYN), (1, 500, 0, SYN), (0, 100, 501, sa), (1, 500, 101, sa)],
        "middle": [(0, 100, 500, ACK), (0, 99, 0, SYN), (1, 499, 0, SYN), (1, 500, 0, SYN)],
        "middle_psh": [(0, 100, 500, ACK | PSH), (0, 700, 0, SYN)],
        "reset_first": [(0, 100, 0, RST), (1, 499, 0, SYN), (0, 100, 0, SYN)],
        "reset_with_number": [(0, 100, 700, RST), (1, 499, 0, SYN)],
        "no_flags": [(0, 100, 700, 0), (1, 499, 0, SYN), (1, 700, 0, SYN)],
        "ack_zero": [(0, 100, 0, ACK), (1, 499, 0, SYN)],
        "synack_first": [(1, 500, 101, sa), (0, 100, 0, SYN), (0, 200, 0, SYN)],
        "synack_differs": [(0, 100, 0, SYN), (1, 500, 101, sa), (1, 600, 101, sa)],
        "old_synack": [(0, 100, 0, SYN), (1, 500, 101, sa), (0, 900, 0, SYN), (1, 500, 101, sa),
                       (1, 800, 901, sa)],
        "back_again": [(0, 100, 0, SYN), (0, 200, 0, SYN), (0, 100, 0, SYN), (0, 200, 0, SYN)],
        "syn_fin": [(0, 100, 0, SYN | FIN), (0, 200, 0, SYN | FIN)],
        "syn_rst": [(0, 100, 0, SYN), (0, 200, 0, SYN | RST)],
        "accecn": [(0, 100, 0, SYN | AE | CWR | ECE), (0, 200, 0, SYN)],
        "isn_zero": [(0, 0, 0, SYN), (0, 5, 0, SYN)],
        "isn_wraps": [(0, 0, 0, ACK), (0, 0xFFFFFFFF, 0, SYN), (0, 0, 0, SYN)],
    }
    for name, steps in cases.items():
        frames = []
        for n, (is_from_b, seq, ack, flags) in enumerate(steps):
            if is_from_b:
                p = ipv4(tcp(2000, 1000, seq, ack, flags, b"x" * (n % 2)), ecn=n % 4, src=2, dst=1)
            else:
                p = ipv4(tcp(1000, 2000, seq, ack, flags, b"x" * (n % 2)), ecn=n % 4)
            frames.append(eth(p))
        yield "reuse_" + name, ETHERNET, frames
    # Many flows, some of them between equal endpoints, TCP and UDP numbered apart.
    frames = []
    for i in range(600):
        sport, dport = 1000 + i % 40, 2000 + i % 3
        ends = dict(src=1 + i % 2, dst=1 + (i // 2) % 2)
        frames.append(eth(ipv4(tcp(sport, dport, i, i, ACK, b"x" * (i % 3)), ecn=i % 4, **ends)))
        frames.append(eth6(ipv6(udp(dport, sport, b"y" * i), 17, ecn=i % 4, **ends)))
    yield "many_flows", ETHERNET, frames


def check_differences(checks, tmp):
    """Where we mean to differ, we differ by exactly this."""
    path = os.path.join(tmp, "icmp_quote.pcap")
    quoted = ipv4(tcp(payload=b"x" * 20), ecn=3)
    error = struct.pack(">BBHI", 11, 0, 0, 0) + quoted
    pcap(path, ETHERNET, [eth(quoted), eth(ipv4(error, 1, ecn=0, src=2, dst=1))])
    mine = judge.ours(path)
    is_ce = "ip.dsfield.ecn == 3"
    checks.equal("quoted header: tshark matches both frames",
                 judge.look(path, [is_ce])[0][is_ce], 2)
    checks.equal("quoted header: outermost", mine["ipv4"],
                 {"not_ect": 1, "ect1": 0, "ect0": 0, "ce": 1})

    path = os.path.join(tmp, "tunnel.pcap")
    pcap(path, ETHERNET, [eth(ipv4(quoted, 4, ecn=0))])
    mine = judge.ours(path)
    checks.equal("tunnel: outermost", mine["ipv4"]["not_ect"], 1)
    checks.equal("tunnel: the flow has the marks of its own header",
                 [f["fwd"]["data"]["ce"] for f in mine["flows"]], [1])

    # Wireshark puts a datagram together and gives it to its last fragment.
    path = os.path.join(tmp, "fragments.pcap")
    whole = udp(payload=b"z" * 40)
    pcap(path, ETHERNET, [eth(ipv4(whole[:24], 17, ecn=3, fragment=0x2000)),
                          eth(ipv4(whole[24:], 17, ecn=1, fragment=3)),
                          eth6(ipv6(fragment6(17, whole[:24], more=1), 44, ecn=2))])
    mine = judge.ours(path)
    judge.check_totals(checks, path, mine)
    checks.equal("fragments: the first one has the ports",
                 [f["fwd"]["data"] for f in mine["flows"]],
                 [{"not_ect": 0, "ect1": 0, "ect0": 0, "ce": 1},
                  {"not_ect": 0, "ect1": 0, "ect0": 1, "ce": 0}])

    # A file cut in the middle of a record, in either byte order and precision.
    for order in "<>":
        for is_nano in (False, True):
            path = os.path.join(tmp, "cut.pcap")
            pcap(path, ETHERNET, [eth(quoted)] * 3, is_nano, order)
            with open(path, "r+b") as f:
                f.truncate(os.path.getsize(path) - 5)
            mine = judge.ours(path)
            checks.equal("cut file: frames", mine["frames"], 2)
            checks.equal("cut file: truncated", mine["truncated"], True)
            judge.check_totals(checks, path, mine)


def main():
    judge.need_tshark()
    checks = judge.Checks()
    fields = judge.ROW_FIELDS + [f for f in judge.FLOW_FIELDS if f not in judge.ROW_FIELDS]
    count = 0
    with tempfile.TemporaryDirectory(prefix="ccalab-corpus-") as tmp:
        for make in (link_types, truncations, odd_lengths, headers, port_reuse):
            for name, link, frames in make():
                path = os.path.join(tmp, name + ".pcap")
                pcap(path, link, frames)
                mine = judge.ours(path)
                checks.equal(name + " frames", mine["frames"], len(frames))
                counts, rows = judge.look(path, judge.TOTALS, fields)
                judge.check_totals(checks, path, mine, counts)
                judge.check_rows(checks, path, rows)
                judge.check_flows(checks, name, mine,
                                  judge.flows_of_rows(judge.flow_rows(fields, rows)))
                count += 1
        check_differences(checks, tmp)
    print("%d captures made" % count)
    checks.finish("judge_corpus")


if __name__ == "__main__":
    main()
