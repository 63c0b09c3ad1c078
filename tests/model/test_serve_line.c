/* Lines of netllm serve, and the percentiles of its latencies. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* After the above, as cmocka wants it. */
#include <cmocka.h>

#include "model/serve_latency.h"
#include "model/serve_line.h"

static struct serve_line line;
static struct error err;

static enum status parse(const char *text)
{
    return serve_line_parse(text, strlen(text), 3, &line, &err);
}

static void test_state(void **state)
{
    (void)state;
    assert_int_equal(parse("{\"flow\":\"a\",\"rtt_s\":0.25,\"cwnd_bytes\":14480,"
                           "\"throughput_bps\":0,\"more\":[1]}"),
                     STATUS_OK);
    assert_string_equal(line.flow, "a");
    assert_false(line.is_done);
    assert_float_equal(line.state[POOL_RTT_S], 0.25, 0);
    assert_float_equal(line.state[POOL_CWND_BYTES], 14480, 0);
    assert_float_equal(line.state[POOL_THROUGHPUT_BPS], 0, 0);
    assert_true(isnan(line.reward) && isnan(line.target));

    assert_int_equal(parse("{\"flow\":17,\"rtt_s\":1e-3,\"cwnd_bytes\":1,\"throughput_bps\":5e6,"
                           "\"reward\":-2.5,\"return\":0.5,\"done\":false}"),
                     STATUS_OK);
    assert_string_equal(line.flow, "17");
    assert_float_equal(line.reward, -2.5, 0);
    assert_float_equal(line.target, 0.5, 0);
}

/* A policy of recipe loop needs three more. */
static void test_six(void **state)
{
    (void)state;
#define SIX "{\"flow\":\"a\",\"rtt_s\":0.25,\"cwnd_bytes\":14480,\"throughput_bps\":0"
    static const struct {
        const char *text, *names;
    } bad[] = {{SIX "}", "min_rtt_s is missing"},
               {SIX ",\"min_rtt_s\":0.2,\"ce_share\":0}", "lost_share is missing"},
               {SIX ",\"min_rtt_s\":0,\"ce_share\":0,\"lost_share\":0}", "min_rtt_s is out"},
               {SIX ",\"min_rtt_s\":1,\"ce_share\":-1,\"lost_share\":0}", "ce_share is out"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(serve_line_parse(bad[i].text, strlen(bad[i].text), 6, &line, &err),
                         STATUS_INPUT);
        assert_non_null(strstr(err.message, bad[i].names));
    }
    const char *good = SIX ",\"min_rtt_s\":0.2,\"ce_share\":0.5,\"lost_share\":0}";
    assert_int_equal(serve_line_parse(good, strlen(good), 6, &line, &err), STATUS_OK);
    assert_float_equal(line.state[POOL_MIN_RTT_S], 0.2, 1e-7);
    assert_float_equal(line.state[POOL_CE_SHARE], 0.5, 0);
}

static void test_done(void **state)
{
    (void)state;
    assert_int_equal(parse("{\"flow\":\"a\",\"done\":true,\"rtt_s\":\"gone\"}"), STATUS_OK);
    assert_true(line.is_done);
    assert_int_equal(parse("{\"done\":true}"), STATUS_INPUT);
}

#define STATE(rtt, cwnd, rate)                                                                     \
    "{\"flow\":\"a\",\"rtt_s\":" rtt ",\"cwnd_bytes\":" cwnd ",\"throughput_bps\":" rate "}"

static void test_bad_lines(void **state)
{
    (void)state;
    static const struct {
        const char *text, *names;
    } bad[] = {
        {"", "the line"},
        {"hello", "the line"},
        {"[1,2]", "the line is no JSON object"},
        {"{\"rtt_s\":1,\"cwnd_bytes\":1,\"throughput_bps\":1}", "flow is missing"},
        {"{\"flow\":true}", "flow is no text"},
        {"{\"flow\":\"\"}", "flow is no text"},
        {"{\"flow\":\"0123456789012345678901234567890123456789012345678901234567890123\"}",
         "flow is longer"},
        {"{\"flow\":1,\"done\":1}", "done is neither"},
        {"{\"flow\":\"a\",\"cwnd_bytes\":1,\"throughput_bps\":1}", "rtt_s is missing"},
        {STATE("null", "1", "1"), "rtt_s is missing"},
        {STATE("0", "1", "1"), "rtt_s is out of range"},
        {STATE("1e-300", "1", "1"), "rtt_s is out of range"},
        {STATE("1", "-1", "1"), "cwnd_bytes is out of range"},
        {STATE("1", "1e39", "1"), "cwnd_bytes is out of range"},
        {STATE("1", "1", "\"5 Mbit/s\""), "throughput_bps is no finite number"},
        {STATE("1", "1", "1e999"), "throughput_bps is no finite number"},
        {STATE("1", "1", "1,\"reward\":\"good\""), "reward is no finite number"},
        {STATE("1", "1", "1,\"return\":1e200"), "return is out of range"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(parse(bad[i].text), STATUS_INPUT);
        if (!strstr(err.message, bad[i].names))
            fail_msg("'%s' gave: %s", bad[i].text, err.message);
    }
}

static void test_percentiles(void **state)
{
    (void)state;
    struct serve_latency l = {0};
    assert_true(isnan(serve_latency_ms(&l, 0.5)));
    for (uint64_t ms = 1; ms <= 100; ms++)
        serve_latency_add(&l, ms * 1000000);
    assert_in_range((uint64_t)(1000 * serve_latency_ms(&l, 0.5)), 50000, 52250);
    assert_in_range((uint64_t)(1000 * serve_latency_ms(&l, 0.99)), 99000, 100000);
    serve_latency_add(&l, 0);
    serve_latency_add(&l, UINT64_MAX / 2);
    assert_true(serve_latency_ms(&l, 1) > 3.6e6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_state),       cmocka_unit_test(test_six),
        cmocka_unit_test(test_done),        cmocka_unit_test(test_bad_lines),
        cmocka_unit_test(test_percentiles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
