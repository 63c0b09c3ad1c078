#include "testbed/link/direction.h"

#include <string.h>

#include "testbed/link/ecn.h"

#define NS_PER_S 1000000000ull

/* The delay line holds what the rate lets through in the delay. Small packets count: ACKs are 52
 * bytes, the least that IPv4 and TCP need is 40. */
#define LINE_PKT_BYTES_MIN 40
#define LINE_PKTS_MIN      1024
#define LINE_PKTS_MAX      65536

static size_t line_capacity(uint64_t rate_bps, uint64_t delay_us)
{
    double pkts = (double)rate_bps * (double)delay_us / 1e6 / 8 / LINE_PKT_BYTES_MIN;

    if (rate_bps == 0 || pkts > LINE_PKTS_MAX) {
        return LINE_PKTS_MAX;
    }
    return LINE_PKTS_MIN + (size_t)pkts;
}

enum status direction_init(struct direction *d, uint64_t rate_bps, uint64_t delay_us,
                           uint32_t limit_pkts, struct error *err)
{
    memset(d, 0, sizeof(*d));
    d->rate_bps = rate_bps;
    d->delay_ns = delay_us * 1000;
    return packet_pool_init(&d->pool, limit_pkts + line_capacity(rate_bps, delay_us), err);
}

void direction_done(struct direction *d)
{
    aqm_free(d->aqm);
    packet_pool_done(&d->pool);
    memset(d, 0, sizeof(*d));
}

struct packet *direction_buffer(struct direction *d)
{
    return packet_pool_get(&d->pool);
}

/* The link is free at free_ns: put the next packet on it, if there is one. */
static void transmit(struct direction *d)
{
    struct packet *p = d->aqm->ops->dequeue(d->aqm, d->free_ns);
    uint64_t sojourn_ns;

    if (p == NULL) {
        d->is_busy = false;
        return;
    }
    sojourn_ns = d->free_ns - p->enqueue_ns;
    d->interval.bytes += p->len_bytes;
    if (p->is_l) {
        d->interval.pkts_l++;
        d->interval.sojourn_l_ns += sojourn_ns;
    } else {
        d->interval.pkts_c++;
        d->interval.sojourn_c_ns += sojourn_ns;
    }
    if (d->rate_bps != 0) {
        uint64_t work = p->len_bytes * 8 * NS_PER_S + d->rest;

        d->free_ns += work / d->rate_bps;
        d->rest = work % d->rate_bps;
    }
    p->due_ns = d->free_ns + d->delay_ns;
    packet_queue_push(&d->line, p);
}

void direction_advance(struct direction *d, uint64_t now_ns)
{
    for (;;) {
        uint64_t update_ns = d->aqm->ops->next_update_ns(d->aqm);
        uint64_t free_ns = d->is_busy ? d->free_ns : AQM_NEVER;

        if (update_ns <= free_ns && update_ns <= now_ns) {
            d->aqm->ops->update(d->aqm, update_ns);
        } else if (free_ns <= now_ns) {
            transmit(d);
        } else {
            return;
        }
    }
}

void direction_offer(struct direction *d, struct packet *p, uint64_t now_ns)
{
    enum ecn ecn;

    direction_advance(d, now_ns);
    d->totals.in_pkts++;
    d->totals.in_bytes += p->len_bytes;
    if (!ecn_read(p->data, p->len_bytes, &ecn)) {
        d->totals.malformed++;
        packet_pool_put(&d->pool, p);
        return;
    }
    p->ecn = (uint8_t)ecn;
    if (d->aqm->ops->enqueue(d->aqm, p, now_ns) && !d->is_busy) {
        d->is_busy = true;
        d->free_ns = now_ns;
        d->rest = 0;
        transmit(d);
    }
}

void direction_lost(struct direction *d, size_t len_bytes)
{
    d->totals.in_pkts++;
    d->totals.in_bytes += len_bytes;
    d->totals.no_buffer++;
}

struct packet *direction_take_due(struct direction *d, uint64_t now_ns)
{
    direction_advance(d, now_ns);
    if (d->line.head == NULL || d->line.head->due_ns > now_ns) {
        return NULL;
    }
    return packet_queue_pop(&d->line);
}

void direction_sent(struct direction *d, struct packet *p, uint64_t late_ns, bool is_written)
{
    if (is_written) {
        d->totals.out_pkts++;
        d->totals.out_bytes += p->len_bytes;
        hist_add(&d->late, late_ns);
        hist_add(&d->interval.late, late_ns);
    } else {
        d->totals.write_errors++;
    }
    packet_pool_put(&d->pool, p);
}

uint64_t direction_wake_ns(const struct direction *d)
{
    if (d->line.head != NULL) {
        return d->line.head->due_ns;
    }
    /* Not a moment is lost by looking late at a queue whose packets still have the delay before
     * them: the decisions are taken in virtual time. */
    if (d->aqm->backlog_pkts > 0) {
        return d->free_ns + d->delay_ns;
    }
    return AQM_NEVER;
}

void direction_interval_reset(struct direction *d)
{
    memset(&d->interval, 0, sizeof(d->interval));
}
