/* The segments of one direction that nobody has acknowledged yet, in the order of the capture.
 *
 * Wireshark walks a list for every packet; here the list knows while it is in the order of the
 * sequence numbers, which it nearly always is, and then the ends tell all. */
#ifndef CCALAB_CAPTURE_UNACKED_H
#define CCALAB_CAPTURE_UNACKED_H

#include "capture/flow.h"

struct unacked {
    uint32_t seq, nextseq;
    uint64_t frame;
    int64_t t_ns;
};

/* Remember a segment, unless there are too many (FLOW_UNACKED_MAX, FLOWS_UNACKED_MAX) or memory is
 * out. */
void unacked_add(struct flows *t, struct tcp_side *s, const struct unacked *u);
/* Forget what `ack` covers. Returns true and the first segment that ends exactly there in *out if
 * there is one. */
bool unacked_take(struct flows *t, struct tcp_side *s, uint32_t ack, struct unacked *out);
/* Where the first begins and the last ends, relative to the base; false: there are none. */
bool unacked_span(struct tcp_side *s, uint32_t *first, uint32_t *last);
/* The first one of the capture; NULL: none. */
const struct unacked *unacked_oldest(const struct tcp_side *s);
/* Give `to`, a plain copy of `from`, segments of its own, counted in `t`. False: out of memory, and
 * `to` has none. */
bool unacked_copy(struct flows *t, const struct tcp_side *from, struct tcp_side *to);
void unacked_done(struct flows *t, struct tcp_side *s);

#endif
