/* Dissection of one captured frame: from the link layer through tunnels to the ports.
 *
 * The result is a list of layers, each a place in the frame with its lengths, in the order of the
 * frame: filters and the detail tree read fields from there and know which bytes they are. What the
 * accounting needs of nearly every packet is also laid out flat.
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
    LINK_TYPE_WLAN,     /* 802.11 without a radio header */
    LINK_TYPE_COUNT
};

#define DISSECT_VLAN_MAX     8
#define DISSECT_IPV6_EXT_MAX 32
#define DISSECT_LAYERS_MAX   48

/* X(ENUM, name): the names are those of Wireshark's protocols. */
#define CCALAB_LAYER_LIST(X)                                                                       \
    X(ETHERNET, "eth")                                                                             \
    X(VLAN, "vlan")                                                                                \
    X(SVLAN, "ieee8021ad")                                                                         \
    X(SLL, "sll")                                                                                  \
    X(SLL2, "sll")                                                                                 \
    X(NULL, "null")                                                                                \
    X(WLAN, "wlan")                                                                                \
    X(LLC, "llc")                                                                                  \
    X(ARP, "arp")                                                                                  \
    X(IPV4, "ip")                                                                                  \
    X(IPV6, "ipv6")                                                                                \
    X(IPV6_EXT, "ipv6.ext")                                                                        \
    X(GRE, "gre")                                                                                  \
    X(ICMP, "icmp")                                                                                \
    X(ICMPV6, "icmpv6")                                                                            \
    X(TCP, "tcp")                                                                                  \
    X(UDP, "udp")                                                                                  \
    X(SCTP, "sctp")

enum layer_kind {
#define X(id, name) LAYER_##id,
    CCALAB_LAYER_LIST(X)
#undef X
        LAYER_COUNT
};

enum layer_flag {
    /* In the datagram that an ICMP error quotes: no packet of its flow. */
    LAYER_QUOTED = 1,
    /* The transport header of a first fragment: how long the segment is, nobody knows. For an IP
     * header: it is a fragment. */
    LAYER_FRAGMENT = 2,
    /* Read by us where Wireshark 4.0 sees nothing: behind an IPv6 header of payload length 0
     * without a jumbo option (BIG TCP). */
    LAYER_HIDDEN = 4,
    /* An IPv4 header whose total length is below its own: Wireshark shows no field of it behind
     * that (identification, addresses and so on). */
    LAYER_BOGUS = 8,
};

/* Its bytes are data[at] and on; only those below packet.cap_len were captured: packet_at(). */
struct layer {
    uint8_t kind;  /* enum layer_kind */
    uint8_t flags; /* enum layer_flag */
    /* IPV4, IPV6, IPV6_EXT: the protocol number of what follows. IPV6_EXT: see also ext. */
    uint8_t proto;
    uint8_t ext;          /* IPV6_EXT: the extension header's own number */
    uint32_t at;          /* offset in the frame */
    uint32_t header_len;  /* as the header claims; at + header_len may pass cap_len, not wire_len */
    uint32_t payload_len; /* behind the header, on the wire; 0 where header_len is a lie */
};

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

enum packet_proto { PROTO_TCP = 6, PROTO_UDP = 17, PROTO_SCTP = 132 };

/* How far the dissection got. Each level includes those before it. */
enum packet_reach {
    PACKET_REACH_NONE,      /* not even the link header */
    PACKET_REACH_LINK,      /* link header, but no readable IP header behind it */
    PACKET_REACH_ECN,       /* ip_version and ecn are valid */
    PACKET_REACH_IP,        /* addresses and proto are valid */
    PACKET_REACH_TRANSPORT, /* ports and payload_len, for TCP also flags, seq, ack and window */
};

/* What kept it from getting further, if anything. */
enum packet_fault {
    PACKET_OK,       /* all headers we know were read */
    PACKET_CUT,      /* a header lies beyond the captured bytes */
    PACKET_MALFORMED /* a header contradicts itself or the length of the frame */
};

struct packet {
    uint64_t frame;      /* number in the capture, from 1; set by the reader */
    int64_t t_ns;        /* since the epoch; set by the reader */
    const uint8_t *data; /* the frame, borrowed from the reader */
    uint32_t cap_len;    /* bytes of it that are there */
    uint32_t wire_len;   /* bytes that it had on the wire */
    enum link_type link;

    uint8_t nlayers;
    uint8_t reach; /* enum packet_reach */
    uint8_t fault; /* enum packet_fault */
    /* Outermost IP header. */
    uint8_t ip_version; /* 4 or 6; 0 if there is no IP header */
    uint8_t ecn;        /* enum ecn_codepoint */
    /* Innermost IP header, the one that carries the flow (the same without a tunnel). What an ICMP
     * error quotes does not count. */
    uint8_t flow_version;
    uint8_t flow_ecn;
    uint8_t proto;            /* upper-layer protocol, after IPv6 extension headers */
    int8_t outer_layer;       /* index in layers of the outermost IP header; -1: none */
    int8_t ip_layer;          /* of the innermost one; -1: none */
    int8_t flow_layer;        /* index of the TCP, UDP or SCTP header; -1: none */
    int8_t quoted_layer;      /* index of one that an ICMP error quotes; -1: none */
    bool is_fragment;         /* one of several; only the one with offset 0 reaches TRANSPORT */
    uint8_t src[16], dst[16]; /* network order; IPv4 in the first 4 bytes, the rest 0 */

    uint16_t sport, dport;
    uint16_t tcp_flags; /* the 12 bits of RFC 9293, enum tcp_flag */
    uint16_t window;    /* as in the header, not scaled */
    uint32_t seq, ack;  /* raw */
    /* Bytes behind the TCP, UDP or SCTP header, as Wireshark's tcp.len: from the IP length (cut
     * down to the frame), not from what was captured. An IP length of 0 (TSO, BIG TCP) means the
     * rest of the frame. */
    uint32_t payload_len;
    struct layer layers[DISSECT_LAYERS_MAX]; /* only the first nlayers are set */
};

/* Dissect one frame: `cap_len` bytes at `data` of a frame that had `wire_len` bytes. Every field
 * but `frame`, `t_ns` and the unused layers is set (to 0 where not reached); nothing of what *out
 * held before is read. `data` must outlive the use of *out.
 * Source: IEEE 802.1Q, 802.11 (9.3.2), RFC 1042, 791, 8200 (4: extension headers), 2675, 2784,
 * 2890, 792, 4443, 9293 (3.1), 768, 9260 (3.1), 9768. */
void dissect(enum link_type link, const uint8_t *data, uint32_t cap_len, uint32_t wire_len,
             struct packet *out);

/* `n` bytes of the frame from offset `at` on; NULL where not all of them were captured. */
static inline const uint8_t *packet_at(const struct packet *p, uint32_t at, uint32_t n)
{
    return at <= p->cap_len && n <= p->cap_len - at ? p->data + at : NULL;
}

/* Wireshark's name of the protocol. */
const char *layer_name(enum layer_kind kind);

static inline uint16_t get_be16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t get_be24(const uint8_t *p)
{
    return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}

static inline uint32_t get_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

#endif
