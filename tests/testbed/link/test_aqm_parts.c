/* The AQMs' parts, one by one, against what their documents say: control laws, tables, fairness. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "testbed/link/aqm_spec.h"
#include "testbed/link/codel.h"
#include "testbed/link/flow_hash.h"
#include "testbed/link/pie.h"
#include "tests/testbed/link/link_trace.h"

#define MS 1000000ull

static struct packet_pool pool;
static struct rng coins;

static struct aqm *open_aqm(const char *spec)
{
    struct aqm *a = NULL;

    coins.state = 1;
    assert_int_equal(packet_pool_init(&pool, 20000, NULL), STATUS_OK);
    assert_int_equal(aqm_from_spec(spec,
                                   &(struct aqm_config){.pool = &pool,
                                                        .mtu_bytes = LINK_MTU_BYTES,
                                                        .random = rng_random,
                                                        .random_user = &coins},
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

static struct packet *flow_packet(uint32_t len_bytes, enum ecn ecn, uint32_t id, uint8_t flow)
{
    struct packet *p = trace_packet(&pool, len_bytes, ecn, id);

    memset(p->data + 12, 10, 8);
    p->data[6] = p->data[7] = 0;
    p->data[9] = 6;
    p->data[20] = p->data[22] = 1;
    p->data[21] = p->data[23] = flow;
    return p;
}

/* --- CoDel -------------------------------------------------------------------------------------
 */

/* RFC 8289, section 4.3: the n-th drop of a dropping state comes interval / sqrt(n) after the one
 * before. Worked out by hand for 100 ms. */
static void test_codel_control_law(void **state)
{
    static const uint64_t us[] = {100000, 70710, 57735, 50000, 44721, 40824, 37796, 35355};

    (void)state;
    for (uint32_t n = 1; n <= 8; n++) {
        assert_int_equal(codel_control_law_ns(0, 100000, n) / 1000, us[n - 1]);
    }
    assert_int_equal(codel_control_law_ns(7, 100000, 10000), 7 + 1 * MS);
}

/* A standing queue, one packet out a millisecond: the first drop comes an interval after the delay
 * has passed the target, and the others by the law. */
static void test_codel_drops_by_the_law(void **state)
{
    struct aqm *a = open_aqm("codel");
    uint64_t drops = 0, expected_ns = 0;

    (void)state;
    for (uint64_t t = 0; t < 600; t++) {
        for (int i = 0; i < (t < 300 ? 2 : 1); i++) {
            a->ops->enqueue(a, trace_packet(&pool, 1500, ECN_ECT0, 0), t * MS);
        }
    }
    /* All is in at 600 ms; departures from then on, all of them late. */
    for (uint64_t t = 600; t < 1000; t++) {
        packet_pool_put(&pool, a->ops->dequeue(a, t * MS));
        if (stats_of(a, 0).drop_aqm == drops) {
            continue;
        }
        drops = stats_of(a, 0).drop_aqm;
        if (drops == 1) {
            assert_int_equal(t, 701); /* after, not at, an interval */
            expected_ns = 701 * MS;
        }
        assert_true(t * MS >= expected_ns && t * MS < expected_ns + MS);
        expected_ns += (uint64_t)(100 * MS / sqrt((double)drops));
    }
    assert_int_equal(drops, 5); /* 701, 801, 872, 930, 980 */
    close_aqm(a);
}

/* With ECN nothing that can be marked is dropped, ce_threshold marks whatever is later, and a short
 * queue is left alone. */
