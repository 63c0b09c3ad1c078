/* Specs: parsing, printing, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "testbed/link/aqm_spec.h"
#include "testbed/link/dualpi2.h"
#include "tests/testbed/link/link_trace.h"

static struct rng coins;

static const struct aqm_config config = {
    .mtu_bytes = LINK_MTU_BYTES,
    .rate_bps = 50000000,
    .base_rtt_us = 20000,
    .random = rng_random,
    .random_user = &coins,
};

/* Parse and print. False if it is no spec. */
static bool canon(const char *spec, const struct aqm_config *c, struct buf *out, struct error *err)
{
    struct aqm *a = NULL;
    enum status s = aqm_from_spec(spec, c, &a, err);

    buf_clear(out);
    if (s != STATUS_OK) {
        assert_null(a);
        return false;
    }
    aqm_describe(a, out);
    aqm_free(a);
    return true;
}

static void assert_canon(const char *spec, const char *expected)
{
    struct error err = {0};
    struct buf out;

    buf_init(&out, 4096);
    if (!canon(spec, &config, &out, &err)) {
        fail_msg("'%s': %s", spec, err.message);
    }
    assert_string_equal(out.data, expected);
    assert_int_equal(aqm_spec_check(spec, NULL), STATUS_OK);
    assert_true(canon(expected, &config, &out, &err));
    assert_string_equal(out.data, expected);
    buf_done(&out);
}

static void assert_refused(const char *spec, const char *message, const char *hint)
{
    struct aqm *a = NULL;
    struct error err = {0};

    assert_int_equal(aqm_from_spec(spec, &config, &a, &err), STATUS_USAGE);
    assert_null(a);
    if (strstr(err.message, message) == NULL || strstr(err.hint, hint) == NULL) {
        fail_msg("'%s' gives '%s', hint '%s'", spec, err.message, err.hint);
    }
    assert_int_equal(aqm_spec_check(spec, NULL), STATUS_USAGE);
}

/* In the words of iproute2's own output, at the defaults of the kernel. */
static void test_defaults(void **state)
{
    (void)state;
    assert_canon("dualpi2",
                 "dualpi2 limit 10000p memlimit 30000000B target 15ms tupdate 16ms "
                 "alpha 0.16015625 beta 3.19921875 step_thresh 1ms min_qlen_step 0p "
                 "coupling_factor 2 drop_on_overload drop_dequeue classic_protection 10% l4s_ect "
                 "split_gso");
    assert_canon("fifo", "fifo limit 1000p");
    assert_canon("codel", "codel limit 1000p target 5ms interval 100ms");
    assert_canon("pie", "pie limit 1000p target 15ms tupdate 15ms alpha 2 beta 20");
    assert_canon("fq_codel", "fq_codel limit 10240p flows 1024 quantum 1500 target 5ms "
                             "interval 100ms memory_limit 33554432B ecn drop_batch 64");
    assert_canon("pi2", "pi2 limit 10000p target 20ms tupdate 32ms alpha 0.3125 beta 3.125 "
                        "coupling_factor 2");
}

