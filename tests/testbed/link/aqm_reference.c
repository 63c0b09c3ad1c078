#include "tests/testbed/link/aqm_reference.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MTU 1500

struct flow {
    int32_t head, tail; /* packets, -1 */
    uint64_t bytes;
    /* CoDel's, under the names of RFC 8289 */
    uint64_t first_above_time, drop_next;
    uint32_t count, lastcount;
    bool dropping;
    uint64_t sojourn;
    /* DRR */
    int64_t credits;
    int list; /* 0: none, 1: new, 2: old */
};

struct aqm_ref {
    const char *kind;
    struct aqm_ref_setup s;
    struct aqm_ref_packet *pk;
    struct flow *flow;
    uint64_t n, bytes; /* waiting */
    struct aqm_ref_counters c;
    uint64_t next_update;
    /* FQ-CoDel: flow numbers in order */
    uint32_t perturbation;
    uint32_t *lists[3];
    size_t lens[3];
    /* PIE */
    uint64_t drop_prob, accu, qdelay, old_qdelay, burst, stamp, rate;
    bool has_stamp;
    int64_t counted; /* -1: not measuring */
    /* PI2 */
    int64_t p, last_delay;
};

/* --- plain queues ------------------------------------------------------------------------------
 */

static void push(struct aqm_ref *x, struct flow *f, uint32_t i)
{
    x->pk[i].next = -1;
    if (f->head < 0) {
        f->head = (int32_t)i;
    } else {
        x->pk[f->tail].next = (int32_t)i;
    }
    f->tail = (int32_t)i;
    f->bytes += x->pk[i].len_bytes;
    x->bytes += x->pk[i].len_bytes;
    x->n++;
}

static int32_t pop(struct aqm_ref *x, struct flow *f)
{
    int32_t i = f->head;

    if (i >= 0) {
        f->head = x->pk[i].next;
        f->bytes -= x->pk[i].len_bytes;
        x->bytes -= x->pk[i].len_bytes;
        x->n--;
    }
    return i;
}

static bool can_mark(const struct aqm_ref *x, int32_t i)
{
    return x->pk[i].ecn != 0;
}

/* --- CoDel: RFC 8289, section 5, with ECN as in Linux ------------------------------------------
 */

static bool ok_to_drop(struct aqm_ref *x, struct flow *f, int32_t i, uint64_t now)
{
    if (i < 0) {
        f->first_above_time = 0;
        return false;
    }
    f->sojourn = now - x->pk[i].at_ns;
    if (f->sojourn < x->s.target_ns || x->bytes <= MTU) {
        f->first_above_time = 0;
    } else if (f->first_above_time == 0) {
        f->first_above_time = now + x->s.interval_ns;
    } else if (now > f->first_above_time) {
        return true;
    }
    return false;
}

static uint64_t control_law(const struct aqm_ref *x, uint64_t t, uint32_t count)
{
    return t + (uint64_t)(x->s.interval_ns / sqrt(count));
}

static int64_t codel_depart(struct aqm_ref *x, struct flow *f, uint64_t now)
{
    int32_t i = pop(x, f);
    bool ok, was_dropping = f->dropping;

    if (i < 0) {
        f->dropping = false;
        return -1;
    }
    ok = ok_to_drop(x, f, i, now);
    if (f->dropping && !ok) {
        f->dropping = false;
    }
    while (was_dropping && f->dropping && now >= f->drop_next) {
        f->count++;
        if (x->s.is_ecn && can_mark(x, i)) {
            x->pk[i].is_ce = true;
            x->c.marks++;
            f->drop_next = control_law(x, f->drop_next, f->count);
            break;
        }
        x->c.aqm_drops++;
        i = pop(x, f);
        if (!ok_to_drop(x, f, i, now)) {
            f->dropping = false;
        } else {
            f->drop_next = control_law(x, f->drop_next, f->count);
        }
    }
    if (!was_dropping && ok) {
        uint32_t delta = f->count - f->lastcount;

        if (x->s.is_ecn && can_mark(x, i)) {
            x->pk[i].is_ce = true;
            x->c.marks++;
        } else {
            x->c.aqm_drops++;
            i = pop(x, f);
            ok_to_drop(x, f, i, now);
        }
        f->dropping = true;
        f->count = 1;
        if (delta > 1 && now < f->drop_next + 16 * x->s.interval_ns) {
            f->count = delta;
        }
        f->lastcount = f->count;
        f->drop_next = control_law(x, now, f->count);
    }
    if (i >= 0 && x->s.ce_threshold_ns != UINT64_MAX && f->sojourn > x->s.ce_threshold_ns &&
        can_mark(x, i)) {
        x->pk[i].is_ce = true;
        x->c.ce_marks++;
    }
    return i;
}

