/* iperf3's JSON: real documents of iperf3 3.12 (tests/remote/data/), broken ones, damaged ones. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/buf.h"
#include "core/event.h"
#include "core/json.h"
#include "remote/iperf3.h"
#include "remote/reader.h"

static void load(struct buf *b, const char *name)
{
    char path[512];
    struct error err;
    snprintf(path, sizeof(path), "%s/iperf3_%s.json%s", TEST_DATA, name,
             strncmp(name, "stream", 6) == 0 ? "l" : "");
    if (buf_read_file(b, path, 1u << 20, &err) != STATUS_OK) {
        fail_msg("%s", err.message);
    }
}

static enum status parse_file(const char *name, struct iperf3_result *r, struct error *err)
{
    struct buf b;
    *err = (struct error){0};
    load(&b, name);
    enum status st = iperf3_parse(b.data, b.len, r, err);
    buf_done(&b);
    return st;
}

static void assert_near(double a, double b)
{
    if (!(fabs(a - b) <= 1e-9 * fabs(b))) {
        fail_msg("%.12g is not %.12g", a, b);
    }
}

static void test_one_tcp_stream(void **state)
{
    (void)state;
    struct iperf3_result r;
    struct error err;
    assert_int_equal(parse_file("tcp", &r, &err), STATUS_OK);
    assert_string_equal(r.protocol, "TCP");
    assert_string_equal(r.sender_cc, "cubic");
    assert_string_equal(r.receiver_cc, "cubic");
    assert_false(r.is_reverse);
    assert_int_equal(r.streams, 1);
    assert_near(r.start_time_s, 1795252035);
    assert_near(r.duration_s, 2);
    assert_near(r.interval_s, 0.500078);
    assert_near(r.sent_bps, 20445995.017301451);
    assert_near(r.received_bps, 20445565.686396558);
    assert_near(r.mean_rtt_us, 71);
    assert_near(r.max_cwnd_bytes, 720313);
    assert_true(r.retransmits == 0);
    assert_int_equal(r.nrows, 4);
    const struct iperf3_row *row = &r.rows[2];
    assert_int_equal(row->stream, 0);
    assert_near(row->start_s, 1.000133);
    assert_near(row->end_s, 1.500079);
    assert_near(row->bits_per_second, 18876406.720189154);
    assert_near(row->snd_cwnd_bytes, 720313);
    assert_near(row->rtt_us, 75);
    assert_near(row->rttvar_us, 4);
    assert_true(row->is_sender && !row->is_omitted);
    iperf3_done(&r);
}

static void test_several_streams_keep_their_own_rates(void **state)
{
    (void)state;
    struct iperf3_result r;
    struct error err;
    assert_int_equal(parse_file("parallel2", &r, &err), STATUS_OK);
    assert_int_equal(r.streams, 2);
    assert_int_equal(r.nrows, 4);
    assert_int_equal(r.rows[2].stream, 0);
    assert_int_equal(r.rows[3].stream, 1);
    assert_near(r.rows[2].bits_per_second, 4194211.5020399238);
    assert_near(r.rows[3].bits_per_second, 4194111.0088804448);
    assert_near(r.mean_rtt_us, (35 + 22) / 2.0);
    iperf3_done(&r);

    assert_int_equal(parse_file("parallel4", &r, &err), STATUS_OK);
    assert_int_equal(r.streams, 4);
    size_t omitted = 0;
    for (size_t i = 0; i < r.nrows; i++) {
        assert_int_equal(r.rows[i].stream, (int)(i % 4));
        omitted += r.rows[i].is_omitted;
    }
    assert_int_equal(omitted, 8); /* -O 1 -i 0.5 */
    iperf3_done(&r);
}

