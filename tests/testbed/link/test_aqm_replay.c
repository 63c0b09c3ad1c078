/* Random traces of arrivals through CoDel, PIE, FQ-CoDel and PI2, and through their references: the
 * same random numbers must give the same packets at the same time with the same marks. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "testbed/link/aqm_spec.h"
#include "tests/testbed/link/aqm_reference.h"
#include "tests/testbed/link/link_trace.h"

#define TRACES     90
#define TRACE_PKTS 8000
#define FLOWS      12

/* What a packet went through. */
struct fate {
    uint64_t start_ns; /* 0: never sent */
    bool is_ce;
};

/* An AQM under a link: the real one or the reference. */
struct subject {
    void *user;
    bool (*arrive)(void *user, uint32_t i, uint64_t now_ns);
    int64_t (*depart)(void *user, uint64_t now_ns); /* -1: none */
    uint64_t (*next_update)(void *user);
    void (*update)(void *user, uint64_t now_ns);
};

/* --- the real one ------------------------------------------------------------------------------
 */

struct real {
    struct aqm *aqm;
    struct packet_pool pool;
    const struct aqm_ref_packet *packets;
    bool *is_ce;
    uint64_t on_drop_calls;
};

static bool real_arrive(void *user, uint32_t i, uint64_t now_ns)
{
    struct real *r = user;
    const struct aqm_ref_packet *pk = &r->packets[i];
    struct packet *p = trace_packet(&r->pool, pk->len_bytes, (enum ecn)pk->ecn, i);

    p->data[6] = 0x40; /* don't fragment */
    p->data[7] = 0;
    p->data[9] = pk->tuple[8];
    memcpy(p->data + 12, pk->tuple, 8);
    memcpy(p->data + 20, pk->tuple + 9, 4);
    return r->aqm->ops->enqueue(r->aqm, p, now_ns);
}

static int64_t real_depart(void *user, uint64_t now_ns)
{
    struct real *r = user;
    struct packet *p = r->aqm->ops->dequeue(r->aqm, now_ns);
    uint32_t i;

    if (p == NULL) {
        return -1;
    }
    i = trace_packet_id(p);
    assert_int_equal(p->enqueue_ns, r->packets[i].at_ns);
    r->is_ce[i] = trace_packet_ecn(p) == ECN_CE;
    packet_pool_put(&r->pool, p);
    return i;
}

static uint64_t real_next_update(void *user)
{
    struct real *r = user;

    return r->aqm->ops->next_update_ns(r->aqm);
}

static void real_update(void *user, uint64_t now_ns)
{
    struct real *r = user;

    r->aqm->ops->update(r->aqm, now_ns);
}

static void count_drop(void *user, const struct packet *p, uint64_t now_ns)
{
    struct real *r = user;

    assert_true(p->enqueue_ns <= now_ns);
    assert_int_equal(p->enqueue_ns, r->packets[trace_packet_id(p)].at_ns);
    r->on_drop_calls++;
}

/* --- the link ----------------------------------------------------------------------------------
 */

static uint64_t start(const struct subject *s, const struct aqm_ref_packet *packets,
                      struct fate *fates, uint64_t now_ns, uint64_t rate_bps)
{
    int64_t i = s->depart(s->user, now_ns);

    if (i < 0) {
        return UINT64_MAX;
    }
    fates[i].start_ns = now_ns;
    return now_ns + packets[i].len_bytes * 8000000000ull / rate_bps;
}

static void run(const struct subject *s, const struct aqm_ref_packet *packets, struct fate *fates,
                uint64_t rate_bps, uint64_t until_ns)
{
    uint64_t free_ns = UINT64_MAX; /* the link is idle */
    uint32_t next = 0;

    memset(fates, 0, TRACE_PKTS * sizeof(*fates));
    for (;;) {
        uint64_t update_ns = s->next_update(s->user);
        uint64_t at_ns = next < TRACE_PKTS ? packets[next].at_ns : UINT64_MAX;

        if (update_ns <= free_ns && update_ns <= at_ns && update_ns <= until_ns) {
            s->update(s->user, update_ns);
        } else if (free_ns <= at_ns && free_ns != UINT64_MAX) {
            free_ns = start(s, packets, fates, free_ns, rate_bps);
        } else if (at_ns != UINT64_MAX) {
            bool is_queued = s->arrive(s->user, next++, at_ns);

            if (is_queued && free_ns == UINT64_MAX) {
                free_ns = start(s, packets, fates, at_ns, rate_bps);
            }
        } else {
            return;
        }
    }
}