/* --- FQ-CoDel: RFC 8290, section 4 -------------------------------------------------------------
 */

static void to_list(struct aqm_ref *x, uint32_t flow, int list)
{
    int from = x->flow[flow].list;

    if (from != 0) { /* always the first of its list */
        memmove(x->lists[from], x->lists[from] + 1, --x->lens[from] * sizeof(uint32_t));
    }
    if (list != 0) {
        x->lists[list][x->lens[list]++] = flow;
    }
    x->flow[flow].list = list;
}

static uint32_t bucket_of(const struct aqm_ref *x, uint32_t i)
{
    uint32_t h = x->perturbation;

    for (size_t n = 0; n < sizeof(x->pk[i].tuple); n++) {
        h += x->pk[i].tuple[n];
        h += h << 10;
        h ^= h >> 6;
    }
    h += h << 3;
    h ^= h >> 11;
    h += h << 15;
    return (uint32_t)((uint64_t)h * x->s.flows / 4294967296u);
}

static bool fq_arrive(struct aqm_ref *x, uint32_t i)
{
    uint32_t flow = bucket_of(x, i), fat = 0;
    uint64_t fat_bytes, gone = 0;
    bool is_here = true;

    push(x, &x->flow[flow], i);
    if (x->flow[flow].list == 0) {
        x->flow[flow].credits = (int64_t)x->s.quantum;
        to_list(x, flow, 1);
    }
    if (x->n <= x->s.limit_pkts && x->n <= x->s.memory_pkts) {
        return true;
    }
    for (uint32_t f = 0; f < x->s.flows; f++) {
        fat = x->flow[f].bytes > x->flow[fat].bytes ? f : fat;
    }
    fat_bytes = x->flow[fat].bytes;
    for (uint64_t n = 0; n < x->s.batch && (n == 0 || gone < fat_bytes / 2); n++) {
        int32_t victim = pop(x, &x->flow[fat]);

        gone += x->pk[victim].len_bytes;
        x->c.limit_drops++;
        x->flow[fat].count++;
        is_here = is_here && victim != (int32_t)i;
    }
    return is_here;
}

static int64_t fq_depart(struct aqm_ref *x, uint64_t now)
{
    while (x->lens[1] + x->lens[2] > 0) {
        int list = x->lens[1] > 0 ? 1 : 2;
        uint32_t flow = x->lists[list][0];
        int64_t i;

        if (x->flow[flow].credits <= 0) {
            x->flow[flow].credits += (int64_t)x->s.quantum;
            to_list(x, flow, 2);
            continue;
        }
        i = codel_depart(x, &x->flow[flow], now);
        if (i >= 0) {
            x->flow[flow].credits -= x->pk[i].len_bytes;
            return i;
        }
        to_list(x, flow, list == 1 && x->lens[2] > 0 ? 2 : 0);
    }
    return -1;
}

/* --- PIE: RFC 8033 in Linux's numbers ----------------------------------------------------------
 */

#define P1   72057594037927935ull /* 2^56 - 1 */
#define TICK 64
#define MS   15625ull /* ticks */

static uint64_t rnd56(struct aqm_ref *x)
{
    uint64_t a = x->s.random(x->s.random_user), b = x->s.random(x->s.random_user);

    return ((a << 32) + b) / 256;
}

static bool pie_drop_early(struct aqm_ref *x, uint32_t i)
{
    uint64_t prob = x->drop_prob;

    if (x->burst > 0 || (x->qdelay < x->s.target_ns / TICK / 2 && x->drop_prob < P1 / 5) ||
        x->bytes < 2 * MTU) {
        return false;
    }
    if (x->s.is_bytemode && x->pk[i].len_bytes <= MTU) {
        prob = prob / MTU * x->pk[i].len_bytes;
    }
    x->accu = prob != 0 ? x->accu + prob : 0;
    if (x->accu < P1 / 100 * 85) {
        return false;
    }
    if (x->accu >= P1 / 2 * 17) {
        return true;
    }
    if (rnd56(x) < prob) {
        x->accu = 0;
        return true;
    }
    return false;
}