static void test_the_other_directions_and_udp(void **state)
{
    (void)state;
    struct iperf3_result r;
    struct error err;
    assert_int_equal(parse_file("reverse", &r, &err), STATUS_OK);
    assert_true(r.is_reverse);
    assert_false(r.rows[0].is_sender);
    /* The sender was the other host: nothing of its TCP is known here, and 0 is no answer. */
    assert_true(isnan(r.rows[0].snd_cwnd_bytes) && isnan(r.rows[0].rtt_us));
    assert_true(isnan(r.rows[0].retransmits));
    assert_true(isnan(r.mean_rtt_us) && isnan(r.max_cwnd_bytes));
    assert_near(r.received_bps, 5241794.94844567);
    iperf3_done(&r);

    assert_int_equal(parse_file("bidir", &r, &err), STATUS_OK);
    assert_int_equal(r.streams, 2);
    assert_true(r.rows[0].is_sender && !r.rows[1].is_sender);
    iperf3_done(&r);

    assert_int_equal(parse_file("udp", &r, &err), STATUS_OK);
    assert_string_equal(r.protocol, "UDP");
    assert_string_equal(r.sender_cc, "");
    assert_int_equal(r.nrows, 2);
    assert_true(isnan(r.rows[0].snd_cwnd_bytes) && isnan(r.rows[0].rtt_us));
    assert_near(r.rows[0].bits_per_second, 1048269.9643451355);
    assert_near(r.received_bps, 1048389.3866891693);
    iperf3_done(&r);
}

static void test_failures_speak_with_iperf3s_own_words(void **state)
{
    (void)state;
    static const struct {
        const char *name, *message, *hint;
        size_t nrows; /* that came before */
    } cases[] = {
        {"refused", "unable to connect to server: Connection refused", "iperf3 -s"},
        {"busy", "the server is busy running a test. try again later", "port"},
        {"badcc",
         "unable to set TCP_CONGESTION: Supplied congestion control algorithm not supported on "
         "this host",
         "tcp_available_congestion_control"},
        {"interrupted", "interrupt - the client has terminated", "limit", 3},
        {"servergone", "control socket has closed unexpectedly", "server", 3},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct iperf3_result r;
        struct error err;
        assert_int_equal(parse_file(cases[i].name, &r, &err), STATUS_HOST);
        assert_string_equal(err.message, cases[i].message);
        assert_non_null(strstr(err.hint, cases[i].hint));
        assert_int_equal(r.nrows, cases[i].nrows);
        iperf3_done(&r);
    }
}

static enum status parse_text(const char *text, struct error *err)
{
    struct iperf3_result r;
    *err = (struct error){0};
    enum status st = iperf3_parse(text, strlen(text), &r, err);
    iperf3_done(&r);
    return st;
}

static void test_what_is_no_document(void **state)
{
    (void)state;
    struct error err;
    assert_int_equal(parse_text("", &err), STATUS_HOST);
    assert_non_null(strstr(err.message, "no result"));
    assert_int_equal(parse_text("bash: iperf3: command not found\n", &err), STATUS_HOST);
    assert_int_equal(parse_text("{}", &err), STATUS_INPUT);
    assert_int_equal(parse_text("{\"start\":1,\"intervals\":[],\"end\":{}}", &err), STATUS_INPUT);
    assert_int_equal(parse_text("{\"start\":{},\"intervals\":[],\"end\":{}}", &err), STATUS_HOST);
    assert_int_equal(
        parse_text("iperf3: error - unable to connect to server: No route to host\n", &err),
        STATUS_HOST);
    assert_string_equal(err.message, "unable to connect to server: No route to host");
    assert_non_null(strstr(err.hint, "reachable"));
    assert_int_equal(parse_text("{\"error\":\"a\\u001b[31mb\"}", &err), STATUS_HOST);
    assert_null(strchr(err.message, '\x1b'));
}