/* Load comes in phases of their own intensity, sizes, codepoints and flows. */
static uint64_t make_trace(struct rng *r, uint64_t rate_bps, bool is_mild,
                           struct aqm_ref_packet *packets)
{
    uint64_t now_ns = 1000;

    for (uint32_t i = 0; i < TRACE_PKTS;) {
        uint64_t load_pct = is_mild ? trace_uniform(r, 92, 106) : trace_uniform(r, 30, 250);
        uint64_t mix = trace_uniform(r, 0, 4); /* 0..3: this codepoint only; 4: all of them */
        uint64_t flows = trace_uniform(r, 1, FLOWS);
        bool is_small = trace_uniform(r, 0, 5) == 0;
        uint32_t end = i + (uint32_t)trace_uniform(r, 50, is_mild ? 6000 : 2500);

        for (; i < end && i < TRACE_PKTS; i++) {
            uint8_t flow = (uint8_t)trace_uniform(r, 0, flows - 1);
            uint32_t len = (uint32_t)(is_small                      ? trace_uniform(r, 40, 100)
                                      : trace_uniform(r, 0, 2) == 0 ? trace_uniform(r, 40, 1500)
                                                                    : 1500);
            uint64_t mean_ns = len * 800000000000ull / rate_bps / load_pct;

            packets[i] = (struct aqm_ref_packet){
                .at_ns = now_ns,
                .len_bytes = len,
                .ecn = (uint8_t)(mix < 4 ? mix : trace_uniform(r, 0, 3)),
                .tuple = {10, 0, 0, flow, 10, 0, 1, 1, flow % 2 == 0 ? 6 : 17, 0x30, flow, 0, 80},
            };
            now_ns += trace_uniform(r, 0, 9) == 0 ? 0 : trace_uniform(r, 0, 2 * mean_ns);
        }
        if (trace_uniform(r, 0, 3) == 0) {
            now_ns += trace_uniform(r, 0, 200000000);
        }
    }
    return now_ns;
}

