/* One frame as a tree: its layers, the fields of each from the table of field.h with what they mean
 * in words, and which bytes they are. Thread: one at a time per tree. */
#ifndef CCALAB_CAPTURE_PACKET_DETAIL_H
#define CCALAB_CAPTURE_PACKET_DETAIL_H

#include "capture/field.h"

#define PACKET_DETAIL_NODES 1024

struct packet_detail_node {
    uint8_t depth;     /* 0: a layer */
    const char *name;  /* the field's, "tcp.flags.ace", or of a group of them; static */
    uint32_t at, span; /* bytes of the frame; span 0: worked out, none */
    size_t text;       /* for packet_detail_text() */
};

struct packet_detail {
    struct packet_detail_node node[PACKET_DETAIL_NODES]; /* parents before their children */
    size_t n;
    struct buf texts;
};

void packet_detail_init(struct packet_detail *d);
void packet_detail_done(struct packet_detail *d);
/* Replace what the tree holds by this frame. What does not fit is left out. */
void packet_detail_build(struct packet_detail *d, const struct field_frame *frame);
/* "Explicit Congestion Notification: Congestion Experienced (3)". Good until the next build. */
const char *packet_detail_text(const struct packet_detail *d, size_t i);

#endif
