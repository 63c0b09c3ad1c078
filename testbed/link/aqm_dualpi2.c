#include <math.h>
#include <stdlib.h>

#include "testbed/link/dualpi2.h"
#include "testbed/link/ecn.h"

#define PROB_MAX UINT32_MAX /* probability 1 */

/* Gains are kept as probability (of 2^32) per 64 ns of delay: integers large enough to keep three
 * digits of the defaults, small enough not to overflow 64 bits at DELAY_MAX_NS. */
#define GAIN_TIME_NS 64

/* Delays beyond this are all the same to the controller: p' is at its bound long before. */
#define DELAY_MAX_NS 1000000000000u

struct dualpi2 {
    struct aqm base;
    struct dualpi2_params params;
    struct packet_queue c, l;
    size_t limit_pkts;
    uint32_t mtu_bytes;
    aqm_random_fn random;
    void *random_user;

    uint32_t prob; /* p' of RFC 9332: base probability, of PROB_MAX */
    int64_t alpha, beta;
    int64_t last_delay_ns; /* at the previous update */
    uint64_t next_update_ns;
    struct aqm_stats stats; /* credit and the memory fields are live here too */
};

static struct dualpi2 *dualpi2_of(struct aqm *a)
{
    return (struct dualpi2 *)a;
}

/* --- the PI controller (RFC 9332, Appendix A.1, dualpi2_update) --------------------------------
 */

static int64_t gain_of(uint32_t hz_256)
{
    /* (hz_256 / 256) / s * 2^32 per GAIN_TIME_NS, rounded down as the kernel does. */
    return (int64_t)(((uint64_t)hz_256 * PROB_MAX >> 2) / 1000000000u);
}

static uint64_t head_age_ns(const struct packet_queue *q, uint64_t now_ns)
{
    return q->head != NULL ? now_ns - q->head->enqueue_ns : 0;
}

static void dualpi2_update(struct aqm *a, uint64_t now_ns)
{
    struct dualpi2 *q = dualpi2_of(a);
    uint64_t age_c = head_age_ns(&q->c, now_ns), age_l = head_age_ns(&q->l, now_ns);
    uint64_t age_ns = age_c > age_l ? age_c : age_l;
    int64_t delay_ns = (int64_t)(age_ns < DELAY_MAX_NS ? age_ns : DELAY_MAX_NS);
    int64_t error_ns = delay_ns - (int64_t)(q->params.target_us * 1000);
    int64_t growth_ns = delay_ns - q->last_delay_ns;
    int64_t prob = q->prob + (error_ns * q->alpha + growth_ns * q->beta) / GAIN_TIME_NS;
    int64_t cap = q->params.is_drop_overload ? PROB_MAX : PROB_MAX / q->params.coupling_factor;

    q->prob = (uint32_t)(prob < 0 ? 0 : prob > cap ? cap : prob);
    q->last_delay_ns = delay_ns;
    q->next_update_ns = now_ns + q->params.tupdate_us * 1000;
}

static uint64_t dualpi2_next_update_ns(const struct aqm *a)
{
    return ((const struct dualpi2 *)a)->next_update_ns;
}

/* --- signals -----------------------------------------------------------------------------------
 */

static bool roll(struct dualpi2 *q, uint64_t prob)
{
    return q->random(q->random_user) <= prob;
}

/* The square of p', by needing two coins to fall (RFC 9332, section 2.1 and Appendix A.1). */
static bool roll_classic(struct dualpi2 *q)
{
    return roll(q, q->prob) && roll(q, q->prob);
}

static void mark(struct dualpi2 *q, struct packet *p)
{
    switch (ecn_set_ce(p->data, p->len_bytes)) {
    case ECN_MARK_SET:
        q->stats.ce_set++;
        q->stats.ecn_mark++;
        break;
    case ECN_MARK_ALREADY:
        q->stats.ecn_mark++;
        break;
    case ECN_MARK_REFUSED:
        break;
    }
}

