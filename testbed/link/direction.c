#include "testbed/link/direction.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "testbed/link/ecn.h"

#define NS_PER_S 1000000000ull

/* --- the packet log ------------------------------------------------------------------------
 */

static void log_packet(const struct direction *d, const struct packet *p, uint64_t at_ns,
                       enum packet_log_event event)
{
    if (d->log != NULL) {
        packet_log_add(d->log, &(struct packet_log_row){
                                   .mono_ns = at_ns,
                                   .sojourn_ns = at_ns - p->enqueue_ns,
                                   .len_bytes = (uint16_t)p->len_bytes,
                                   .dir = d->log_dir,
                                   .is_l = p->is_l,
                                   .event = (uint8_t)event,
                               });
    }
}

void direction_on_drop(void *user, const struct packet *p, uint64_t now_ns)
{
    log_packet(user, p, now_ns, PACKET_LOG_DROPPED);
}

/* --- life --------------------------------------------------------------------------------------
 */

enum status direction_init(struct direction *d, uint64_t rate_bps, uint64_t delay_us,
                           uint32_t limit_pkts, struct error *err)
{
    memset(d, 0, sizeof(*d));
    d->rate_bps = rate_bps;
    d->delay_ns = delay_us * 1000;
    /* One on the link, one being read, and a full line. */
    return packet_pool_init(&d->pool, (size_t)limit_pkts + DELAY_LINE_PKTS_MAX + 2, err);
}

void direction_done(struct direction *d)
{
    aqm_free(d->aqm);
    delay_line_done(&d->line, &d->pool);
    packet_pool_done(&d->pool);
    memset(d, 0, sizeof(*d));
}

struct packet *direction_buffer(struct direction *d)
{
    return packet_pool_get(&d->pool);
}

/* --- serializer --------------------------------------------------------------------------------
 */

static uint64_t path_delay_ns(const struct direction *d, unsigned end)
{
    return end != 0 ? d->paths->paths[end - 1].extra_ns : 0;
}

/* The packet on the link is through: on to the delay line. */
static void finish(struct direction *d)
{
    struct packet *p = d->sending;
    uint64_t wait_ns = d->delay_ns;
    unsigned src = 0, dst = 0;

    d->sending = NULL;
    d->interval.bytes += p->len_bytes;
    d->totals.sent_bytes += p->len_bytes;
    if (d->loss != 0 && rng_random(&d->rng) < d->loss) {
        d->totals.lost++;
        log_packet(d, p, d->free_ns, PACKET_LOG_DROPPED);
        packet_pool_put(&d->pool, p);
        return;
    }
    if (d->jitter_ns != 0) { /* uniform in delay - jitter to delay + jitter, not below 0 */
        wait_ns += rng_next_u64(&d->rng) % (2 * d->jitter_ns + 1);
        wait_ns = wait_ns > d->jitter_ns ? wait_ns - d->jitter_ns : 0;
    }
    if (d->paths != NULL && d->paths->count != 0) {
        path_table_ends(d->paths, p->data, &src, &dst);
        wait_ns += path_delay_ns(d, src) + path_delay_ns(d, dst);
    }
    p->due_ns = d->free_ns + wait_ns;
    if (!delay_line_push(&d->line, p, src, dst)) {
        d->totals.no_buffer++;
        packet_pool_put(&d->pool, p);
    }
}

static void count_sojourn(struct direction *d, const struct packet *p)
{
    uint64_t sojourn_ns = d->free_ns - p->enqueue_ns;

    if (p->is_l) {
        d->interval.pkts_l++;
        d->interval.sojourn_l_ns += sojourn_ns;
        d->totals.sojourn_l_ns += sojourn_ns;
        hist_add(&d->sojourn_l, sojourn_ns);
    } else {
        d->interval.pkts_c++;
        d->interval.sojourn_c_ns += sojourn_ns;
        d->totals.sojourn_c_ns += sojourn_ns;
        hist_add(&d->sojourn_c, sojourn_ns);
    }
}

