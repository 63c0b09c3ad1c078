/* DualPI2's parts, one by one, against what RFC 9332 and tc-dualpi2 promise of them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "testbed/link/direction.h"
#include "testbed/link/dualpi2.h"
#include "tests/testbed/link/link_trace.h"

#define MS 1000000ull

/* A coin that always shows the same: 0 falls whenever the probability allows it at all,
 * UINT32_MAX only at probability 1. */
static uint32_t fixed_coin;
static uint32_t coin_flips;

static uint32_t fixed_random(void *user)
{
    (void)user;
    coin_flips++;
    return fixed_coin;
}

static struct packet_pool pool;

static struct aqm *open_aqm(const struct dualpi2_params *params, uint32_t limit_pkts,
                            uint64_t memlimit)
{
    struct aqm *a = NULL;

    coin_flips = 0;
    assert_int_equal(packet_pool_init(&pool, 20000, NULL), STATUS_OK);
    assert_int_equal(aqm_from_params(&dualpi2_ops, params,
                                     &(struct aqm_config){.pool = &pool,
                                                          .limit_pkts = limit_pkts,
                                                          .limit_bytes = memlimit,
                                                          .mtu_bytes = LINK_MTU_BYTES,
                                                          .random = fixed_random},
                                     &a, NULL),
                     STATUS_OK);
    return a;
}

static void close_aqm(struct aqm *a)
{
    aqm_free(a);
    assert_int_equal(pool.in_use, 0);
    packet_pool_done(&pool);
}

static struct aqm_stats stats_of(const struct aqm *a, uint64_t now_ns)
{
    struct aqm_stats s;

    a->ops->stats(a, now_ns, &s);
    return s;
}

static void put(struct aqm *a, uint32_t len_bytes, enum ecn ecn, uint64_t now_ns)
{
    assert_true(a->ops->enqueue(a, trace_packet(&pool, len_bytes, ecn, 0), now_ns));
}

/* Dequeue one; -1 if there was none, else its ECN field. */
static int take(struct aqm *a, uint64_t now_ns)
{
    struct packet *p = a->ops->dequeue(a, now_ns);
    int ecn;

    if (p == NULL) {
        return -1;
    }
    ecn = (int)trace_packet_ecn(p);
    packet_pool_put(&pool, p);
    return ecn;
}

/* Drive p' up to 1 by an old packet, then empty the queue. */
static void raise_prob(struct aqm *a)
{
    uint64_t at_ns = a->ops->next_update_ns(a);

    fixed_coin = UINT32_MAX;
    put(a, 40, ECN_ECT0, at_ns);
    a->ops->update(a, at_ns + 1000 * 1000 * MS);
    assert_true(stats_of(a, at_ns).prob == 1.0);
    take(a, at_ns);
}

static void test_defaults(void **state)
{
    struct dualpi2_params p;
    struct aqm *a;

    (void)state;
    aqm_params_default(&dualpi2_ops, &p);
    assert_int_equal(p.target_us, 15000);
    assert_int_equal(p.tupdate_us, 16000);
    assert_int_equal(p.step_thresh.value, 1000);
    assert_int_equal(p.coupling_factor, 2);
    assert_int_equal(p.classic_protection_pct, 10);
    assert_true(p.is_drop_overload);
    assert_false(p.is_drop_enqueue);
    /* As tc prints them: 0.16 and 3.2. */
    assert_float_equal(p.alpha_256 / 256.0, 0.16, 0.001);
    assert_float_equal(p.beta_256 / 256.0, 3.2, 0.001);
    a = open_aqm(&p, 0, 0);
    assert_int_equal(a->ops->next_update_ns(a), 16 * MS);
    assert_int_equal(stats_of(a, 0).credit, -120000);
    assert_int_equal(stats_of(a, 0).memory_limit, 30000000);
    close_aqm(a);
}

