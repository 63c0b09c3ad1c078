#include <math.h>
#include <stdlib.h>

#include "core/json.h"
#include "testbed/link/dualpi2.h"
#include "testbed/link/ecn.h"
#include "testbed/link/pi_controller.h"

/* Bits of the ECN field that put a packet into L. */
#define MASK_L4S_ECT 1 /* ECT(1) and CE */
#define MASK_ANY_ECT 3

struct dualpi2 {
    struct aqm base;
    struct dualpi2_params params;
    struct packet_queue c, l;
    struct pi_controller pi; /* p' of RFC 9332 */
    uint64_t next_update_ns;
    int64_t credit;
};

static struct dualpi2 *dualpi2_of(struct aqm *a)
{
    return (struct dualpi2 *)a;
}

/* --- the PI controller (RFC 9332, Appendix A.1, dualpi2_update) --------------------------------
 */

static void dualpi2_update(struct aqm *a, uint64_t now_ns)
{
    struct dualpi2 *q = dualpi2_of(a);
    uint64_t age_c = aqm_head_age_ns(&q->c, now_ns), age_l = aqm_head_age_ns(&q->l, now_ns);

    pi_update(&q->pi, age_c > age_l ? age_c : age_l);
    q->next_update_ns = now_ns + q->params.tupdate_us * 1000;
}

static uint64_t dualpi2_next_update_ns(const struct aqm *a)
{
    return ((const struct dualpi2 *)a)->next_update_ns;
}

/* --- signals -----------------------------------------------------------------------------------
 */

/* The square of p', by needing two coins to fall (RFC 9332, section 2.1 and Appendix A.1). */
static bool roll_classic(struct dualpi2 *q)
{
    return aqm_roll(&q->base, q->pi.prob) && aqm_roll(&q->base, q->pi.prob);
}

static bool mark(struct dualpi2 *q, struct packet *p)
{
    if (!aqm_mark(&q->base, p)) {
        return false;
    }
    q->base.stats.ecn_mark++;
    return true;
}

/* p_CL = k p', the coupled probability. */
static uint64_t coupled_prob(const struct dualpi2 *q)
{
    return q->pi.prob * q->params.coupling_factor;
}

static bool is_too_short(const struct dualpi2 *q)
{
    return q->base.backlog_bytes < 2 * (uint64_t)q->base.mtu_bytes;
}

static bool classic_must_drop(struct dualpi2 *q, struct packet *p)
{
    if (is_too_short(q) || !roll_classic(q)) {
        return false;
    }
    if (coupled_prob(q) > PI_PROB_MAX || p->ecn == ECN_NOT_ECT) {
        return true;
    }
    mark(q, p);
    return false;
}

/* On overload ECN has nothing more to say: classic drops for L too (RFC 9332, section 4.2.3, and
 * Appendix A.2). */
static bool overloaded_l4s_must_drop(struct dualpi2 *q, struct packet *p)
{
    if (roll_classic(q)) {
        return true;
    }
    mark(q, p);
    return false;
}

static bool l4s_must_drop(struct dualpi2 *q, struct packet *p)
{
    uint64_t prob = coupled_prob(q);

    if (is_too_short(q)) {
        return false;
    }
    if (prob > PI_PROB_MAX) {
        return overloaded_l4s_must_drop(q, p);
    }
    if (aqm_roll(&q->base, prob)) {
        mark(q, p);
    }
    return false;
}

static bool signal_must_drop(struct dualpi2 *q, struct packet *p)
{
    return p->is_l ? l4s_must_drop(q, p) : classic_must_drop(q, p);
}

/* --- the L queue's own, shallow AQM (RFC 9332, section 2.4: laqm) ------------------------------
 */

static void step(struct dualpi2 *q, struct packet *p, uint64_t now_ns)
{
    const struct aqm_threshold *t = &q->params.step_thresh;
    bool is_beyond =
        t->is_pkts ? q->l.len_pkts > t->value : now_ns - p->enqueue_ns > t->value * 1000;

    if (p->has_step && is_beyond && mark(q, p)) {
        q->base.stats.step_mark++;
    }
}

