/* From what tc says to the commands that make it again, and what a sample of it says. */
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on
#include <string.h>

#include "core/buf.h"
#include "core/json.h"
#include "remote/qdisc_watch.h"
#include "remote/tc_parse.h"
#include "remote/tc_rebuild.h"

static cJSON *parse(const char *text)
{
    struct error e;
    cJSON *out;
    if (tc_qdisc_parse(text, strlen(text), &out, &e) != STATUS_OK)
        fail_msg("%s", e.message);
    return out;
}

static const struct {
    const char *text, *commands; /* a line each; '?' before one that may fail. NULL: refused */
    const char *why;
} cases[] = {
    {"qdisc noqueue 0: root refcnt 2", "?tc qdisc del dev e root\n", NULL},
    {"qdisc fq_codel 0: root refcnt 2 limit 10240p flows 1024 quantum 1514 target 5ms interval "
     "100ms "
     "memory_limit 32Mb ecn drop_batch 64",
     "?tc qdisc del dev e root\n", NULL},
    {"qdisc mq 0: root\nqdisc fq_codel 0: parent :1 limit 10240p\nqdisc clsact ffff: parent "
     "ffff:fff1",
     "?tc qdisc del dev e root\n", NULL},
    {"qdisc pfifo 8019: root refcnt 3 limit 77p",
     "?tc qdisc del dev e root\ntc qdisc add dev e root handle 8019: pfifo limit 77\n", NULL},
    {"[{\"kind\":\"fq_codel\",\"handle\":\"8001:\",\"root\":true,\"refcnt\":2,\"options\":{"
     "\"limit\":"
     "10240,\"flows\":1024,\"quantum\":1514,\"target\":4999,\"ce_threshold\":1234,\"interval\":"
     "99999,"
     "\"memory_limit\":33554432,\"drop_batch\":64}}]",
     "?tc qdisc del dev e root\ntc qdisc add dev e root handle 8001: fq_codel limit 10240 flows "
     "1024 "
     "quantum 1514 target 5000us ce_threshold 1234us interval 100000us memory_limit 33554432 noecn "
     "drop_batch 64\n",
     NULL},
    {"[{\"kind\":\"fq\",\"handle\":\"8002:\",\"root\":true,\"refcnt\":2,\"options\":{\"limit\":"
     "10000,"
     "\"flow_limit\":100,\"buckets\":1024,\"orphan_mask\":1023,\"bands\":3,\"priomap\":[1,2,0],"
     "\"quantum\":3028,\"low_rate_threshold\":68750,\"refill_delay\":40000,\"horizon_drop\":null}}"
     "]",
     "?tc qdisc del dev e root\ntc qdisc add dev e root handle 8002: fq limit 10000 flow_limit 100 "
     "buckets 1024 orphan_mask 1023 bands 3 priomap 1 2 0 quantum 3028 low_rate_threshold 68750bps "
     "refill_delay 40000us horizon_drop\n",
     NULL},
    {"qdisc dualpi2 8001: dev bn1 root refcnt 2 limit 10000p memlimit 30280000B target 15ms "
     "tupdate 16ms alpha 0.156250 beta 3.195312 step_thresh 1ms min_qlen_step 0p "
     "coupling_factor 2 drop_on_overload drop_dequeue classic_protection 10% l4s_ect no_split_gso",
     "?tc qdisc del dev e root\ntc qdisc add dev e root handle 8001: dualpi2 limit 10000 memlimit "
     "30280000 target 15000us tupdate 16000us alpha 0.15625000 beta 3.19531250 step_thresh 1000us "
     "min_qlen_step 0 coupling_factor 2 drop_on_overload drop_dequeue classic_protection 10% "
     "l4s_ect "
     "no_split_gso\n",
     NULL},
    {"qdisc dualpi2 8001: root refcnt 2 limit 10p step_thresh 5pkt overflow drop_enqueue any_ect",
     "?tc qdisc del dev e root\ntc qdisc add dev e root handle 8001: dualpi2 limit 10 step_thresh "
     "5pkt "
     "overflow drop_enqueue any_ect no_split_gso\n",
     NULL},
    {"qdisc tbf 801c: root refcnt 3 rate 50Mbit burst 10Kb lat 50ms", NULL, "tc does not tell all"},
    {"qdisc htb 1: root refcnt 2 r2q 10 default 0x1\nqdisc dualpi2 10: parent 1:1 limit 3p", NULL,
     "queues below it"},
    {"qdisc mq 0: root\nqdisc fq_codel 8001: parent :1 limit 10240p", NULL, "queues below it"},
    {"qdisc dualpi2 8001: root refcnt 2", NULL, "does not tell its options"},
    {"qdisc codel 8001: root refcnt 2 limit 5p telepathy 3", NULL, "telepathy is not known"},
    {"[{\"kind\":\"codel\",\"handle\":\"1:\",\"root\":true,\"options\":{\"limit\":\"x\"}}]", NULL,
     "odd value"},
    {"[{\"kind\":\"dualpi2\",\"handle\":\"1:\",\"root\":true,\"options\":{\"drop_early\":7}}]",
     NULL, "odd value"},
};

