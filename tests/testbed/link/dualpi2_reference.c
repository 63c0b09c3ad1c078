#include "tests/testbed/link/dualpi2_reference.h"

#include <stdlib.h>

#define ONE 4294967295ll
#define MTU 1500

/* First index of a queue, its end, and the packets in order of arrival. */
struct ref_queue {
    uint32_t *item;
    size_t first, end;
};

struct ref_link {
    const struct ref_setup *s;
    struct ref_packet *packets;
    struct ref_outcome *out;
    struct ref_queue l, c;
    uint64_t bytes; /* waiting */
    int64_t p, last_delay;
};

static bool coin(struct ref_link *x, int64_t probability)
{
    x->out->rolls++;
    return (int64_t)x->s->random(x->s->random_user) <= probability;
}

/* true: drop. Sets *ce for a mark. */
static bool judge(struct ref_link *x, struct ref_packet *pk, bool is_l)
{
    int64_t pcl = x->p * (int64_t)x->s->k;

    if (x->bytes < 2 * MTU) {
        return false;
    }
    if (is_l && pcl <= ONE) {
        if (coin(x, pcl)) {
            pk->is_ce = true;
            x->out->marks++;
        }
        return false;
    }
    if (is_l) {
        if (coin(x, x->p) && coin(x, x->p)) {
            return true;
        }
        pk->is_ce = true;
        x->out->marks++;
        return false;
    }
    if (coin(x, x->p) && coin(x, x->p)) {
        if (pcl > ONE || pk->ecn == 0) {
            return true;
        }
        pk->is_ce = true;
        x->out->marks++;
    }
    return false;
}

/* laqm(): native probability of the L queue, `behind` packets being left in it. */
static int64_t laqm(const struct ref_link *x, int64_t age_ns, size_t behind)
{
    const struct ref_setup *s = x->s;

    if (behind <= s->th_len || age_ns <= s->min_th_ns) {
        return 0;
    }
    if (age_ns >= s->min_th_ns + s->range_ns) {
        return ONE;
    }
    return (int64_t)((__int128)(age_ns - s->min_th_ns) * ONE / s->range_ns);
}

/* The rule for a departing L packet of Appendix A: p_L = max(p'_L, p_CL), and classic drops where
 * p_CL is beyond 1. true: drop. */
static bool judge_ramp(struct ref_link *x, struct ref_packet *pk, uint64_t now)
{
    int64_t native = laqm(x, (int64_t)(now - pk->at_ns), x->l.end - x->l.first);
    int64_t coupled = x->s->is_drop_enqueue || x->bytes < 2 * MTU ? 0 : x->p * (int64_t)x->s->k;
    int64_t p_l = native > coupled ? native : coupled;

    if (coupled > ONE) {
        if (coin(x, x->p) && coin(x, x->p)) {
            return true;
        }
        pk->is_ce = true;
        x->out->marks++;
    } else if (p_l > 0 && coin(x, p_l)) {
        pk->is_ce = true;
        x->out->marks++;
        x->out->step_marks += native > coupled;
    }
    return false;
}

static bool is_step_due(const struct ref_link *x, const struct ref_packet *pk, uint64_t now)
{
    if (!pk->has_step) {
        return false;
    }
    return x->s->is_step_pkts ? x->l.end - x->l.first > x->s->step_pkts
                              : now > pk->at_ns + (uint64_t)x->s->step_ns;
}

/* Both queues wait. */
static bool is_turn_of_l(const struct ref_link *x)
{
    uint64_t l_ns = x->packets[x->l.item[x->l.first]].at_ns;
    uint64_t c_ns = x->packets[x->c.item[x->c.first]].at_ns;

    return x->s->is_tsfifo ? l_ns <= c_ns + x->s->tshift_ns : x->out->credit <= 0;
}

static void arrive(struct ref_link *x, uint32_t i)
{
    struct ref_packet *pk = &x->packets[i];
    bool is_l = x->s->is_any_ect ? pk->ecn != 0 : pk->ecn == 1 || pk->ecn == 3;
    size_t nl = x->l.end - x->l.first, nc = x->c.end - x->c.first;

    pk->is_ce = pk->ecn == 3;
    pk->fate = REF_QUEUED;
    if (nl + nc >= x->s->limit_pkts || (nl + nc + 1) * x->s->packet_memory > x->s->memlimit) {
        pk->fate = REF_DROP_LIMIT;
        return;
    }
    if (x->s->is_drop_enqueue && judge(x, pk, is_l)) {
        pk->fate = REF_DROP_AQM;
        return;
    }
    x->bytes += pk->len_bytes;
    if (is_l) {
        pk->has_step = nl >= x->s->min_qlen_step;
        x->l.item[x->l.end++] = i;
        x->out->in_l++;
    } else {
        x->c.item[x->c.end++] = i;
        x->out->in_c++;
    }
}

