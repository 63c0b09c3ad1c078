/* Pool, histogram, FIFO, serializer and delay line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "testbed/link/aqm_spec.h"
#include "testbed/link/direction.h"
#include "tests/testbed/link/link_trace.h"

static void test_pool_is_bounded(void **state)
{
    struct packet_pool pool;
    struct packet *p[3];

    (void)state;
    assert_int_equal(packet_pool_init(&pool, 3, NULL), STATUS_OK);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 3; i++) {
            p[i] = packet_pool_get(&pool);
            assert_non_null(p[i]);
            assert_int_equal(p[i]->len_bytes, 0);
            p[i]->len_bytes = 9;
        }
        assert_ptr_not_equal(p[0], p[1]);
        assert_ptr_not_equal(p[1], p[2]);
        assert_null(packet_pool_get(&pool));
        for (int i = 0; i < 3; i++) {
            packet_pool_put(&pool, p[i]);
        }
        assert_int_equal(pool.in_use, 0);
    }
    packet_pool_done(&pool);
}

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static void test_hist_quantiles(void **state)
{
    enum { N = 20000 };
    static const double qs[] = {0.001, 0.01, 0.5, 0.9, 0.99, 1};
    static uint64_t values[N];
    static struct hist h, other;
    struct rng r = {.state = 1};

    (void)state;
    assert_int_equal(hist_quantile_ns(&h, 0.5), 0);
    for (int i = 0; i < N; i++) {
        values[i] = rng_next_u64(&r) >> trace_uniform(&r, 30, 63);
        hist_add(i % 3 == 0 ? &other : &h, values[i]);
    }
    hist_merge(&h, &other);
    assert_int_equal(h.count, N);
    qsort(values, N, sizeof(values[0]), compare_u64);
    for (size_t i = 0; i < sizeof(qs) / sizeof(qs[0]); i++) {
        uint64_t exact = values[(size_t)(qs[i] * N + 0.999999) - 1];
        uint64_t got = hist_quantile_ns(&h, qs[i]);

        assert_true(got >= exact);
        assert_true((double)got <= (double)exact * 1.032 + 1);
    }
    assert_int_equal(h.max_ns, values[N - 1]);
    hist_add(&h, UINT64_MAX);
    assert_int_equal(hist_quantile_ns(&h, 1), UINT64_MAX);
}

static void open_fifo(struct direction *d, uint64_t rate_bps, uint64_t delay_us, uint32_t pkts,
                      uint64_t bytes)
{
    assert_int_equal(direction_init(d, rate_bps, delay_us, pkts, NULL), STATUS_OK);
    assert_int_equal(aqm_from_spec("fifo",
                                   &(struct aqm_config){.pool = &d->pool,
                                                        .limit_pkts = pkts,
                                                        .limit_bytes = bytes,
                                                        .mtu_bytes = LINK_MTU_BYTES},
                                   &d->aqm, NULL),
                     STATUS_OK);
}

static void test_fifo_limits(void **state)
{
    struct packet_pool pool;
    struct aqm *a;
    struct aqm_stats s;

    (void)state;
    assert_int_equal(packet_pool_init(&pool, 20, NULL), STATUS_OK);
    assert_int_equal(
        aqm_from_spec("fifo",
                      &(struct aqm_config){.pool = &pool, .limit_pkts = 5, .limit_bytes = 2000}, &a,
                      NULL),
        STATUS_OK);
    /* By packets: five small ones fit, the sixth does not. */
    for (uint32_t i = 0; i < 6; i++) {
        assert_int_equal(a->ops->enqueue(a, trace_packet(&pool, 100, ECN_ECT1, i), i), i < 5);
    }
    a->ops->stats(a, 4000, &s);
    assert_int_equal(s.drop_overlimit, 1);
    assert_int_equal(s.delay_c_us, 4);
    assert_int_equal(s.maxq_pkts, 5);
    for (uint32_t i = 0; i < 5; i++) {
        struct packet *p = a->ops->dequeue(a, 10);

        assert_int_equal(trace_packet_id(p), i);
        assert_int_equal(trace_packet_ecn(p), ECN_ECT1); /* never marked */
        packet_pool_put(&pool, p);
    }
    assert_null(a->ops->dequeue(a, 10));
    /* By bytes: 1500 + 500 is the limit to the byte, and small ones fit where large ones do not. */
    assert_true(a->ops->enqueue(a, trace_packet(&pool, 1500, ECN_NOT_ECT, 1), 20));
    assert_false(a->ops->enqueue(a, trace_packet(&pool, 501, ECN_NOT_ECT, 2), 20));
    assert_true(a->ops->enqueue(a, trace_packet(&pool, 500, ECN_NOT_ECT, 3), 20));
    assert_false(a->ops->enqueue(a, trace_packet(&pool, 40, ECN_NOT_ECT, 4), 20));
    assert_int_equal(a->backlog_bytes, 2000);
    a->ops->stats(a, 20, &s);
    assert_int_equal(s.drop_overlimit, 3);
    assert_int_equal(s.pkts_in_c, 7);
    aqm_free(a);
    assert_int_equal(pool.in_use, 0);
    packet_pool_done(&pool);
}

