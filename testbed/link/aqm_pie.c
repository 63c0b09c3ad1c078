#include <stdlib.h>

#include "core/json.h"
#include "testbed/link/pie.h"

#define TICK_NS      64
#define TICKS_PER_S  15625000u
#define MS_TICKS(ms) ((ms)*1000000ull / TICK_NS)

#define BURST_TICKS     MS_TICKS(150)
#define HIGH_TICKS      MS_TICKS(250)
#define DELAY_MAX_TICKS MS_TICKS(16000) /* keeps the controller's products inside 64 bits */

/* Of the departure rate estimator: bytes of a measurement, fixed point of the rate, weight. */
#define RATE_BYTES 16384
#define RATE_SHIFT 8
#define RATE_EWMA  3

#define NOT_MEASURING UINT64_MAX

struct pie {
    struct aqm base;
    struct pie_params params;
    struct packet_queue queue;
    uint64_t next_update_ns;

    uint64_t prob, accu_prob; /* of PIE_PROB_MAX; accu: summed up since the last drop */
    uint64_t qdelay, qdelay_old;
    uint64_t burst;   /* ticks left */
    uint64_t sent_at; /* ticks, of the last departure or start of measurement */
    bool has_sent_at;
    uint64_t dq_count;    /* bytes of this measurement, or NOT_MEASURING */
    uint64_t avg_dq_rate; /* bytes per tick << RATE_SHIFT */
};

static void restart(struct pie *q)
{
    q->burst = BURST_TICKS;
    q->has_sent_at = false;
    q->accu_prob = 0;
    q->dq_count = NOT_MEASURING;
    q->avg_dq_rate = 0;
}

/* --- the controller ----------------------------------------------------------------------------
 */

uint64_t pie_scale_gain(uint64_t gain_16, uint64_t prob)
{
    uint64_t gain = gain_16 * (PIE_PROB_MAX / TICKS_PER_S) >> 4;

    if (prob >= PIE_PROB_MAX / 10) {
        return gain;
    }
    gain >>= 1;
    for (uint64_t power = 100; power <= 1000000 && prob < PIE_PROB_MAX / power; power *= 10) {
        gain >>= 2;
    }
    return gain;
}

static uint64_t estimated_delay(const struct pie *q)
{
    uint64_t ticks;

    if (q->avg_dq_rate == 0) {
        return 0;
    }
    ticks = (q->base.backlog_bytes << RATE_SHIFT) / q->avg_dq_rate;
    return ticks < DELAY_MAX_TICKS ? ticks : DELAY_MAX_TICKS;
}

static void add_prob(struct pie *q, int64_t delta)
{
    if (delta < 0) {
        q->prob -= (uint64_t)-delta < q->prob ? (uint64_t)-delta : q->prob;
    } else {
        q->prob += (uint64_t)delta;
        q->prob = q->prob < PIE_PROB_MAX ? q->prob : PIE_PROB_MAX;
    }
}

static void pie_update(struct aqm *a, uint64_t now_ns)
{
    struct pie *q = (struct pie *)a;
    int64_t target = (int64_t)(q->params.target_us * 1000 / TICK_NS);
    int64_t alpha = (int64_t)pie_scale_gain(q->params.alpha, q->prob);
    int64_t beta = (int64_t)pie_scale_gain(q->params.beta, q->prob);
    int64_t delta;

    if (q->params.is_rate_estimator) {
        q->qdelay_old = q->qdelay;
        q->qdelay = estimated_delay(q);
    }
    delta = alpha * ((int64_t)q->qdelay - target) +
            beta * ((int64_t)q->qdelay - (int64_t)q->qdelay_old);
    /* Not more than 2 % at a time where it is high already... */
    if (delta > (int64_t)(PIE_PROB_MAX / 50) && q->prob >= PIE_PROB_MAX / 10) {
        delta = PIE_PROB_MAX / 100 * 2;
    }
    /* ...but in haste beyond 250 ms. */
    if (q->qdelay > HIGH_TICKS) {
        delta += (int64_t)(PIE_PROB_MAX / 50);
    }
    add_prob(q, delta);
    if (q->qdelay == 0 && q->qdelay_old == 0 && a->backlog_bytes == 0) {
        q->prob -= q->prob / 64;
    }
    if (q->prob == 0 && (int64_t)q->qdelay < target / 2 && (int64_t)q->qdelay_old < target / 2 &&
        (!q->params.is_rate_estimator || q->avg_dq_rate > 0)) {
        restart(q);
    }
    if (!q->params.is_rate_estimator) {
        q->qdelay_old = q->qdelay;
    }
    q->next_update_ns = now_ns + q->params.tupdate_us * 1000;
}

static uint64_t pie_next_update_ns(const struct aqm *a)
{
    return ((const struct pie *)a)->next_update_ns;
}