static void test_text_and_documents_around_it(void **state)
{
    (void)state;
    struct buf good, bad, text;
    struct error err;
    struct iperf3_result r;
    load(&good, "tcp");
    load(&bad, "refused");
    buf_init(&text, 1u << 20);

    buf_puts(&text, "warning: {this} is noise\n\n");
    buf_append(&text, good.data, good.len);
    buf_puts(&text, "\niperf Done.\n");
    assert_int_equal(iperf3_parse(text.data, text.len, &r, &err), STATUS_OK);
    assert_int_equal(r.nrows, 4);
    iperf3_done(&r);

    /* The error of one of two documents is the run's, whichever comes first. */
    for (int order = 0; order < 2; order++) {
        buf_clear(&text);
        buf_append(&text, order ? bad.data : good.data, order ? bad.len : good.len);
        buf_append(&text, order ? good.data : bad.data, order ? good.len : bad.len);
        assert_int_equal(iperf3_parse(text.data, text.len, &r, &err), STATUS_HOST);
        assert_non_null(strstr(err.message, "refused"));
        iperf3_done(&r);
    }
    buf_clear(&text);
    buf_append(&text, good.data, good.len);
    buf_puts(&text, "iperf3: interrupt - the server has terminated\n");
    assert_int_equal(iperf3_parse(text.data, text.len, &r, &err), STATUS_HOST);
    iperf3_done(&r);
    buf_done(&good);
    buf_done(&bad);
    buf_done(&text);
}

static void test_cut_off_anywhere_it_is_a_failed_run(void **state)
{
    (void)state;
    struct buf b;
    load(&b, "tcp");
    size_t end = b.len;
    while (b.data[end - 1] != '}') {
        end--;
    }
    for (size_t len = 0; len < end; len++) {
        struct iperf3_result r;
        struct error err;
        char *part = malloc(len + 1); /* exactly as long, so that ASan sees a byte too far */
        memcpy(part, b.data, len);
        assert_int_equal(iperf3_parse(part, len, &r, &err), STATUS_HOST);
        assert_int_equal(r.nrows, 0);
        iperf3_done(&r);
        free(part);
    }
    buf_done(&b);
}

static void test_summary_has_null_for_the_unknown(void **state)
{
    (void)state;
    struct iperf3_result r;
    struct error err;
    assert_int_equal(parse_file("udp", &r, &err), STATUS_OK);
    cJSON *o = iperf3_summary(&r);
    assert_true(cJSON_IsNull(json_get(o, "cc")));
    assert_true(cJSON_IsNull(json_get(o, "retransmits")));
    assert_near(json_num(o, "duration_s", NAN), 1);
    const cJSON *rows = json_get(o, "rows");
    assert_int_equal(cJSON_GetArraySize(rows), 2);
    assert_true(cJSON_IsNull(json_get(cJSON_GetArrayItem(rows, 1), "rtt_us")));
    assert_near(json_num(cJSON_GetArrayItem(rows, 1), "start_s", NAN), 0.500146);
    cJSON_Delete(o);
    iperf3_done(&r);

    assert_int_equal(parse_file("tcp", &r, &err), STATUS_OK);
    o = iperf3_summary(&r);
    assert_string_equal(json_str(o, "cc", ""), "cubic");
    assert_near(json_num(o, "max_cwnd_bytes", NAN), 720313);
    assert_near(json_num(o, "received_bps", NAN), 20445565.686396558);
    cJSON_Delete(o);
    iperf3_done(&r);
}

/* Damage a valid document in many ways: any answer will do, as long as it is one. */
static void test_damaged_documents(void **state)
{
    (void)state;
    static const char *const names[] = {"tcp", "parallel2", "udp", "reverse", "busy"};
    struct buf docs[5];
    for (int i = 0; i < 5; i++) {
        load(&docs[i], names[i]);
    }
    unsigned seed = 20261121;
    int parsed = 0;
    for (int round = 0; round < 50000; round++) {
        const struct buf *b = &docs[round % 5];
        size_t len = rand_r(&seed) % 4 ? b->len : (size_t)rand_r(&seed) % b->len;
        char *text = malloc(len + 1);
        memcpy(text, b->data, len);
        for (int n = rand_r(&seed) % 6; len > 0 && n > 0; n--) {
            size_t at = (size_t)rand_r(&seed) % len;
            switch (rand_r(&seed) % 3) {
            case 0:
                text[at] ^= (char)(1 << rand_r(&seed) % 8);
                break;
            case 1:
                text[at] = (char)rand_r(&seed);
                break;
            default:
                text[at] = "{}[]\",:\n-9e0"[rand_r(&seed) % 12];
            }
        }
        struct iperf3_result r;
        struct error err = {0};
        enum status st = iperf3_parse(text, len, &r, &err);
        if (st == STATUS_OK) {
            cJSON *o = iperf3_summary(&r);
            assert_non_null(o);
            cJSON_Delete(o);
            for (size_t i = 0; i < r.nrows; i++) {
                assert_in_range(r.rows[i].stream, 0, IPERF3_STREAMS_MAX - 1);
                assert_false(isinf(r.rows[i].bits_per_second));
            }
            parsed++;
        } else {
            assert_true(st == STATUS_HOST || st == STATUS_INPUT);
            assert_true(err.message[0] != '\0');
        }
        iperf3_done(&r);
        free(text);
    }
    assert_true(parsed > 1000); /* else it tests nothing but the JSON parser */
    for (int i = 0; i < 5; i++) {
        buf_done(&docs[i]);
    }
}

