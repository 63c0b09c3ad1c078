#include "testbed/link/codel.h"

#include <math.h>

/* As long as this many intervals after the last dropping state its drop rate is the new one's
 * first guess. */
#define RESUME_INTERVALS 16

uint64_t codel_control_law_ns(uint64_t t_ns, uint64_t interval_us, uint32_t count)
{
    return t_ns + (uint64_t)((double)(interval_us * 1000) / sqrt((double)count));
}

/* What one call of codel_dequeue() works on. */
struct codel {
    struct aqm *a;
    struct packet_queue *q;
    struct codel_state *s;
    const struct codel_params *params;
    struct codel_stats *stats;
    uint64_t now_ns;
};

/* Has the delay been above the target for an interval, as this packet sees it? */
static bool is_late(struct codel *c, const struct packet *p)
{
    if (p == NULL) {
        c->s->first_above_ns = 0;
        return false;
    }
    c->s->ldelay_ns = c->now_ns - p->enqueue_ns;
    if (p->len_bytes > c->stats->maxpacket) {
        c->stats->maxpacket = p->len_bytes;
    }
    /* The backlog is that of the whole AQM, in fq_codel too. */
    if (c->s->ldelay_ns < c->params->target_us * 1000 || c->a->backlog_bytes <= c->a->mtu_bytes) {
        c->s->first_above_ns = 0;
        return false;
    }
    if (c->s->first_above_ns == 0) {
        c->s->first_above_ns = c->now_ns + c->params->interval_us * 1000;
        return false;
    }
    return c->now_ns > c->s->first_above_ns;
}

static bool mark(struct codel *c, struct packet *p)
{
    if (!c->params->is_ecn || !aqm_mark(c->a, p)) {
        return false;
    }
    c->a->stats.ecn_mark++;
    return true;
}

static struct packet *drop_and_take(struct codel *c, struct packet *p)
{
    aqm_drop(c->a, p, c->now_ns, &c->a->stats.drop_aqm);
    return aqm_pop(c->a, c->q);
}

/* In the dropping state, and the time for the next drops has come. */
static struct packet *drop_on(struct codel *c, struct packet *p)
{
    struct codel_state *s = c->s;
    uint64_t interval_us = c->params->interval_us;

    while (s->is_dropping && c->now_ns >= s->drop_next_ns) {
        s->count++;
        if (mark(c, p)) {
            s->drop_next_ns = codel_control_law_ns(s->drop_next_ns, interval_us, s->count);
            return p;
        }
        p = drop_and_take(c, p);
        if (is_late(c, p)) {
            s->drop_next_ns = codel_control_law_ns(s->drop_next_ns, interval_us, s->count);
        } else {
            s->is_dropping = false;
        }
    }
    return p;
}

static struct packet *start_dropping(struct codel *c, struct packet *p)
{
    struct codel_state *s = c->s;
    uint64_t interval_ns = c->params->interval_us * 1000;
    uint32_t last_drops = s->count - s->lastcount;

    if (!mark(c, p)) {
        p = drop_and_take(c, p);
        is_late(c, p); /* for what it notes */
    }
    s->is_dropping = true;
    s->count = last_drops > 1 && (int64_t)(c->now_ns - s->drop_next_ns) <
                                     (int64_t)(RESUME_INTERVALS * interval_ns)
                   ? last_drops
                   : 1;
    s->lastcount = s->count;
    s->drop_next_ns = codel_control_law_ns(c->now_ns, c->params->interval_us, s->count);
    return p;
}

struct packet *codel_dequeue(struct aqm *a, struct packet_queue *q, struct codel_state *s,
                             const struct codel_params *params, struct codel_stats *stats,
                             uint64_t now_ns)
{
    struct codel c = {a, q, s, params, stats, now_ns};
    struct packet *p = aqm_pop(a, q);
    bool has_to_drop;

    if (p == NULL) {
        s->is_dropping = false;
        return NULL;
    }
    has_to_drop = is_late(&c, p);
    if (s->is_dropping) {
        if (!has_to_drop) {
            s->is_dropping = false;
        } else {
            p = drop_on(&c, p);
        }
    } else if (has_to_drop) {
        p = start_dropping(&c, p);
    }
    if (p != NULL && params->ce_threshold_us != CODEL_OFF &&
        s->ldelay_ns > params->ce_threshold_us * 1000 && aqm_mark(a, p)) {
        stats->ce_mark++;
    }
    return p;
}