static void test_codel_ecn(void **state)
{
    struct aqm *a = open_aqm("codel ecn");
    struct aqm_stats s;
    int marked = 0;

    (void)state;
    for (uint32_t i = 0; i < 900; i++) {
        a->ops->enqueue(a, trace_packet(&pool, 1500, i % 3 == 2 ? ECN_NOT_ECT : ECN_ECT1, i), 0);
    }
    for (uint64_t t = 20; a->backlog_pkts > 0; t++) {
        struct packet *p = a->ops->dequeue(a, t * MS);

        assert_non_null(p);
        marked += trace_packet_ecn(p) == ECN_CE;
        packet_pool_put(&pool, p);
    }
    s = stats_of(a, 0);
    assert_true(marked > 5 && s.drop_aqm > 2);
    assert_int_equal(s.ecn_mark, marked);
    assert_int_equal(s.ce_set, marked);
    close_aqm(a);

    a = open_aqm("codel ce_threshold 1ms");
    for (uint32_t i = 0; i < 4; i++) {
        a->ops->enqueue(a, trace_packet(&pool, 1500, i == 3 ? ECN_NOT_ECT : ECN_ECT0, i), 0);
    }
    for (uint32_t i = 0; i < 4; i++) {
        struct packet *p = a->ops->dequeue(a, i == 0 ? MS : MS + 1);

        assert_int_equal(trace_packet_ecn(p), i == 0 ? ECN_ECT0 : i == 3 ? ECN_NOT_ECT : ECN_CE);
        packet_pool_put(&pool, p);
    }
    close_aqm(a);

    a = open_aqm("codel"); /* not more than one MTU behind: never late */
    for (uint64_t t = 1; t < 1000; t++) {
        a->ops->enqueue(a, trace_packet(&pool, 1500, ECN_NOT_ECT, 0), t * MS);
        if (t % 2 == 0) {
            packet_pool_put(&pool, a->ops->dequeue(a, (t + 500) * MS));
            packet_pool_put(&pool, a->ops->dequeue(a, (t + 500) * MS));
        }
    }
    assert_int_equal(stats_of(a, 0).drop_aqm, 0);
    close_aqm(a);
}

/* --- PIE ---------------------------------------------------------------------------------------
 */

/* RFC 8033, section 4.2: the table of auto-tuning. */
static void test_pie_tuning(void **state)
{
    static const struct {
        double prob;
        double divisor;
    } table[] = {{0.5, 1},    {0.1001, 1},   {0.09, 2},     {0.0101, 2},    {0.009, 8},
                 {0.0011, 8}, {0.0009, 32},  {0.00011, 32}, {0.00009, 128}, {0.000011, 128},
                 {9e-6, 512}, {1.1e-6, 512}, {9e-7, 2048},  {0, 2048}};
    /* alpha 2/16 Hz over a tick of 64 ns */
    const double gain = 0.125 * 64e-9 * (double)PIE_PROB_MAX;

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        uint64_t prob = (uint64_t)(table[i].prob * (double)PIE_PROB_MAX);

        assert_float_equal((double)pie_scale_gain(2, prob) / gain, 1 / table[i].divisor,
                           0.001 / table[i].divisor);
    }
}

/* A delay of 100 ms that stands: the first step up has alpha, beta and the least gain; from 10 % on
 * there are at most 2 % a step. Then the queue is empty: p falls, and the burst allowance is back
 * only when it is 0. */
static void test_pie_probability(void **state)
{
    struct aqm *a = open_aqm("pie");
    double prob, last = 0;
    uint64_t t_ns = 15 * MS;
    int steps = 0;

    (void)state;
    assert_int_equal(a->ops->next_update_ns(a), 15 * MS);
    for (uint64_t i = 0; i < 500; i++) {
        assert_true(a->ops->enqueue(a, trace_packet(&pool, 1500, ECN_NOT_ECT, 0), i * 15 * MS));
    }
    for (uint64_t i = 0; i < 400; i++) {
        packet_pool_put(&pool, a->ops->dequeue(a, (i * 15 + 100) * MS));
        t_ns = (i * 15 + 100) * MS;
        a->ops->update(a, t_ns);
        assert_int_equal(a->ops->next_update_ns(a), t_ns + 15 * MS);
        prob = stats_of(a, t_ns).prob;
        if (i == 0) {
            /* (alpha * 85 ms + beta * 100 ms) / 2048 */
            assert_float_equal(prob, (0.125 * 0.085 + 1.25 * 0.1) / 2048, 1e-7);
        } else if (last >= 0.1 && prob < 1) {
            assert_float_equal(prob - last, 0.125 * 0.085, 1e-4);
            steps++;
        }
        assert_true(prob >= last && prob <= 1);
        last = prob;
    }
    assert_true(steps > 20);
    assert_true(last == 1); /* bounded */
    while (a->backlog_pkts > 0) {
        packet_pool_put(&pool, a->ops->dequeue(a, 7500 * MS));
    }
    for (int i = 0; i < 2000; i++) {
        a->ops->update(a, t_ns += 15 * MS);
        prob = stats_of(a, t_ns).prob;
        assert_true(prob <= last);
        last = prob;
    }
    assert_true(last == 0);
    close_aqm(a);
}