static void test_values(void **state)
{
    (void)state;
    assert_canon("dualpi2 alpha 0.16 beta 3.2 step_thresh 5p overflow drop_enqueue any_ect "
                 "classic_protection 25 no_split_gso memlimit 1mb limit 50pkt",
                 "dualpi2 limit 50p memlimit 1048576B target 15ms tupdate 16ms alpha 0.16015625 "
                 "beta 3.19921875 step_thresh 5p min_qlen_step 0p coupling_factor 2 overflow "
                 "drop_enqueue classic_protection 25% any_ect no_split_gso");
    /* RFC 9332, Appendix A.1: alpha = 0.1 * Tupdate / RTT_max^2, beta = 0.3 / RTT_max */
    assert_canon("dualpi2 l4s_aqm ramp max_rtt 100ms typical_rtt 15ms scheduler tsfifo range 1ms",
                 "dualpi2 limit 10000p memlimit 30000000B target 15ms tupdate 15ms "
                 "alpha 0.1484375 beta 3 step_thresh 1ms min_qlen_step 0p coupling_factor 2 "
                 "drop_on_overload drop_dequeue classic_protection 10% l4s_ect split_gso "
                 "l4s_aqm ramp range 1ms scheduler tsfifo");
    assert_canon("  codel\ttarget  1500us ce_threshold 0 ecn noecn interval 1.5s ",
                 "codel limit 1000p target 1.5ms ce_threshold 0us interval 1.5s");
    assert_canon("codel ecn", "codel limit 1000p target 5ms interval 100ms ecn");
    assert_canon("fq_codel noecn memory_limit 32Mb quantum 300",
                 "fq_codel limit 10240p flows 1024 quantum 300 target 5ms interval 100ms "
                 "memory_limit 33554432B noecn drop_batch 64");
    assert_canon("pie alpha 0 beta 32 ecn bytemode dq_rate_estimator",
                 "pie limit 1000p target 15ms tupdate 15ms alpha 0 beta 32 ecn bytemode "
                 "dq_rate_estimator");
    assert_canon("pi2 ecn scalable", "pi2 limit 10000p target 20ms tupdate 32ms alpha 0.3125 "
                                     "beta 3.125 coupling_factor 2 ecn scalable");
    /* k is 1024 as in tc(8). */
    assert_canon("fifo limit 250kb", "fifo limit 256000b");
    assert_canon("fifo limit 1500", "fifo limit 1500b");
    assert_canon("fifo limit 100p limit 1.5mb", "fifo limit 100p limit 1572864b");
    assert_canon("fifo limit 1.25bdp", "fifo limit 1.25bdp");
}

static void test_limits_of_the_configuration(void **state)
{
    struct aqm_config c = config;
    struct buf out;

    (void)state;
    buf_init(&out, 4096);
    c.limit_pkts = 77;
    c.limit_bytes = 88888;
    assert_true(canon("fifo", &c, &out, NULL));
    assert_string_equal(out.data, "fifo limit 77p limit 88888b");
    assert_true(canon("fifo limit 9p", &c, &out, NULL));
    assert_string_equal(out.data, "fifo limit 9p");
    assert_true(canon("dualpi2", &c, &out, NULL));
    assert_non_null(strstr(out.data, "dualpi2 limit 77p memlimit 88888B "));
    assert_true(canon("dualpi2 limit 5 memlimit 6kb", &c, &out, NULL));
    assert_non_null(strstr(out.data, "dualpi2 limit 5p memlimit 6144B "));
    assert_true(canon("codel", &c, &out, NULL));
    assert_non_null(strstr(out.data, "codel limit 77p "));
    buf_done(&out);
    assert_int_equal(aqm_spec_pkts("codel", &c), 77);
    assert_int_equal(aqm_spec_pkts("codel limit 12", &c), 12);
    assert_int_equal(aqm_spec_pkts("fifo limit 2000b", &c), 100);
    assert_int_equal(aqm_spec_pkts("dualpi2", &c), 88888 / sizeof(struct packet));
    assert_int_equal(aqm_spec_pkts("pie", &config), 1000);
    assert_int_equal(aqm_spec_pkts("no such", &config), 0);
}

