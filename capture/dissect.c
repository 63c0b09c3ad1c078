#include "capture/dissect.h"

#include <string.h>

enum {
    ETHERTYPE_IPV4 = 0x0800,
    ETHERTYPE_IPV6 = 0x86dd,
    ETHERTYPE_VLAN = 0x8100,
    ETHERTYPE_QINQ = 0x88a8,
    ETHERTYPE_QINQ_OLD = 0x9100,
};

enum {
    NEXT_HOP_BY_HOP = 0,
    NEXT_ROUTING = 43,
    NEXT_FRAGMENT = 44,
    NEXT_AH = 51,
    NEXT_DEST_OPTS = 60,
    NEXT_MOBILITY = 135,
    NEXT_HIP = 139,
    NEXT_SHIM6 = 140,
};

/* A place in the frame with its two ends: `cap` of what we have, `len` of what there was. */
struct cursor {
    const uint8_t *data;
    uint32_t at;
    uint32_t cap; /* never above len */
    uint32_t len;
    struct packet *out;
};

/* Are `n` bytes from the cursor on readable? If not, says why in the packet. */
static bool need(struct cursor *c, uint32_t n)
{
    if (n > c->len - c->at) {
        c->out->fault = PACKET_MALFORMED;
        return false;
    }
    if (c->at > c->cap || n > c->cap - c->at) {
        c->out->fault = PACKET_CUT;
        return false;
    }
    return true;
}

/* Step over `n` bytes of which only some may be captured. */
static bool skip(struct cursor *c, uint32_t n)
{
    if (n > c->len - c->at) {
        c->out->fault = PACKET_MALFORMED;
        return false;
    }
    c->at += n;
    return true;
}

/* The datagram ends here, whatever padding or trailer the frame has behind it. */
static void shorten(struct cursor *c, uint32_t len)
{
    if (len < c->len - c->at) {
        c->len = c->at + len;
        if (c->cap > c->len)
            c->cap = c->len;
    }
}

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* RFC 9293 section 3.1. Wireshark gives a segment its stream once the first 16 bytes are there. */
static void dissect_tcp(struct cursor *c)
{
    struct packet *out = c->out;
    if (!need(c, 16))
        return;
    const uint8_t *p = c->data + c->at;
    uint32_t header_len = (uint32_t)(p[12] >> 4) * 4;
    out->sport = get16(p);
    out->dport = get16(p + 2);
    out->seq = get32(p + 4);
    out->ack = get32(p + 8);
    out->tcp_flags = get16(p + 12) & 0x0fff;
    out->reach = PACKET_REACH_TRANSPORT;
    uint32_t left = c->len - c->at;
    if (header_len > left) {
        out->fault = PACKET_MALFORMED;
        return;
    }
    out->payload_len = left - header_len;
    if (header_len < 20)
        out->fault = PACKET_MALFORMED;
    else if (c->at + header_len > c->cap)
        out->fault = PACKET_CUT;
}

static void dissect_udp(struct cursor *c)
{
    struct packet *out = c->out;
    if (!need(c, 8))
        return;
    const uint8_t *p = c->data + c->at;
    uint32_t left = c->len - c->at;
    uint32_t udp_len = get16(p + 4);
    if (udp_len == 0 && out->ip_version == 6)
        udp_len = left; /* a jumbogram, RFC 2675 section 4 */
    if (udp_len < 8) {
        out->fault = PACKET_MALFORMED;
        return;
    }
    out->sport = get16(p);
    out->dport = get16(p + 2);
    out->reach = PACKET_REACH_TRANSPORT;
    /* The first fragment's length is that of the whole datagram; its own part is what counts. */
    out->payload_len = (udp_len < left ? udp_len : left) - 8;
    if (udp_len > left && !out->is_fragment)
        out->fault = PACKET_MALFORMED;
}

static void dissect_transport(struct cursor *c)
{
    if (c->out->proto == PROTO_TCP)
        dissect_tcp(c);
    else if (c->out->proto == PROTO_UDP)
        dissect_udp(c);
}

static void dissect_ipv4(struct cursor *c)
{
    struct packet *out = c->out;
    if (!need(c, 2))
        return;
    const uint8_t *p = c->data + c->at;
    uint32_t header_len = (uint32_t)(p[0] & 0x0f) * 4;
    if (header_len < 20) {
        out->fault = PACKET_MALFORMED;
        return;
    }
    out->ip_version = 4;
    out->ecn = p[1] & 3;
    out->reach = PACKET_REACH_ECN;
    if (!need(c, 20))
        return;
    uint32_t total_len = get16(p + 2);
    if (total_len == 0)
        total_len = c->len - c->at; /* TSO: the real length did not fit, or was not known yet */
    uint16_t fragment = get16(p + 6);
    out->is_fragment = (fragment & 0x3fff) != 0;
    out->proto = p[9];
    memcpy(out->src, p + 12, 4);
    memcpy(out->dst, p + 16, 4);
    out->reach = PACKET_REACH_IP;
    if (total_len < header_len) {
        out->fault = PACKET_MALFORMED;
        return;
    }
    shorten(c, total_len);
    if (!skip(c, header_len) || (fragment & 0x1fff) != 0)
        return;
    dissect_transport(c);
}

