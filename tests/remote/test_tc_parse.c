/* What tc says, in every dialect, comes out as the same object.
 *
 * pfifo, bfifo, pfifo_fast, tbf, htb, mq: recorded from iproute2 6.1 with real qdiscs. dualpi2:
 * text and JSON of iproute2 7.1, and the text of the L4S team's fork, by the formats of their
 * q_dualpi2.c. codel, fq_codel, pie, red, fq: by the formats of iproute2's print functions. */
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/json.h"
#include "remote/tc_parse.h"

#define SENT                                                                                       \
    " Sent 183254112 bytes 121804 pkt (dropped 11, overlimits 2 requeues 1) \n"                    \
    " backlog 30280b 20p requeues 1\n"
#define SENT_JSON                                                                                  \
    ",\"bytes\":183254112,\"packets\":121804,\"drops\":11,\"overlimits\":2,\"requeues\":1,"        \
    "\"backlog\":30280,\"qlen\":20"

static cJSON *parse(const char *text)
{
    struct error e = {0};
    cJSON *out = NULL;
    enum status st = tc_qdisc_parse(text, strlen(text), &out, &e);
    if (st != STATUS_OK)
        fail_msg("%s: %s", e.message, text);
    return out;
}

/* Text has three digits of a time, so numbers may differ by half a percent. */
static void check_same(const cJSON *a, const cJSON *b, const char *what)
{
    if (cJSON_IsNumber(a) && cJSON_IsNumber(b)) {
        double slack = 0.005 * fabs(b->valuedouble) + 1e-6;
        if (fabs(a->valuedouble - b->valuedouble) > slack)
            fail_msg("%s: %g and %g", what, a->valuedouble, b->valuedouble);
    } else if (cJSON_IsObject(a) || cJSON_IsArray(a)) {
        assert_int_equal(cJSON_GetArraySize(a), cJSON_GetArraySize(b));
        const cJSON *d = b->child;
        for (const cJSON *c = a->child; c; c = c->next, d = d->next)
            check_same(c, cJSON_IsArray(a) ? d : json_get(b, c->string),
                       c->string ? c->string : what);
    } else if (!cJSON_Compare(a, b, true)) {
        char *left = cJSON_PrintUnformatted(a), *right = b ? cJSON_PrintUnformatted(b) : NULL;
        fail_msg("%s: %s and %s", what, left ? left : "nothing", right ? right : "nothing");
    }
}

/* text: what tc prints; json: what tc -j prints; want: what both must become, NULL: `json` itself.
 */
