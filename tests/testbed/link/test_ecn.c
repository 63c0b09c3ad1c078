/* The ECN field: marking is right to the bit, and no bytes whatever do harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "testbed/link/direction.h"
#include "testbed/link/dualpi2.h"
#include "tests/testbed/link/link_trace.h"

static void test_ipv4_all_header_lengths(void **state)
{
    struct rng r = {.state = 1};

    (void)state;
    for (size_t header = 20; header <= 60; header += 4) {
        for (int n = 0; n < 2000; n++) {
            uint8_t before[128], after[128];
            size_t len = header + (size_t)trace_uniform(&r, 0, 60);
            enum ecn ecn = (enum ecn)trace_uniform(&r, 0, 3), seen;
            enum ecn_mark mark;

            trace_ipv4(before, len, header, ecn, &r);
            memcpy(after, before, len);
            assert_int_equal(trace_ipv4_sum(before), 0xffff);
            assert_true(ecn_read(before, len, &seen));
            assert_int_equal(seen, ecn);
            mark = ecn_set_ce(after, len);
            if (ecn == ECN_NOT_ECT || ecn == ECN_CE) {
                assert_int_equal(mark, ecn == ECN_CE ? ECN_MARK_ALREADY : ECN_MARK_REFUSED);
                assert_memory_equal(before, after, len);
                continue;
            }
            assert_int_equal(mark, ECN_MARK_SET);
            assert_int_equal(after[1], before[1] | 3);
            assert_int_equal(trace_ipv4_sum(after), 0xffff);
            /* 0xffff would sum up just as well, but a fresh computation never gives it. */
            assert_false(after[10] == 0xff && after[11] == 0xff);
            before[1] = after[1];
            memcpy(before + 10, after + 10, 2);
            assert_memory_equal(before, after, len);
        }
    }
}

/* Every value of the checksum, reached through the identification field. */
static void test_ipv4_all_checksums(void **state)
{
    struct rng r = {.state = 2};
    uint8_t base[20];

    (void)state;
    trace_ipv4(base, sizeof(base), 20, ECN_ECT1, &r);
    for (uint32_t id = 0; id <= 0xffff; id++) {
        uint8_t d[20];
        uint32_t sum;

        memcpy(d, base, sizeof(d));
        d[4] = (uint8_t)(id >> 8);
        d[5] = (uint8_t)id;
        d[10] = d[11] = 0;
        sum = ~trace_ipv4_sum(d);
        d[10] = (uint8_t)(sum >> 8);
        d[11] = (uint8_t)sum;
        assert_int_equal(ecn_set_ce(d, sizeof(d)), ECN_MARK_SET);
        assert_int_equal(trace_ipv4_sum(d), 0xffff);
    }
}

static void test_ipv4_wrong_checksum_stays_wrong(void **state)
{
    struct rng r = {.state = 3};
    uint8_t d[40];

    (void)state;
    trace_ipv4(d, sizeof(d), 20, ECN_ECT0, &r);
    d[10] ^= 0x40;
    assert_int_equal(ecn_set_ce(d, sizeof(d)), ECN_MARK_SET);
    assert_int_not_equal(trace_ipv4_sum(d), 0xffff);
}

static void test_ipv6(void **state)
{
    struct rng r = {.state = 4};

    (void)state;
    for (int n = 0; n < 20000; n++) {
        uint8_t before[128], after[128];
        size_t len = 40 + (size_t)trace_uniform(&r, 0, 80);
        enum ecn ecn = (enum ecn)trace_uniform(&r, 0, 3), seen;
        enum ecn_mark mark;

        trace_ipv6(before, len, ecn, &r);
        memcpy(after, before, len);
        assert_true(ecn_read(before, len, &seen));
        assert_int_equal(seen, ecn);
        mark = ecn_set_ce(after, len);
        assert_int_equal(mark, ecn == ECN_NOT_ECT ? ECN_MARK_REFUSED
                               : ecn == ECN_CE    ? ECN_MARK_ALREADY
                                                  : ECN_MARK_SET);
        if (mark == ECN_MARK_SET) {
            before[1] |= 0x30;
        }
        assert_memory_equal(before, after, len);
    }
}

static void test_malformed(void **state)
{
    struct rng r = {.state = 5};
    uint8_t v4[64], v6[64];
    enum ecn ecn;

    (void)state;
    trace_ipv4(v4, sizeof(v4), 24, ECN_ECT1, &r);
    trace_ipv6(v6, sizeof(v6), ECN_ECT1, &r);
    for (size_t len = 0; len < sizeof(v4); len++) {
        assert_false(ecn_read(v4, len, &ecn));
        assert_false(ecn_read(v6, len, &ecn));
    }
    v4[0] = 0x44; /* a header of 16 bytes */
    assert_false(ecn_read(v4, sizeof(v4), &ecn));
    v4[0] = 0x4f;
    v4[3] = 59; /* shorter than its header */
    assert_false(ecn_read(v4, sizeof(v4), &ecn));
    v4[3] = 60;
    assert_true(ecn_read(v4, sizeof(v4), &ecn));
    v4[0] = 0x50;
    assert_false(ecn_read(v4, sizeof(v4), &ecn));
    assert_int_equal(ecn_set_ce(v4, sizeof(v4)), ECN_MARK_REFUSED);
}

