/* IPv4, IPv6 and its extension headers. */
#include <string.h>

#include "capture/dissect_cursor.h"

enum {
    NEXT_HOP_BY_HOP = 0,
    NEXT_ROUTING = 43,
    NEXT_FRAGMENT = 44,
    NEXT_AH = 51,
    NEXT_DEST_OPTS = 60,
    NEXT_SHIM6 = 140,
};

/* The ECN field is there: of the outermost header, and, so far, of the innermost. */
static void note_ecn(struct cursor *c, uint8_t version, uint8_t ecn)
{
    struct packet *out = c->out;
    if (c->flags & LAYER_QUOTED)
        return;
    if (out->ip_version == 0) {
        out->ip_version = version;
        out->ecn = ecn;
        out->outer_layer = (int8_t)(out->nlayers - 1);
    }
    cursor_reach(c, PACKET_REACH_ECN);
}

/* The whole header is there: what follows belongs to these addresses. */
static void note_addresses(struct cursor *c, uint8_t version, uint8_t ecn, const uint8_t *src)
{
    struct packet *out = c->out;
    uint32_t len = version == 4 ? 4 : 16;
    if (c->flags & LAYER_QUOTED)
        return;
    if (version == 4 && out->flow_version == 6) {
        memset(out->src, 0, sizeof(out->src));
        memset(out->dst, 0, sizeof(out->dst));
    }
    out->flow_version = version;
    out->flow_ecn = ecn;
    out->ip_layer = (int8_t)(out->nlayers - 1);
    out->is_fragment = false;
    memcpy(out->src, src, len);
    memcpy(out->dst, src + len, len);
    cursor_reach(c, PACKET_REACH_IP);
}

static void note_proto(struct cursor *c, uint8_t proto)
{
    if (!(c->flags & LAYER_QUOTED))
        c->out->proto = proto;
}

static void note_fragment(struct cursor *c, bool is_fragment)
{
    c->flags = (uint8_t)(is_fragment ? c->flags | LAYER_FRAGMENT : c->flags & ~LAYER_FRAGMENT);
    if (!(c->flags & LAYER_QUOTED))
        c->out->is_fragment = is_fragment;
}

/* RFC 791 section 3.1 */
static void dissect_ipv4(struct cursor *c)
{
    if (!cursor_need(c, 2))
        return;
    const uint8_t *p = c->data + c->at;
    uint32_t header_len = (uint32_t)(p[0] & 0x0f) * 4;
    if (header_len < 20) {
        cursor_fault(c, PACKET_MALFORMED);
        return;
    }
    struct layer *l = cursor_push(c, LAYER_IPV4, header_len);
    if (l == NULL)
        return;
    note_ecn(c, 4, p[1] & 3);
    if (!cursor_need(c, 20))
        return;
    uint32_t total_len = get_be16(p + 2);
    uint16_t fragment = get_be16(p + 6);
    l->proto = p[9];
    note_addresses(c, 4, p[1] & 3, p + 12);
    note_proto(c, p[9]);
    if (total_len == 0) /* TSO: the real length did not fit, or was not known yet */
        total_len = c->len - c->at;
    if (total_len < header_len) {
        l->payload_len = 0;
        l->flags |= LAYER_BOGUS;
        cursor_fault(c, PACKET_MALFORMED);
        return;
    }
    cursor_shorten(c, total_len);
    note_fragment(c, (fragment & 0x3fff) != 0);
    l->flags = c->flags;
    if (!cursor_skip(c, header_len))
        return;
    l->payload_len = c->len - c->at;
    if ((fragment & 0x1fff) == 0)
        dissect_transport(c, p[9]);
}

/* Is it a header that says what comes next, and how long is it? (RFC 8200 section 4, RFC 4302.) */
static bool extension_len(uint8_t next, const uint8_t *p, uint32_t *len)
{
    switch (next) {
    case NEXT_HOP_BY_HOP:
    case NEXT_ROUTING:
    case NEXT_DEST_OPTS:
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

/* The jumbo payload length of a hop-by-hop header at the cursor; 0 if it has none (RFC 2675). */
static uint32_t jumbo_len(const struct cursor *c)
{
    enum { OPTION_PAD1 = 0, OPTION_JUMBO = 0xc2 };
    if (c->at > c->cap || c->cap - c->at < 2)
        return 0;
    const uint8_t *p = c->data + c->at;
    uint32_t end = ((uint32_t)p[1] + 1) * 8, cap = c->cap - c->at;
    for (uint32_t at = 2; at < end && at + 6 <= cap;) {
        uint8_t type = p[at++];
        if (type == OPTION_PAD1)
            continue;
        uint8_t len = p[at++];
        if (type == OPTION_JUMBO && len == 4) {
            uint32_t jumbo = get_be32(p + at);
            return jumbo > UINT16_MAX ? jumbo : 0;
        }
        at += len;
    }
    return 0;
}

/* The headers between IPv6 and what it carries; false where they end it. */
static bool dissect_extensions(struct cursor *c, uint8_t *next)
{
    for (int i = 0; is_extension(*next); i++) {
        uint32_t len;
        if (i == DISSECT_IPV6_EXT_MAX) {
            cursor_fault(c, PACKET_MALFORMED);
            return false;
        }
        if (!cursor_need(c, *next == NEXT_FRAGMENT ? 8 : 2))
            return false;
        const uint8_t *p = c->data + c->at;
        extension_len(*next, p, &len);
        struct layer *l = cursor_push(c, LAYER_IPV6_EXT, len);
        if (l == NULL)
            return false;
        l->proto = p[0];
        l->ext = *next;
        if (*next == NEXT_FRAGMENT) {
            uint16_t fragment = get_be16(p + 2);
            note_fragment(c, (fragment & 0xfff9) != 0);
            if ((fragment & 0xfff8) != 0) {
                note_proto(c, p[0]);
                return false;
            }
        }
        *next = p[0];
        note_proto(c, *next);
        if (!cursor_skip(c, len))
            return false;
    }
    return true;
}

/* RFC 8200 section 3 */
void dissect_ipv6(struct cursor *c)
{
    if (!cursor_need(c, 4))
        return;
    const uint8_t *p = c->data + c->at;
    uint8_t ecn = p[1] >> 4 & 3;
    struct layer *l = cursor_push(c, LAYER_IPV6, 40);
    if (l == NULL)
        return;
    note_ecn(c, 6, ecn);
    if (!cursor_need(c, 40))
        return;
    uint32_t payload_len = get_be16(p + 4);
    uint8_t next = p[6];
    l->proto = next;
    note_addresses(c, 6, ecn, p + 8);
    note_proto(c, next);
    c->at += 40;
    if (payload_len == 0 && next == NEXT_HOP_BY_HOP)
        payload_len = jumbo_len(c);
    if (payload_len != 0)
        cursor_shorten(c, payload_len);
    else /* BIG TCP: the rest of the frame */
        c->flags |= LAYER_HIDDEN;
    l->payload_len = c->len - c->at;
    if (dissect_extensions(c, &next))
        dissect_transport(c, next);
}

/* What is behind an IP ethertype is told by its own version, as Wireshark does. */
void dissect_ip(struct cursor *c)
{
    if (!cursor_need(c, 1))
        return;
    switch (c->data[c->at] >> 4) {
    case 4:
        dissect_ipv4(c);
        break;
    case 6:
        dissect_ipv6(c);
        break;
    default:
        cursor_fault(c, PACKET_MALFORMED);
    }
}
