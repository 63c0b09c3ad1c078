#include "testbed/link/aqm.h"

#include <math.h>
#include <stdlib.h>

#include "testbed/link/ecn.h"

void aqm_free(struct aqm *a)
{
    struct packet *p;

    if (a == NULL) {
        return;
    }
    while ((p = a->ops->evict(a)) != NULL) {
        packet_pool_put(a->pool, p);
    }
    a->ops->free(a);
}

struct packet *aqm_evict(struct aqm *a)
{
    return a->ops->evict(a);
}

void *aqm_alloc(size_t size, const struct aqm_ops *ops, const struct aqm_config *config,
                struct error *err)
{
    struct aqm *a = calloc(1, size);

    if (a == NULL) {
        error_set(err, STATUS_NOMEM, "aqm", "no memory for the queue '%s'", ops->name);
        return NULL;
    }
    a->ops = ops;
    a->pool = config->pool;
    a->mtu_bytes = config->mtu_bytes;
    a->random = config->random;
    a->random_user = config->random_user;
    a->on_drop = config->on_drop;
    a->on_drop_user = config->on_drop_user;
    return a;
}

uint64_t aqm_limit_pkts(uint64_t limit_pkts, const struct aqm_config *config, uint64_t def)
{
    if (limit_pkts != 0) {
        return limit_pkts;
    }
    return config != NULL && config->limit_pkts != 0 ? config->limit_pkts : def;
}

void aqm_push(struct aqm *a, struct packet_queue *q, struct packet *p, uint64_t now_ns)
{
    p->enqueue_ns = now_ns;
    packet_queue_push(q, p);
    a->backlog_pkts++;
    a->backlog_bytes += p->len_bytes;
    if (p->is_l) {
        a->stats.pkts_in_l++;
    } else {
        a->stats.pkts_in_c++;
    }
    if (a->backlog_pkts > a->stats.maxq_pkts) {
        a->stats.maxq_pkts = a->backlog_pkts;
        a->stats.max_memory_used = a->backlog_pkts * sizeof(*p);
    }
}

struct packet *aqm_pop(struct aqm *a, struct packet_queue *q)
{
    struct packet *p = packet_queue_pop(q);

    if (p != NULL) {
        a->backlog_pkts--;
        a->backlog_bytes -= p->len_bytes;
    }
    return p;
}

void aqm_drop(struct aqm *a, struct packet *p, uint64_t now_ns, uint64_t *counter)
{
    (*counter)++;
    if (a->on_drop != NULL) {
        a->on_drop(a->on_drop_user, p, now_ns);
    }
    packet_pool_put(a->pool, p);
}

bool aqm_mark(struct aqm *a, struct packet *p)
{
    switch (ecn_set_ce(p->data, p->len_bytes)) {
    case ECN_MARK_SET:
        a->stats.ce_set++;
        return true;
    case ECN_MARK_ALREADY:
        return true;
    case ECN_MARK_REFUSED:
        break;
    }
    return false;
}

bool aqm_roll(struct aqm *a, uint64_t prob)
{
    return a->random(a->random_user) <= prob;
}

uint64_t aqm_head_age_ns(const struct packet_queue *q, uint64_t now_ns)
{
    return q->head != NULL ? now_ns - q->head->enqueue_ns : 0;
}

void aqm_stats_base(const struct aqm *a, struct aqm_stats *out)
{
    *out = a->stats;
    out->prob = NAN;
    out->memory_used = a->backlog_pkts * sizeof(struct packet);
}

uint64_t aqm_no_update_ns(const struct aqm *a)
{
    (void)a;
    return AQM_NEVER;
}

void aqm_no_update(struct aqm *a, uint64_t now_ns)
{
    (void)a;
    (void)now_ns;
}