static void test_streams_of_lines(void **state)
{
    (void)state;
    struct iperf3_result r;
    struct error err;
    assert_int_equal(parse_file("stream_317", &r, &err), STATUS_OK);
    assert_int_equal(r.nrows, 4);
    assert_string_equal(r.sender_cc, "cubic");
    assert_true(r.received_bps > 15e6 && r.received_bps < 25e6);
    assert_near(r.duration_s, 1);
    assert_false(r.has_clock_jump);
    for (size_t i = 0; i < 4; i++) {
        assert_true(r.rows[i].end_s > r.rows[i].start_s && r.rows[i].rtt_us > 0);
    }
    iperf3_done(&r);

    assert_int_equal(parse_file("stream_321_p4", &r, &err), STATUS_OK);
    assert_int_equal(r.streams, 4);
    assert_int_equal(r.nrows, 8);
    assert_int_equal(r.rows[7].stream, 3);
    iperf3_done(&r);

    /* With the whole document after the lines it is the same run, not two. */
    assert_int_equal(parse_file("stream_321_full", &r, &err), STATUS_OK);
    assert_int_equal(r.nrows, 2);
    iperf3_done(&r);

    assert_int_equal(parse_file("stream_321_reverse", &r, &err), STATUS_OK);
    assert_true(r.is_reverse && !r.rows[0].is_sender);
    iperf3_done(&r);
}

static void test_streams_that_fail(void **state)
{
    (void)state;
    struct iperf3_result r;
    struct error err;
    assert_int_equal(parse_file("stream_321_refused", &r, &err), STATUS_HOST);
    assert_non_null(strstr(err.message, "Connection refused"));
    assert_non_null(strstr(err.hint, "iperf3 -s"));
    iperf3_done(&r);
    /* Killed: what came before is kept. */
    assert_int_equal(parse_file("stream_321_killed", &r, &err), STATUS_HOST);
    assert_non_null(strstr(err.message, "did not come to its end"));
    assert_int_equal(r.nrows, 2);
    assert_true(isnan(r.received_bps));
    iperf3_done(&r);
    assert_int_equal(parse_file("stream_321_term", &r, &err), STATUS_HOST);
    assert_non_null(strstr(err.message, "interrupt"));
    assert_true(r.nrows >= 2);
    iperf3_done(&r);

    /* Cut off anywhere: a failed run, and never more rows than lines. */
    struct buf b;
    load(&b, "stream_317");
    size_t end = b.len - 2; /* the last brace and newline */
    for (size_t len = 0; len < end; len += 7) {
        char *part = malloc(len + 1);
        memcpy(part, b.data, len);
        assert_int_equal(iperf3_parse(part, len, &r, &err), STATUS_HOST);
        assert_true(r.nrows <= 4);
        iperf3_done(&r);
        free(part);
    }
    buf_done(&b);
}