/* A burst leaves at the rate, to the nanosecond and without drift, and a delay later. */
static void test_serializer_is_exact(void **state)
{
    const uint64_t rate_bps = 50000001; /* does not divide anything */
    struct direction d;
    struct packet *p;
    uint64_t bytes = 0;

    (void)state;
    open_fifo(&d, rate_bps, 10000, 2000, 0);
    for (uint32_t i = 0; i < 1500; i++) {
        direction_offer(&d, trace_packet(&d.pool, 40 + i % 1461, ECN_NOT_ECT, i), 1000);
    }
    /* Looking only at the very end changes nothing. */
    for (uint32_t i = 0; i < 1500; i++) {
        p = direction_take_due(&d, 10000000000u);
        assert_non_null(p);
        assert_int_equal(trace_packet_id(p), i);
        bytes += p->len_bytes;
        assert_int_equal(p->due_ns, 1000 + 10000000u + bytes * 8 * 1000000000u / rate_bps);
        direction_sent(&d, p, 0, true);
    }
    assert_null(direction_take_due(&d, 10000000000u));
    assert_int_equal(direction_wake_ns(&d), AQM_NEVER);
    assert_int_equal(d.totals.out_pkts, 1500);
    assert_int_equal(d.totals.out_bytes, bytes);
    /* After a pause the link does not make up for the time it was idle. */
    direction_offer(&d, trace_packet(&d.pool, 1500, ECN_NOT_ECT, 0), 20000000000u);
    assert_int_equal(direction_wake_ns(&d), 20010000000u + 1500 * 8 * 1000000000ull / rate_bps);
    direction_done(&d);
}

static void test_unlimited_rate_only_delays(void **state)
{
    struct direction d;
    struct packet *p;

    (void)state;
    open_fifo(&d, 0, 500, 10, 0);
    for (uint32_t i = 0; i < 100; i++) { /* never a queue, so never its limit */
        direction_offer(&d, trace_packet(&d.pool, 1500, ECN_NOT_ECT, i), 5000 + i);
    }
    assert_int_equal(direction_wake_ns(&d), 505000);
    assert_null(direction_take_due(&d, 504999));
    for (uint32_t i = 0; i < 100; i++) {
        p = direction_take_due(&d, 600000);
        assert_int_equal(p->due_ns, 505000 + i);
        direction_sent(&d, p, 600000 - p->due_ns, i != 0);
    }
    assert_int_equal(d.totals.write_errors, 1);
    assert_int_equal(d.totals.out_pkts, 99);
    assert_int_equal(d.late.count, 99);
    direction_done(&d);
}

/* The delay line has its bound too; what does not fit is counted, not queued. */
static void test_no_buffer(void **state)
{
    struct direction d;

    (void)state;
    open_fifo(&d, 0, 10000, 7, 0);
    for (uint32_t i = 0; i < DELAY_LINE_PKTS_MAX + 10; i++) {
        direction_offer(&d, trace_packet(&d.pool, 40, ECN_NOT_ECT, i), 1000);
    }
    direction_advance(&d, 1000);
    assert_int_equal(d.totals.no_buffer, 10);
    assert_int_equal(d.pool.in_use, DELAY_LINE_PKTS_MAX);
    direction_lost(&d, 1500);
    assert_int_equal(d.totals.no_buffer, 11);
    assert_int_equal(d.totals.in_bytes, 40 * (DELAY_LINE_PKTS_MAX + 10) + 1500);
    direction_done(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pool_is_bounded),
        cmocka_unit_test(test_hist_quantiles),
        cmocka_unit_test(test_fifo_limits),
        cmocka_unit_test(test_serializer_is_exact),
        cmocka_unit_test(test_unlimited_rate_only_delays),
        cmocka_unit_test(test_no_buffer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