/* 200 000 packets, random, cut, or damaged, through a whole direction whose controller marks and
 * drops as hard as it can. Each in an allocation of its own size for the sanitizer's sake when it
 * goes through the parser alone. */
static void test_hostile(void **state)
{
    struct rng r = {.state = 6};
    struct dualpi2_params params;
    struct direction d;
    struct aqm_stats stats;
    uint64_t now_ns = 0, sent = 0;

    (void)state;
    aqm_params_default(&dualpi2_ops, &params);
    params.alpha_256 = params.beta_256 = 1u << 20;
    params.target_us = params.step_thresh.value = 0;
    assert_int_equal(direction_init(&d, 20000000, 1000, 200, NULL), STATUS_OK);
    assert_int_equal(aqm_from_params(&dualpi2_ops, &params,
                                     &(struct aqm_config){.pool = &d.pool,
                                                          .limit_pkts = 200,
                                                          .mtu_bytes = LINK_MTU_BYTES,
                                                          .random = rng_random,
                                                          .random_user = &r},
                                     &d.aqm, NULL),
                     STATUS_OK);
    for (int n = 0; n < 200000; n++) {
        uint8_t full[PACKET_BYTES_MAX];
        size_t len = (size_t)trace_uniform(&r, 20, n % 8 == 0 ? PACKET_BYTES_MAX : 100), cut = len;
        struct packet *p = direction_buffer(&d);
        uint8_t *exact;
        enum ecn ecn;

        switch (trace_uniform(&r, 0, 3)) {
        case 0: /* noise that claims to be IP */
            for (size_t i = 0; i < len; i++) {
                full[i] = (uint8_t)rng_random(&r);
            }
            full[0] = (uint8_t)((trace_uniform(&r, 0, 1) ? 0x40 : 0x60) | (full[0] & 15));
            break;
        case 1:
            trace_ipv4(full, len, 20, (enum ecn)trace_uniform(&r, 0, 3), &r);
            break;
        case 2:
            len = cut = len < 40 ? 40 : len;
            trace_ipv6(full, len, (enum ecn)trace_uniform(&r, 0, 3), &r);
            break;
        default: /* one bit flipped in the header, and cut */
            trace_ipv4(full, len, 20, (enum ecn)trace_uniform(&r, 0, 3), &r);
            full[trace_uniform(&r, 0, 19)] ^= (uint8_t)(1u << trace_uniform(&r, 0, 7));
            cut = (size_t)trace_uniform(&r, 0, len);
        }
        exact = malloc(cut != 0 ? cut : 1);
        assert_non_null(exact);
        memcpy(exact, full, cut);
        if (!ecn_read(exact, cut, &ecn)) {
            assert_int_equal(ecn_set_ce(exact, cut), ECN_MARK_REFUSED);
            assert_memory_equal(exact, full, cut);
        } else {
            assert_int_equal(ecn_set_ce(exact, cut) == ECN_MARK_REFUSED, ecn == ECN_NOT_ECT);
        }
        free(exact);

        now_ns += trace_uniform(&r, 0, 100000);
        if (p == NULL) {
            direction_lost(&d, cut);
        } else {
            memcpy(p->data, full, cut);
            p->len_bytes = (uint32_t)cut;
            direction_offer(&d, p, now_ns);
        }
        while ((p = direction_take_due(&d, now_ns)) != NULL) {
            assert_true(ecn_read(p->data, p->len_bytes, &ecn));
            direction_sent(&d, p, now_ns - p->due_ns, true);
            sent++;
        }
    }
    d.aqm->ops->stats(d.aqm, now_ns, &stats);
    assert_int_equal(d.totals.in_pkts, 200000);
    assert_true(d.totals.malformed > 50000);
    assert_true(stats.ecn_mark > 0 && stats.step_mark > 0 && stats.drop_aqm > 0);
    /* Nothing is lost without a counter saying so, and no buffer leaks. */
    assert_int_equal(d.totals.in_pkts, d.totals.malformed + d.totals.no_buffer + stats.drop_aqm +
                                           stats.drop_overlimit + d.aqm->backlog_pkts +
                                           d.line.count + (d.sending != NULL) + sent);
    assert_int_equal(d.pool.in_use, d.aqm->backlog_pkts + d.line.count + (d.sending != NULL));
    direction_done(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ipv4_all_header_lengths),
        cmocka_unit_test(test_ipv4_all_checksums),
        cmocka_unit_test(test_ipv4_wrong_checksum_stays_wrong),
        cmocka_unit_test(test_ipv6),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_hostile),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
