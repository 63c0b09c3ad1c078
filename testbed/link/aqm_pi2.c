#include <stdlib.h>

#include "core/json.h"
#include "testbed/link/ecn.h"
#include "testbed/link/pi2.h"
#include "testbed/link/pi_controller.h"

struct pi2 {
    struct aqm base;
    struct pi2_params params;
    struct packet_queue queue;
    struct pi_controller pi;
    uint64_t next_update_ns;
    uint64_t scal_mark; /* marks of scalable packets; part of ecn_mark */
};

static void pi2_update(struct aqm *a, uint64_t now_ns)
{
    struct pi2 *q = (struct pi2 *)a;

    pi_update(&q->pi, aqm_head_age_ns(&q->queue, now_ns));
    q->next_update_ns = now_ns + q->params.tupdate_us * 1000;
}

static uint64_t pi2_next_update_ns(const struct aqm *a)
{
    return ((const struct pi2 *)a)->next_update_ns;
}

/* True if the packet has to be dropped. */
static bool signal_must_drop(struct pi2 *q, struct packet *p)
{
    struct aqm *a = &q->base;

    if (a->backlog_bytes < 2 * (uint64_t)a->mtu_bytes) {
        return false;
    }
    if (q->params.is_scalable && (p->ecn & ECN_ECT1) != 0) {
        if (aqm_roll(a, q->pi.prob * q->params.coupling_factor) && aqm_mark(a, p)) {
            a->stats.ecn_mark++;
            q->scal_mark++;
        }
        return false;
    }
    if (!aqm_roll(a, q->pi.prob) || !aqm_roll(a, q->pi.prob)) {
        return false;
    }
    if (q->params.is_ecn && aqm_mark(a, p)) {
        a->stats.ecn_mark++;
        return false;
    }
    return true;
}

static bool pi2_enqueue(struct aqm *a, struct packet *p, uint64_t now_ns)
{
    struct pi2 *q = (struct pi2 *)a;
    uint64_t *counter = NULL;

    p->is_l = false;
    if (a->backlog_pkts >= q->params.limit_pkts) {
        counter = &a->stats.drop_overlimit;
    } else if (signal_must_drop(q, p)) {
        counter = &a->stats.drop_aqm;
    }
    if (counter != NULL) {
        p->enqueue_ns = now_ns;
        aqm_drop(a, p, now_ns, counter);
        return false;
    }
    aqm_push(a, &q->queue, p, now_ns);
    return true;
}

static struct packet *pi2_evict(struct aqm *a)
{
    return aqm_pop(a, &((struct pi2 *)a)->queue);
}

static struct packet *pi2_dequeue(struct aqm *a, uint64_t now_ns)
{
    (void)now_ns;
    return pi2_evict(a);
}

static void pi2_stats(const struct aqm *a, uint64_t now_ns, struct aqm_stats *out)
{
    const struct pi2 *q = (const struct pi2 *)a;

    aqm_stats_base(a, out);
    out->prob = (double)q->pi.prob / PI_PROB_MAX;
    out->delay_c_us = aqm_head_age_ns(&q->queue, now_ns) / 1000;
}

/* tc knows no pi2: the names of pie, and one for the marks of scalable packets. */
static void pi2_stats_json(const struct aqm *a, uint64_t now_ns, cJSON *out)
{
    const struct pi2 *q = (const struct pi2 *)a;
    const struct aqm_stats *s = &a->stats;

    json_add_num(out, "prob", (double)q->pi.prob / PI_PROB_MAX);
    json_add_num(out, "delay", (double)(aqm_head_age_ns(&q->queue, now_ns) / 1000));
    json_add_num(out, "pkts_in", (double)s->pkts_in_c);
    json_add_num(out, "overlimit", (double)s->drop_overlimit);
    json_add_num(out, "dropped", (double)(s->drop_aqm + s->drop_overlimit));
    json_add_num(out, "maxq", (double)s->maxq_pkts);
    json_add_num(out, "ecn_mark", (double)s->ecn_mark);
    json_add_num(out, "scal_mark", (double)q->scal_mark);
}

