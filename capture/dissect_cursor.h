/* What the dissectors of the single layers share; for dissect*.c only.
 *
 * A dissector gets the cursor at its header, pushes a layer, moves the cursor behind it and hands
 * on. Recursion is bounded by DISSECT_LAYERS_MAX, as every level pushes a layer. */
#ifndef CCALAB_CAPTURE_DISSECT_CURSOR_H
#define CCALAB_CAPTURE_DISSECT_CURSOR_H

#include "capture/dissect.h"

/* A place in the frame with its two ends: `cap` of what we have, `len` of what there was. */
struct cursor {
    const uint8_t *data;
    uint32_t at;
    uint32_t cap; /* never above len */
    uint32_t len;
    uint8_t flags; /* enum layer_flag of what is pushed from here on */
    uint8_t vlans; /* tags so far */
    struct packet *out;
};

/* What an ICMP error quotes may end anywhere: no fault of this packet. */
static inline void cursor_fault(struct cursor *c, enum packet_fault fault)
{
    if (!(c->flags & LAYER_QUOTED))
        c->out->fault = (uint8_t)fault;
}

/* Are `n` bytes from the cursor on readable? If not, says why in the packet. */
static inline bool cursor_need(struct cursor *c, uint32_t n)
{
    if (n > c->len - c->at) {
        cursor_fault(c, PACKET_MALFORMED);
        return false;
    }
    if (c->at > c->cap || n > c->cap - c->at) {
        cursor_fault(c, PACKET_CUT);
        return false;
    }
    return true;
}

/* Step over `n` bytes of which only some may be captured. */
static inline bool cursor_skip(struct cursor *c, uint32_t n)
{
    if (n > c->len - c->at) {
        cursor_fault(c, PACKET_MALFORMED);
        return false;
    }
    c->at += n;
    return true;
}

/* The datagram ends here, whatever padding or trailer the frame has behind it. */
static inline void cursor_shorten(struct cursor *c, uint32_t len)
{
    if (len < c->len - c->at) {
        c->len = c->at + len;
        if (c->cap > c->len)
            c->cap = c->len;
    }
}

/* A layer whose header begins at the cursor and claims `header_len` bytes; NULL, and a fault, where
 * there are too many. */
static inline struct layer *cursor_push(struct cursor *c, enum layer_kind kind, uint32_t header_len)
{
    struct packet *p = c->out;
    uint32_t left = c->len - c->at;
    if (p->nlayers == DISSECT_LAYERS_MAX) {
        cursor_fault(c, PACKET_MALFORMED);
        return NULL;
    }
    struct layer *l = &p->layers[p->nlayers++];
    *l = (struct layer){
        .kind = (uint8_t)kind,
        .flags = c->flags,
        .at = c->at,
        .header_len = header_len < left ? header_len : left,
        .payload_len = header_len < left ? left - header_len : 0,
    };
    return l;
}

static inline void cursor_reach(struct cursor *c, enum packet_reach reach)
{
    if (!(c->flags & LAYER_QUOTED) && c->out->reach < reach)
        c->out->reach = (uint8_t)reach;
}

void dissect_link(struct cursor *c, enum link_type link);
/* The cursor is behind the ethertype, which VLAN tags or, up to 1500, an LLC header may follow. */
void dissect_ethertype(struct cursor *c, uint16_t type);
/* An Ethernet frame: of the link, or in GRE. */
void dissect_ethernet(struct cursor *c);
/* An IP header of the version that its first byte tells. */
void dissect_ip(struct cursor *c);
void dissect_ipv6(struct cursor *c);
/* What an IP header carries: ports, ICMP, a tunnel. */
void dissect_transport(struct cursor *c, uint8_t proto);

#endif
