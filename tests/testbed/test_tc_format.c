/* What our tc prints, letter by letter, against what iproute2 prints.
 *
 * pfifo, bfifo: seen with iproute2 6.1 and real qdiscs. dualpi2: iproute2 7.1 fed with a netlink
 * message of the kernel. codel, pie, fq_codel: the order, names and formats of
 * iproute2's print functions. */
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on
#include <string.h>

#include "testbed/tc_format.h"

#define QUEUE                                                                                      \
    "\"out_bytes\":183254112,\"out_pkts\":121804,\"drop\":11,\"backlog_bytes\":30280,"             \
    "\"backlog_pkts\":20,"
#define SENT                                                                                       \
    " Sent 183254112 bytes 121804 pkt (dropped 11, overlimits 0 requeues 0) \n"                    \
    " backlog 30280b 20p requeues 0\n"
#define SENT_JSON                                                                                  \
    ",\"bytes\":183254112,\"packets\":121804,\"drops\":11,\"overlimits\":0,\"requeues\":0,"        \
    "\"backlog\":30280,\"qlen\":20"

static const struct {
    const char *direction, *text, *json;
} cases[] = {
    {"{" QUEUE "\"aqm\":\"dualpi2 limit 10000p memlimit 30280000B target 15ms tupdate 16ms "
     "alpha 0.15625 beta 3.1953125 step_thresh 1ms min_qlen_step 0p coupling_factor 2 "
     "drop_on_overload drop_dequeue classic_protection 10% l4s_ect split_gso\",\"stats\":{"
     "\"prob\":0.0234375,\"delay-c\":13580,\"delay-l\":410,\"pkts-in-c\":28167,"
     "\"pkts-in-l\":55791,\"maxq\":61,\"ecn-mark\":2632,\"step-mark\":1810,\"credit\":-121120,"
     "\"memory-used\":46080,\"max-memory-used\":140544,\"memory-limit\":30280000}}",
     "qdisc dualpi2 8001: dev eth0 root refcnt 2 limit 10000p memlimit 30280000B target 15ms "
     "tupdate 16ms alpha 0.156250 beta 3.195312 step_thresh 1ms min_qlen_step 0p "
     "coupling_factor 2 drop_on_overload drop_dequeue classic_protection 10% l4s_ect split_gso "
     "\n" SENT "prob 0.023438 delay_c 13580us delay_l 410us\n"
     "pkts_in_c 28167 pkts_in_l 55791 maxq 61\n"
     "ecn_mark 2632 step_mark 1810\n"
     "credit -121120 (L-queue)\n"
     "memory_used 46080 (max 140544) of memory limit 30280000\n\n",
     "{\"kind\":\"dualpi2\",\"handle\":\"8001:\",\"dev\":\"eth0\",\"root\":true,\"refcnt\":2,"
     "\"options\":{\"limit\":10000,\"memory-limit\":30280000,\"target\":15000,\"tupdate\":16000,"
     "\"alpha\":0.15625,\"beta\":3.19531,\"step-thresh-us\":1000,\"min-qlen-step\":0,"
     "\"coupling\":2,\"drop-overload\":\"drop\",\"drop-early\":\"drop-dequeue\","
     "\"c-protection\":10,\"ecn-mask\":\"l4s-ect\",\"split-gso\":null}" SENT_JSON
     ",\"prob\":0.0234375,\"delay-c\":13580,\"delay-l\":410,\"pkts-in-c\":28167,"
     "\"pkts-in-l\":55791,\"maxq\":61,\"ecn-mark\":2632,\"step-mark\":1810,\"credit\":-121120,"
     "\"memory-used\":46080,\"max-memory-used\":140544,\"memory-limit\":30280000}"},
    {"{\"aqm\":\"dualpi2 limit 10p step_thresh 5p overflow drop_enqueue any_ect no_split_gso\"}",
     "qdisc dualpi2 8001: dev eth0 root refcnt 2 limit 10p step_thresh 5p overflow drop_enqueue "
     "any_ect no_split_gso \n Sent 0 bytes 0 pkt (dropped 0, overlimits 0 requeues 0) \n"
     " backlog 0b 0p requeues 0\n\n",
     "{\"kind\":\"dualpi2\",\"handle\":\"8001:\",\"dev\":\"eth0\",\"root\":true,\"refcnt\":2,"
     "\"options\":{\"limit\":10,\"step-thresh-pkts\":5,\"drop-overload\":\"overflow\","
     "\"drop-early\":\"drop-enqueue\",\"ecn-mask\":\"any-ect\"},\"bytes\":0,\"packets\":0,"
     "\"drops\":0,\"overlimits\":0,\"requeues\":0,\"backlog\":0,\"qlen\":0}"},
    {"{" QUEUE "\"aqm\":\"fifo limit 77p\",\"stats\":{}}",
     "qdisc pfifo 8001: dev eth0 root refcnt 2 limit 77p\n" SENT,
     "{\"kind\":\"pfifo\",\"handle\":\"8001:\",\"dev\":\"eth0\",\"root\":true,\"refcnt\":2,"
     "\"options\":{\"limit\":77}" SENT_JSON "}"},
    {"{" QUEUE "\"aqm\":\"fifo limit 256000b\",\"stats\":{}}",
     "qdisc bfifo 8001: dev eth0 root refcnt 2 limit 250Kb\n" SENT,
     "{\"kind\":\"bfifo\",\"handle\":\"8001:\",\"dev\":\"eth0\",\"root\":true,\"refcnt\":2,"
     "\"options\":{\"limit\":256000}" SENT_JSON "}"},
    {"{" QUEUE "\"aqm\":\"fifo limit 100000b\",\"stats\":{}}",
     "qdisc bfifo 8001: dev eth0 root refcnt 2 limit 100000b\n" SENT,
     "{\"kind\":\"bfifo\",\"handle\":\"8001:\",\"dev\":\"eth0\",\"root\":true,\"refcnt\":2,"
     "\"options\":{\"limit\":100000}" SENT_JSON "}"},
    {"{" QUEUE "\"aqm\":\"codel limit 100p target 5ms interval 100ms ecn ce_threshold 1ms\","
     "\"stats\":{\"count\":3,\"lastcount\":2,\"ldelay\":5170,\"dropping\":true,"
     "\"drop_next\":-1500,\"maxpacket\":1514,\"ecn_mark\":7,\"drop_overlimit\":1,"
     "\"ce_mark\":9}}",
     "qdisc codel 8001: dev eth0 root refcnt 2 limit 100p target 5ms ce_threshold 1ms interval "
     "100ms ecn \n" SENT "  count 3 lastcount 2 ldelay 5.17ms dropping drop_next -1.5ms\n"
     "  maxpacket 1514 ecn_mark 7 drop_overlimit 1 ce_mark 9\n",
     "{\"kind\":\"codel\",\"handle\":\"8001:\",\"dev\":\"eth0\",\"root\":true,\"refcnt\":2,"
     "\"options\":{\"limit\":100,\"target\":5000,\"ce_threshold\":1000,\"interval\":100000,"
     "\"ecn\":true}" SENT_JSON ",\"count\":3,\"lastcount\":2,\"ldelay\":5170,\"dropping\":true,"
     "\"drop_next\":-1500,\"maxpacket\":1514,\"ecn_mark\":7,\"drop_overlimit\":1,\"ce_mark\":9}"},
    {"{" QUEUE "\"aqm\":\"codel limit 1000p target 5ms interval 1s noecn\",\"stats\":{\"count\":0,"
     "\"lastcount\":0,\"ldelay\":0,\"drop_next\":0,\"maxpacket\":0,\"ecn_mark\":0,"
     "\"drop_overlimit\":0}}",
     "qdisc codel 8001: dev eth0 root refcnt 2 limit 1000p target 5ms interval 1s \n" SENT
     "  count 0 lastcount 0 ldelay 0us drop_next 0us\n"
     "  maxpacket 0 ecn_mark 0 drop_overlimit 0\n",
     "{\"kind\":\"codel\",\"handle\":\"8001:\",\"dev\":\"eth0\",\"root\":true,\"refcnt\":2,"
     "\"options\":{\"limit\":1000,\"target\":5000,\"interval\":1000000}" SENT_JSON
     ",\"count\":0,\"lastcount\":0,\"ldelay\":0,\"drop_next\":0,\"maxpacket\":0,\"ecn_mark\":0,"
     "\"drop_overlimit\":0}"},
    {"{" QUEUE "\"aqm\":\"pie limit 1000p target 15ms tupdate 15ms alpha 2 beta 20 ecn bytemode\","
     "\"stats\":{\"prob\":0.0125,\"delay\":14000,\"pkts_in\":5,\"overlimit\":0,\"dropped\":1,"
     "\"maxq\":9,\"ecn_mark\":2}}",
     "qdisc pie 8001: dev eth0 root refcnt 2 limit 1000p target 15ms tupdate 15ms alpha 2 beta 20 "
     "ecn bytemode \n" SENT "  prob 0.0125 delay 14ms\n"
     "  pkts_in 5 overlimit 0 dropped 1 maxq 9 ecn_mark 2\n",
     "{\"kind\":\"pie\",\"handle\":\"8001:\",\"dev\":\"eth0\",\"root\":true,\"refcnt\":2,"
     "\"options\":{\"limit\":1000,\"target\":15000,\"tupdate\":15000,\"alpha\":2,\"beta\":20,"
     "\"ecn\":true,\"bytemode\":true}" SENT_JSON ",\"prob\":0.0125,\"delay\":14000,"
     "\"pkts_in\":5,\"overlimit\":0,\"dropped\":1,\"maxq\":9,\"ecn_mark\":2}"},
    {"{" QUEUE "\"aqm\":\"fq_codel limit 10240p flows 1024 quantum 1514 target 5ms interval 100ms "
     "memory_limit 33554432B ecn drop_batch 64\",\"stats\":{\"maxpacket\":1514,"
     "\"drop_overlimit\":0,\"new_flow_count\":4,\"ecn_mark\":1,\"memory_used\":0,"
     "\"new_flows_len\":0,\"old_flows_len\":2}}",
     "qdisc fq_codel 8001: dev eth0 root refcnt 2 limit 10240p flows 1024 quantum 1514 target 5ms "
     "interval 100ms memory_limit 32Mb ecn drop_batch 64 \n" SENT
     "  maxpacket 1514 drop_overlimit 0 new_flow_count 4 ecn_mark 1\n"
     "  new_flows_len 0 old_flows_len 2\n",
     "{\"kind\":\"fq_codel\",\"handle\":\"8001:\",\"dev\":\"eth0\",\"root\":true,\"refcnt\":2,"
     "\"options\":{\"limit\":10240,\"flows\":1024,\"quantum\":1514,\"target\":5000,"
     "\"interval\":100000,\"memory_limit\":33554432,\"ecn\":true,\"drop_batch\":64}" SENT_JSON
     ",\"maxpacket\":1514,\"drop_overlimit\":0,\"new_flow_count\":4,\"ecn_mark\":1,"
     "\"new_flows_len\":0,\"old_flows_len\":2}"},
};