/* The link is free at free_ns: put the next packet on it, if there is one. */
static void begin(struct direction *d)
{
    uint64_t ready_ns = d->free_ns;
    struct packet *p;
    enum ecn ecn;

    if (d->aqm->backlog_pkts > 0 && d->trace.trace != NULL) {
        ready_ns = trace_ready_ns(&d->trace, d->free_ns);
    } else if (d->aqm->backlog_pkts > 0 && d->burst.every_ns != 0) {
        ready_ns = burst_ready_ns(&d->burst, d->rate_bps, d->free_ns);
    }
    if (ready_ns > d->free_ns) {
        d->free_ns = ready_ns; /* it waits in the queue until then */
        return;
    }
    p = d->aqm->ops->dequeue(d->aqm, d->free_ns);
    if (p == NULL) {
        d->is_busy = false;
        return;
    }
    count_sojourn(d, p);
    if (d->log != NULL) {
        bool is_marked = p->ecn != ECN_CE && ecn_read(p->data, p->len_bytes, &ecn) && ecn == ECN_CE;

        log_packet(d, p, d->free_ns, is_marked ? PACKET_LOG_MARKED : PACKET_LOG_SENT);
    }
    d->sending = p;
    if (d->trace.trace != NULL) {
        d->free_ns = trace_spend(&d->trace, p->len_bytes);
    } else if (d->burst.every_ns != 0) {
        burst_spend(&d->burst, p->len_bytes);
    } else if (d->rate_bps != 0) {
        uint64_t work = p->len_bytes * 8 * NS_PER_S + d->rest;

        d->free_ns += work / d->rate_bps;
        d->rest = work % d->rate_bps;
    }
}

/* The rate of a running link: what is on it goes on at the new one. */
static void change_rate(struct direction *d, uint64_t rate_bps, uint64_t now_ns)
{
    direction_account(d, now_ns);
    if (d->is_busy && d->free_ns > now_ns) {
        __extension__ unsigned __int128 work = 0; /* bits times NS_PER_S */

        if (d->sending != NULL && d->trace.trace != NULL) {
            work = d->sending->len_bytes * 8 * NS_PER_S; /* a trace knows no half packets */
        } else if (d->sending != NULL) {
            work = d->free_ns - now_ns;
            work *= d->rate_bps;
        }
        d->free_ns = now_ns + (rate_bps != 0 ? (uint64_t)(work / rate_bps) : 0);
    }
    d->rest = 0;
    d->trace.trace = NULL;
    d->rate_bps = rate_bps;
}

void direction_advance(struct direction *d, uint64_t now_ns)
{
    for (;;) {
        uint64_t update_ns = d->aqm->ops->next_update_ns(d->aqm);
        uint64_t free_ns = d->is_busy ? d->free_ns : AQM_NEVER;
        uint64_t step_ns = d->step_count != 0 ? d->steps->at_ns : AQM_NEVER;

        if (step_ns <= update_ns && step_ns <= free_ns && step_ns <= now_ns) {
            change_rate(d, d->steps->rate_bps, step_ns);
            d->steps++;
            d->step_count--;
        } else if (update_ns <= free_ns && update_ns <= now_ns) {
            d->aqm->ops->update(d->aqm, update_ns);
        } else if (free_ns <= now_ns) {
            if (d->sending != NULL) {
                finish(d);
            }
            begin(d);
        } else {
            break;
        }
    }
    d->now_ns = d->now_ns > now_ns ? d->now_ns : now_ns;
}

/* --- packets -----------------------------------------------------------------------------------
 */

void direction_offer(struct direction *d, struct packet *p, uint64_t came_ns)
{
    uint64_t now_ns = came_ns > d->now_ns ? came_ns : d->now_ns;
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
    p->enqueue_ns = now_ns;
    if (d->aqm->ops->enqueue(d->aqm, p, now_ns) && !d->is_busy) {
        d->is_busy = true;
        d->free_ns = now_ns;
        d->rest = 0;
        begin(d);
    }
}

void direction_lost(struct direction *d, size_t len_bytes)
{
    d->totals.in_pkts++;
    d->totals.in_bytes += len_bytes;
    d->totals.no_buffer++;
}

uint64_t direction_least_delay_ns(const struct direction *d)
{
    return d->delay_ns > d->jitter_ns ? d->delay_ns - d->jitter_ns : 0;
}

struct packet *direction_take_due(struct direction *d, uint64_t now_ns)
{
    uint64_t delay_ns = direction_least_delay_ns(d);
    struct packet *p;

    direction_advance(d, now_ns > delay_ns ? now_ns - delay_ns : 0);
    p = delay_line_head(&d->line);
    if (p == NULL || p->due_ns > now_ns) {
        return NULL;
    }
    return delay_line_pop(&d->line);
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
    const struct packet *head = delay_line_head(&d->line);
    uint64_t wake_ns = head != NULL ? head->due_ns : AQM_NEVER;