static const struct {
    const char *text, *json, *want;
} cases[] = {
    {"qdisc pfifo 8019: root refcnt 3 limit 77p\n"
     " Sent 0 bytes 0 pkt (dropped 0, overlimits 0 requeues 0) \n backlog 0b 0p requeues 0\n",
     "[{\"kind\":\"pfifo\",\"handle\":\"8019:\",\"root\":true,\"refcnt\":3,\"options\":{\"limit\":"
     "77},\"bytes\":0,\"packets\":0,\"drops\":0,\"overlimits\":0,\"requeues\":0,\"backlog\":0,"
     "\"qlen\":0}]",
     NULL},
    {"qdisc bfifo 801a: dev d0 root refcnt 3 limit 100000b\n"
     " Sent 90 bytes 1 pkt (dropped 0, overlimits 0 requeues 0) \n backlog 0b 0p requeues 0\n",
     "[{\"kind\":\"bfifo\",\"handle\":\"801a:\",\"dev\":\"d0\",\"root\":true,\"refcnt\":3,"
     "\"options\":{\"limit\":100000},\"bytes\":90,\"packets\":1,\"drops\":0,\"overlimits\":0,"
     "\"requeues\":0,\"backlog\":0,\"qlen\":0}]",
     NULL},
    {"qdisc tbf 801c: root refcnt 3 rate 50Mbit burst 10Kb lat 50ms \n" SENT,
     "[{\"kind\":\"tbf\",\"handle\":\"801c:\",\"root\":true,\"refcnt\":3,\"options\":{\"rate\":"
     "6250000,\"burst\":10237,\"lat\":50000}" SENT_JSON "}]",
     NULL},
    {"qdisc htb 801d: root refcnt 3 r2q 5 default 0x10 direct_packets_stat 0 direct_qlen "
     "1000\n" SENT,
     "[{\"kind\":\"htb\",\"handle\":\"801d:\",\"root\":true,\"refcnt\":3,\"options\":{\"r2q\":5,"
     "\"default\":\"0x10\",\"direct_packets_stat\":0,\"direct_qlen\":1000}" SENT_JSON "}]",
     NULL},
    /* Several, with children; what a card with two queues has by default. */
    {"qdisc mq 0: dev eth0 root \nqdisc pfifo_fast 0: dev eth0 parent :1 bands 3 priomap 1 2 2 2 1 "
     "2 "
     "0 0 1 1 1 1 1 1 1 1\n"
     "qdisc noqueue 0: dev lo root refcnt 2\n",
     "[{\"kind\":\"mq\",\"handle\":\"0:\",\"dev\":\"eth0\",\"root\":true,\"options\":{}},{\"kind\":"
     "\"pfifo_fast\",\"handle\":\"0:\",\"dev\":\"eth0\",\"parent\":\":1\",\"options\":{\"bands\":3,"
     "\"priomap\":[1,2,2,2,1,2,0,0,1,1,1,1,1,1,1,1]}},{\"kind\":\"noqueue\",\"handle\":\"0:\","
     "\"dev\":\"lo\",\"root\":true,\"refcnt\":2,\"options\":{}}]",
     NULL},
    {"qdisc codel 8001: dev eth0 root refcnt 2 limit 100p target 5ms ce_threshold 1ms interval "
     "100ms "
     "ecn \n" SENT "  count 3 lastcount 2 ldelay 5.17ms dropping drop_next -1.5ms\n"
     "  maxpacket 1514 ecn_mark 7 drop_overlimit 1 ce_mark 9\n",
     "[{\"kind\":\"codel\",\"handle\":\"8001:\",\"dev\":\"eth0\",\"root\":true,\"refcnt\":2,"
     "\"options\":{\"limit\":100,\"target\":5000,\"ce_threshold\":1000,\"interval\":100000,\"ecn\":"
     "true}" SENT_JSON ",\"count\":3,\"lastcount\":2,\"ldelay\":5173,\"dropping\":true,"
     "\"drop_next\":-1500,\"maxpacket\":1514,\"ecn_mark\":7,\"drop_overlimit\":1,\"ce_mark\":9}]",
     NULL},
    {"qdisc pie 8001: root refcnt 2 limit 1000p target 15ms tupdate 15ms alpha 2 beta 20 ecn "
     "bytemode \n" SENT "  prob 0.0125 delay 14ms\n"
     "  pkts_in 5 overlimit 0 dropped 1 maxq 9 ecn_mark 2\n",
     "[{\"kind\":\"pie\",\"handle\":\"8001:\",\"root\":true,\"refcnt\":2,\"options\":{\"limit\":"
     "1000,"
     "\"target\":15000,\"tupdate\":15000,\"alpha\":2,\"beta\":20,\"ecn\":true,\"bytemode\":"
     "true}" SENT_JSON
     ",\"prob\":0.0125,\"delay\":14000,\"pkts_in\":5,\"overlimit\":0,\"dropped\":1,"
     "\"maxq\":9,\"ecn_mark\":2}]",
     NULL},
    {"qdisc fq_codel 0: root refcnt 2 limit 10240p flows 1024 quantum 1514 target 5ms interval "
     "100ms "
     "memory_limit 32Mb ecn drop_batch 64 \n" SENT
     "  maxpacket 1514 drop_overlimit 0 new_flow_count 4 ecn_mark 1\n"
     "  new_flows_len 0 old_flows_len 2\n",
     "[{\"kind\":\"fq_codel\",\"handle\":\"0:\",\"root\":true,\"refcnt\":2,\"options\":{\"limit\":"
     "10240,\"flows\":1024,\"quantum\":1514,\"target\":4999,\"interval\":99999,\"memory_limit\":"
     "33554432,\"ecn\":true,\"drop_batch\":64}" SENT_JSON
     ",\"maxpacket\":1514,\"drop_overlimit\":0,"
     "\"new_flow_count\":4,\"ecn_mark\":1,\"new_flows_len\":0,\"old_flows_len\":2}]",
     NULL},
    {"qdisc red 8001: root refcnt 2 limit 400000b min 30000b max 90000b ecn \n" SENT
     "  marked 5 early 4 pdrop 3 other 2\n",
     "[{\"kind\":\"red\",\"handle\":\"8001:\",\"root\":true,\"refcnt\":2,\"options\":{\"limit\":"
     "400000,\"min\":30000,\"max\":90000,\"ecn\":true}" SENT_JSON ",\"marked\":5,\"early\":4,"
     "\"pdrop\":3,\"other\":2}]",
     NULL},
    /* The statistics of fq are prose: text has the counters alone. */
    {"qdisc fq 8002: dev eth0 root refcnt 2 limit 10000p flow_limit 100p buckets 1024 orphan_mask "
     "1023 "
     "quantum 3028b initial_quantum 15140b low_rate_threshold 550Kbit refill_delay 40ms "
     "timer_slack 10us horizon 10s horizon_drop\n" SENT
     "  16 flows (15 inactive, 1 throttled), next packet delay 1234 ns\n"
     "  0 gc, 0 highprio, 5 throttled, 1200 ns latency\n",
     "[{\"kind\":\"fq\",\"handle\":\"8002:\",\"dev\":\"eth0\",\"root\":true,\"refcnt\":2,"
     "\"options\":"
     "{\"limit\":10000,\"flow_limit\":100,\"buckets\":1024,\"orphan_mask\":1023,\"quantum\":3028,"
     "\"initial_quantum\":15140,\"low_rate_threshold\":68750,\"refill_delay\":40000,"
     "\"timer_slack\":10,\"horizon\":10000000,\"horizon_drop\":null}" SENT_JSON "}]",
     NULL},
    /* iproute2 6.17, and our own tc of a virtual router. */
    {"qdisc dualpi2 8001: dev bn1 root refcnt 2 limit 10000p memlimit 30280000B target 15ms "
     "tupdate 16ms alpha 0.156250 beta 3.195312 step_thresh 1ms min_qlen_step 0p "
     "coupling_factor 2 drop_on_overload drop_dequeue classic_protection 10% l4s_ect split_gso "
     "\n" SENT
     "prob 0.023438 delay_c 13580us delay_l 410us\npkts_in_c 28167 pkts_in_l 55791 maxq 61\n"
     "ecn_mark 2632 step_mark 1810\ncredit -121120 (L-queue)\n"
     "memory_used 46080 (max 140544) of memory limit 30280000\n\n",
     "[{\"kind\":\"dualpi2\",\"handle\":\"8001:\",\"dev\":\"bn1\",\"root\":true,\"refcnt\":2,"
     "\"options\":{\"limit\":10000,\"memory-limit\":30280000,\"target\":15000,\"tupdate\":16000,"
     "\"alpha\":0.15625,\"beta\":3.19531,\"step-thresh-us\":1000,\"min-qlen-step\":0,"
     "\"coupling\":2,\"drop-overload\":\"drop\",\"drop-early\":\"drop-dequeue\","
     "\"c-protection\":10,\"ecn-mask\":\"l4s-ect\",\"split-gso\":null}" SENT_JSON
     ",\"prob\":0.0234375,\"delay-c\":13580,\"delay-l\":410,\"pkts-in-c\":28167,"
     "\"pkts-in-l\":55791,\"maxq\":61,\"ecn-mark\":2632,\"step-mark\":1810,\"credit\":-121120,"
     "\"memory-used\":46080,\"max-memory-used\":140544,\"memory-limit\":30280000}]",
     "[{\"kind\":\"dualpi2\",\"handle\":\"8001:\",\"dev\":\"bn1\",\"root\":true,\"refcnt\":2,"
     "\"options\":{\"limit\":10000,\"memory_limit\":30280000,\"target\":15000,\"tupdate\":16000,"
     "\"alpha\":0.15625,\"beta\":3.19531,\"step_thresh_us\":1000,\"min_qlen_step\":0,"
     "\"coupling\":2,\"drop_overload\":\"drop\",\"drop_early\":\"drop-dequeue\","
     "\"c_protection\":10,\"ecn_mask\":\"l4s-ect\",\"split_gso\":true}" SENT_JSON
     ",\"prob\":0.0234375,\"delay_c\":13580,\"delay_l\":410,\"pkts_in_c\":28167,"
     "\"pkts_in_l\":55791,\"maxq\":61,\"ecn_mark\":2632,\"step_mark\":1810,\"credit\":-121120,"
     "\"memory_used\":46080,\"max_memory_used\":140544,\"memory_limit\":30280000}]"},
    /* The L4S team's fork has no JSON of it; the JSON here is of an early patch. */
    {"qdisc dualpi2 8001: root refcnt 2 limit 10000p target 15ms tupdate 16ms alpha 0.156250 "
     "beta 3.195312 any_ect coupling_factor 2 overflow step_thresh 5pkt drop_enqueue no_split_gso "
     "classic_protection 10% \n" SENT "prob 0.500000 delay_c 1us delay_l 2us\n"
     "pkts_in_c 3 pkts_in_l 4 maxq 5\necn_mark 6 step_marks 7\ncredit 8 (C)\n"
     "memory used 9 (max 10) of memory limit 11\n",
     "[{\"kind\":\"dualpi2\",\"handle\":\"8001:\",\"root\":true,\"refcnt\":2,\"options\":{"
     "\"limit\":"
     "10000,\"target\":15000,\"tupdate\":16000,\"alpha\":0.15625,\"beta\":3.19531,\"ecn_mask\":"
     "\"any-ect\",\"coupling_factor\":2,\"drop_overload\":false,\"step_thresh_pkts\":5,"
     "\"drop_early\":true,\"split_gso\":false,\"classic_protection\":10}" SENT_JSON
     ",\"prob\":0.5,\"delay_c\":1,\"delay_l\":2,\"pkts_in_c\":3,\"pkts_in_l\":4,\"maxq\":5,"
     "\"ecn_mark\":6,\"step_marks\":7,\"credit\":8,\"memory_used\":9,\"max_memory_used\":10,"
     "\"memory_limit\":11}]",
     "[{\"kind\":\"dualpi2\",\"handle\":\"8001:\",\"root\":true,\"refcnt\":2,\"options\":{"
     "\"limit\":"
     "10000,\"target\":15000,\"tupdate\":16000,\"alpha\":0.15625,\"beta\":3.19531,\"ecn_mask\":"
     "\"any-ect\",\"coupling\":2,\"drop_overload\":\"overflow\",\"step_thresh_pkts\":5,"
     "\"drop_early\":\"drop-enqueue\",\"split_gso\":false,\"c_protection\":10}" SENT_JSON
     ",\"prob\":0.5,\"delay_c\":1,\"delay_l\":2,\"pkts_in_c\":3,\"pkts_in_l\":4,\"maxq\":5,"
     "\"ecn_mark\":6,\"step_mark\":7,\"credit\":8,\"memory_used\":9,\"max_memory_used\":10,"
     "\"memory_limit\":11}]"},
};