/* The burst allowance: no early drop before 150 ms of departures, whatever the delay. */
static void test_pie_burst(void **state)
{
    struct aqm *a = open_aqm("pie");
    uint64_t first_ms = 0;

    (void)state;
    for (uint64_t t = 1; t < 2000 && first_ms == 0; t++) {
        a->ops->enqueue(a, trace_packet(&pool, 1500, ECN_NOT_ECT, 0), t * MS);
        a->ops->enqueue(a, trace_packet(&pool, 1500, ECN_NOT_ECT, 0), t * MS);
        packet_pool_put(&pool, a->ops->dequeue(a, t * MS));
        if (t * MS >= a->ops->next_update_ns(a)) {
            a->ops->update(a, t * MS);
        }
        first_ms = stats_of(a, 0).drop_aqm > 0 ? t : 0;
    }
    assert_true(first_ms > 150 && first_ms < 1000);
    close_aqm(a);
}

/* ECN: marks up to a probability of 10 %, drops beyond. */
static void test_pie_ecn(void **state)
{
    struct aqm *a = open_aqm("pie ecn");
    uint64_t marks_below = 0;

    (void)state;
    for (uint64_t t = 1; t < 4000; t++) {
        uint64_t before = stats_of(a, 0).drop_aqm;
        bool is_low = stats_of(a, 0).prob <= 0.1;

        a->ops->enqueue(a, trace_packet(&pool, 1500, ECN_ECT0, 0), t * MS);
        if (t % 100 < 15) {
            a->ops->enqueue(a, trace_packet(&pool, 1500, ECN_ECT0, 0), t * MS);
        }
        assert_true(!is_low || stats_of(a, 0).drop_aqm == before);
        marks_below += is_low ? stats_of(a, 0).ecn_mark : 0;
        if (a->backlog_pkts > 0) {
            packet_pool_put(&pool, a->ops->dequeue(a, t * MS));
        }
        if (t * MS >= a->ops->next_update_ns(a)) {
            a->ops->update(a, t * MS);
        }
    }
    assert_true(marks_below > 10);
    assert_true(stats_of(a, 0).drop_aqm > 10);
    close_aqm(a);
}

/* --- FQ-CoDel ----------------------------------------------------------------------------------
 */

/* Flows of unlike packet sizes that never run dry get the same number of bytes. */
static void test_fq_fairness(void **state)
{
    static const uint32_t sizes[] = {1500, 100, 700, 1500};
    struct aqm *a = open_aqm("fq_codel target 60s");
    uint64_t bytes[4] = {0};

    (void)state;
    for (uint8_t f = 0; f < 4; f++) {
        for (int i = 0; i < 40; i++) {
            a->ops->enqueue(a, flow_packet(sizes[f], ECN_NOT_ECT, f, f), 0);
        }
    }
    for (int i = 0; i < 40000; i++) {
        struct packet *p = a->ops->dequeue(a, 0);
        uint8_t f = (uint8_t)trace_packet_id(p);

        bytes[f] += p->len_bytes;
        packet_pool_put(&pool, p);
        a->ops->enqueue(a, flow_packet(sizes[f], ECN_NOT_ECT, f, f), 0);
    }
    for (int f = 1; f < 4; f++) {
        assert_float_equal((double)bytes[f] / (double)bytes[0], 1, 0.002);
    }
    close_aqm(a);
}

/* A flow that comes new is served before the old ones, and once only. */
static void test_fq_new_flows_first(void **state)
{
    struct aqm *a = open_aqm("fq_codel");
    static const int expected[] = {0, 1, 1, 2, 2, 0, 0}; /* flow of each departure */
    struct packet *p;

    (void)state;
    for (int i = 0; i < 3; i++) {
        a->ops->enqueue(a, flow_packet(1500, ECN_NOT_ECT, 0, 0), 0);
    }
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        if (i == 1) { /* two newcomers of two packets each; the first fill a quantum in two */
            for (uint8_t n = 0; n < 4; n++) {
                a->ops->enqueue(a, flow_packet(750, ECN_NOT_ECT, 1 + n / 2, 1 + n / 2), 0);
            }
        }
        p = a->ops->dequeue(a, 0);
        assert_int_equal(trace_packet_id(p), expected[i]);
        packet_pool_put(&pool, p);
    }
    assert_null(a->ops->dequeue(a, 0));
    close_aqm(a);
}

