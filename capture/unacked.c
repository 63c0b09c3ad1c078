#include "capture/unacked.h"

#include <stdlib.h>

#define CAP_MIN 8u
/* An empty ring of more than this is given back. */
#define CAP_KEEP 64u

static struct unacked *at(const struct tcp_side *s, uint32_t i)
{
    return &s->unacked[(s->unacked_head + i) & (s->unacked_cap - 1)];
}

void unacked_done(struct flows *t, struct tcp_side *s)
{
    t->unacked_total -= s->unacked_cap;
    free(s->unacked);
    s->unacked = NULL;
    s->unacked_cap = s->unacked_head = s->unacked_count = 0;
    s->is_unacked_ordered = true;
}

static bool grow(struct flows *t, struct tcp_side *s)
{
    uint32_t cap = s->unacked_cap == 0 ? CAP_MIN : s->unacked_cap * 2;
    if (t->unacked_total - s->unacked_cap + cap > FLOWS_UNACKED_MAX)
        return false;
    struct unacked *ring = malloc(cap * sizeof(*ring));
    if (ring == NULL)
        return false;
    for (uint32_t i = 0; i < s->unacked_count; i++)
        ring[i] = *at(s, i);
    t->unacked_total += cap - s->unacked_cap;
    free(s->unacked);
    s->unacked = ring;
    s->unacked_cap = cap;
    s->unacked_head = 0;
    return true;
}

bool unacked_copy(struct flows *t, const struct tcp_side *from, struct tcp_side *to)
{
    uint32_t cap = from->unacked_count == 0 ? 0 : CAP_MIN;
    to->unacked = NULL;
    to->unacked_head = to->unacked_count = to->unacked_cap = 0;
    if (cap == 0)
        return true;
    while (cap < from->unacked_count)
        cap *= 2;
    to->unacked = malloc(cap * sizeof(*to->unacked));
    if (to->unacked == NULL)
        return false;
    for (uint32_t i = 0; i < from->unacked_count; i++)
        to->unacked[i] = *at(from, i);
    to->unacked_count = from->unacked_count;
    to->unacked_cap = cap;
    t->unacked_total += cap;
    return true;
}

/* Does it begin where the one before ends, or later, and is all of that less than half of the
 * sequence space, so that comparisons mean something? */
static bool follows(const struct tcp_side *s, const struct unacked *first,
                    const struct unacked *before, const struct unacked *u)
{
    uint32_t base = s->base_seq;
    return u->seq - base >= before->nextseq - base && u->nextseq - base > u->seq - base &&
           u->nextseq - first->seq < UINT32_C(1) << 31;
}

void unacked_add(struct flows *t, struct tcp_side *s, const struct unacked *u)
{
    if (s->unacked_count >= FLOW_UNACKED_MAX || (s->unacked_count == s->unacked_cap && !grow(t, s)))
        return;
    if (s->unacked_count == 0)
        s->is_unacked_ordered = u->nextseq - s->base_seq > u->seq - s->base_seq;
    else if (s->is_unacked_ordered)
        s->is_unacked_ordered = follows(s, at(s, 0), at(s, s->unacked_count - 1), u);
    *at(s, s->unacked_count++) = *u;
}

const struct unacked *unacked_oldest(const struct tcp_side *s)
{
    return s->unacked_count ? at(s, 0) : NULL;
}

/* In order, and the ACK is where comparing it with the ends tells how it compares with all. */
static bool is_simple(const struct tcp_side *s, uint32_t ack)
{
    uint32_t behind = ack - at(s, 0)->seq;
    return s->is_unacked_ordered && behind < UINT32_C(1) << 31;
}

static bool is_before_all(const struct tcp_side *s, uint32_t ack)
{
    return s->is_unacked_ordered && (int32_t)(ack - at(s, 0)->seq) < 0 &&
           (int32_t)(ack - at(s, s->unacked_count - 1)->nextseq) < 0;
}

static void pop(struct tcp_side *s)
{
    s->unacked_head = (s->unacked_head + 1) & (s->unacked_cap - 1);
    s->unacked_count--;
}

static bool take_in_order(struct tcp_side *s, uint32_t ack, struct unacked *out)
{
    bool is_exact = false;
    while (s->unacked_count && (int32_t)(at(s, 0)->nextseq - ack) <= 0) {
        if (at(s, 0)->nextseq == ack) {
            *out = *at(s, 0);
            is_exact = true;
        }
        pop(s);
    }
    if (s->unacked_count && (int32_t)(at(s, 0)->seq - ack) < 0)
        at(s, 0)->seq = ack; /* part of it */
    return is_exact;
}

/* Any order: every one for itself. What remains may be in order again. */
static bool take_any(struct tcp_side *s, uint32_t ack, struct unacked *out)
{
    uint32_t kept = 0;
    bool is_exact = false, is_ordered = true;
    for (uint32_t i = 0; i < s->unacked_count; i++) {
        struct unacked *u = at(s, i);
        if (u->nextseq == ack) {
            if (!is_exact)
                *out = *u;
            is_exact = true;
            continue;
        }
        if ((int32_t)(u->seq - ack) < 0 && (int32_t)(ack - u->nextseq) <= 0)
            u->seq = ack;
        if ((int32_t)(ack - u->nextseq) >= 0)
            continue;
        is_ordered = is_ordered && (kept == 0 ? u->nextseq - s->base_seq > u->seq - s->base_seq
                                              : follows(s, at(s, 0), at(s, kept - 1), u));
        *at(s, kept++) = *u;
    }
    s->unacked_count = kept;
    s->is_unacked_ordered = is_ordered;
    return is_exact;
}

bool unacked_take(struct flows *t, struct tcp_side *s, uint32_t ack, struct unacked *out)
{
    bool is_exact;
    if (s->unacked_count == 0 || is_before_all(s, ack))
        return false;
    is_exact = is_simple(s, ack) ? take_in_order(s, ack, out) : take_any(s, ack, out);
    if (s->unacked_count == 0) {
        s->is_unacked_ordered = true;
        if (s->unacked_cap > CAP_KEEP)
            unacked_done(t, s);
    }
    return is_exact;
}

bool unacked_span(struct tcp_side *s, uint32_t *first, uint32_t *last)
{
    uint32_t base = s->base_seq;
    if (s->unacked_count == 0)
        return false;
    *first = at(s, 0)->seq - base;
    *last = at(s, s->unacked_count - 1)->nextseq - base;
    if (s->is_unacked_ordered)
        return true;
    for (uint32_t i = 0; i < s->unacked_count; i++) {
        const struct unacked *u = at(s, i);
        if (u->nextseq - base > *last)
            *last = u->nextseq - base;
        if (u->seq - base < *first)
            *first = u->seq - base;
    }
    return true;
}