static void test_params_are_checked(void **state)
{
    (void)state;
    for (int i = 0; i < 6; i++) {
        struct dualpi2_params p;
        struct aqm *a = NULL;

        aqm_params_default(&dualpi2_ops, &p);
        if (i == 0) {
            p.tupdate_us = 0;
        } else if (i == 1) {
            p.coupling_factor = 0;
        } else if (i == 2) {
            p.coupling_factor = 256;
        } else if (i == 3) {
            p.classic_protection_pct = 101;
        } else if (i == 4) {
            p.step_thresh.value = 60000001;
        } else {
            p.alpha_256 = UINT64_MAX;
        }
        assert_int_equal(aqm_from_params(&dualpi2_ops, &p,
                                         &(struct aqm_config){.mtu_bytes = LINK_MTU_BYTES}, &a,
                                         NULL),
                         STATUS_USAGE);
        assert_null(a);
    }
}

/* The delay jumps from 0 to 30 ms and stays: p' jumps by beta * 30 ms and climbs by
 * alpha * (30 ms - target) each update; when the queue is gone it falls by beta * 30 ms at once and
 * by alpha * target after. In seconds and Hz, as in RFC 9332, Appendix A.1. */
static void step_response(enum ecn ecn)
{
    enum { UPDATES = 200 };
    const double alpha = 0.16, beta = 3.2, target = 0.015, delay = 0.030;
    struct dualpi2_params params;
    struct aqm *a;
    double expected = 0;

    aqm_params_default(&dualpi2_ops, &params);
    a = open_aqm(&params, 0, 0);
    fixed_coin = UINT32_MAX;
    for (uint64_t k = 0; k < UPDATES; k++) { /* each is 30 ms old at update k */
        put(a, 1500, ecn, 1000 * MS + k * 16 * MS - 30 * MS);
    }
    for (uint64_t k = 0; k < UPDATES; k++) {
        uint64_t now_ns = 1000 * MS + k * 16 * MS;

        a->ops->update(a, now_ns);
        assert_int_equal(a->ops->next_update_ns(a), now_ns + 16 * MS);
        expected += alpha * (delay - target) + (k == 0 ? beta * delay : 0);
        assert_float_equal(stats_of(a, now_ns).prob, expected, 0.003 * expected);
        assert_true(take(a, now_ns) >= 0);
    }
    assert_float_equal(expected, 0.096 + UPDATES * 0.0024, 1e-9);
    a->ops->update(a, 100000 * MS);
    expected -= beta * delay + alpha * target;
    assert_float_equal(stats_of(a, 0).prob, expected, 0.003);
    for (int k = 0; k < 1000; k++) {
        a->ops->update(a, 100000 * MS + (uint64_t)k);
    }
    assert_true(stats_of(a, 0).prob == 0);
    close_aqm(a);
}

static void test_controller_step_response(void **state)
{
    (void)state;
    step_response(ECN_ECT0); /* the age in either queue counts */
    step_response(ECN_ECT1);
}

/* An age of hours saturates, it does not wrap. */
static void test_controller_saturates(void **state)
{
    struct dualpi2_params params;
    struct aqm *a;

    (void)state;
    aqm_params_default(&dualpi2_ops, &params);
    params.alpha_256 = params.beta_256 = 1u << 20;
    a = open_aqm(&params, 0, 0);
    put(a, 1500, ECN_ECT1, 0);
    for (uint64_t hours = 1; hours < 1000000; hours *= 3) {
        a->ops->update(a, hours * 3600 * 1000 * MS);
        assert_true(stats_of(a, 0).prob == 1.0);
    }
    close_aqm(a);
}

/* While both queues never run dry, C gets 10 % of the bytes, whatever the packet sizes; with one
 * queue empty the other has it all. */
static void test_wrr_ratio(void **state)
{
    static const uint32_t sizes[][2] = {{1500, 1500}, {100, 1500}, {1500, 100}};

    (void)state;
    for (uint32_t protection = 0; protection <= 50; protection += 10) {
        for (size_t n = 0; n < 3; n++) {
            struct dualpi2_params params;
            struct aqm *a;
            uint64_t bytes[2] = {0};

            aqm_params_default(&dualpi2_ops, &params);
            params.classic_protection_pct = protection;
            a = open_aqm(&params, 0, 0);
            fixed_coin = UINT32_MAX;
            for (int i = 0; i < 40; i++) {
                put(a, sizes[n][0], ECN_ECT1, 0);
                put(a, sizes[n][1], ECN_NOT_ECT, 0);
            }
            for (int i = 0; i < 50000; i++) {
                struct packet *p = a->ops->dequeue(a, 0);
                bool is_l = p->is_l;

                bytes[is_l ? 0 : 1] += p->len_bytes;
                packet_pool_put(&pool, p);
                put(a, sizes[n][is_l ? 0 : 1], is_l ? ECN_ECT1 : ECN_NOT_ECT, 0);
            }
            assert_float_equal((double)bytes[1] / (double)(bytes[0] + bytes[1]), protection / 100.0,
                               0.003);
            close_aqm(a);
        }
    }
}