/* Is it a header that says what comes next, and how long is it? (RFC 8200 section 4, RFC 4302.) */
static bool extension_len(uint8_t next, const uint8_t *p, uint32_t *len)
{
    switch (next) {
    case NEXT_HOP_BY_HOP:
    case NEXT_ROUTING:
    case NEXT_DEST_OPTS:
    case NEXT_MOBILITY:
    case NEXT_HIP:
    case NEXT_SHIM6:
        *len = ((uint32_t)p[1] + 1) * 8;
        return true;
    case NEXT_FRAGMENT:
        *len = 8;
        return true;
    case NEXT_AH:
        *len = ((uint32_t)p[1] + 2) * 4;
        return true;
    default:
        return false;
    }
}

static bool is_extension(uint8_t next)
{
    static const uint8_t nothing[2];
    uint32_t len;
    return extension_len(next, nothing, &len);
}

static void dissect_ipv6(struct cursor *c)
{
    struct packet *out = c->out;
    if (!need(c, 4))
        return;
    const uint8_t *p = c->data + c->at;
    out->ip_version = 6;
    out->ecn = p[1] >> 4 & 3;
    out->reach = PACKET_REACH_ECN;
    if (!need(c, 40))
        return;
    uint32_t payload_len = get16(p + 4);
    uint8_t next = p[6];
    out->proto = next;
    memcpy(out->src, p + 8, 16);
    memcpy(out->dst, p + 24, 16);
    out->reach = PACKET_REACH_IP;
    c->at += 40;
    if (payload_len != 0) /* 0: BIG TCP or a jumbogram, the rest of the frame */
        shorten(c, payload_len);
    for (int i = 0; is_extension(next); i++) {
        uint32_t len;
        if (i == DISSECT_IPV6_EXT_MAX) {
            out->fault = PACKET_MALFORMED;
            return;
        }
        if (!need(c, next == NEXT_FRAGMENT ? 8 : 2))
            return;
        p = c->data + c->at;
        extension_len(next, p, &len);
        if (next == NEXT_FRAGMENT) {
            uint16_t fragment = get16(p + 2);
            out->is_fragment = (fragment & 0xfff9) != 0;
            if ((fragment & 0xfff8) != 0) {
                out->proto = p[0];
                return;
            }
        }
        next = p[0];
        out->proto = next;
        if (!skip(c, len))
            return;
    }
    dissect_transport(c);
}

/* What is behind an IP ethertype is told by its own version, as Wireshark does. */
static void dissect_ip(struct cursor *c)
{
    if (!need(c, 1))
        return;
    switch (c->data[c->at] >> 4) {
    case 4:
        dissect_ipv4(c);
        break;
    case 6:
        dissect_ipv6(c);
        break;
    default:
        c->out->fault = PACKET_MALFORMED;
    }
}

/* The cursor is behind the ethertype, where VLAN tags may follow. */
static void dissect_ethertype(struct cursor *c, uint16_t type)
{
    for (int tags = 0;
         type == ETHERTYPE_VLAN || type == ETHERTYPE_QINQ || type == ETHERTYPE_QINQ_OLD; tags++) {
        if (tags == DISSECT_VLAN_MAX) {
            c->out->fault = PACKET_MALFORMED;
            return;
        }
        if (!need(c, 4))
            return;
        type = get16(c->data + c->at + 2);
        c->at += 4;
    }
    if (type == ETHERTYPE_IPV4) {
        dissect_ip(c);
    } else if (type == ETHERTYPE_IPV6) {
        if (need(c, 1) && c->data[c->at] >> 4 == 6)
            dissect_ipv6(c);
        else if (c->out->fault == PACKET_OK)
            c->out->fault = PACKET_MALFORMED;
    }
}

/* Address families of the systems that write such files: 2 everywhere, AF_INET6 is 10, 24, 28
 * or 30. NULL is in the byte order of the capturing machine. */
static void dissect_null(struct cursor *c)
{
    uint32_t family = get32(c->data + c->at - 4);
    if (family > 0xffff)
        family = __builtin_bswap32(family);
    if (family == 2 || family == 10 || family == 24 || family == 28 || family == 30)
        dissect_ip(c);
}

void dissect(enum link_type link, const uint8_t *data, uint32_t cap_len, uint32_t wire_len,
             struct packet *out)
{
    static const uint8_t header_len[LINK_TYPE_COUNT] = {
        [LINK_TYPE_ETHERNET] = 14, [LINK_TYPE_SLL] = 16, [LINK_TYPE_SLL2] = 20,
        [LINK_TYPE_RAW] = 0,       [LINK_TYPE_NULL] = 4,
    };
    uint64_t frame = out->frame;
    int64_t t_ns = out->t_ns;
    *out = (struct packet){.frame = frame, .t_ns = t_ns, .wire_len = wire_len};
    struct cursor c = {
        .data = data,
        .cap = cap_len < wire_len ? cap_len : wire_len,
        .len = wire_len,
        .out = out,
    };
    if (!need(&c, header_len[link]))
        return;
    out->reach = PACKET_REACH_LINK;
    c.at = header_len[link];
    switch (link) {
    case LINK_TYPE_ETHERNET:
        dissect_ethertype(&c, get16(data + 12));
        break;
    case LINK_TYPE_SLL:
        dissect_ethertype(&c, get16(data + 14));
        break;
    case LINK_TYPE_SLL2:
        dissect_ethertype(&c, get16(data));
        break;
    case LINK_TYPE_RAW:
        dissect_ip(&c);
        break;
    case LINK_TYPE_NULL:
        dissect_null(&c);
        break;
    case LINK_TYPE_COUNT:
        break;
    }
}