static void test_refused(void **state)
{
    char longest[AQM_SPEC_MAX + 2];

    (void)state;
    assert_refused("", "empty", "tc");
    assert_refused(" \t", "empty", "tc");
    assert_refused("codle", "'codle'", "codel?");
    assert_refused("fq-codel", "unknown AQM", "fq_codel?");
    assert_refused("codel targt 5ms", "no option 'targt'", "'target'");
    assert_refused("dualpi2 step_treshold 1ms", "no option", "'step_thresh'");
    assert_refused("codel 5ms", "no option '5ms'", "");
    assert_refused("codel target", "needs a value", "");
    assert_refused("codel target 5", "'5'", "unit");
    assert_refused("codel target -5ms", "'-5ms'", "");
    assert_refused("codel target 61s", "'61s'", "");
    assert_refused("codel limit 0", "limit '0'", "1 to");
    assert_refused("codel limit p", "limit 'p'", "");
    assert_refused("codel limit 99999999999999999999", "range", "");
    assert_refused("dualpi2 coupling_factor 0", "coupling_factor", "1 to 255");
    assert_refused("dualpi2 classic_protection 101%", "classic_protection", "100%");
    assert_refused("dualpi2 alpha 0", "alpha", "Hz");
    assert_refused("dualpi2 alpha 1e3", "alpha", "Hz");
    assert_refused("dualpi2 step_thresh 5", "step_thresh", "5p");
    assert_refused("dualpi2 l4s_aqm slope", "l4s_aqm", "step or ramp");
    assert_refused("dualpi2 max_rtt 10ms typical_rtt 20ms", "longer", "");
    assert_refused("dualpi2 max_rtt 60s", "gains", "");
    assert_refused("dualpi2 max_rtt 10us", "gains", "");
    assert_refused("fifo limit 0", "limit", "100p");
    assert_refused("fifo limit 3furlongs", "limit", "2bdp");
    assert_refused("fifo limit bdp", "limit", "2bdp");
    assert_refused("fq_codel flows 65537", "flows", "65536");
    assert_refused("fq_codel quantum 255", "quantum", "256");
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    assert_refused(longest, "longer", "");
    longest[AQM_SPEC_MAX] = '\0';
    assert_refused(longest, "unknown AQM", "");
}

/* A limit in BDPs is a matter of rate and RTT: known to a link, not to a check. */
static void test_bdp(void **state)
{
    struct aqm_config c = config;
    struct packet_pool pool;
    struct error err = {0};
    struct aqm *a;
    cJSON *stats;

    (void)state;
    assert_int_equal(packet_pool_init(&pool, 1000, NULL), STATUS_OK);
    c.pool = &pool;
    assert_int_equal(aqm_from_spec("fifo limit 2bdp", &c, &a, NULL), STATUS_OK);
    /* 50 Mbit/s, 20 ms: 125000 bytes */
    stats = aqm_stats_json(a, 0);
    assert_true(cJSON_GetNumberValue(cJSON_GetObjectItem(stats, "limit_bytes")) == 250000);
    cJSON_Delete(stats);
    for (uint32_t i = 0; i < 250; i++) {
        assert_true(a->ops->enqueue(a, trace_packet(&pool, 1000, ECN_NOT_ECT, i), i));
    }
    assert_false(a->ops->enqueue(a, trace_packet(&pool, 40, ECN_NOT_ECT, 0), 1000));
    aqm_free(a);
    assert_int_equal(pool.in_use, 0);
    packet_pool_done(&pool);
    c.base_rtt_us = 0;
    assert_int_equal(aqm_spec_check("fifo limit 2bdp", NULL), STATUS_OK);
    assert_int_equal(aqm_from_spec("fifo limit 2bdp", &c, &a, &err), STATUS_USAGE);
    assert_non_null(strstr(err.message, "BDP"));
    c.base_rtt_us = 1;
    c.rate_bps = 0;
    assert_int_equal(aqm_from_spec("fifo limit 2bdp", &c, &a, &err), STATUS_USAGE);
}

/* --- round trip --------------------------------------------------------------------------------
 */

static uint64_t random_between(struct rng *r, uint64_t lo, uint64_t hi)
{
    uint64_t span = hi - lo, shift = trace_uniform(r, 0, 63);

    /* All magnitudes. */
    return lo + (rng_next_u64(r) >> shift) % (span + 1);
}