/* Classification: ECT(1) and CE are L, with any_ect ECT(0) too. L goes first. */
static void test_classification(void **state)
{
    struct dualpi2_params params;
    struct aqm *a;
    struct aqm_stats s;

    (void)state;
    for (int is_any = 0; is_any < 2; is_any++) {
        aqm_params_default(&dualpi2_ops, &params);
        params.is_any_ect = is_any != 0;
        a = open_aqm(&params, 0, 0);
        fixed_coin = UINT32_MAX;
        put(a, 100, ECN_NOT_ECT, 0);
        put(a, 100, ECN_ECT0, 0);
        put(a, 100, ECN_ECT1, 0);
        put(a, 100, ECN_CE, 0);
        s = stats_of(a, 2 * MS);
        assert_int_equal(s.pkts_in_l, is_any ? 3 : 2);
        assert_int_equal(s.pkts_in_c, is_any ? 1 : 2);
        assert_int_equal(s.delay_l_us, 2000);
        assert_int_equal(s.maxq_pkts, 4);
        if (is_any) {
            assert_int_equal(take(a, 0), ECN_ECT0);
        }
        assert_int_equal(take(a, 0), ECN_ECT1);
        assert_int_equal(take(a, 0), ECN_CE);
        assert_int_equal(take(a, 0), ECN_NOT_ECT);
        if (!is_any) {
            assert_int_equal(take(a, 0), ECN_ECT0);
        }
        assert_int_equal(take(a, 0), -1);
        close_aqm(a);
    }
}

/* The step: later than 1 ms is marked, 1 ms sharp is not; the C queue knows no step; a packet that
 * comes to fewer than min_qlen_step others is spared. */
static void test_step(void **state)
{
    struct dualpi2_params params;
    struct aqm *a;
    struct aqm_stats s;

    (void)state;
    aqm_params_default(&dualpi2_ops, &params);
    params.min_qlen_step_pkts = 1;
    a = open_aqm(&params, 0, 0);
    fixed_coin = UINT32_MAX;
    for (int i = 0; i < 3; i++) {
        put(a, 100, ECN_ECT1, 0);
    }
    put(a, 100, ECN_CE, 0);
    put(a, 100, ECN_ECT0, 0);
    assert_int_equal(take(a, 2 * MS), ECN_ECT1); /* came to an empty queue */
    assert_int_equal(take(a, 1 * MS), ECN_ECT1);
    assert_int_equal(take(a, 1 * MS + 1), ECN_CE);
    assert_int_equal(take(a, 2 * MS),
                     ECN_CE); /* was CE: a mark in Linux's count, none on the wire */
    assert_int_equal(take(a, 90 * MS), ECN_ECT0);
    s = stats_of(a, 90 * MS);
    assert_int_equal(s.step_mark, 2);
    assert_int_equal(s.ecn_mark, 2);
    assert_int_equal(s.ce_set, 1);
    close_aqm(a);
}

/* The step in packets: more than that many behind it. */
static void test_step_in_packets(void **state)
{
    struct dualpi2_params params;
    struct aqm *a;

    (void)state;
    aqm_params_default(&dualpi2_ops, &params);
    params.step_thresh = (struct aqm_threshold){.value = 2, .is_pkts = true};
    a = open_aqm(&params, 0, 0);
    fixed_coin = UINT32_MAX;
    for (int i = 0; i < 5; i++) {
        put(a, 100, ECN_ECT1, 0);
    }
    assert_int_equal(take(a, 90 * MS), ECN_CE);
    assert_int_equal(take(a, 90 * MS), ECN_CE);
    assert_int_equal(take(a, 90 * MS), ECN_ECT1);
    close_aqm(a);
}

/* The ramp of RFC 9332, Appendix A.1: 0 up to 800 us, a half at 1 ms, 1 from 1200 us on; nothing
 * while not more than one packet is left in L. */
