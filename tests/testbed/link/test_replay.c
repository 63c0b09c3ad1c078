/* Random traces of arrivals through the link and through the reference: the same random numbers
 * must give the same packets in the same order at the same time with the same marks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "testbed/link/direction.h"
#include "testbed/link/dualpi2.h"
#include "tests/testbed/link/dualpi2_reference.h"
#include "tests/testbed/link/link_trace.h"

#define TRACES     80
#define TRACE_PKTS 12000
#define TAIL_NS    3000000000u

struct counted_rng {
    struct rng rng;
    size_t rolls;
};

static uint32_t counted_random(void *user)
{
    struct counted_rng *r = user;

    r->rolls++;
    return rng_random(&r->rng);
}

/* Load comes in phases of their own intensity, sizes and mix, with pauses and bursts. */
static void make_trace(struct rng *r, uint64_t rate_bps, struct ref_packet *packets)
{
    uint64_t now_ns = 1000;

    for (size_t i = 0; i < TRACE_PKTS;) {
        uint64_t load_pct = trace_uniform(r, 30, 250);
        uint64_t mix = trace_uniform(r, 0, 4); /* 0..3: this codepoint only; 4: all of them */
        bool is_small = trace_uniform(r, 0, 5) == 0;
        size_t end = i + (size_t)trace_uniform(r, 50, 2500);

        for (; i < end && i < TRACE_PKTS; i++) {
            uint32_t len = (uint32_t)(is_small                      ? trace_uniform(r, 40, 100)
                                      : trace_uniform(r, 0, 2) == 0 ? trace_uniform(r, 40, 1500)
                                                                    : 1500);
            uint64_t mean_ns = len * 800000000000ull / rate_bps / load_pct;

            packets[i] = (struct ref_packet){
                .at_ns = now_ns,
                .len_bytes = len,
                .ecn = (uint8_t)(mix < 4 ? mix : trace_uniform(r, 0, 3)),
            };
            if (trace_uniform(r, 0, 9) != 0) { /* else: with the next in one instant */
                now_ns += trace_uniform(r, 0, 2 * mean_ns);
            }
        }
        if (trace_uniform(r, 0, 3) == 0) {
            now_ns += trace_uniform(r, 0, 200000000);
        }
    }
}

static void choose_setup(struct rng *r, int trace, struct dualpi2_params *params,
                         struct ref_setup *setup, uint64_t *rate_bps, uint32_t *limit_pkts)
{
    static const uint64_t rates[] = {1000000, 7777777, 50000000, 100000000, 1000000000};