static bool pie_arrive(struct aqm_ref *x, uint32_t i)
{
    if (x->n >= x->s.limit_pkts) {
        x->accu = 0;
        x->c.limit_drops++;
        return false;
    }
    if (pie_drop_early(x, i)) {
        if (!x->s.is_ecn || x->drop_prob > P1 / 10 || !can_mark(x, (int32_t)i)) {
            x->accu = 0;
            x->c.aqm_drops++;
            return false;
        }
        x->pk[i].is_ce = true;
        x->c.marks++;
    }
    push(x, x->flow, i);
    return true;
}

static int64_t pie_depart(struct aqm_ref *x, uint64_t now_ns)
{
    int32_t i = pop(x, x->flow);
    uint64_t now = now_ns / TICK, spent = 0;

    if (i < 0) {
        return -1;
    }
    if (!x->s.is_rate) {
        x->qdelay = x->bytes == 0 ? 0 : now - x->pk[i].at_ns / TICK;
        spent = x->has_stamp ? now - x->stamp : 0;
        x->stamp = now;
        x->has_stamp = true;
    } else {
        if (x->counted < 0 && x->bytes >= 16384) {
            x->counted = 0;
            x->stamp = now;
        }
        if (x->counted >= 0) {
            x->counted += x->pk[i].len_bytes;
        }
        if (x->counted >= 16384 && now > x->stamp) {
            uint64_t rate = (uint64_t)x->counted * 256 / (now - x->stamp);

            x->rate = x->rate == 0 ? rate : x->rate - x->rate / 8 + rate / 8;
            spent = now - x->stamp;
            x->counted = x->bytes >= 16384 ? 0 : -1;
            x->stamp = now;
        }
    }
    x->burst = spent < x->burst ? x->burst - spent : 0;
    return i;
}

static void pie_update(struct aqm_ref *x)
{
    /* RFC 8033, section 4.2: below which probability (of a million) the gains are how much less. */
    static const struct {
        uint64_t below, divisor;
    } tuning[] = {{1000000, 2048}, {100000, 512}, {10000, 128}, {1000, 32}, {100, 8}, {10, 2}};
    int64_t scale = (int64_t)(P1 / 15625000), divisor = 1, change, target;

    target = (int64_t)x->s.target_ns / TICK;
    if (x->s.is_rate) {
        x->old_qdelay = x->qdelay;
        x->qdelay = x->rate > 0 ? x->bytes * 256 / x->rate : 0;
    }
    for (size_t t = 0; t < 6; t++) {
        if (x->drop_prob < P1 / tuning[t].below) {
            divisor = (int64_t)tuning[t].divisor;
            break;
        }
    }
    change = x->s.alpha * scale / 16 / divisor * ((int64_t)x->qdelay - target) +
             x->s.beta * scale / 16 / divisor * ((int64_t)x->qdelay - (int64_t)x->old_qdelay);
    if (x->drop_prob >= P1 / 10 && change > (int64_t)(P1 / 50)) {
        change = (int64_t)(P1 / 100 * 2);
    }
    if (x->qdelay > 250 * MS) {
        change += (int64_t)(P1 / 50);
    }
    if (change < 0 && (uint64_t)-change > x->drop_prob) {
        x->drop_prob = 0;
    } else {
        x->drop_prob += (uint64_t)change;
    }
    x->drop_prob = x->drop_prob > P1 ? P1 : x->drop_prob;
    if (x->qdelay == 0 && x->old_qdelay == 0 && x->bytes == 0) {
        x->drop_prob -= x->drop_prob / 64;
    }
    if (x->drop_prob == 0 && x->qdelay < (uint64_t)target / 2 &&
        x->old_qdelay < (uint64_t)target / 2 && (!x->s.is_rate || x->rate > 0)) {
        x->burst = 150 * MS;
        x->has_stamp = false;
        x->accu = 0;
        x->counted = -1;
        x->rate = 0;
    }
    if (!x->s.is_rate) {
        x->old_qdelay = x->qdelay;
    }
}

/* --- PI2 ---------------------------------------------------------------------------------------
 */

static bool coin(struct aqm_ref *x, int64_t p)
{
    return (int64_t)x->s.random(x->s.random_user) <= p;
}