static void rebuilds(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cJSON *list = parse(cases[i].text), *steps;
        struct error e;
        enum status st = tc_rebuild(list, "e", &steps, &e);
        if (!cases[i].commands) {
            assert_int_equal(st, STATUS_UNAVAILABLE);
            assert_null(steps);
            if (!strstr(e.message, cases[i].why))
                fail_msg("%s: %s", cases[i].text, e.message);
        } else {
            struct buf b;
            const cJSON *step, *word;
            if (st != STATUS_OK)
                fail_msg("%s: %s", cases[i].text, e.message);
            buf_init(&b, 65536);
            cJSON_ArrayForEach(step, steps)
            {
                buf_puts(&b, json_bool(step, "may_fail", false) ? "?" : "");
                cJSON_ArrayForEach(word, json_get(step, "argv"))
                    buf_printf(&b, "%s%s", word->prev->next ? " " : "", word->valuestring);
                buf_puts(&b, "\n");
            }
            assert_string_equal(b.data, cases[i].commands);
            buf_done(&b);
        }
        cJSON_Delete(steps);
        cJSON_Delete(list);
    }
}

static bool same(const char *x, const char *y)
{
    cJSON *a = parse(x), *b = parse(y);
    bool is_same = tc_is_same(a, b);
    assert_int_equal(is_same, tc_is_same(b, a));
    cJSON_Delete(a);
    cJSON_Delete(b);
    return is_same;
}

static void compares(void **state)
{
    (void)state;
    assert_true(same("", ""));
    assert_false(same("", "qdisc pfifo 1: root limit 3p"));
    assert_true(same("qdisc pfifo 1: root refcnt 2 limit 3p",
                     "qdisc pfifo 8001: root refcnt 5 limit 3p\n"
                     " Sent 1 bytes 1 pkt (dropped 0, overlimits 0 requeues 0)"));
    assert_false(same("qdisc pfifo 1: root limit 3p", "qdisc pfifo 0: root limit 3p"));
    assert_false(same("qdisc pfifo 1: root limit 30p", "qdisc pfifo 1: root limit 33p"));
    assert_false(same("qdisc pfifo 1: root limit 3p", "qdisc bfifo 1: root limit 3b"));
    assert_false(same("qdisc codel 1: root limit 3p ecn", "qdisc codel 1: root limit 3p"));
    assert_true(same("[{\"kind\":\"codel\",\"handle\":\"1:\",\"options\":{\"target\":4999}}]",
                     "[{\"kind\":\"codel\",\"handle\":\"1:\",\"options\":{\"target\":5000}}]"));
}

static void samples(void **state)
{
    (void)state;
    double bytes = -1;
    cJSON *list =
        parse("qdisc htb 1: root refcnt 2\n Sent 1000 bytes 9 pkt (dropped 1, overlimits 0 "
              "requeues 0)\n backlog 5b 6p requeues 0\n"
              "qdisc dualpi2 10: parent 1:1 limit 3p\n Sent 900 bytes 8 pkt (dropped 7, "
              "overlimits 0 requeues 0)\n backlog 4b 3p requeues 0\n"
              "prob 0.5 delay_c 10us delay_l 20us\npkts_in_c 1 pkts_in_l 2 maxq 3\n"
              "ecn_mark 6 step_mark 5");
    cJSON *v = qdisc_watch_values(list, &bytes, 0.1);
    assert_true(cJSON_IsNull(json_get(v, "rate_bps")) && bytes == 1000);
    assert_true(json_num(v, "drop", 0) == 7 && json_num(v, "backlog_pkts", 0) == 3);
    assert_true(json_num(v, "prob", 0) == 0.5 && json_num(v, "delay_l_us", 0) == 20);
    assert_true(json_num(v, "pkts_l", 0) == 2 && json_num(v, "step_mark", 0) == 5);
    cJSON_Delete(v);
    bytes = 500;
    v = qdisc_watch_values(list, &bytes, 0.5);
    assert_true(json_num(v, "rate_bps", 0) == 8000);
    cJSON_Delete(v);
    bytes = 5000; /* another queue since: its counters began anew */
    v = qdisc_watch_values(list, &bytes, 0.5);
    assert_true(cJSON_IsNull(json_get(v, "rate_bps")));
    cJSON_Delete(v);
    cJSON_Delete(list);
    list = parse("qdisc pie 1: root limit 3p\n prob 0.25 delay 14ms\n pkts_in 5 maxq 9 ecn_mark 2");
    v = qdisc_watch_values(list, &bytes, 0.5);
    assert_true(json_num(v, "delay_c_us", 0) == 14000 && json_num(v, "ecn_mark", 0) == 2);
    assert_true(bytes < 0 && !json_get(v, "step_mark"));
    cJSON_Delete(v);
    cJSON_Delete(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rebuilds),
        cmocka_unit_test(compares),
        cmocka_unit_test(samples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