static void dialects(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cJSON *text = parse(cases[i].text), *json = parse(cases[i].json);
        check_same(text, json, "text and JSON");
        check_same(json, text, "JSON and text");
        if (cases[i].want) {
            cJSON *want = cJSON_Parse(cases[i].want);
            check_same(want, json, "wanted and JSON");
            check_same(json, want, "JSON and wanted");
            cJSON_Delete(want);
        }
        cJSON_Delete(text);
        cJSON_Delete(json);
    }
}

/* Exact where tc is exact. */
static void values(void **state)
{
    (void)state;
    cJSON *list =
        parse("qdisc tbf 1: dev a root refcnt 2 rate 60Mbit burst 5Kb peakrate 1Gbit "
              "minburst 1537b lat 3.89ms \nqdisc fq_codel 2: dev a parent 1:1 limit 5p "
              "[cannot parse qdisc parameters] \n rate 0bit 0pps backlog 3b 4p requeues 0");
    const cJSON *tbf = cJSON_GetArrayItem(list, 0), *child = cJSON_GetArrayItem(list, 1);
    const cJSON *o = json_get(tbf, "options");
    assert_true(json_num(o, "rate", 0) == 7500000);
    assert_true(json_num(o, "burst", 0) == 5120);
    assert_true(json_num(o, "peakrate", 0) == 125000000);
    assert_true(json_num(o, "minburst", 0) == 1537);
    assert_true(json_num(o, "lat", 0) == 3890);
    assert_string_equal(json_str(child, "parent", ""), "1:1");
    assert_null(json_get(child, "root"));
    assert_true(json_num(child, "backlog", 0) == 3 && json_num(child, "qlen", 0) == 4);
    cJSON_Delete(list);
    list = parse("");
    assert_int_equal(cJSON_GetArraySize(list), 0);
    cJSON_Delete(list);
    list = parse("[ ]\n");
    assert_int_equal(cJSON_GetArraySize(list), 0);
    cJSON_Delete(list);
}