/* 0 up to min_th, 1 from min_th + range on, linear between (RFC 9332, Appendix A.1, laqm). */
static uint64_t ramp_prob(const struct dualpi2 *q, const struct packet *p, uint64_t now_ns)
{
    uint64_t age_ns = now_ns - p->enqueue_ns, min_ns = q->params.min_th_us * 1000;
    uint64_t range_ns = q->params.range_us * 1000;
    __extension__ unsigned __int128 prob;

    if (q->l.len_pkts <= q->params.th_len_pkts || age_ns <= min_ns) {
        return 0;
    }
    if (age_ns - min_ns >= range_ns) {
        return PI_PROB_MAX;
    }
    prob = age_ns - min_ns;
    prob = prob * PI_PROB_MAX / range_ns;
    return (uint64_t)prob;
}

/* The combined signal of a departing L packet where the ramp rules: one coin for the larger of the
 * two probabilities. With drop_enqueue the coupled one has had its coin on arrival. */
static bool ramp_must_drop(struct dualpi2 *q, struct packet *p, uint64_t now_ns)
{
    bool has_coupled = !q->params.is_drop_enqueue && !is_too_short(q);
    uint64_t coupled = has_coupled ? coupled_prob(q) : 0;
    uint64_t ramp = ramp_prob(q, p, now_ns);

    if (coupled > PI_PROB_MAX) {
        return overloaded_l4s_must_drop(q, p);
    }
    if ((coupled != 0 || ramp != 0) && aqm_roll(&q->base, coupled > ramp ? coupled : ramp) &&
        mark(q, p) && ramp > coupled) {
        q->base.stats.step_mark++;
    }
    return false;
}

/* --- queues ------------------------------------------------------------------------------------
 */

static bool dualpi2_enqueue(struct aqm *a, struct packet *p, uint64_t now_ns)
{
    struct dualpi2 *q = dualpi2_of(a);
    uint64_t *counter = NULL;

    p->is_l = (p->ecn & (q->params.is_any_ect ? MASK_ANY_ECT : MASK_L4S_ECT)) != 0;
    if (a->backlog_pkts >= q->params.limit_pkts ||
        (a->backlog_pkts + 1) * sizeof(*p) > q->params.memlimit_bytes) {
        counter = &a->stats.drop_overlimit;
    } else if (q->params.is_drop_enqueue && signal_must_drop(q, p)) {
        counter = &a->stats.drop_aqm;
    }
    if (counter != NULL) {
        p->enqueue_ns = now_ns;
        aqm_drop(a, p, now_ns, counter);
        return false;
    }
    p->has_step = p->is_l && q->l.len_pkts >= q->params.min_qlen_step_pkts;
    aqm_push(a, p->is_l ? &q->l : &q->c, p, now_ns);
    return true;
}

static void reset_credit(struct dualpi2 *q)
{
    int64_t weight_c = (int64_t)q->params.classic_protection_pct;

    /* One full packet's worth in favour of the queue with the larger weight. */
    q->credit = (int64_t)q->base.mtu_bytes * (weight_c - (100 - weight_c));
}

/* Both queues wait: is it L's turn? */
static bool is_turn_of_l(const struct dualpi2 *q)
{
    if (!q->params.is_tsfifo) {
        return q->credit <= 0;
    }
    /* The older one, but L is taken for tshift older than it is (RFC 9332, section 4.2.2). */
    return q->l.head->enqueue_ns <= q->c.head->enqueue_ns + q->params.tshift_us * 1000;
}

/* While both queues wait, each byte of L earns C its weight, each byte of C pays L's. *credit is
 * what sending the packet changes. */
static struct packet *take_next(struct dualpi2 *q, int64_t *credit)
{
    bool is_contended = q->c.len_pkts > 0 && q->l.len_pkts > 0;
    bool is_l = is_contended ? is_turn_of_l(q) : q->l.len_pkts > 0;
    int64_t weight_c = (int64_t)q->params.classic_protection_pct;
    struct packet *p = aqm_pop(&q->base, is_l ? &q->l : &q->c);