/* Write a random value for the option, as somebody might. */
static void put_random(struct buf *b, const struct aqm_option *o, struct rng *r)
{
    static const char *const times[] = {"us", "usec", "usecs"};
    static const char *const pkts[] = {"", "p", "pkt", "packets"};
    uint64_t v = random_between(r, o->min, o->max);

    buf_printf(b, " %s", o->name);
    switch (o->type) {
    case AQM_OPTION_COUNT:
        buf_printf(b, " %llu", (unsigned long long)v);
        break;
    case AQM_OPTION_PKTS:
        buf_printf(b, " %llu%s", (unsigned long long)v, pkts[trace_uniform(r, 0, 3)]);
        break;
    case AQM_OPTION_BYTES:
        buf_printf(b, " %llu%s", (unsigned long long)v, trace_uniform(r, 0, 1) ? "b" : "");
        break;
    case AQM_OPTION_TIME:
        buf_printf(b, " %llu%s", (unsigned long long)v, times[trace_uniform(r, 0, 2)]);
        break;
    case AQM_OPTION_HZ:
        buf_printf(b, " %llu.%08llu", (unsigned long long)v / 256,
                   (unsigned long long)v % 256 * 390625);
        break;
    case AQM_OPTION_PERCENT:
        buf_printf(b, " %llu%%", (unsigned long long)v);
        break;
    case AQM_OPTION_WORD:
        break;
    case AQM_OPTION_CHOICE:
        buf_printf(b, " %s", o->words[trace_uniform(r, 0, 1)]);
        break;
    case AQM_OPTION_LIMIT:
        buf_printf(b, " %llu%s", (unsigned long long)(v % 80000 + 1),
                   trace_uniform(r, 0, 2) == 0   ? "p"
                   : trace_uniform(r, 0, 1) == 0 ? "b"
                                                 : "bdp");
        break;
    case AQM_OPTION_THRESHOLD:
        buf_printf(b, " %llu%s", (unsigned long long)v, trace_uniform(r, 0, 1) ? "us" : "p");
        break;
    }
}

static void test_round_trip(void **state)
{
    struct rng r = {.state = 5};
    struct buf spec, once, twice;
    int options = 0;

    (void)state;
    buf_init(&spec, 4096);
    buf_init(&once, 4096);
    buf_init(&twice, 4096);
    for (int n = 0; n < 20000; n++) {
        const struct aqm_ops *ops = aqm_kinds[trace_uniform(&r, 0, 5)];
        struct error err = {0};

        buf_clear(&spec);
        buf_puts(&spec, ops->name);
        for (const struct aqm_option *o = ops->options; o->name != NULL && spec.len < 400; o++) {
            /* max_rtt goes with typical_rtt, and has bounds of its own: test_values. */
            if (trace_uniform(&r, 0, 1) == 0 && strstr(o->name, "_rtt") == NULL) {
                put_random(&spec, o, &r);
                options++;
            }
        }
        if (!canon(spec.data, &config, &once, &err)) {
            fail_msg("'%s': %s", spec.data, err.message);
        }
        assert_true(canon(once.data, &config, &twice, &err));
        assert_string_equal(once.data, twice.data);
    }
    assert_true(options > 50000);
    buf_done(&spec);
    buf_done(&once);
    buf_done(&twice);
}

/* Every number is kept exactly, not only stably. */
static void test_numbers_are_exact(void **state)
{
    struct rng r = {.state = 6};

    (void)state;
    for (int n = 0; n < 5000; n++) {
        uint64_t target = random_between(&r, 0, 60000000), alpha = random_between(&r, 1, 1u << 20);
        const struct dualpi2_params *p;
        char spec[256];
        struct aqm *a;

        snprintf(spec, sizeof(spec), "dualpi2 target %llu.%06llus alpha %.9f memlimit %llu",
                 (unsigned long long)target / 1000000, (unsigned long long)target % 1000000,
                 (double)alpha / 256, (unsigned long long)target + 1);
        assert_int_equal(aqm_from_spec(spec, &config, &a, NULL), STATUS_OK);
        p = a->params;
        assert_int_equal(p->target_us, target);
        assert_int_equal(p->alpha_256, alpha);
        assert_int_equal(p->memlimit_bytes, target + 1);
        aqm_free(a);
    }
}

/* --- robustness --------------------------------------------------------------------------------
 */