/* Apply the coupled probability to a packet; true if it has to be dropped. */
static bool signal_must_drop(struct dualpi2 *q, struct packet *p)
{
    uint64_t prob_l = (uint64_t)q->prob * q->params.coupling_factor; /* p_CL = k p' */
    bool is_overload = prob_l > PROB_MAX;

    if (q->base.backlog_bytes < 2 * (uint64_t)q->mtu_bytes) {
        return false;
    }
    if (!p->is_l) {
        if (!roll_classic(q)) {
            return false;
        }
        if (is_overload || p->ecn == ECN_NOT_ECT) {
            return true;
        }
        mark(q, p);
        return false;
    }
    if (is_overload) {
        /* ECN has nothing more to say: classic drops for L too (RFC 9332, section 4.2.3). */
        if (roll_classic(q)) {
            return true;
        }
        mark(q, p);
    } else if (roll(q, prob_l)) {
        mark(q, p);
    }
    return false;
}

/* The L queue's own, shallow AQM (RFC 9332, section 2.4: laqm). */
static void step(struct dualpi2 *q, struct packet *p, uint64_t now_ns)
{
    if (p->has_step && now_ns - p->enqueue_ns > q->params.step_thresh_us * 1000) {
        mark(q, p);
        q->stats.step_mark++;
    }
}

/* --- queues ------------------------------------------------------------------------------------
 */

static void drop(struct dualpi2 *q, struct packet *p, uint64_t *counter)
{
    (*counter)++;
    packet_pool_put(q->base.pool, p);
}

static bool dualpi2_enqueue(struct aqm *a, struct packet *p, uint64_t now_ns)
{
    struct dualpi2 *q = dualpi2_of(a);

    p->is_l = (p->ecn & q->params.ecn_mask) != 0;
    if (a->backlog_pkts >= q->limit_pkts ||
        q->stats.memory_used + sizeof(*p) > q->stats.memory_limit) {
        drop(q, p, &q->stats.drop_overlimit);
        return false;
    }
    if (q->params.is_drop_enqueue && signal_must_drop(q, p)) {
        drop(q, p, &q->stats.drop_aqm);
        return false;
    }
    p->enqueue_ns = now_ns;
    if (p->is_l) {
        p->has_step = q->l.len_pkts >= q->params.min_qlen_step_pkts;
        packet_queue_push(&q->l, p);
        q->stats.pkts_in_l++;
    } else {
        packet_queue_push(&q->c, p);
        q->stats.pkts_in_c++;
    }
    a->backlog_pkts++;
    a->backlog_bytes += p->len_bytes;
    q->stats.memory_used += sizeof(*p);
    if (q->stats.memory_used > q->stats.max_memory_used) {
        q->stats.max_memory_used = q->stats.memory_used;
    }
    if (a->backlog_pkts > q->stats.maxq_pkts) {
        q->stats.maxq_pkts = a->backlog_pkts;
    }
    return true;
}

static void reset_credit(struct dualpi2 *q)
{
    int64_t weight_c = q->params.classic_protection_pct, weight_l = 100 - weight_c;

    /* One full packet's worth in favour of L. */
    q->stats.credit = (int64_t)q->mtu_bytes * (weight_c - weight_l);
}

/* The WRR scheduler: while both queues wait, each byte of L earns C its weight, each byte of C pays
 * L's. *credit is what sending the packet changes. */
static struct packet *take_next(struct dualpi2 *q, int64_t *credit)
{
    bool is_contended = q->c.len_pkts > 0 && q->l.len_pkts > 0;
    int64_t weight_c = q->params.classic_protection_pct;
    struct packet *p;

    *credit = 0;
    if (q->l.len_pkts > 0 && (q->c.len_pkts == 0 || q->stats.credit <= 0)) {
        p = packet_queue_pop(&q->l);
        *credit = is_contended ? weight_c * p->len_bytes : 0;
    } else if (q->c.len_pkts > 0) {
        p = packet_queue_pop(&q->c);
        *credit = is_contended ? -(100 - weight_c) * (int64_t)p->len_bytes : 0;
    } else {
        reset_credit(q);
        return NULL;
    }
    q->base.backlog_pkts--;
    q->base.backlog_bytes -= p->len_bytes;
    q->stats.memory_used -= sizeof(*p);
    return p;
}

static struct packet *dualpi2_dequeue(struct aqm *a, uint64_t now_ns)
{
    struct dualpi2 *q = dualpi2_of(a);
    struct packet *p;
    int64_t credit;

    while ((p = take_next(q, &credit)) != NULL) {
        if (!q->params.is_drop_enqueue && signal_must_drop(q, p)) {
            /* A dropped packet takes no time on the link, so it costs no credit. */
            drop(q, p, &q->stats.drop_aqm);
            continue;
        }
        if (p->is_l) {
            step(q, p, now_ns);
        }
        q->stats.credit += credit;
        return p;
    }
    return NULL;
}