static void test_ramp(void **state)
{
    static const struct {
        uint64_t age_us;
        double prob;
    } ramp[] = {{0, 0}, {800, 0}, {900, 0.25}, {1000, 0.5}, {1190, 0.975}, {1200, 1}, {9000, 1}};
    struct dualpi2_params params;
    struct aqm *a;

    (void)state;
    aqm_params_default(&dualpi2_ops, &params);
    params.is_ramp = true;
    for (size_t i = 0; i < sizeof(ramp) / sizeof(ramp[0]); i++) {
        for (int is_above = 0; is_above < 2; is_above++) {
            double coin = ramp[i].prob * 4294967295.0 + (is_above ? 1 : -1);
            bool is_marked = ramp[i].prob == 1 || (ramp[i].prob > 0 && !is_above);

            a = open_aqm(&params, 0, 0);
            fixed_coin = coin < 0 ? 0 : coin > UINT32_MAX ? UINT32_MAX : (uint32_t)coin;
            for (int n = 0; n < 3; n++) {
                put(a, 100, ECN_ECT1, 0);
            }
            assert_int_equal(take(a, ramp[i].age_us * 1000), is_marked ? ECN_CE : ECN_ECT1);
            assert_int_equal(stats_of(a, 0).step_mark, is_marked);
            assert_int_equal(take(a, ramp[i].age_us * 1000), ECN_ECT1); /* one is left */
            close_aqm(a);
        }
    }
}

/* Time-shifted FIFO (RFC 9332, section 4.2.2): C goes first once it has waited tshift longer. */
static void test_time_shifted_fifo(void **state)
{
    struct dualpi2_params params;
    struct aqm *a;

    (void)state;
    aqm_params_default(&dualpi2_ops, &params);
    params.is_tsfifo = true;
    a = open_aqm(&params, 0, 0);
    fixed_coin = UINT32_MAX;
    put(a, 100, ECN_ECT0, 0);
    put(a, 100, ECN_NOT_ECT, 10 * MS);
    put(a, 100, ECN_ECT1, 50 * MS);
    put(a, 100, ECN_ECT1, 50 * MS + 1);
    assert_int_equal(take(a, 50 * MS + 1), ECN_ECT1);
    assert_int_equal(take(a, 50 * MS + 1), ECN_ECT0);
    assert_int_equal(take(a, 50 * MS + 1), ECN_ECT1);
    assert_int_equal(take(a, 50 * MS + 1), ECN_NOT_ECT);
    close_aqm(a);
}

/* p' = 1: every coin falls, but not while less than 2 MTU wait behind the packet, and then no
 * random number is used either. */
static void test_no_signal_below_two_mtu(void **state)
{
    struct dualpi2_params params;
    struct aqm *a;

    (void)state;
    aqm_params_default(&dualpi2_ops, &params);
    a = open_aqm(&params, 0, 0);
    raise_prob(a);
    coin_flips = 0;
    put(a, 1500, ECN_ECT0, 0);
    put(a, 1500, ECN_ECT0, 0);
    put(a, 1499, ECN_ECT0, 0);
    assert_int_equal(take(a, 0), ECN_ECT0); /* 2999 bytes behind it */
    put(a, 1501, ECN_ECT0, 0);
    assert_int_equal(coin_flips, 0);
    /* 3000 behind the next: dropped for overload; then too few are left. */
    assert_int_equal(take(a, 0), ECN_ECT0);
    assert_int_equal(stats_of(a, 0).drop_aqm, 1);
    assert_int_equal(coin_flips, 2);
    close_aqm(a);
}

static void test_limits(void **state)
{
    struct dualpi2_params params;
    struct aqm *a;

    (void)state;
    aqm_params_default(&dualpi2_ops, &params);
    a = open_aqm(&params, 3, 0);
    fixed_coin = UINT32_MAX;
    put(a, 100, ECN_ECT1, 0);
    put(a, 100, ECN_ECT0, 0);
    put(a, 100, ECN_ECT1, 0);
    assert_false(a->ops->enqueue(a, trace_packet(&pool, 100, ECN_ECT1, 0), 0));
    assert_false(a->ops->enqueue(a, trace_packet(&pool, 100, ECN_NOT_ECT, 0), 0));
    assert_int_equal(stats_of(a, 0).drop_overlimit, 2);
    close_aqm(a);
    /* memlimit: whole buffers count, however small the packet. */
    a = open_aqm(&params, 100, 2 * sizeof(struct packet));
    put(a, 40, ECN_ECT1, 0);
    put(a, 40, ECN_ECT0, 0);
    assert_false(a->ops->enqueue(a, trace_packet(&pool, 40, ECN_ECT1, 0), 0));
    assert_int_equal(stats_of(a, 0).max_memory_used, 2 * sizeof(struct packet));
    assert_int_equal(take(a, 0), ECN_ECT1);
    put(a, 40, ECN_ECT1, 0);
    close_aqm(a);
}

