/* What IP carries: TCP, UDP, SCTP; ICMP errors with the datagram they quote; IP and GRE tunnels. */
#include "capture/dissect_cursor.h"

enum { IPPROTO_OF_ICMP = 1, IPPROTO_OF_IPV4 = 4, IPPROTO_OF_IPV6 = 41, IPPROTO_OF_GRE = 47 };
enum { IPPROTO_OF_ICMPV6 = 58 };

/* The layer just pushed is the flow's header, or that of a quoted one. */
static void note_ports(struct cursor *c, const uint8_t *p)
{
    struct packet *out = c->out;
    int8_t index = (int8_t)(out->nlayers - 1);
    if (c->flags & LAYER_QUOTED) {
        out->quoted_layer = index;
        return;
    }
    out->flow_layer = index;
    out->sport = get_be16(p);
    out->dport = get_be16(p + 2);
    cursor_reach(c, PACKET_REACH_TRANSPORT);
}

/* RFC 9293 section 3.1. Wireshark gives a segment its stream once the first 16 bytes are there. */
static void dissect_tcp(struct cursor *c)
{
    struct packet *out = c->out;
    if (!cursor_need(c, 4))
        return;
    struct layer *l = cursor_push(c, LAYER_TCP, 20);
    if (l == NULL || !cursor_need(c, 16))
        return;
    const uint8_t *p = c->data + c->at;
    uint32_t left = c->len - c->at;
    uint32_t header_len = (uint32_t)(p[12] >> 4) * 4;
    l->header_len = header_len < left ? header_len : left;
    l->payload_len = left - l->header_len;
    note_ports(c, p);
    if (c->flags & LAYER_QUOTED)
        return;
    out->seq = get_be32(p + 4);
    out->ack = get_be32(p + 8);
    out->tcp_flags = get_be16(p + 12) & 0x0fff;
    out->window = get_be16(p + 14);
    if (header_len > left) {
        cursor_fault(c, PACKET_MALFORMED);
        return;
    }
    out->payload_len = l->payload_len;
    if (header_len < 20)
        cursor_fault(c, PACKET_MALFORMED);
    else if (c->at + header_len > c->cap)
        cursor_fault(c, PACKET_CUT);
}

/* RFC 768 */
static void dissect_udp(struct cursor *c)
{
    struct packet *out = c->out;
    if (!cursor_need(c, 4))
        return;
    struct layer *l = cursor_push(c, LAYER_UDP, 8);
    if (l == NULL || !cursor_need(c, 8))
        return;
    const uint8_t *p = c->data + c->at;
    uint32_t left = c->len - c->at;
    uint32_t udp_len = get_be16(p + 4);
    if (udp_len == 0 && l > out->layers && l[-1].kind != LAYER_IPV4)
        udp_len = left; /* a jumbogram, RFC 2675 section 4 */
    if (udp_len < 8) {
        l->payload_len = 0;
        cursor_fault(c, PACKET_MALFORMED);
        return;
    }
    note_ports(c, p);
    /* The first fragment's length is that of the whole datagram; its own part is what counts. */
    l->payload_len = (udp_len < left ? udp_len : left) - 8;
    if (c->flags & LAYER_QUOTED)
        return;
    out->payload_len = l->payload_len;
    if (udp_len > left && !out->is_fragment)
        cursor_fault(c, PACKET_MALFORMED);
}

/* RFC 9260 section 3.1: the common header; the chunks are payload. */
static void dissect_sctp(struct cursor *c)
{
    if (!cursor_need(c, 12))
        return;
    struct layer *l = cursor_push(c, LAYER_SCTP, 12);
    if (l == NULL)
        return;
    note_ports(c, c->data + c->at);
    if (!(c->flags & LAYER_QUOTED))
        c->out->payload_len = l->payload_len;
}

/* How much of the datagram an error quotes: 8 bytes behind its header in a redirect (RFC 792), so
 * many words as the message says (RFC 4884 section 4.5), or all there is. */