/* Random words of the grammar and of none: an AQM or an error with a message, never more. */
static void test_random_text(void **state)
{
    struct rng r = {.state = 7};
    struct buf out;
    int good = 0, bad = 0;

    (void)state;
    buf_init(&out, 4096);
    for (int n = 0; n < 60000; n++) {
        char spec[AQM_SPEC_MAX + 64] = "";
        size_t len = 0, words = (size_t)trace_uniform(&r, 0, 12);
        const struct aqm_ops *ops = aqm_kinds[trace_uniform(&r, 0, 5)];
        struct error err = {0};

        if (trace_uniform(&r, 0, 9) != 0) {
            len = (size_t)snprintf(spec, sizeof(spec), "%s", ops->name);
        }
        for (size_t w = 0; w < words && len + 100 < sizeof(spec); w++) {
            size_t count = 0;

            while (ops->options[count].name != NULL) {
                count++;
            }
            if (trace_uniform(&r, 0, 2) == 0) {
                len += (size_t)snprintf(spec + len, sizeof(spec) - len, " %s",
                                        ops->options[trace_uniform(&r, 0, count - 1)].name);
            } else if (trace_uniform(&r, 0, 2) == 0) {
                len += (size_t)snprintf(spec + len, sizeof(spec) - len, " %d%s",
                                        (int)trace_uniform(&r, 0, 2000),
                                        trace_uniform(&r, 0, 1) ? "ms" : "p");
            } else {
                size_t noise = (size_t)trace_uniform(&r, 1, 70);

                spec[len++] = ' ';
                while (noise-- > 0) {
                    spec[len++] = (char)trace_uniform(&r, 1, 255);
                }
                spec[len] = '\0';
            }
        }
        if (canon(spec, &config, &out, &err)) {
            good++;
        } else {
            bad++;
            assert_int_equal(err.status, STATUS_USAGE);
            assert_true(err.message[0] != '\0');
        }
    }
    assert_true(good > 1000 && bad > 10000);
    buf_done(&out);
}

/* --- statistics --------------------------------------------------------------------------------
 */

/* The names of `tc -j -s qdisc`. */
static void test_stats_json(void **state)
{
    static const struct {
        const char *spec, *names;
    } expected[] = {
        {"dualpi2", "prob delay-c delay-l pkts-in-c pkts-in-l maxq ecn-mark step-mark credit "
                    "memory-used max-memory-used memory-limit"},
        {"fifo", "limit_pkts"},
        {"codel", "count lastcount ldelay drop_next maxpacket ecn_mark drop_overlimit"},
        {"pie", "prob delay pkts_in overlimit dropped maxq ecn_mark"},
        {"pie dq_rate_estimator", "prob delay avg_dq_rate pkts_in overlimit dropped maxq ecn_mark"},
        {"fq_codel", "maxpacket drop_overlimit new_flow_count ecn_mark memory_used new_flows_len "
                     "old_flows_len"},
        {"pi2", "prob delay pkts_in overlimit dropped maxq ecn_mark scal_mark"},
    };
    struct aqm_config c = config;
    struct packet_pool pool;

    (void)state;
    assert_int_equal(packet_pool_init(&pool, 10, NULL), STATUS_OK);
    c.pool = &pool;
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        struct buf names;
        struct aqm *a;
        cJSON *stats;

        assert_int_equal(aqm_from_spec(expected[i].spec, &c, &a, NULL), STATUS_OK);
        assert_true(a->ops->enqueue(a, trace_packet(&pool, 100, ECN_ECT0, 1), 1000));
        stats = aqm_stats_json(a, 2000);
        assert_non_null(stats);
        buf_init(&names, 1000);
        for (const cJSON *item = stats->child; item != NULL; item = item->next) {
            buf_printf(&names, "%s%s", names.len == 0 ? "" : " ", item->string);
            assert_true(cJSON_IsNumber(item));
        }
        assert_string_equal(names.data, expected[i].names);
        buf_done(&names);
        cJSON_Delete(stats);
        aqm_free(a);
    }
    packet_pool_done(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_limits_of_the_configuration),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_bdp),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_numbers_are_exact),
        cmocka_unit_test(test_random_text),
        cmocka_unit_test(test_stats_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