/* A setup and the spec that says the same. */
static void choose_setup(struct rng *r, const char *kind, int trace, struct aqm_ref_setup *s,
                         char *spec, size_t size)
{
    bool is_default = trace < TRACES / 3; /* but for ECN */
    uint64_t limit = trace_uniform(r, 20, 1000), target = trace_uniform(r, 0, 30000);
    uint64_t interval = trace_uniform(r, 1000, 200000), ce = trace_uniform(r, 100, 20000);
    uint64_t tupdate = trace_uniform(r, 1000, 32000), memory = trace_uniform(r, 20, 1000);
    uint64_t alpha = trace_uniform(r, 0, 32), beta = trace_uniform(r, 0, 32);
    bool has_ce = trace_uniform(r, 0, 2) == 0;

    *s = (struct aqm_ref_setup){.is_ecn = trace_uniform(r, 0, 2) != 0};
    s->is_bytemode = trace_uniform(r, 0, 1) == 0;
    s->is_rate = trace_uniform(r, 0, 1) == 0;
    s->is_scalable = trace_uniform(r, 0, 1) == 0;
    s->flows = trace_uniform(r, 1, 64);
    s->quantum = trace_uniform(r, 256, 4000);
    s->batch = trace_uniform(r, 1, 70);
    s->k = (int64_t)trace_uniform(r, 1, 5);
    if (strcmp(kind, "pie") == 0) {
        if (is_default) {
            limit = 1000, target = tupdate = 15000, alpha = 2, beta = 20;
            s->is_bytemode = s->is_rate = false;
        }
        s->alpha = (int64_t)alpha;
        s->beta = (int64_t)beta;
        snprintf(spec, size,
                 is_default ? "pie %s"
                            : "pie %s %s %s limit %dp target %dus tupdate %dus alpha %d "
                              "beta %d",
                 s->is_ecn ? "ecn" : "noecn", s->is_bytemode ? "bytemode" : "nobytemode",
                 s->is_rate ? "dq_rate_estimator" : "no_dq_rate_estimator", (int)limit, (int)target,
                 (int)tupdate, (int)alpha, (int)beta);
    } else if (strcmp(kind, "pi2") == 0) {
        if (is_default) {
            limit = 10000, target = 20000, tupdate = 32000, s->k = 2;
            /* 5/16 and 50/16 Hz: hz * 2^32 / 1e9 * 64, rounded down */
            s->alpha = 85;
            s->beta = 858;
        } else {
            s->alpha = (int64_t)(alpha * 4294967295.0 * 64 / 1e9);
            s->beta = (int64_t)(beta * 4294967295.0 * 64 / 1e9);
        }
        alpha = alpha == 0 ? 1 : alpha;
        beta = beta == 0 ? 1 : beta;
        s->alpha = s->alpha == 0 ? 274 : s->alpha;
        s->beta = s->beta == 0 ? 274 : s->beta;
        snprintf(spec, size,
                 is_default ? "pi2 %s %s"
                            : "pi2 %s %s limit %d target %dus tupdate %dus alpha %d beta %d.0 "
                              "coupling_factor %d",
                 s->is_ecn ? "ecn" : "noecn", s->is_scalable ? "scalable" : "noscalable",
                 (int)limit, (int)target, (int)tupdate, (int)alpha, (int)beta, (int)s->k);
    } else {
        bool is_fq = strcmp(kind, "fq_codel") == 0;
        int used;

        if (is_default) {
            limit = is_fq ? 10240 : 1000, target = 5000, interval = 100000, has_ce = false;
            s->flows = 1024, s->quantum = 1500, s->batch = 64;
        }
        memory = is_default ? (32u << 20) / sizeof(struct packet) : memory;
        used =
            snprintf(spec, size, is_default ? "%s %s" : "%s %s limit %d target %dus interval %dus",
                     kind, s->is_ecn ? "ecn" : "noecn", (int)limit, (int)target, (int)interval);
        if (has_ce) {
            used += snprintf(spec + used, size - (size_t)used, " ce_threshold %dus", (int)ce);
        }
        if (is_fq && !is_default) {
            snprintf(spec + used, size - (size_t)used,
                     " flows %d quantum %d drop_batch %d memory_limit %zub", (int)s->flows,
                     (int)s->quantum, (int)s->batch, memory * sizeof(struct packet));
        }
    }
    s->limit_pkts = limit;
    s->memory_pkts = memory;
    s->target_ns = target * 1000;
    s->interval_ns = interval * 1000;
    s->ce_threshold_ns = has_ce ? ce * 1000 : UINT64_MAX;
    s->tupdate_ns = tupdate * 1000;
}

struct totals {
    uint64_t sent, marks, ce_marks, aqm, limit;
};

