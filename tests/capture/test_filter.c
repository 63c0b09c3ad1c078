/* Display filters: what is wrong is named with its place, and what tshark is not asked for
 * (judge_filters.py does the rest): depth, length, fields without values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* After the above, as cmocka wants it. */
#include <cmocka.h>

#include "capture/filter.h"

/* Ethernet, IPv4 with CE, TCP port 80 to 5201, ACK, no data. */
static const uint8_t bytes[] = {
    0,    0,    0,    0,    0, 2, 0,  0, 0,  0, 0, 1, 8,    0, /* Ethernet */
    0x45, 0x03, 0,    40,   0, 7, 64, 0, 64, 6, 0, 0, 10,   0,    0, 1, 192, 168, 1, 2, /* IPv4 */
    0,    80,   0x14, 0x51, 0, 0, 0,  9, 0,  0, 0, 5, 0x50, 0x10, 1, 0, 0,   0,   0, 0,
};

static bool match(const char *text)
{
    static struct packet packet;
    static struct analysis analysis;
    struct field_frame frame = {.packet = &packet, .analysis = &analysis};
    struct filter *filter;
    struct flows flows;
    struct error err;
    bool is_match;

    if (filter_compile(text, &filter, NULL, &err) != STATUS_OK)
        fail_msg("%s: %s", text, err.message);
    assert_int_equal(flows_init(&flows, 0, &err), STATUS_OK);
    packet.frame = 1;
    packet.t_ns = 0;
    dissect(LINK_TYPE_ETHERNET, bytes, sizeof bytes, sizeof bytes, &packet);
    analysis_add(&flows, &packet, &analysis);
    is_match = filter_match(filter, &frame);
    flows_done(&flows);
    filter_free(filter);
    return is_match;
}

static void test_meaning(void **state)
{
    (void)state;
    assert_true(match(""));
    assert_true(match("  ip.dsfield.ecn == 3  "));
    assert_true(match("tcp.port == 80 and tcp.port == 5201")); /* any of two values */
    assert_false(match("tcp.port != 80"));                     /* all differ: one does not */
    assert_true(match("tcp.port ~= 80"));
    assert_false(match("tcp.port === 80"));
    assert_true(match("all tcp.port >= 80") && match("any tcp.port > 5000"));
    assert_false(match("all tcp.port > 80"));
    /* A field that is not there makes every comparison false, and its negation true. */
    assert_false(match("ipv6.hlim == 64") || match("ipv6.hlim != 64") || match("ipv6.hlim < 99"));
    assert_true(match("not ipv6.hlim == 64"));
    assert_true(match("not ip.ttl == 1 and tcp")); /* not binds before and */
    assert_false(match("udp or tcp and icmp"));    /* and before or */
    assert_true(match("(udp or tcp) and ip"));
    assert_true(match("ip.dst in {192.168.0.0/16}") && match("ip.src not in {1.2.3.4, 5.6.7.8}"));
    assert_true(match("tcp.dstport in {1..79, 5000..6000}"));
    assert_false(match("tcp.dstport in {1..79, 6000..5000}")); /* an empty range */
    assert_true(match("tcp[13] == 10 and tcp[12:2] == 50:10 and tcp[0,3] == 0051"));
    assert_true(match("tcp.flags & 0x10 == 16") && match("ip[1] & 3") && !match("tcp[13] & 2"));
    assert_false(match("tcp[100]") || match("tcp[19:2]") || match("ip[20]"));
    assert_true(match("ip.src[0] == 0a") && match("eth.dst == 00:00:00:00:00:02"));
}

static void refuse_at(const char *text, size_t column, const char *says)
{
    struct error err = {0};
    struct filter *filter;
    size_t at = SIZE_MAX;

    if (filter_compile(text, &filter, &at, &err) != STATUS_USAGE || filter)
        fail_msg("%s is taken", text);
    if (at + 1 != column || (!strstr(err.message, says) && !strstr(err.hint, says)))
        fail_msg("%s: at %zu: %s (%s)", text, at + 1, err.message, err.hint);
}

static void test_mistakes(void **state)
{
    (void)state;
    refuse_at("tcp.flags.sin == 1", 1, "tcp.flags.syn");
    refuse_at("ip and xyzzyplugh", 8, "--fields");
    refuse_at("tcp and", 8, "ends where");
    refuse_at("(tcp or udp", 12, "parenthesis");
    refuse_at("tcp)", 4, "should have ended");
    refuse_at("tcp.port == 80 90", 16, "should have ended");
    refuse_at("80 == tcp.port", 1, "a field");
    refuse_at("tcp.port ==", 12, "a value");
    refuse_at("tcp.port == http", 13, "no number");
    refuse_at("tcp.port == 65536", 13, "65535");
    refuse_at("tcp.port == -1", 13, "no number");
    refuse_at("ip.ttl == 64.0", 11, "no number");
    refuse_at("tcp.len == \"12\"", 12, "quotes");
    refuse_at("ip.src == 10.0.0", 11, "IPv4");
    refuse_at("ip.src == 10.0.0.0/33", 11, "IPv4");
    refuse_at("ipv6.src == 10.0.0.1", 13, "IPv6");
    refuse_at("eth.src == 00:11:22", 12, "Ethernet");
    refuse_at("frame.time_relative > soon", 23, "seconds");
    refuse_at("tcp == 1", 5, "alone");
    refuse_at("tcp.analysis.retransmission == 1", 29, "alone");
    refuse_at("ip.src == tcp.port", 11, "cannot be compared");
    refuse_at("tcp.port[0] == 1", 10, "tcp[13]");
    refuse_at("tcp[] == 1", 5, "no slice");
    refuse_at("tcp[1:0]", 5, "no slice");
    refuse_at("tcp[1;2]", 5, "no slice");
    refuse_at("tcp[13", 4, "close");
    refuse_at("[13]", 1, "behind a field");
    refuse_at("tcp[0] == zz", 11, "hexadecimal");
    refuse_at("tcp[0] == \"a", 11, "quote");
    refuse_at("tcp.port in 80", 13, "braces");
    refuse_at("tcp.port in {80", 16, "comma");
    refuse_at("tcp.port in {80 90}", 17, "comma");
    refuse_at("tcp.port in {}", 14, "a value");
    refuse_at("tcp.port not 80", 14, "'in'");
    refuse_at("any tcp.port", 13, "comparison");
    refuse_at("ip.src & 1", 1, "masked");
    refuse_at("tcp $ udp", 5, "means nothing");
}

/* Nested too deeply, very long, many values: bounded. */
static void test_bounds(void **state)
{
    (void)state;
    char *text = malloc(FILTER_TEXT_MAX + 2);
    struct filter *filter;
    struct error err;

    memset(text, '(', 10000);
    text[10000] = '\0';
    assert_int_equal(filter_compile(text, &filter, NULL, &err), STATUS_USAGE);
    assert_non_null(strstr(err.message, "deeply"));
    memset(text, '!', 10000);
    assert_int_equal(filter_compile(text, &filter, NULL, &err), STATUS_USAGE);
    memset(text, ' ', FILTER_TEXT_MAX + 1);
    text[FILTER_TEXT_MAX + 1] = '\0';
    assert_int_equal(filter_compile(text, &filter, NULL, &err), STATUS_USAGE);
    text[0] = '\0';
    for (int i = 0; i < 8000; i++)
        memcpy(text + 7 * i, i ? "and ip " : "not ip ", 8);
    assert_false(match(text)); /* a chain is no depth */
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_meaning),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