    *credit = 0;
    if (p == NULL) {
        reset_credit(q);
    } else if (is_contended) {
        *credit = (is_l ? weight_c : weight_c - 100) * (int64_t)p->len_bytes;
    }
    return p;
}

static bool departing_must_drop(struct dualpi2 *q, struct packet *p, uint64_t now_ns)
{
    if (p->is_l && q->params.is_ramp) {
        return ramp_must_drop(q, p, now_ns);
    }
    if (!q->params.is_drop_enqueue && signal_must_drop(q, p)) {
        return true;
    }
    if (p->is_l) {
        step(q, p, now_ns);
    }
    return false;
}

static struct packet *dualpi2_dequeue(struct aqm *a, uint64_t now_ns)
{
    struct dualpi2 *q = dualpi2_of(a);
    struct packet *p;
    int64_t credit;

    while ((p = take_next(q, &credit)) != NULL) {
        if (!departing_must_drop(q, p, now_ns)) {
            q->credit += credit;
            return p;
        }
        /* A dropped packet takes no time on the link, so it costs no credit. */
        aqm_drop(a, p, now_ns, &a->stats.drop_aqm);
    }
    return NULL;
}

static struct packet *dualpi2_evict(struct aqm *a)
{
    struct dualpi2 *q = dualpi2_of(a);

    return aqm_pop(a, q->l.len_pkts > 0 ? &q->l : &q->c);
}

/* --- statistics --------------------------------------------------------------------------------
 */

static void dualpi2_stats(const struct aqm *a, uint64_t now_ns, struct aqm_stats *out)
{
    const struct dualpi2 *q = (const struct dualpi2 *)a;

    aqm_stats_base(a, out);
    out->prob = (double)q->pi.prob / PI_PROB_MAX;
    out->delay_c_us = aqm_head_age_ns(&q->c, now_ns) / 1000;
    out->delay_l_us = aqm_head_age_ns(&q->l, now_ns) / 1000;
    out->credit = q->credit;
    out->memory_limit = q->params.memlimit_bytes;
}

static void dualpi2_stats_json(const struct aqm *a, uint64_t now_ns, cJSON *out)
{
    struct aqm_stats s;

    dualpi2_stats(a, now_ns, &s);
    json_add_num(out, "prob", s.prob);
    json_add_num(out, "delay-c", (double)s.delay_c_us);
    json_add_num(out, "delay-l", (double)s.delay_l_us);
    json_add_num(out, "pkts-in-c", (double)s.pkts_in_c);
    json_add_num(out, "pkts-in-l", (double)s.pkts_in_l);
    json_add_num(out, "maxq", (double)s.maxq_pkts);
    json_add_num(out, "ecn-mark", (double)s.ecn_mark);
    json_add_num(out, "step-mark", (double)s.step_mark);
    json_add_num(out, "credit", (double)s.credit);
    json_add_num(out, "memory-used", (double)s.memory_used);
    json_add_num(out, "max-memory-used", (double)s.max_memory_used);
    json_add_num(out, "memory-limit", (double)s.memory_limit);
}

/* --- making one --------------------------------------------------------------------------------
 */

/* tc's helper: the PI parameters of the RTTs to be controlled (RFC 9332, Appendix A.1). As there,
 * they overrule what else was said, and a missing one is 6 times, or a sixth of, the other. */
static enum status resolve_rtts(struct dualpi2_params *p, struct error *err)
{
    uint64_t max_us = p->max_rtt_us, typical_us = p->typical_rtt_us;
    double alpha, beta;