static void dualpi2_stats(const struct aqm *a, uint64_t now_ns, struct aqm_stats *out)
{
    const struct dualpi2 *q = (const struct dualpi2 *)a;

    *out = q->stats;
    out->prob = (double)q->prob / PROB_MAX;
    out->delay_c_us = head_age_ns(&q->c, now_ns) / 1000;
    out->delay_l_us = head_age_ns(&q->l, now_ns) / 1000;
}

static void dualpi2_free(struct aqm *a)
{
    struct dualpi2 *q = dualpi2_of(a);
    struct packet *p;

    while ((p = packet_queue_pop(&q->c)) != NULL || (p = packet_queue_pop(&q->l)) != NULL) {
        packet_pool_put(a->pool, p);
    }
    free(q);
}

static const struct aqm_ops dualpi2_ops = {
    .name = "dualpi2",
    .free = dualpi2_free,
    .enqueue = dualpi2_enqueue,
    .dequeue = dualpi2_dequeue,
    .next_update_ns = dualpi2_next_update_ns,
    .update = dualpi2_update,
    .stats = dualpi2_stats,
};

/* --- making one --------------------------------------------------------------------------------
 */

void dualpi2_params_default(struct dualpi2_params *params)
{
    *params = (struct dualpi2_params){
        .target_us = 15000,
        .tupdate_us = 16000,
        .alpha_256 = 41,
        .beta_256 = 819,
        .step_thresh_us = 1000,
        .min_qlen_step_pkts = 0,
        .coupling_factor = 2,
        .classic_protection_pct = 10,
        .ecn_mask = DUALPI2_L4S_ECT,
        .is_drop_overload = true,
        .is_drop_enqueue = false,
    };
}

/* Ranges of tc, and bounds (a minute, 4 kHz) that keep the controller's sums inside 64 bits. */
static enum status check_params(const struct dualpi2_params *p, struct error *err)
{
    const char *what = NULL;

    if (p->target_us > 60000000) {
        what = "target";
    } else if (p->tupdate_us == 0 || p->tupdate_us > 60000000) {
        what = "tupdate";
    } else if (p->step_thresh_us > 60000000) {
        what = "step_thresh";
    } else if (p->alpha_256 > 1u << 20) {
        what = "alpha";
    } else if (p->beta_256 > 1u << 20) {
        what = "beta";
    } else if (p->coupling_factor < 1 || p->coupling_factor > 255) {
        what = "coupling_factor";
    } else if (p->classic_protection_pct > 100) {
        what = "classic_protection";
    } else if (p->ecn_mask != DUALPI2_L4S_ECT && p->ecn_mask != DUALPI2_ANY_ECT) {
        what = "ecn_mask";
    }
    if (what != NULL) {
        return error_set(err, STATUS_USAGE, "link", "dualpi2: %s is out of range", what);
    }
    return STATUS_OK;
}

enum status dualpi2_new(const struct aqm_config *config, const struct dualpi2_params *params,
                        struct aqm **out, struct error *err)
{
    struct dualpi2 *q;
    enum status s = check_params(params, err);

    *out = NULL;
    if (s != STATUS_OK) {
        return s;
    }
    q = calloc(1, sizeof(*q));
    if (q == NULL) {
        return error_set(err, STATUS_NOMEM, "link", "no memory for a DualPI2 queue");
    }
    q->base.ops = &dualpi2_ops;
    q->base.pool = config->pool;
    q->params = *params;
    q->limit_pkts = config->limit_pkts != 0 ? config->limit_pkts : DUALPI2_LIMIT_PKTS;
    q->mtu_bytes = config->mtu_bytes;
    q->random = config->random;
    q->random_user = config->random_user;
    q->alpha = gain_of(params->alpha_256);
    q->beta = gain_of(params->beta_256);
    q->next_update_ns = config->start_ns + params->tupdate_us * 1000;
    q->stats.memory_limit = config->limit_bytes != 0
                                ? config->limit_bytes
                                : 2 * (uint64_t)config->mtu_bytes * q->limit_pkts;
    reset_credit(q);
    *out = &q->base;
    return STATUS_OK;
}