static void formats(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf text;
        cJSON *direction = cJSON_Parse(cases[i].direction);
        assert_non_null(direction);
        struct tc_format f = {
            .handle = "8001:", .dev = "eth0", .direction = direction, .has_stats = true};
        buf_init(&text, 65536);
        tc_format_text(&f, &text);
        assert_string_equal(text.data, cases[i].text);
        cJSON *o = tc_format_json(&f);
        char *json = cJSON_PrintUnformatted(o);
        assert_string_equal(json, cases[i].json);
        cJSON_free(json);
        cJSON_Delete(o);
        /* Without -s only the first line, without a device's name where it was asked for. */
        f.has_stats = false;
        f.dev = NULL;
        buf_clear(&text);
        tc_format_text(&f, &text);
        assert_null(strstr(text.data, "dev "));
        assert_ptr_equal(strchr(text.data, '\n'), text.data + text.len - 1);
        buf_done(&text);
        cJSON_Delete(direction);
    }
}

/* The answer is another program's: nothing in it may do more than look odd. */
static void hostile(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "{}",
        "[]",
        "{\"aqm\":7}",
        "{\"aqm\":\"\",\"stats\":[]}",
        "{\"aqm\":\"codel target\"}",
        "{\"aqm\":\"codel target 1e300ms limit xp\",\"stats\":{\"count\":\"x\",\"ldelay\":null}}",
        "{\"aqm\":\"%s%n%s limit %n\",\"out_bytes\":1e300}",
        "{\"aqm\":\"fifo limit aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}"};
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct buf text;
        cJSON *direction = cJSON_Parse(answers[i]);
        struct tc_format f = {.handle = "1:", .direction = direction, .has_stats = true};
        buf_init(&text, 65536);
        tc_format_text(&f, &text);
        assert_true(text.len > 0);
        cJSON *o = tc_format_json(&f);
        char *json = cJSON_PrintUnformatted(o);
        cJSON *back = cJSON_Parse(json);
        assert_non_null(back);
        cJSON_Delete(back);
        cJSON_free(json);
        cJSON_Delete(o);
        cJSON_Delete(direction);
        buf_done(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats),
        cmocka_unit_test(hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