static void test_omitted_rows_count_from_zero_again(void **state)
{
    (void)state;
    static const char *const names[] = {"omit", "stream_321_omit"};
    for (int i = 0; i < 2; i++) {
        struct iperf3_result r;
        struct error err;
        assert_int_equal(parse_file(names[i], &r, &err), STATUS_OK);
        assert_int_equal(r.nrows, 3);
        assert_true(r.rows[0].is_omitted && !r.rows[1].is_omitted && !r.rows[2].is_omitted);
        assert_true(r.rows[1].start_s == 0 && fabs(r.rows[1].end_s - 0.5) < 0.01);
        assert_true(fabs(r.rows[2].start_s - 0.5) < 0.01);
        assert_false(r.has_clock_jump); /* although iperf3 lets row 1 end before it begins */
        iperf3_done(&r);
    }
}

static void test_a_clock_that_jumped(void **state)
{
    (void)state;
    static const char *const names[] = {"clock_back", "clock_forward"};
    for (int i = 0; i < 2; i++) {
        struct iperf3_result r;
        struct error err;
        int unknown = 0;
        assert_int_equal(parse_file(names[i], &r, &err), STATUS_OK);
        assert_true(r.has_clock_jump);
        assert_int_equal(r.nrows, 4);
        for (size_t k = 0; k < r.nrows; k++) {
            assert_true(fabs(r.rows[k].start_s - 0.5 * (double)k) < 0.01);
            assert_true(fabs(r.rows[k].end_s - 0.5 * (double)(k + 1)) < 0.01);
            unknown += isnan(r.rows[k].bits_per_second);
        }
        assert_int_equal(unknown, 1); /* the row of the jump, nothing else */
        assert_true(isnan(r.sent_bps) && isnan(r.received_bps));
        iperf3_done(&r);
    }
}

struct fed {
    int samples;
    double bps, rtt_us;
};

static void on_event(void *user, const struct event *ev, const char *line)
{
    struct fed *f = user;
    (void)line;
    assert_non_null(ev);
    assert_int_equal(ev->type, EVENT_SAMPLE);
    assert_string_equal(ev->src, "iperf3/x");
    f->samples++;
    f->bps = json_num(json_get(ev->body, "values"), "bits_per_second", NAN);
    f->rtt_us = json_num(json_get(ev->body, "values"), "rtt_us", NAN);
}

/* Live: a sample as soon as its line is there, in whatever pieces it comes. */
static void test_intervals_live(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int samples;
        bool has_rtt;
    } cases[] = {
        {"stream_317", 4, true}, {"stream_321_omit", 2, true}, {"stream_321_p4", 2, false}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct reader_opts opts = {.kind = "iperf3", .label = "x"};
        for (size_t step = 1; step < 5000; step *= 7) {
            struct reader *r = reader_new(&opts);
            struct event_reader events;
            struct fed f = {0};
            struct buf b, out;
            load(&b, cases[i].name);
            buf_init(&out, 1u << 20);
            event_reader_init(&events);
            for (size_t at = 0; at < b.len; at += step) {
                r->feed(r, b.data + at, b.len - at < step ? b.len - at : step, &out);
            }
            r->end(r, &out);
            event_reader_feed(&events, out.data, out.len, "job", on_event, &f);
            assert_int_equal(f.samples, cases[i].samples);
            assert_true(f.bps > 1e6);
            assert_int_equal(f.rtt_us > 0, cases[i].has_rtt);
            event_reader_done(&events);
            buf_done(&out);
            buf_done(&b);
            r->free(r);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_tcp_stream),
        cmocka_unit_test(test_several_streams_keep_their_own_rates),
        cmocka_unit_test(test_the_other_directions_and_udp),
        cmocka_unit_test(test_failures_speak_with_iperf3s_own_words),
        cmocka_unit_test(test_streams_of_lines),
        cmocka_unit_test(test_streams_that_fail),
        cmocka_unit_test(test_omitted_rows_count_from_zero_again),
        cmocka_unit_test(test_a_clock_that_jumped),
        cmocka_unit_test(test_intervals_live),
        cmocka_unit_test(test_what_is_no_document),
        cmocka_unit_test(test_text_and_documents_around_it),
        cmocka_unit_test(test_cut_off_anywhere_it_is_a_failed_run),
        cmocka_unit_test(test_summary_has_null_for_the_unknown),
        cmocka_unit_test(test_damaged_documents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