    if (max_us == 0 && typical_us == 0) {
        return STATUS_OK;
    }
    max_us = max_us != 0 ? max_us : typical_us * 6;
    typical_us = typical_us != 0 ? typical_us : max_us > 6 ? max_us / 6 : 1;
    if (typical_us > max_us) {
        error_set(err, STATUS_USAGE, "aqm", "dualpi2: typical_rtt is longer than max_rtt");
        error_hint(err, "max_rtt is the longest to be controlled: typical_rtt * 6, say");
        return STATUS_USAGE;
    }
    p->target_us = typical_us;
    p->tupdate_us = typical_us < max_us / 3 ? typical_us : max_us / 3;
    p->tupdate_us = p->tupdate_us != 0 ? p->tupdate_us : 1;
    alpha = 0.1 * (double)p->tupdate_us / (double)max_us / (double)max_us * 1e6 * 256;
    beta = 0.3 / (double)max_us * 1e6 * 256;
    if (alpha < 1 || beta < 1 || alpha > PI_GAIN_MAX_256 || beta > PI_GAIN_MAX_256) {
        error_set(err, STATUS_USAGE, "aqm", "dualpi2: no gains can be had for a max_rtt of %.6gs",
                  (double)max_us / 1e6);
        error_hint(err, "the default is made for max_rtt 100ms typical_rtt 15ms");
        return STATUS_USAGE;
    }
    p->alpha_256 = (uint64_t)(alpha + 0.5);
    p->beta_256 = (uint64_t)(beta + 0.5);
    p->max_rtt_us = p->typical_rtt_us = 0;
    return STATUS_OK;
}

static enum status dualpi2_resolve(void *params, const struct aqm_config *config, struct error *err)
{
    struct dualpi2_params *p = params;

    p->limit_pkts = aqm_limit_pkts(p->limit_pkts, config, DUALPI2_LIMIT_PKTS);
    if (p->memlimit_bytes == 0) {
        p->memlimit_bytes =
            config != NULL && config->limit_bytes != 0
                ? config->limit_bytes
                : 2 * (uint64_t)(config != NULL ? config->mtu_bytes : LINK_MTU_BYTES) *
                      p->limit_pkts;
    }
    return resolve_rtts(p, err);
}

static uint64_t dualpi2_capacity_pkts(const void *params)
{
    const struct dualpi2_params *p = params;
    uint64_t by_memory = p->memlimit_bytes / sizeof(struct packet);

    return p->limit_pkts < by_memory ? p->limit_pkts : by_memory;
}

static enum status dualpi2_make(const struct aqm_config *config, const void *params,
                                struct aqm **out, struct error *err)
{
    struct dualpi2 *q = aqm_alloc(sizeof(*q), &dualpi2_ops, config, err);
    const struct dualpi2_params *p;

    if (q == NULL) {
        return STATUS_NOMEM;
    }
    q->params = *(const struct dualpi2_params *)params;
    q->base.params = p = &q->params;
    pi_init(&q->pi, p->target_us, p->alpha_256, p->beta_256,
            p->is_drop_overload ? PI_PROB_MAX : (uint32_t)(PI_PROB_MAX / p->coupling_factor));
    q->next_update_ns = config->start_ns + p->tupdate_us * 1000;
    reset_credit(q);
    *out = &q->base;
    return STATUS_OK;
}

static void dualpi2_free(struct aqm *a)
{
    free(a);
}

#define OFFSET(field) AQM_OFFSET(dualpi2_params, field)
/* A row of a number. */
#define NUMBER(name_, type_, field_, min_, max_, def_, quiet_, help_)                              \
    {                                                                                              \
        .name = (name_), .type = AQM_OPTION_##type_, .offset = OFFSET(field_), .min = (min_),      \
        .max = (max_), .def = (def_), .is_quiet = (quiet_), .help = (help_)                        \
    }
#define MINUTE_US 60000000

