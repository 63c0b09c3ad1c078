/* The drop-tail queue: what a router without AQM has, and the contrast to everything else. */
#include <math.h>
#include <stdlib.h>

#include "testbed/link/aqm.h"

struct fifo {
    struct aqm base;
    struct packet_queue queue;
    size_t limit_pkts;
    uint64_t limit_bytes;
    struct aqm_stats stats;
};

static void fifo_free(struct aqm *a)
{
    struct fifo *f = (struct fifo *)a;
    struct packet *p;

    while ((p = packet_queue_pop(&f->queue)) != NULL) {
        packet_pool_put(a->pool, p);
    }
    free(f);
}

static bool fifo_enqueue(struct aqm *a, struct packet *p, uint64_t now_ns)
{
    struct fifo *f = (struct fifo *)a;

    if (a->backlog_pkts >= f->limit_pkts || a->backlog_bytes + p->len_bytes > f->limit_bytes) {
        f->stats.drop_overlimit++;
        packet_pool_put(a->pool, p);
        return false;
    }
    p->enqueue_ns = now_ns;
    p->is_l = false;
    packet_queue_push(&f->queue, p);
    a->backlog_pkts++;
    a->backlog_bytes += p->len_bytes;
    f->stats.pkts_in_c++;
    if (a->backlog_pkts > f->stats.maxq_pkts) {
        f->stats.maxq_pkts = a->backlog_pkts;
        f->stats.max_memory_used = a->backlog_pkts * sizeof(*p);
    }
    return true;
}

static struct packet *fifo_dequeue(struct aqm *a, uint64_t now_ns)
{
    struct fifo *f = (struct fifo *)a;
    struct packet *p = packet_queue_pop(&f->queue);

    (void)now_ns;
    if (p != NULL) {
        a->backlog_pkts--;
        a->backlog_bytes -= p->len_bytes;
    }
    return p;
}

static uint64_t fifo_next_update_ns(const struct aqm *a)
{
    (void)a;
    return AQM_NEVER;
}

static void fifo_update(struct aqm *a, uint64_t now_ns)
{
    (void)a;
    (void)now_ns;
}

static void fifo_stats(const struct aqm *a, uint64_t now_ns, struct aqm_stats *out)
{
    const struct fifo *f = (const struct fifo *)a;

    *out = f->stats;
    out->prob = NAN;
    out->delay_c_us = f->queue.head != NULL ? (now_ns - f->queue.head->enqueue_ns) / 1000 : 0;
    out->memory_used = a->backlog_pkts * sizeof(struct packet);
    out->memory_limit = f->limit_pkts * sizeof(struct packet);
}

static const struct aqm_ops fifo_ops = {
    .name = "fifo",
    .free = fifo_free,
    .enqueue = fifo_enqueue,
    .dequeue = fifo_dequeue,
    .next_update_ns = fifo_next_update_ns,
    .update = fifo_update,
    .stats = fifo_stats,
};

enum status fifo_new(const struct aqm_config *config, struct aqm **out, struct error *err)
{
    struct fifo *f = calloc(1, sizeof(*f));

    *out = NULL;
    if (f == NULL) {
        return error_set(err, STATUS_NOMEM, "link", "no memory for a FIFO queue");
    }
    f->base.ops = &fifo_ops;
    f->base.pool = config->pool;
    f->limit_pkts = config->limit_pkts != 0 ? config->limit_pkts : FIFO_LIMIT_PKTS;
    f->limit_bytes = config->limit_bytes != 0 ? config->limit_bytes : UINT64_MAX;
    *out = &f->base;
    return STATUS_OK;
}