/* At the limit the fattest flow pays, from its head, half of its bytes at most 64 packets. */
static void test_fq_limit(void **state)
{
    struct aqm *a = open_aqm("fq_codel limit 100");
    struct packet *p;

    (void)state;
    for (uint32_t i = 0; i < 90; i++) {
        assert_true(a->ops->enqueue(a, flow_packet(1500, ECN_NOT_ECT, i, 7), i));
    }
    for (uint32_t i = 0; i < 11; i++) {
        assert_true(a->ops->enqueue(a, flow_packet(100, ECN_NOT_ECT, 1000 + i, 8), 90));
    }
    assert_int_equal(stats_of(a, 0).drop_overlimit, 45);
    assert_int_equal(a->backlog_pkts, 56);
    p = a->ops->dequeue(a, 90);
    assert_int_equal(trace_packet_id(p), 45);
    packet_pool_put(&pool, p);
    close_aqm(a);

    a = open_aqm("fq_codel memory_limit 1b"); /* nothing fits */
    assert_false(a->ops->enqueue(a, flow_packet(1500, ECN_NOT_ECT, 0, 7), 0));
    assert_int_equal(a->backlog_pkts, 0);
    assert_null(a->ops->dequeue(a, 0));
    close_aqm(a);
}

/* The 5-tuple, nothing else, and no byte beyond the packet. */
static void test_flow_hash(void **state)
{
    static const struct {
        size_t at;
        bool counts;
    } bytes[] = {{1, false}, {4, false}, {8, false}, {9, true},  {10, false}, {12, true},
                 {15, true}, {16, true}, {19, true}, {20, true}, {23, true},  {24, false}};
    struct rng r = {.state = 3};
    uint8_t packet[60] = {0x45, [9] = 6};
    uint32_t hash;

    (void)state;
    for (size_t i = 10; i < sizeof(packet); i++) {
        packet[i] = (uint8_t)i;
    }
    hash = flow_hash(packet, sizeof(packet), 1);
    assert_int_not_equal(hash, flow_hash(packet, sizeof(packet), 2));
    for (size_t i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
        packet[bytes[i].at] ^= 0x11; /* protocol 6 becomes 23: no ports, another flow */
        assert_int_equal(flow_hash(packet, sizeof(packet), 1) != hash, bytes[i].counts);
        packet[bytes[i].at] ^= 0x11;
    }
    packet[6] = 0x20; /* a fragment: its ports are not looked at */
    hash = flow_hash(packet, sizeof(packet), 1);
    packet[21] ^= 1;
    assert_int_equal(flow_hash(packet, sizeof(packet), 1), hash);
    /* IPv6: ports at 40. */
    packet[0] = 0x60;
    packet[6] = 17;
    hash = flow_hash(packet, sizeof(packet), 1);
    packet[43] ^= 1;
    assert_int_not_equal(flow_hash(packet, sizeof(packet), 1), hash);
    packet[3] ^= 1; /* flow label: no */
    hash = flow_hash(packet, sizeof(packet), 1);
    packet[3] ^= 1;
    assert_int_equal(flow_hash(packet, sizeof(packet), 1), hash);
    for (int n = 0; n < 20000; n++) { /* any bytes; the sanitizer watches */
        size_t len = (size_t)trace_uniform(&r, 0, sizeof(packet));
        uint8_t exact[60];

        for (size_t i = 0; i < len; i++) {
            exact[60 - len + i] = (uint8_t)rng_random(&r);
        }
        flow_hash(exact + 60 - len, len, 1);
    }
}

/* --- PI2 ---------------------------------------------------------------------------------------
 */