/* Returns the packet that starts at `now`, or -1. */
static int64_t depart(struct ref_link *x, uint64_t now)
{
    for (;;) {
        bool has_l = x->l.end > x->l.first, has_c = x->c.end > x->c.first, is_l;
        struct ref_packet *pk;
        uint32_t i;

        if (!has_l && !has_c) {
            x->out->credit = MTU * (x->s->protection - (100 - x->s->protection));
            return -1;
        }
        is_l = has_l && has_c ? is_turn_of_l(x) : has_l;
        i = is_l ? x->l.item[x->l.first++] : x->c.item[x->c.first++];
        pk = &x->packets[i];
        x->bytes -= pk->len_bytes;
        if (is_l && x->s->is_ramp ? judge_ramp(x, pk, now)
                                  : !x->s->is_drop_enqueue && judge(x, pk, is_l)) {
            pk->fate = REF_DROP_AQM;
            continue;
        }
        if (is_l && !x->s->is_ramp && is_step_due(x, pk, now)) {
            pk->is_ce = true;
            x->out->marks++;
            x->out->step_marks++;
        }
        if (has_l && has_c) {
            x->out->credit +=
                is_l ? x->s->protection * pk->len_bytes : -(100 - x->s->protection) * pk->len_bytes;
        }
        pk->fate = REF_SENT;
        pk->start_ns = now;
        x->out->set_ce += pk->is_ce && pk->ecn != 3;
        x->out->order[x->out->sent++] = i;
        return i;
    }
}

static void control(struct ref_link *x, uint64_t now)
{
    int64_t delay = 0, cap = x->s->is_overflow ? ONE / (int64_t)x->s->k : ONE;

    if (x->l.end > x->l.first) {
        delay = (int64_t)(now - x->packets[x->l.item[x->l.first]].at_ns);
    }
    if (x->c.end > x->c.first) {
        int64_t other = (int64_t)(now - x->packets[x->c.item[x->c.first]].at_ns);

        delay = other > delay ? other : delay;
    }
    x->p += ((delay - x->s->target_ns) * x->s->alpha + (delay - x->last_delay) * x->s->beta) / 64;
    x->p = x->p < 0 ? 0 : x->p > cap ? cap : x->p;
    x->last_delay = delay;
}

void ref_run(const struct ref_setup *setup, struct ref_packet *packets, size_t count,
             uint64_t until_ns, struct ref_outcome *out)
{
    struct ref_link x = {.s = setup, .packets = packets, .out = out};
    uint64_t update_ns = (uint64_t)setup->tupdate_ns, busy_from_ns = 0, busy_bits = 0;
    bool is_busy = false;
    size_t next = 0;

    x.l.item = calloc(count, sizeof(uint32_t));
    x.c.item = calloc(count, sizeof(uint32_t));
    out->sent = 0;
    out->marks = out->step_marks = out->set_ce = out->in_l = out->in_c = 0;
    out->rolls = 0;
    out->credit = MTU * (setup->protection - (100 - setup->protection));
    for (;;) {
        /* When the bits sent since the link was last idle are through. */
        uint64_t free_ns =
            busy_from_ns + (uint64_t)((unsigned __int128)busy_bits * 1000000000u / setup->rate_bps);
        uint64_t arrival_ns = next < count ? packets[next].at_ns : UINT64_MAX;
        uint64_t leave_ns = is_busy ? free_ns : UINT64_MAX;
        int64_t i;

        if (update_ns <= leave_ns && update_ns <= arrival_ns) {
            if (update_ns > until_ns) {
                break;
            }
            control(&x, update_ns);
            update_ns += (uint64_t)setup->tupdate_ns;
        } else if (leave_ns <= arrival_ns) {
            i = depart(&x, leave_ns);
            is_busy = i >= 0;
            busy_bits += i >= 0 ? packets[i].len_bytes * 8u : 0;
        } else {
            arrive(&x, (uint32_t)next);
            if (packets[next].fate == REF_QUEUED && !is_busy) {
                busy_from_ns = arrival_ns;
                busy_bits = 0;
                i = depart(&x, arrival_ns);
                is_busy = i >= 0;
                busy_bits += i >= 0 ? packets[i].len_bytes * 8u : 0;
            }
            next++;
        }
    }
    out->prob = (uint32_t)x.p;
    free(x.l.item);
    free(x.c.item);
}