    aqm_params_default(&dualpi2_ops, params);
    *rate_bps = rates[trace % 5];
    *limit_pkts = DUALPI2_LIMIT_PKTS;
    *setup = (struct ref_setup){
        .target_ns = 15000000,
        .tupdate_ns = 16000000,
        .step_ns = 1000000,
        /* 41/256 and 819/256 Hz by hand: hz / 256 * 2^32 / 1e9 * 64, rounded down */
        .alpha = 44,
        .beta = 879,
        .k = 2,
        .protection = 10,
        .packet_memory = sizeof(struct packet),
    };
    /* A quarter runs with Linux's defaults, a quarter with what RFC 9332, Appendix A.1 has: the
     * ramp, and PI parameters for 100 ms at most and 15 ms typically. By hand they are 0.15 Hz and
     * 3.0 Hz, 38/256 and 768/256. */
    if (trace >= TRACES / 4 && trace < TRACES / 2) {
        params->is_ramp = true;
        params->max_rtt_us = 100000;
        params->typical_rtt_us = 15000;
        setup->tupdate_ns = 15000000;
        setup->alpha = 40;
        setup->beta = 824;
    } else if (trace >= TRACES / 2) {
        params->target_us = trace_uniform(r, 1000, 20000);
        params->tupdate_us = trace_uniform(r, 1000, 32000);
        params->step_thresh.is_pkts = trace_uniform(r, 0, 2) == 0;
        params->step_thresh.value = trace_uniform(r, 0, params->step_thresh.is_pkts ? 10 : 5000);
        params->min_qlen_step_pkts = trace_uniform(r, 0, 3);
        params->coupling_factor = trace_uniform(r, 1, 5);
        params->classic_protection_pct = trace_uniform(r, 0, 10) * 10;
        params->is_any_ect = trace_uniform(r, 0, 1) == 0;
        params->is_drop_overload = trace_uniform(r, 0, 2) != 0;
        params->is_drop_enqueue = trace_uniform(r, 0, 2) == 0;
        params->is_ramp = trace_uniform(r, 0, 1) == 0;
        params->min_th_us = trace_uniform(r, 0, 3000);
        params->range_us = trace_uniform(r, 1, 3000);
        params->th_len_pkts = trace_uniform(r, 0, 3);
        params->is_tsfifo = trace_uniform(r, 0, 2) == 0;
        params->tshift_us = trace_uniform(r, 0, 60000);
        *limit_pkts = (uint32_t)trace_uniform(r, 5, 500);
        setup->tupdate_ns = (int64_t)params->tupdate_us * 1000;
    }
    setup->rate_bps = *rate_bps;
    setup->limit_pkts = *limit_pkts;
    setup->memlimit = 2ull * LINK_MTU_BYTES * *limit_pkts;
    setup->target_ns = (int64_t)params->target_us * 1000;
    setup->is_step_pkts = params->step_thresh.is_pkts;
    setup->step_pkts = params->step_thresh.value;
    setup->step_ns = (int64_t)params->step_thresh.value * 1000;
    setup->is_ramp = params->is_ramp;
    setup->min_th_ns = (int64_t)params->min_th_us * 1000;
    setup->range_ns = (int64_t)params->range_us * 1000;
    setup->th_len = params->th_len_pkts;
    setup->is_tsfifo = params->is_tsfifo;
    setup->tshift_ns = params->tshift_us * 1000;
    setup->min_qlen_step = params->min_qlen_step_pkts;
    setup->k = params->coupling_factor;
    setup->protection = (int64_t)params->classic_protection_pct;
    setup->is_any_ect = params->is_any_ect;
    setup->is_overflow = !params->is_drop_overload;
    setup->is_drop_enqueue = params->is_drop_enqueue;
}

struct seen {
    size_t sent, marks, steps, limit, aqm;
};

/* The packets that left must be the reference's next ones. */
static size_t compare_departures(struct direction *d, const struct ref_packet *packets,
                                 const struct ref_outcome *out, size_t seen, uint64_t now_ns)
{
    struct packet *p;

    while ((p = direction_take_due(d, now_ns)) != NULL) {
        uint32_t id = trace_packet_id(p);
        uint64_t through_ns, tx_ns;

        assert_true(seen < out->sent);
        assert_int_equal(id, out->order[seen]);
        /* No delay line here: due is when the packet is through, to the rounding of a division. */
        assert_int_equal(p->enqueue_ns, packets[id].at_ns);
        through_ns = p->due_ns - packets[id].start_ns;
        tx_ns = p->len_bytes * 8000000000ull / d->rate_bps;
        assert_true(through_ns == tx_ns || through_ns == tx_ns + 1);
        assert_int_equal(trace_packet_ecn(p), packets[id].is_ce ? 3 : packets[id].ecn);
        direction_sent(d, p, 0, true);
        seen++;
    }
    return seen;
}

