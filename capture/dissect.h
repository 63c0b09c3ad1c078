/* Header dissection of one captured frame: from the link layer to the TCP or UDP header.
 *
 * Every access is checked against two bounds: what was captured (a frame beyond the snap length is
 * "cut", which is no fault of the packet) and what the headers say is there (a header that reaches
 * beyond its datagram is "malformed"). Nothing is allocated. Thread: any. */
#ifndef CCALAB_CAPTURE_DISSECT_H
#define CCALAB_CAPTURE_DISSECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a capture starts with (https://www.tcpdump.org/linktypes.html). */
enum link_type {
    LINK_TYPE_ETHERNET, /* with any number of VLAN tags up to DISSECT_VLAN_MAX */
    LINK_TYPE_SLL,      /* Linux cooked capture v1: the interface "any" */
    LINK_TYPE_SLL2,     /* v2 */
    LINK_TYPE_RAW,      /* an IP header of either version: TUN devices */
    LINK_TYPE_NULL,     /* BSD loopback, 4 bytes of address family in either byte order */
    LINK_TYPE_COUNT
};

#define DISSECT_VLAN_MAX     8
#define DISSECT_IPV6_EXT_MAX 32

/* ECN codepoints (RFC 3168 section 5, RFC 9331 section 2). */
enum ecn_codepoint { ECN_NOT_ECT = 0, ECN_ECT1 = 1, ECN_ECT0 = 2, ECN_CE = 3, ECN_COUNT = 4 };

/* TCP flags as in the header's 13th and 14th byte; AE is RFC 9768's, formerly NS. */
enum tcp_flag {
    TCP_FIN = 0x001,
    TCP_SYN = 0x002,
    TCP_RST = 0x004,
    TCP_PSH = 0x008,
    TCP_ACK = 0x010,
    TCP_URG = 0x020,
    TCP_ECE = 0x040,
    TCP_CWR = 0x080,
    TCP_AE = 0x100
};

enum packet_proto { PROTO_TCP = 6, PROTO_UDP = 17 };

/* How far the dissection got. Each level includes those before it. */
enum packet_reach {
    PACKET_REACH_NONE,      /* not even the link header */
    PACKET_REACH_LINK,      /* link header, but no readable IP header behind it */
    PACKET_REACH_ECN,       /* ip_version and ecn are valid */
    PACKET_REACH_IP,        /* addresses and proto are valid */
    PACKET_REACH_TRANSPORT, /* ports and payload_len, for TCP also flags, seq and ack */
};

/* What kept it from getting further, if anything. */
enum packet_fault {
    PACKET_OK,       /* all headers we know were read */
    PACKET_CUT,      /* a header lies beyond the captured bytes */
    PACKET_MALFORMED /* a header contradicts itself or the length of the frame */
};

struct packet {
    uint64_t frame;    /* number in the capture, from 1; set by the reader */
    int64_t t_ns;      /* since the epoch; set by the reader */
    uint32_t wire_len; /* length of the frame on the wire */
    enum packet_reach reach;
    enum packet_fault fault;
    uint8_t ip_version;       /* 4 or 6; 0 if there is no IP header */
    uint8_t ecn;              /* enum ecn_codepoint of the outermost IP header */
    uint8_t proto;            /* upper-layer protocol, after IPv6 extension headers */
    bool is_fragment;         /* one of several; only the one with offset 0 reaches TRANSPORT */
    uint8_t src[16], dst[16]; /* network order; IPv4 in the first 4 bytes, the rest 0 */
    uint16_t sport, dport;
    uint16_t tcp_flags; /* the 12 bits of RFC 9293, enum tcp_flag */
    uint32_t seq, ack;  /* raw */
    /* Bytes behind the TCP or UDP header, as Wireshark's tcp.len: from the IP length (cut down to
     * the frame), not from what was captured. An IP length of 0 (TSO, BIG TCP) means the rest of
     * the frame. */
    uint32_t payload_len;
};

/* Dissect one frame: `cap_len` bytes at `data` of a frame that had `wire_len` bytes. Every field
 * but `frame` and `t_ns` is set (to 0 where not reached). Only the outermost IP header is read:
 * tunnels and the packet quoted in an ICMP error are payload.
 * Source: IEEE 802.1Q, RFC 791, 8200 (4: extension headers), 9293 (3.1), 768, 9768. */
void dissect(enum link_type link, const uint8_t *data, uint32_t cap_len, uint32_t wire_len,
             struct packet *out);

#endif