static void replay(const char *kind, int trace, struct totals *total)
{
    static const uint64_t rates[] = {1000000, 7777777, 50000000, 100000000, 1000000000};
    struct aqm_ref_packet *packets = calloc(TRACE_PKTS, sizeof(*packets));
    struct fate *expected = calloc(TRACE_PKTS, sizeof(*expected));
    struct fate *got = calloc(TRACE_PKTS, sizeof(*got));
    struct rng r = {.state = 4000 + (uint64_t)trace}, coins = {.state = 99}, ref_coins = coins;
    struct real real = {.packets = packets, .is_ce = calloc(TRACE_PKTS, sizeof(bool))};
    uint64_t rate_bps = rates[trace % 5], end_ns, sent = 0;
    struct aqm_ref_setup setup;
    struct aqm_ref_counters c;
    struct aqm_ref *ref;
    struct aqm_stats s;
    char spec[AQM_SPEC_MAX];

    choose_setup(&r, kind, trace, &setup, spec, sizeof(spec));
    end_ns = make_trace(&r, rate_bps, trace % 2 == 0, packets) + 3000000000u;
    setup.random = rng_random;
    setup.random_user = &ref_coins;
    ref = aqm_ref_new(kind, &setup, packets);
    run(&(struct subject){ref, aqm_ref_arrive, aqm_ref_depart, aqm_ref_next_update, aqm_ref_update},
        packets, expected, rate_bps, end_ns);
    c = aqm_ref_counters(ref);

    assert_int_equal(packet_pool_init(&real.pool, TRACE_PKTS, NULL), STATUS_OK);
    assert_int_equal(aqm_from_spec(spec,
                                   &(struct aqm_config){.pool = &real.pool,
                                                        .mtu_bytes = LINK_MTU_BYTES,
                                                        .random = rng_random,
                                                        .random_user = &coins,
                                                        .on_drop = count_drop,
                                                        .on_drop_user = &real},
                                   &real.aqm, NULL),
                     STATUS_OK);
    run(&(struct subject){&real, real_arrive, real_depart, real_next_update, real_update}, packets,
        got, rate_bps, end_ns);

    for (uint32_t i = 0; i < TRACE_PKTS; i++) {
        if (got[i].start_ns != expected[i].start_ns ||
            (got[i].start_ns != 0 && real.is_ce[i] != packets[i].is_ce)) {
            print_message("trace %d, packet %u of '%s': %llu against %llu\n", trace, i, spec,
                          (unsigned long long)got[i].start_ns,
                          (unsigned long long)expected[i].start_ns);
            fail();
        }
        sent += got[i].start_ns != 0;
    }
    assert_int_equal(coins.state, ref_coins.state);
    real.aqm->ops->stats(real.aqm, end_ns, &s);
    assert_int_equal(s.ecn_mark, c.marks + c.ce_marks);
    assert_int_equal(s.drop_aqm, c.aqm_drops);
    assert_int_equal(s.drop_overlimit, c.limit_drops);
    assert_int_equal(real.on_drop_calls, c.aqm_drops + c.limit_drops);
    assert_int_equal(sent + s.drop_aqm + s.drop_overlimit, TRACE_PKTS);
    assert_true(isnan(c.prob) ? isnan(s.prob) : s.prob == c.prob);
    assert_int_equal(real.aqm->backlog_pkts, 0);
    aqm_free(real.aqm);
    assert_int_equal(real.pool.in_use, 0);
    packet_pool_done(&real.pool);
    aqm_ref_free(ref);
    *total =
        (struct totals){total->sent + sent, total->marks + c.marks, total->ce_marks + c.ce_marks,
                        total->aqm + c.aqm_drops, total->limit + c.limit_drops};
    free(packets);
    free(expected);
    free(got);
    free(real.is_ce);
}

static void replay_all(const char *kind)
{
    struct totals t = {0};

    for (int trace = 0; trace < TRACES; trace++) {
        replay(kind, trace, &t);
    }
    print_message("%s, %d traces: %llu sent, %llu marks, %llu by ce_threshold, %llu dropped by the "
                  "AQM, %llu by the limit\n",
                  kind, TRACES, (unsigned long long)t.sent, (unsigned long long)t.marks,
                  (unsigned long long)t.ce_marks, (unsigned long long)t.aqm,
                  (unsigned long long)t.limit);
    /* Every rule was at work. */
    assert_true(t.marks > 300 && t.aqm > 300 && t.limit > 300);
    assert_true(kind[0] == 'p' || t.ce_marks > 300);
}

static void test_codel(void **state)
{
    (void)state;
    replay_all("codel");
}

static void test_pie(void **state)
{
    (void)state;
    replay_all("pie");
}

static void test_fq_codel(void **state)
{
    (void)state;
    replay_all("fq_codel");
}

static void test_pi2(void **state)
{
    (void)state;
    replay_all("pi2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codel),
        cmocka_unit_test(test_pie),
        cmocka_unit_test(test_fq_codel),
        cmocka_unit_test(test_pi2),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