/* --- arrivals ----------------------------------------------------------------------------------
 */

/* 56 bits of two random numbers. */
static uint64_t random_prob(struct aqm *a)
{
    uint64_t high = a->random(a->random_user);

    return (high << 32 | a->random(a->random_user)) >> 8;
}

static bool has_to_signal(struct pie *q, const struct packet *p)
{
    uint64_t prob = q->prob, mtu = q->base.mtu_bytes;

    if (q->burst > 0 || q->base.backlog_bytes < 2 * mtu ||
        (q->qdelay < q->params.target_us * 1000 / TICK_NS / 2 && q->prob < PIE_PROB_MAX / 5)) {
        return false;
    }
    if (q->params.is_bytemode && p->len_bytes <= mtu) {
        prob = p->len_bytes * (prob / mtu);
    }
    /* Spread the drops: none too soon after the last, none too late (RFC 8033, section 5.4). */
    q->accu_prob = prob == 0 ? 0 : q->accu_prob + prob;
    if (q->accu_prob < PIE_PROB_MAX / 100 * 85) {
        return false;
    }
    if (q->accu_prob >= PIE_PROB_MAX / 2 * 17) {
        return true;
    }
    if (random_prob(&q->base) < prob) {
        q->accu_prob = 0;
        return true;
    }
    return false;
}

static bool pie_enqueue(struct aqm *a, struct packet *p, uint64_t now_ns)
{
    struct pie *q = (struct pie *)a;
    uint64_t *counter = NULL;

    p->is_l = false;
    if (a->backlog_pkts >= q->params.limit_pkts) {
        counter = &a->stats.drop_overlimit;
    } else if (has_to_signal(q, p)) {
        if (q->params.is_ecn && q->prob <= PIE_PROB_MAX / 10 && aqm_mark(a, p)) {
            a->stats.ecn_mark++;
        } else {
            counter = &a->stats.drop_aqm;
        }
    }
    if (counter != NULL) {
        q->accu_prob = 0;
        p->enqueue_ns = now_ns;
        aqm_drop(a, p, now_ns, counter);
        return false;
    }
    aqm_push(a, &q->queue, p, now_ns);
    return true;
}

/* --- departures --------------------------------------------------------------------------------
 */

/* Returns how long it has measured if it is done, else 0. */
static uint64_t measure_rate(struct pie *q, uint32_t len_bytes, uint64_t now)
{
    bool is_long = q->base.backlog_bytes >= RATE_BYTES;
    uint64_t ticks, rate;

    if (is_long && q->dq_count == NOT_MEASURING) {
        q->sent_at = now;
        q->dq_count = 0;
    }
    if (q->dq_count == NOT_MEASURING) {
        return 0;
    }
    q->dq_count += len_bytes;
    ticks = now - q->sent_at;
    if (q->dq_count < RATE_BYTES || ticks == 0) {
        return 0;
    }
    rate = (q->dq_count << RATE_SHIFT) / ticks;
    q->avg_dq_rate = q->avg_dq_rate == 0
                         ? rate
                         : q->avg_dq_rate - (q->avg_dq_rate >> RATE_EWMA) + (rate >> RATE_EWMA);
    q->dq_count = is_long ? 0 : NOT_MEASURING;
    q->sent_at = now;
    return ticks;
}

static uint64_t note_delay(struct pie *q, const struct packet *p, uint64_t now)
{
    uint64_t delay = now - p->enqueue_ns / TICK_NS;
    uint64_t ticks = q->has_sent_at ? now - q->sent_at : 0;

    q->qdelay = q->base.backlog_bytes == 0 ? 0 : delay < DELAY_MAX_TICKS ? delay : DELAY_MAX_TICKS;
    q->sent_at = now;
    q->has_sent_at = true;
    return ticks;
}

static struct packet *pie_dequeue(struct aqm *a, uint64_t now_ns)
{
    struct pie *q = (struct pie *)a;
    struct packet *p = aqm_pop(a, &q->queue);
    uint64_t ticks;

    if (p != NULL) {
        ticks = q->params.is_rate_estimator ? measure_rate(q, p->len_bytes, now_ns / TICK_NS)
                                            : note_delay(q, p, now_ns / TICK_NS);
        q->burst -= ticks < q->burst ? ticks : q->burst;
    }
    return p;
}

static struct packet *pie_evict(struct aqm *a)
{
    return aqm_pop(a, &((struct pie *)a)->queue);
}

static void pie_stats(const struct aqm *a, uint64_t now_ns, struct aqm_stats *out)
{
    const struct pie *q = (const struct pie *)a;

    aqm_stats_base(a, out);
    out->prob = (double)q->prob / (double)PIE_PROB_MAX;
    out->delay_c_us = aqm_head_age_ns(&q->queue, now_ns) / 1000;
}