static void run_trace(int trace, struct ref_packet *packets, uint32_t *order, struct seen *total)
{
    struct rng r = {.state = 1000 + (uint64_t)trace};
    struct counted_rng coins = {.rng.state = 77 + (uint64_t)trace};
    struct rng ref_coins = coins.rng;
    struct dualpi2_params params;
    struct ref_setup setup;
    struct ref_outcome out = {.order = order};
    struct direction d;
    struct aqm_stats s;
    uint64_t rate_bps, end_ns;
    uint32_t limit_pkts;
    size_t seen = 0, limit = 0, aqm = 0;

    choose_setup(&r, trace, &params, &setup, &rate_bps, &limit_pkts);
    make_trace(&r, rate_bps, packets);
    end_ns = packets[TRACE_PKTS - 1].at_ns + TAIL_NS + TRACE_PKTS * 12000000000000ull / rate_bps;
    setup.random = rng_random;
    setup.random_user = &ref_coins;
    ref_run(&setup, packets, TRACE_PKTS, end_ns, &out);

    assert_int_equal(direction_init(&d, rate_bps, 0, limit_pkts, NULL), STATUS_OK);
    assert_int_equal(aqm_from_params(&dualpi2_ops, &params,
                                     &(struct aqm_config){.pool = &d.pool,
                                                          .limit_pkts = limit_pkts,
                                                          .mtu_bytes = LINK_MTU_BYTES,
                                                          .random = counted_random,
                                                          .random_user = &coins},
                                     &d.aqm, NULL),
                     STATUS_OK);
    for (uint32_t i = 0; i < TRACE_PKTS; i++) {
        struct packet *p = trace_packet(&d.pool, packets[i].len_bytes, (enum ecn)packets[i].ecn, i);

        direction_offer(&d, p, packets[i].at_ns);
        /* Look now and then only: virtual time must not care. */
        if (trace_uniform(&r, 0, 20) == 0) {
            seen = compare_departures(&d, packets, &out, seen, packets[i].at_ns);
        }
    }
    seen = compare_departures(&d, packets, &out, seen, end_ns);
    assert_int_equal(seen, out.sent);

    for (size_t i = 0; i < TRACE_PKTS; i++) {
        limit += packets[i].fate == REF_DROP_LIMIT;
        aqm += packets[i].fate == REF_DROP_AQM;
        assert_int_not_equal(packets[i].fate, REF_QUEUED);
    }
    d.aqm->ops->stats(d.aqm, end_ns, &s);
    assert_int_equal(s.drop_overlimit, limit);
    assert_int_equal(s.drop_aqm, aqm);
    assert_int_equal(s.ecn_mark, out.marks);
    assert_int_equal(s.step_mark, out.step_marks);
    assert_int_equal(s.ce_set, out.set_ce);
    assert_int_equal(s.pkts_in_l, out.in_l);
    assert_int_equal(s.pkts_in_c, out.in_c);
    assert_int_equal(s.credit, out.credit);
    assert_int_equal((uint32_t)(s.prob * 4294967295.0 + 0.5), out.prob);
    assert_int_equal(s.memory_used, 0);
    assert_int_equal(coins.rolls, out.rolls);
    assert_int_equal(d.pool.in_use, 0);
    direction_done(&d);
    total->sent += out.sent;
    total->marks += out.marks;
    total->steps += out.step_marks;
    total->limit += limit;
    total->aqm += aqm;
}

static void test_replay(void **state)
{
    struct ref_packet *packets = calloc(TRACE_PKTS, sizeof(*packets));
    uint32_t *order = calloc(TRACE_PKTS, sizeof(*order));
    struct seen total = {0};

    (void)state;
    for (int trace = 0; trace < TRACES; trace++) {
        run_trace(trace, packets, order, &total);
    }
    print_message("%d traces: %zu sent, %zu marks (%zu by the step), %zu dropped by the AQM, "
                  "%zu by the limit\n",
                  TRACES, total.sent, total.marks, total.steps, total.aqm, total.limit);
    /* Every rule was at work, not just the easy ones. */
    assert_true(total.marks > total.steps + 1000 && total.steps > 1000);
    assert_true(total.aqm > 1000 && total.limit > 1000);
    free(packets);
    free(order);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_replay)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
