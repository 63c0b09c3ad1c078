#include <stdlib.h>

#include "core/json.h"
#include "testbed/link/codel.h"

struct codel_aqm {
    struct aqm base;
    struct codel_params params;
    struct packet_queue queue;
    struct codel_state state;
    struct codel_stats stats;
};

static enum status codel_resolve(void *params, const struct aqm_config *config, struct error *err)
{
    struct codel_params *p = params;

    (void)err;
    p->limit_pkts = aqm_limit_pkts(p->limit_pkts, config, CODEL_LIMIT_PKTS);
    return STATUS_OK;
}

static uint64_t codel_capacity_pkts(const void *params)
{
    return ((const struct codel_params *)params)->limit_pkts;
}

static enum status codel_make(const struct aqm_config *config, const void *params, struct aqm **out,
                              struct error *err)
{
    struct codel_aqm *c = aqm_alloc(sizeof(*c), &codel_ops, config, err);

    if (c == NULL) {
        return STATUS_NOMEM;
    }
    c->params = *(const struct codel_params *)params;
    c->base.params = &c->params;
    *out = &c->base;
    return STATUS_OK;
}

static void codel_free(struct aqm *a)
{
    free(a);
}

static bool codel_enqueue(struct aqm *a, struct packet *p, uint64_t now_ns)
{
    struct codel_aqm *c = (struct codel_aqm *)a;

    p->is_l = false;
    if (a->backlog_pkts >= c->params.limit_pkts) {
        p->enqueue_ns = now_ns;
        aqm_drop(a, p, now_ns, &a->stats.drop_overlimit);
        return false;
    }
    aqm_push(a, &c->queue, p, now_ns);
    return true;
}

static struct packet *codel_aqm_dequeue(struct aqm *a, uint64_t now_ns)
{
    struct codel_aqm *c = (struct codel_aqm *)a;

    return codel_dequeue(a, &c->queue, &c->state, &c->params, &c->stats, now_ns);
}

static struct packet *codel_evict(struct aqm *a)
{
    return aqm_pop(a, &((struct codel_aqm *)a)->queue);
}

static void codel_stats(const struct aqm *a, uint64_t now_ns, struct aqm_stats *out)
{
    const struct codel_aqm *c = (const struct codel_aqm *)a;

    aqm_stats_base(a, out);
    out->delay_c_us = aqm_head_age_ns(&c->queue, now_ns) / 1000;
    out->ecn_mark += c->stats.ce_mark;
}

static void codel_stats_json(const struct aqm *a, uint64_t now_ns, cJSON *out)
{
    const struct codel_aqm *c = (const struct codel_aqm *)a;
    const struct codel_state *s = &c->state;
    double drop_next_ns = (double)s->drop_next_ns - (double)now_ns;

    json_add_num(out, "count", s->count);
    json_add_num(out, "lastcount", s->lastcount);
    json_add_num(out, "ldelay", (double)(s->ldelay_ns / 1000));
    if (s->is_dropping) {
        cJSON_AddTrueToObject(out, "dropping");
    }
    json_add_num(out, "drop_next", s->is_dropping ? (double)(int64_t)(drop_next_ns / 1000) : 0);
    json_add_num(out, "maxpacket", c->stats.maxpacket);
    json_add_num(out, "ecn_mark", (double)a->stats.ecn_mark);
    json_add_num(out, "drop_overlimit", (double)a->stats.drop_overlimit);
    if (c->stats.ce_mark != 0) {
        json_add_num(out, "ce_mark", (double)c->stats.ce_mark);
    }
}

#define OFFSET(field) AQM_OFFSET(codel_params, field)

static const struct aqm_option codel_options[] = {
    {.name = "limit",
     .type = AQM_OPTION_PKTS,
     .offset = OFFSET(limit_pkts),
     .min = 1,
     .max = AQM_PKTS_MAX,
     .help = "packets queued at most, 1000"},
    CODEL_OPTION_TARGET(OFFSET),
    CODEL_OPTION_CE_THRESHOLD(OFFSET),
    CODEL_OPTION_INTERVAL(OFFSET),
    AQM_WORD("ecn", OFFSET(is_ecn), 1, 0, "mark ECN-capable packets instead of dropping them"),
    AQM_WORD("noecn", OFFSET(is_ecn), 0, 0, "drop (default)"),
    {.name = NULL},
};

const struct aqm_ops codel_ops = {
    .name = "codel",
    .options = codel_options,
    .params_size = sizeof(struct codel_params),
    .resolve = codel_resolve,
    .capacity_pkts = codel_capacity_pkts,
    .make = codel_make,
    .free = codel_free,
    .enqueue = codel_enqueue,
    .dequeue = codel_aqm_dequeue,
    .evict = codel_evict,
    .next_update_ns = aqm_no_update_ns,
    .update = aqm_no_update,
    .stats = codel_stats,
    .stats_json = codel_stats_json,
};