/* Twice the capacity of traffic that does not respond: with drop_on_overload half of it is dropped
 * by the AQM at p'^2 = 1/2, far from the limit, and what passes of L is all marked. With overflow
 * only the limit drops, and p' stays at 1/k. */
static void test_overload(void **state)
{
    (void)state;
    for (int is_overflow = 0; is_overflow < 2; is_overflow++) {
        for (int is_l = 0; is_l < 2; is_l++) {
            struct rng coins = {.state = 5};
            struct dualpi2_params params;
            struct direction d;
            struct aqm_stats before, s;
            struct packet *p;
            uint64_t sent = 0, marked = 0, offered = 0;
            double drop_ratio;

            aqm_params_default(&dualpi2_ops, &params);
            params.is_drop_overload = !is_overflow;
            assert_int_equal(direction_init(&d, 50000000, 0, 1000, NULL), STATUS_OK);
            assert_int_equal(aqm_from_params(&dualpi2_ops, &params,
                                             &(struct aqm_config){.pool = &d.pool,
                                                                  .limit_pkts = 1000,
                                                                  .mtu_bytes = LINK_MTU_BYTES,
                                                                  .random = rng_random,
                                                                  .random_user = &coins},
                                             &d.aqm, NULL),
                             STATUS_OK);
            before = stats_of(d.aqm, 0);
            for (uint64_t t = 0; t < 60000 * MS; t += 120000) { /* a packet takes 240 us */
                if (t == 30000 * MS) {
                    before = stats_of(d.aqm, t);
                }
                direction_offer(&d, trace_packet(&d.pool, 1500, is_l ? ECN_ECT1 : ECN_ECT0, 0), t);
                while ((p = direction_take_due(&d, t)) != NULL) {
                    if (t >= 30000 * MS) {
                        sent++;
                        marked += trace_packet_ecn(p) == ECN_CE;
                    }
                    direction_sent(&d, p, 0, true);
                }
                offered += t >= 30000 * MS;
            }
            s = stats_of(d.aqm, 60000 * MS);
            drop_ratio = (double)(s.drop_aqm - before.drop_aqm) / (double)offered;
            if (is_overflow && is_l) {
                assert_float_equal(s.prob, 0.5, 1e-6);
                assert_int_equal(s.drop_aqm, 0);
                assert_true(s.drop_overlimit > 200000);
                assert_int_equal(marked, sent);
            } else if (is_overflow) {
                assert_int_equal(s.drop_aqm, 0); /* ECT(0): marked with p'^2 = 1/4 */
                assert_float_equal((double)marked / (double)sent, 0.25, 0.02);
            } else {
                assert_float_equal(s.prob, sqrt(0.5), 0.03);
                assert_float_equal(drop_ratio, 0.5, 0.02);
                /* At the start, while p' climbed, the limit had to help; not after. */
                assert_int_equal(s.drop_overlimit, before.drop_overlimit);
                assert_true((is_l ? s.delay_l_us : s.delay_c_us) < 40000);
                assert_int_equal(marked, is_l ? sent : 0);
            }
            direction_done(&d);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_params_are_checked),
        cmocka_unit_test(test_controller_step_response),
        cmocka_unit_test(test_controller_saturates),
        cmocka_unit_test(test_wrr_ratio),
        cmocka_unit_test(test_classification),
        cmocka_unit_test(test_step),
        cmocka_unit_test(test_step_in_packets),
        cmocka_unit_test(test_ramp),
        cmocka_unit_test(test_time_shifted_fifo),
        cmocka_unit_test(test_no_signal_below_two_mtu),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_overload),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