    /* Not a moment is lost by looking late at a queue whose packets still have the delay before
     * them: the decisions are taken in virtual time. A step can only bring them forward by less
     * than it is away itself. */
    if (d->is_busy) {
        uint64_t delay_ns = direction_least_delay_ns(d);
        uint64_t free_ns = d->free_ns;

        if (d->step_count != 0 && d->steps->at_ns < free_ns) {
            free_ns = d->steps->at_ns;
        }
        wake_ns = free_ns + delay_ns < wake_ns ? free_ns + delay_ns : wake_ns;
    }
    return wake_ns;
}

/* --- measures ----------------------------------------------------------------------------------
 */

void direction_account(struct direction *d, uint64_t now_ns)
{
    double bits;

    if (now_ns <= d->capacity_ns) {
        return;
    }
    if (d->trace.trace != NULL) {
        const struct trace_cursor *c = &d->trace;

        bits = 8.0 * TRACE_OPPORTUNITY_BYTES *
               (double)(trace_count(c->trace, now_ns - c->origin_ns) -
                        trace_count(c->trace, d->capacity_ns - c->origin_ns));
    } else if (d->rate_bps != 0) {
        bits = (double)d->rate_bps * (double)(now_ns - d->capacity_ns) / NS_PER_S;
    } else {
        bits = NAN;
    }
    d->capacity_ns = now_ns;
    d->interval.capacity_bits += bits;
    d->totals.capacity_bits += bits;
}

void direction_interval_reset(struct direction *d)
{
    memset(&d->interval, 0, sizeof(d->interval));
}

static void add_counters(struct aqm_stats *sum, const struct aqm_stats *s)
{
    sum->pkts_in_c += s->pkts_in_c;
    sum->pkts_in_l += s->pkts_in_l;
    sum->maxq_pkts = sum->maxq_pkts > s->maxq_pkts ? sum->maxq_pkts : s->maxq_pkts;
    sum->ecn_mark += s->ecn_mark;
    sum->step_mark += s->step_mark;
    sum->ce_set += s->ce_set;
    sum->drop_overlimit += s->drop_overlimit;
    sum->drop_aqm += s->drop_aqm;
}

void direction_stats(const struct direction *d, uint64_t now_ns, struct aqm_stats *out)
{
    d->aqm->ops->stats(d->aqm, now_ns, out);
    add_counters(out, &d->past);
}

/* --- changes -----------------------------------------------------------------------------------
 */

void direction_set_rate(struct direction *d, uint64_t rate_bps, uint64_t now_ns)
{
    direction_advance(d, now_ns);
    d->step_count = 0;
    change_rate(d, rate_bps, now_ns);
}

void direction_set_trace(struct direction *d, const struct trace *t, uint64_t now_ns)
{
    direction_account(d, now_ns);
    trace_start(&d->trace, t, now_ns);
}

/* By arrival; those of one instant stay as the old AQM had them. */
static int compare_arrival(const void *a, const void *b)
{
    const struct packet *x = *(struct packet *const *)a, *y = *(struct packet *const *)b;

    if (x->enqueue_ns != y->enqueue_ns) {
        return x->enqueue_ns < y->enqueue_ns ? -1 : 1;
    }
    return x->due_ns < y->due_ns ? -1 : x->due_ns > y->due_ns;
}

enum status direction_set_aqm(struct direction *d, struct aqm *aqm, uint64_t now_ns,
                              struct error *err)
{
    struct packet **waiting;
    struct packet *p;
    size_t count = 0;
    struct aqm_stats s;

    direction_advance(d, now_ns);
    waiting = malloc((d->aqm->backlog_pkts + 1) * sizeof(struct packet *));
    if (waiting == NULL) {
        return error_set(err, STATUS_NOMEM, "link", "no memory to replace the AQM");
    }
    d->aqm->ops->stats(d->aqm, now_ns, &s);
    while ((p = aqm_evict(d->aqm)) != NULL) {
        p->due_ns = count; /* free for use before the delay line */
        waiting[count++] = p;
        s.pkts_in_l -= p->is_l; /* it will be counted again */
        s.pkts_in_c -= !p->is_l;
    }
    add_counters(&d->past, &s);
    aqm_free(d->aqm);
    d->aqm = aqm;
    qsort(waiting, count, sizeof(waiting[0]), compare_arrival);
    for (size_t i = 0; i < count; i++) {
        waiting[i]->has_step = false;
        aqm->ops->enqueue(aqm, waiting[i], waiting[i]->enqueue_ns);
    }
    free(waiting);
    return STATUS_OK;
}