static void refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *word;
    } bad[] = {
        /* The L4S team's tc with -j: text in the middle of JSON. */
        {"[{\"kind\":\"dualpi2\",\"handle\":\"8001:\",\"root\":true,\"options\":{limit 10000p "
         "target 15ms }}]",
         "-j"},
        {"{\"kind\":\"pfifo\"}", "list"},
        {"[7]", "no qdisc"},
        {"[{\"handle\":\"1:\"}]", "no qdisc"},
        {"[{\"kind\":\"a\",\"options\":3}]", "no qdisc"},
        {"[{\"kind\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}]", "no qdisc"},
        {"Option \"-j\" is unknown, try \"tc -help\".\n", "not what tc"},
        {"qdisc pfifo\n", "'qdisc'"},
        {"qdisc pfifo root 8001\n", "'qdisc'"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct error e = {0};
        cJSON *out = (cJSON *)1;
        assert_int_equal(tc_qdisc_parse(bad[i].text, strlen(bad[i].text), &out, &e), STATUS_INPUT);
        assert_null(out);
        if (!strstr(e.message, bad[i].word) && !strstr(e.hint, bad[i].word))
            fail_msg("%s, %s: %s", bad[i].text, e.message, e.hint);
    }
    struct error e = {0};
    cJSON *out;
    assert_int_equal(tc_qdisc_parse("qdisc a 1: \0 x", 14, &out, &e), STATUS_INPUT);
}

static void bounded(void **state)
{
    (void)state;
    struct buf b;
    struct error e = {0};
    cJSON *out;
    buf_init(&b, 16u << 20);
    for (int i = 0; i < 5000; i++)
        buf_puts(&b, "qdisc pfifo 1: dev a root\n");
    assert_int_equal(tc_qdisc_parse(b.data, b.len, &out, &e), STATUS_INPUT);
    buf_clear(&b);
    buf_puts(&b, "qdisc pfifo 1: root");
    for (int i = 0; i < 300; i++)
        buf_printf(&b, " w%d", i);
    assert_int_equal(tc_qdisc_parse(b.data, b.len, &out, &e), STATUS_INPUT);
    buf_clear(&b);
    while (b.len <= 4u << 20)
        buf_puts(&b, "                                                                       ");
    assert_int_equal(tc_qdisc_parse(b.data, b.len, &out, &e), STATUS_INPUT);
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dialects),
        cmocka_unit_test(values),
        cmocka_unit_test(refused),
        cmocka_unit_test(bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