/* p' as by RFC 9332 A.1 with PI2's gains; classic p'^2, scalable k p'. */
static void test_pi2(void **state)
{
    struct aqm *a = open_aqm("pi2 ecn scalable");
    uint64_t seen[4] = {0}, marked[4] = {0};
    const double prob = 3.125 * 0.1 + 0.3125 * 0.08; /* 0.1 s, target 0.02 s: 0.3375 */
    struct aqm_stats s;

    (void)state;
    for (uint64_t i = 0; i < 3; i++) {
        a->ops->enqueue(a, trace_packet(&pool, 1500, ECN_NOT_ECT, 0), 0);
    }
    a->ops->update(a, 100 * MS);
    assert_int_equal(a->ops->next_update_ns(a), 132 * MS);
    assert_float_equal(stats_of(a, 0).prob, prob, 0.001);
    for (uint32_t i = 0; i < 80000; i++) {
        enum ecn ecn = (enum ecn)(i % 4);
        struct packet *p = trace_packet(&pool, 1500, ecn, i);

        seen[ecn]++;
        if (!a->ops->enqueue(a, p, 100 * MS)) {
            assert_int_equal(ecn, ECN_NOT_ECT); /* the only one that is dropped */
            marked[ecn]++;
            continue;
        }
        marked[ecn] += trace_packet_ecn(p) == ECN_CE;
        packet_pool_put(&pool, a->ops->dequeue(a, 100 * MS));
    }
    assert_float_equal((double)marked[ECN_NOT_ECT] / (double)seen[ECN_NOT_ECT], prob * prob, 0.01);
    assert_float_equal((double)marked[ECN_ECT0] / (double)seen[ECN_ECT0], prob * prob, 0.01);
    assert_float_equal((double)marked[ECN_ECT1] / (double)seen[ECN_ECT1], 2 * prob, 0.01);
    for (int i = 0; i < 100; i++) { /* p' is at most 1/k, and no ECT(1) is ever dropped */
        a->ops->update(a, 10000 * MS);
    }
    s = stats_of(a, 0);
    assert_float_equal(s.prob, 0.5, 1e-6);
    assert_int_equal(s.drop_aqm, marked[ECN_NOT_ECT]);
    close_aqm(a);
}

/* --- all of them -------------------------------------------------------------------------------
 */

/* What waits comes out by evict(), unjudged, all of it, and in each flow's order. */
static void test_evict(void **state)
{
    static const char *const specs[] = {"fifo",   "codel ce_threshold 0", "pie", "fq_codel", "pi2",
                                        "dualpi2"};

    (void)state;
    for (size_t n = 0; n < sizeof(specs) / sizeof(specs[0]); n++) {
        struct aqm *a = open_aqm(specs[n]);
        uint32_t last[4] = {0}, count = 0;
        struct packet *p;

        for (uint32_t i = 1; i <= 300; i++) {
            assert_true(a->ops->enqueue(
                a, flow_packet(1000, i % 4 == 1 ? ECN_ECT1 : ECN_ECT0, i, (uint8_t)(i % 4)), i));
        }
        p = a->ops->dequeue(a, 400); /* now in the middle of things */
        last[trace_packet_id(p) % 4] = trace_packet_id(p);
        packet_pool_put(&pool, p);
        while ((p = aqm_evict(a)) != NULL) {
            uint32_t id = trace_packet_id(p);

            assert_true(id > last[id % 4]);
            assert_int_equal(p->enqueue_ns, id);
            assert_int_not_equal(trace_packet_ecn(p), ECN_CE);
            last[id % 4] = id;
            packet_pool_put(&pool, p);
            count++;
        }
        assert_int_equal(count, 299);
        assert_int_equal(a->backlog_pkts, 0);
        assert_int_equal(a->backlog_bytes, 0);
        /* And it goes on working. */
        assert_true(a->ops->enqueue(a, flow_packet(1000, ECN_ECT0, 1, 1), 500));
        p = a->ops->dequeue(a, 500);
        assert_non_null(p);
        packet_pool_put(&pool, p);
        close_aqm(a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codel_control_law),
        cmocka_unit_test(test_codel_drops_by_the_law),
        cmocka_unit_test(test_codel_ecn),
        cmocka_unit_test(test_pie_tuning),
        cmocka_unit_test(test_pie_probability),
        cmocka_unit_test(test_pie_burst),
        cmocka_unit_test(test_pie_ecn),
        cmocka_unit_test(test_fq_fairness),
        cmocka_unit_test(test_fq_new_flows_first),
        cmocka_unit_test(test_fq_limit),
        cmocka_unit_test(test_flow_hash),
        cmocka_unit_test(test_pi2),
        cmocka_unit_test(test_evict),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
