"""Packets and pcap files made by hand, for the scripts that put tshark and us side by side."""

import struct

ETHERNET, RAW, SLL, LOOP, NULL, IPV4, IPV6, SLL2 = 1, 101, 113, 108, 0, 228, 229, 276
SYN, ACK, FIN, RST, PSH, ECE, CWR, AE = 2, 16, 1, 4, 8, 0x40, 0x80, 0x100


def pcap(path, link, frames, is_nano=False, order="<"):
    """frames: bytes, or (bytes, length on the wire)."""
    with open(path, "wb") as f:
        f.write(struct.pack(order + "IHHiIII", 0xA1B23C4D if is_nano else 0xA1B2C3D4, 2, 4, 0, 0,
                            262144, link))
        for i, frame in enumerate(frames):
            data, wire = frame if isinstance(frame, tuple) else (frame, len(frame))
            f.write(struct.pack(order + "IIII", 1700000000 + i, 1000 + i, len(data), wire) + data)


def ipv4(payload, proto=6, ecn=0, src=1, dst=2, total=None, fragment=0, options=b"", first=None,
         ident=1):
    header = 20 + len(options)
    return struct.pack(">BBHHHBBHII", 0x40 | header // 4 if first is None else first, ecn,
                       header + len(payload) if total is None else total, ident, fragment, 64,
                       proto, 0, 0x0A000000 + src, 0x0A000000 + dst) + options + payload


def ipv6(payload, next_header=6, ecn=0, src=1, dst=2, length=None, version=6):
    def address(host):
        return bytes.fromhex("20010db8") + bytes(11) + bytes([host])
    return struct.pack(">IHBB", version << 28 | ecn << 20,
                       len(payload) if length is None else length, next_header, 64) \
        + address(src) + address(dst) + payload


def tcp(sport=1000, dport=2000, seq=100, ack=0, flags=ACK, payload=b"", options=b"", words=None):
    words = 5 + len(options) // 4 if words is None else words
    return struct.pack(">HHIIHHHH", sport, dport, seq, ack, words << 12 | flags, 1000, 0, 0) \
        + options + payload


def udp(sport=53000, dport=53001, payload=b"", length=None):
    return struct.pack(">HHHH", sport, dport, 8 + len(payload) if length is None else length, 0) \
        + payload


def eth(payload, ethertype=0x0800, tags=()):
    types = [t for t, _ in tags] + [ethertype]
    out = b"\x02" * 12 + struct.pack(">H", types[0])
    for (_, vid), following in zip(tags, types[1:]):
        out += struct.pack(">HH", vid, following)
    return out + payload


def eth6(payload, tags=()):
    return eth(payload, 0x86DD, tags)


def sll(payload, ethertype=0x0800):
    return struct.pack(">HHH8sH", 0, 1, 6, bytes(8), ethertype) + payload


def sll2(payload, ethertype=0x0800):
    return struct.pack(">HHIHBB8s", ethertype, 0, 1, 1, 0, 6, bytes(8)) + payload


def extension(next_header, payload, units=0, fill=None):
    """Hop-by-hop, routing, destination options: padded with one PadN."""
    size = units * 8 + 6
    return struct.pack(">BB", next_header, units) \
        + (bytes([1, size - 2]) + bytes(size - 2) if fill is None else fill) + payload


def fragment6(next_header, payload, offset=0, more=0, ident=7):
    return struct.pack(">BBHI", next_header, 0, offset << 3 | more, ident) + payload