static void shorten_quotation(struct cursor *c, bool is_redirect, uint32_t words)
{
    if (c->at > c->cap || c->cap - c->at < 4)
        return;
    const uint8_t *quoted = c->data + c->at;
    uint32_t header_words = quoted[0] & 0x0f;
    if (is_redirect)
        cursor_shorten(c, header_words * 4 + 8);
    else if (words && c->len - c->at > words * 4 && get_be16(quoted + 2) > words * 4)
        cursor_shorten(c, (header_words + words) * 4);
}

/* Errors quote the datagram that caused them: RFC 792, RFC 4443 section 3. */
static void dissect_icmp(struct cursor *c)
{
    enum { UNREACHABLE = 3, SOURCE_QUENCH = 4, REDIRECT = 5, TIME_EXCEEDED = 11, PARAMETER = 12 };
    if (!cursor_need(c, 1) || !cursor_push(c, LAYER_ICMP, 8))
        return;
    uint8_t type = c->data[c->at];
    if (type != UNREACHABLE && type != SOURCE_QUENCH && type != REDIRECT && type != TIME_EXCEEDED &&
        type != PARAMETER)
        return;
    if (!cursor_need(c, 8))
        return;
    uint32_t words = c->data[c->at + 5];
    c->flags |= LAYER_QUOTED;
    c->at += 8;
    shorten_quotation(c, type == REDIRECT, words);
    dissect_ip(c);
}

static void dissect_icmpv6(struct cursor *c)
{
    if (!cursor_need(c, 1) || !cursor_push(c, LAYER_ICMPV6, 8))
        return;
    uint8_t type = c->data[c->at];
    if (type < 1 || type > 4)
        return;
    c->flags |= LAYER_QUOTED;
    if (cursor_skip(c, 8) && cursor_need(c, 1) && c->data[c->at] >> 4 == 6)
        dissect_ipv6(c);
}

/* RFC 2784, RFC 2890; with source routes (RFC 1701) or as PPTP uses it (version 1) it is not looked
 * into. */
static void dissect_gre(struct cursor *c)
{
    enum { CHECKSUM = 0x8000, ROUTING = 0x4000, KEY = 0x2000, SEQUENCE = 0x1000, VERSION = 7 };
    enum { TYPE_BRIDGED = 0x6558 };
    if (!cursor_need(c, 4))
        return;
    const uint8_t *p = c->data + c->at;
    uint16_t flags = get_be16(p), type = get_be16(p + 2);
    uint32_t header_len = 4;
    if (flags & CHECKSUM)
        header_len += 4;
    if (flags & KEY)
        header_len += 4;
    if (flags & SEQUENCE)
        header_len += 4;
    if (!cursor_push(c, LAYER_GRE, header_len) || flags & (ROUTING | VERSION))
        return;
    if (!cursor_skip(c, header_len) || c->at == c->len)
        return;
    if (type == TYPE_BRIDGED) {
        dissect_ethernet(c);
    } else if (type == 0x0800) {
        dissect_ip(c);
    } else if (type == 0x86dd && cursor_need(c, 1)) {
        if (c->data[c->at] >> 4 == 6)
            dissect_ipv6(c);
        else
            cursor_fault(c, PACKET_MALFORMED);
    }
}

void dissect_transport(struct cursor *c, uint8_t proto)
{
    switch (proto) {
    case PROTO_TCP:
        dissect_tcp(c);
        break;
    case PROTO_UDP:
        dissect_udp(c);
        break;
    case PROTO_SCTP:
        dissect_sctp(c);
        break;
    case IPPROTO_OF_ICMP:
        dissect_icmp(c);
        break;
    case IPPROTO_OF_ICMPV6:
        dissect_icmpv6(c);
        break;
    case IPPROTO_OF_IPV4:
        dissect_ip(c);
        break;
    case IPPROTO_OF_IPV6:
        if (cursor_need(c, 1) && c->data[c->at] >> 4 == 6)
            dissect_ipv6(c);
        break;
    case IPPROTO_OF_GRE:
        dissect_gre(c);
        break;
    default:
        break;
    }
}