static void pie_stats_json(const struct aqm *a, uint64_t now_ns, cJSON *out)
{
    const struct pie *q = (const struct pie *)a;
    const struct aqm_stats *s = &a->stats;

    (void)now_ns;
    json_add_num(out, "prob", (double)q->prob / (double)PIE_PROB_MAX);
    json_add_num(out, "delay", (double)(q->qdelay * TICK_NS / 1000));
    if (q->params.is_rate_estimator) {
        json_add_num(out, "avg_dq_rate",
                     (double)(q->avg_dq_rate * TICKS_PER_S >> RATE_SHIFT)); /* bytes per second */
    }
    json_add_num(out, "pkts_in", (double)s->pkts_in_c);
    json_add_num(out, "overlimit", (double)s->drop_overlimit);
    json_add_num(out, "dropped", (double)(s->drop_aqm + s->drop_overlimit));
    json_add_num(out, "maxq", (double)s->maxq_pkts);
    json_add_num(out, "ecn_mark", (double)s->ecn_mark);
}

/* --- making one --------------------------------------------------------------------------------
 */

static enum status pie_resolve(void *params, const struct aqm_config *config, struct error *err)
{
    struct pie_params *p = params;

    (void)err;
    p->limit_pkts = aqm_limit_pkts(p->limit_pkts, config, PIE_LIMIT_PKTS);
    return STATUS_OK;
}

static uint64_t pie_capacity_pkts(const void *params)
{
    return ((const struct pie_params *)params)->limit_pkts;
}

static enum status pie_make(const struct aqm_config *config, const void *params, struct aqm **out,
                            struct error *err)
{
    struct pie *q = aqm_alloc(sizeof(*q), &pie_ops, config, err);

    if (q == NULL) {
        return STATUS_NOMEM;
    }
    q->params = *(const struct pie_params *)params;
    q->base.params = &q->params;
    q->next_update_ns = config->start_ns + q->params.tupdate_us * 1000;
    restart(q);
    *out = &q->base;
    return STATUS_OK;
}

static void pie_free(struct aqm *a)
{
    free(a);
}

#define OFFSET(field) AQM_OFFSET(pie_params, field)
static const struct aqm_option pie_options[] = {
    {.name = "limit",
     .type = AQM_OPTION_PKTS,
     .offset = OFFSET(limit_pkts),
     .min = 1,
     .max = AQM_PKTS_MAX,
     .help = "packets queued at most, 1000"},
    {.name = "target",
     .type = AQM_OPTION_TIME,
     .offset = OFFSET(target_us),
     .max = 10000000,
     .def = 15000,
     .help = "delay to keep to, 15ms"},
    {.name = "tupdate",
     .type = AQM_OPTION_TIME,
     .offset = OFFSET(tupdate_us),
     .min = 1,
     .max = 60000000,
     .def = 15000,
     .help = "between updates of the probability, 15ms"},
    {.name = "alpha",
     .type = AQM_OPTION_COUNT,
     .offset = OFFSET(alpha),
     .max = 32,
     .def = 2,
     .help = "integral gain in 1/16 Hz, 2"},
    {.name = "beta",
     .type = AQM_OPTION_COUNT,
     .offset = OFFSET(beta),
     .max = 32,
     .def = 20,
     .help = "proportional gain in 1/16 Hz, 20"},
    AQM_WORD("ecn", OFFSET(is_ecn), 1, 0,
             "mark ECN-capable packets while the probability is at most 10 %"),
    AQM_WORD("noecn", OFFSET(is_ecn), 0, 0, "drop (default)"),
    AQM_WORD("bytemode", OFFSET(is_bytemode), 1, 0,
             "scale the probability with the packet's length"),
    AQM_WORD("nobytemode", OFFSET(is_bytemode), 0, 0, "do not (default)"),
    AQM_WORD("dq_rate_estimator", OFFSET(is_rate_estimator), 1, 0,
             "delay from backlog and departure rate, as RFC 8033 has it"),
    AQM_WORD("no_dq_rate_estimator", OFFSET(is_rate_estimator), 0, 0,
             "from sojourn times (default)"),
    {.name = NULL},
};

const struct aqm_ops pie_ops = {
    .name = "pie",
    .options = pie_options,
    .params_size = sizeof(struct pie_params),
    .resolve = pie_resolve,
    .capacity_pkts = pie_capacity_pkts,
    .make = pie_make,
    .free = pie_free,
    .enqueue = pie_enqueue,
    .dequeue = pie_dequeue,
    .evict = pie_evict,
    .next_update_ns = pie_next_update_ns,
    .update = pie_update,
    .stats = pie_stats,
    .stats_json = pie_stats_json,
};