static enum status pi2_resolve(void *params, const struct aqm_config *config, struct error *err)
{
    struct pi2_params *p = params;

    (void)err;
    p->limit_pkts = aqm_limit_pkts(p->limit_pkts, config, PI2_LIMIT_PKTS);
    return STATUS_OK;
}

static uint64_t pi2_capacity_pkts(const void *params)
{
    return ((const struct pi2_params *)params)->limit_pkts;
}

static enum status pi2_make(const struct aqm_config *config, const void *params, struct aqm **out,
                            struct error *err)
{
    struct pi2 *q = aqm_alloc(sizeof(*q), &pi2_ops, config, err);

    if (q == NULL) {
        return STATUS_NOMEM;
    }
    q->params = *(const struct pi2_params *)params;
    q->base.params = &q->params;
    pi_init(&q->pi, q->params.target_us, q->params.alpha_256, q->params.beta_256,
            (uint32_t)(PI_PROB_MAX / q->params.coupling_factor));
    q->next_update_ns = config->start_ns + q->params.tupdate_us * 1000;
    *out = &q->base;
    return STATUS_OK;
}

static void pi2_free(struct aqm *a)
{
    free(a);
}

#define OFFSET(field) AQM_OFFSET(pi2_params, field)

static const struct aqm_option pi2_options[] = {
    {.name = "limit",
     .type = AQM_OPTION_PKTS,
     .offset = OFFSET(limit_pkts),
     .min = 1,
     .max = AQM_PKTS_MAX,
     .help = "packets queued at most, 10000"},
    {.name = "target",
     .type = AQM_OPTION_TIME,
     .offset = OFFSET(target_us),
     .max = PI_TARGET_MAX_US,
     .def = 20000,
     .help = "delay to keep to, 20ms"},
    {.name = "tupdate",
     .type = AQM_OPTION_TIME,
     .offset = OFFSET(tupdate_us),
     .min = 1,
     .max = 60000000,
     .def = 32000,
     .help = "between updates of the probability, 32ms"},
    {.name = "alpha",
     .type = AQM_OPTION_HZ,
     .offset = OFFSET(alpha_256),
     .min = 1,
     .max = PI_GAIN_MAX_256,
     .def = 80,
     .help = "integral gain in Hz, 0.3125"},
    {.name = "beta",
     .type = AQM_OPTION_HZ,
     .offset = OFFSET(beta_256),
     .min = 1,
     .max = PI_GAIN_MAX_256,
     .def = 800,
     .help = "proportional gain in Hz, 3.125"},
    {.name = "coupling_factor",
     .type = AQM_OPTION_COUNT,
     .offset = OFFSET(coupling_factor),
     .min = 1,
     .max = 255,
     .def = 2,
     .help = "k: scalable packets are marked with k p', 2"},
    AQM_WORD("ecn", OFFSET(is_ecn), 1, 0, "mark classic ECN-capable packets with p'^2"),
    AQM_WORD("noecn", OFFSET(is_ecn), 0, 0, "drop them (default)"),
    AQM_WORD("scalable", OFFSET(is_scalable), 1, 0, "mark ECT(1) and CE with k p'"),
    AQM_WORD("noscalable", OFFSET(is_scalable), 0, 0, "treat them as classic (default)"),
    {.name = NULL},
};

const struct aqm_ops pi2_ops = {
    .name = "pi2",
    .options = pi2_options,
    .params_size = sizeof(struct pi2_params),
    .resolve = pi2_resolve,
    .capacity_pkts = pi2_capacity_pkts,
    .make = pi2_make,
    .free = pi2_free,
    .enqueue = pi2_enqueue,
    .dequeue = pi2_dequeue,
    .evict = pi2_evict,
    .next_update_ns = pi2_next_update_ns,
    .update = pi2_update,
    .stats = pi2_stats,
    .stats_json = pi2_stats_json,
};