static const struct aqm_option dualpi2_options[] = {
    NUMBER("limit", PKTS, limit_pkts, 1, AQM_PKTS_MAX, 0, false,
           "packets queued at most, C and L together, 10000"),
    NUMBER("memlimit", BYTES, memlimit_bytes, 1, UINT32_MAX, 0, false,
           "bytes of packet buffers at most (2 * MTU * limit)"),
    NUMBER("target", TIME, target_us, 0, PI_TARGET_MAX_US, 15000, false,
           "delay of the C queue to keep to, 15ms"),
    NUMBER("tupdate", TIME, tupdate_us, 1, MINUTE_US, 16000, false,
           "between updates of the probability, 16ms"),
    NUMBER("alpha", HZ, alpha_256, 1, PI_GAIN_MAX_256, 41, false, "integral gain in Hz, 0.16"),
    NUMBER("beta", HZ, beta_256, 1, PI_GAIN_MAX_256, 819, false, "proportional gain in Hz, 3.2"),
    NUMBER("step_thresh", THRESHOLD, step_thresh, 0, MINUTE_US, 1000, false,
           "mark L packets beyond: 1ms of sojourn time, or 5p behind it"),
    NUMBER("min_qlen_step", PKTS, min_qlen_step_pkts, 0, AQM_PKTS_MAX, 0, false,
           "no step for what came to fewer packets in L, 0"),
    NUMBER("coupling_factor", COUNT, coupling_factor, 1, 255, 2, false, "k: p_L = k p', 2"),
    AQM_WORD("drop_on_overload", OFFSET(is_drop_overload), 1, 1,
             "on overload drop from both queues (default)"),
    {.name = "overflow",
     .type = AQM_OPTION_WORD,
     .offset = OFFSET(is_drop_overload),
     .def = 1,
     .help = "let the queue grow to its limit instead"},
    AQM_WORD("drop_enqueue", OFFSET(is_drop_enqueue), 1, 0, "decide on arrival"),
    {.name = "drop_dequeue",
     .type = AQM_OPTION_WORD,
     .offset = OFFSET(is_drop_enqueue),
     .help = "decide on departure (default)"},
    NUMBER("classic_protection", PERCENT, classic_protection_pct, 0, 100, 10, false,
           "share that C gets while both queues wait, 10%"),
    AQM_WORD("any_ect", OFFSET(is_any_ect), 1, 0, "every ECN-capable packet goes into L"),
    {.name = "l4s_ect",
     .type = AQM_OPTION_WORD,
     .offset = OFFSET(is_any_ect),
     .help = "ECT(1) and CE go into L (default)"},
    AQM_WORD("split_gso", OFFSET(is_split_gso), 1, 1, "accepted: the link has no offload"),
    {.name = "no_split_gso",
     .type = AQM_OPTION_WORD,
     .offset = OFFSET(is_split_gso),
     .def = 1,
     .help = "accepted"},
    NUMBER("max_rtt", TIME, max_rtt_us, 1, MINUTE_US, 0, true,
           "longest RTT: gives target, tupdate, alpha, beta"),
    NUMBER("typical_rtt", TIME, typical_rtt_us, 1, MINUTE_US, 0, true,
           "typical RTT, max_rtt / 6: the same"),
    {.name = "l4s_aqm",
     .type = AQM_OPTION_CHOICE,
     .offset = OFFSET(is_ramp),
     .words = {"step", "ramp"},
     .is_quiet = true,
     .help = "L's own AQM: Linux's step (default), RFC 9332's ramp"},
    NUMBER("min_th", TIME, min_th_us, 0, MINUTE_US, 800, true, "where the ramp begins, 800us"),
    NUMBER("range", TIME, range_us, 1, MINUTE_US, 400, true, "length of the ramp, 400us"),
    NUMBER("th_len", PKTS, th_len_pkts, 0, AQM_PKTS_MAX, 1, true,
           "no ramp unless more packets wait in L, 1"),
    {.name = "scheduler",
     .type = AQM_OPTION_CHOICE,
     .offset = OFFSET(is_tsfifo),
     .words = {"wrr", "tsfifo"},
     .is_quiet = true,
     .help = "Linux's round robin (default), time-shifted FIFO"},
    NUMBER("tshift", TIME, tshift_us, 0, MINUTE_US, 50000, true,
           "of tsfifo: L is served as if it had come earlier by this, 50ms"),
    {.name = NULL},
};

const struct aqm_ops dualpi2_ops = {
    .name = "dualpi2",
    .options = dualpi2_options,
    .params_size = sizeof(struct dualpi2_params),
    .resolve = dualpi2_resolve,
    .capacity_pkts = dualpi2_capacity_pkts,
    .make = dualpi2_make,
    .free = dualpi2_free,
    .enqueue = dualpi2_enqueue,
    .dequeue = dualpi2_dequeue,
    .evict = dualpi2_evict,
    .next_update_ns = dualpi2_next_update_ns,
    .update = dualpi2_update,
    .stats = dualpi2_stats,
    .stats_json = dualpi2_stats_json,
};