static bool pi2_arrive(struct aqm_ref *x, uint32_t i)
{
    bool is_signal = false;

    if (x->n >= x->s.limit_pkts) {
        x->c.limit_drops++;
        return false;
    }
    if (x->bytes >= 2 * MTU && x->s.is_scalable && x->pk[i].ecn % 2 == 1) {
        if (coin(x, x->p * x->s.k)) {
            x->pk[i].is_ce = true;
            x->c.marks++;
        }
    } else if (x->bytes >= 2 * MTU) {
        is_signal = coin(x, x->p) && coin(x, x->p);
    }
    if (is_signal && !(x->s.is_ecn && can_mark(x, (int32_t)i))) {
        x->c.aqm_drops++;
        return false;
    }
    if (is_signal) {
        x->pk[i].is_ce = true;
        x->c.marks++;
    }
    push(x, x->flow, i);
    return true;
}

static void pi2_update(struct aqm_ref *x, uint64_t now)
{
    int64_t delay = x->flow->head >= 0 ? (int64_t)(now - x->pk[x->flow->head].at_ns) : 0;
    int64_t most = 4294967295ll / x->s.k;

    x->p +=
        ((delay - (int64_t)x->s.target_ns) * x->s.alpha + (delay - x->last_delay) * x->s.beta) / 64;
    x->p = x->p < 0 ? 0 : x->p > most ? most : x->p;
    x->last_delay = delay;
}

/* --- all of them -------------------------------------------------------------------------------
 */

struct aqm_ref *aqm_ref_new(const char *kind, const struct aqm_ref_setup *setup,
                            struct aqm_ref_packet *packets)
{
    struct aqm_ref *x = calloc(1, sizeof(*x));
    bool is_fq = strcmp(kind, "fq_codel") == 0, has_timer = kind[0] == 'p';
    uint64_t flows = is_fq ? setup->flows : 1;

    x->kind = kind;
    x->s = *setup;
    x->pk = packets;
    x->flow = calloc(flows, sizeof(*x->flow));
    for (uint64_t f = 0; f < flows; f++) {
        x->flow[f].head = -1;
    }
    x->lists[1] = calloc(flows, sizeof(uint32_t));
    x->lists[2] = calloc(flows, sizeof(uint32_t));
    x->perturbation = is_fq ? setup->random(setup->random_user) : 0;
    x->next_update = has_timer ? setup->tupdate_ns : UINT64_MAX;
    x->burst = 150 * MS;
    x->counted = -1;
    return x;
}

void aqm_ref_free(struct aqm_ref *x)
{
    free(x->lists[1]);
    free(x->lists[2]);
    free(x->flow);
    free(x);
}

bool aqm_ref_arrive(void *ref, uint32_t i, uint64_t now)
{
    struct aqm_ref *x = ref;

    (void)now;
    x->pk[i].is_ce = x->pk[i].ecn == 3;
    if (strcmp(x->kind, "fq_codel") == 0) {
        return fq_arrive(x, i);
    }
    if (strcmp(x->kind, "pie") == 0) {
        return pie_arrive(x, i);
    }
    if (strcmp(x->kind, "pi2") == 0) {
        return pi2_arrive(x, i);
    }
    if (x->n >= x->s.limit_pkts) {
        x->c.limit_drops++;
        return false;
    }
    push(x, x->flow, i);
    return true;
}

int64_t aqm_ref_depart(void *ref, uint64_t now)
{
    struct aqm_ref *x = ref;

    if (strcmp(x->kind, "fq_codel") == 0) {
        return fq_depart(x, now);
    }
    if (strcmp(x->kind, "pie") == 0) {
        return pie_depart(x, now);
    }
    return strcmp(x->kind, "pi2") == 0 ? pop(x, x->flow) : codel_depart(x, x->flow, now);
}

uint64_t aqm_ref_next_update(void *ref)
{
    return ((struct aqm_ref *)ref)->next_update;
}

void aqm_ref_update(void *ref, uint64_t now)
{
    struct aqm_ref *x = ref;

    if (strcmp(x->kind, "pie") == 0) {
        pie_update(x);
    } else {
        pi2_update(x, now);
    }
    x->next_update = now + x->s.tupdate_ns;
}

struct aqm_ref_counters aqm_ref_counters(const struct aqm_ref *x)
{
    struct aqm_ref_counters c = x->c;

    c.prob = strcmp(x->kind, "pie") == 0   ? (double)x->drop_prob / (double)P1
             : strcmp(x->kind, "pi2") == 0 ? (double)x->p / 4294967295.0
                                           : NAN;
    return c;
}
