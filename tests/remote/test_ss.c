/* What ss(8) of iproute2 4.9 to 6.18 says, recorded beside the same two flows, and damaged. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/event.h"
#include "core/json.h"
#include "remote/reader.h"
#include "remote/ss_parse.h"

static bool parse(const char *line, struct tcp_reading *r)
{
    char *exact = malloc(strlen(line) + 1); /* without the NUL, so that ASan sees a byte too far */
    memcpy(exact, line, strlen(line));
    bool ok = ss_parse(exact, strlen(line), r);
    free(exact);
    return ok;
}

static void test_a_line(void **state)
{
    (void)state;
    struct tcp_reading r;
    assert_true(
        parse("ESTAB 0      189688 10.98.1.2:44612 10.98.3.2:5201 bpf_prague wscale:9,9 rto:224 "
              "rtt:20.956/0.231 mss:1448 pmtu:1500 cwnd:53 ssthresh:53 bytes_sent:7182117 "
              "bytes_acked:7105374 send 29297194bps lastrcv:2892 pacing_rate 30086880bps "
              "delivery_rate 28957208bps delivered:4909 delivered_ce:272 busy:2880ms "
              "unacked:53 retrans:1/7 lost:3 notsent:112944 minrtt:20.195   ",
              &r));
    assert_string_equal(r.local, "10.98.1.2:44612");
    assert_string_equal(r.remote, "10.98.3.2:5201");
    assert_int_equal(r.local_port, 44612);
    assert_int_equal(r.remote_port, 5201);
    assert_string_equal(r.cc, "bpf_prague");
    assert_true(r.cwnd_pkts == 53 && r.cwnd_bytes == 53 * 1448);
    assert_true(fabs(r.srtt_us - 20956) < 1e-6 && fabs(r.rttvar_us - 231) < 1e-6);
    assert_true(fabs(r.min_rtt_us - 20195) < 1e-6);
    assert_true(r.bytes_sent == 7182117 && r.bytes_acked == 7105374);
    assert_true(r.pacing_rate_bps == 30086880 && r.delivery_rate_bps == 28957208);
    assert_true(r.delivered == 4909 && r.delivered_ce == 272);
    assert_true(r.retrans == 7 && r.lost == 3);
}

static void test_what_is_left_out(void **state)
{
    (void)state;
    struct tcp_reading r;
    /* Zero is left out: known where ss would tell, unknown where it might not know. */
    assert_true(
        parse("ESTAB 0 0 [fe80::1%eth0]:1 [fe80::2]:2 cubic mss:1448 cwnd:10 delivered:5", &r));
    assert_string_equal(r.local, "[fe80::1]:1");
    assert_true(r.delivered_ce == 0 && r.retrans == 0 && r.lost == 0);
    assert_true(isnan(r.srtt_us) && isnan(r.min_rtt_us) && isnan(r.bytes_acked));
    assert_true(isnan(r.pacing_rate_bps) && isnan(r.delivery_rate_bps));
    assert_true(parse("ESTAB 0 0 ::1:1 fe80::2:2 cubic mss:1448 cwnd:10", &r)); /* ss of 2012 */
    assert_string_equal(r.remote, "[fe80::2]:2");
    assert_true(isnan(r.delivered) && isnan(r.delivered_ce));
    assert_true(parse("ESTAB 0 0 [::ffff:10.0.0.1]:1 [::ffff:10.0.0.2]:2 cwnd:1 mss:9", &r));
    assert_true(tcp_reading_has_peer(&r, "10.0.0.2") && !tcp_reading_has_peer(&r, "10.0.0.1"));
    assert_true(!tcp_reading_has_peer(&r, "10.0.0.20") && !tcp_reading_has_peer(&r, "10.0.0"));
}

static void test_no_flows(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "",
        "State Recv-Q Send-Q Local Address:Port Peer Address:Port",
        "LISTEN 0 4096 127.0.0.1:5201 0.0.0.0:* cubic cwnd:10",
        "TIME-WAIT 0 0 10.0.0.1:1 10.0.0.2:2",
        "ESTAB 0 0 10.0.0.1:1 10.0.0.2:2", /* no -i */
        "ESTAB 0 0 10.0.0.1:ssh 10.0.0.2:2 cwnd:10",
        "ESTAB 0 0 10.0.0.1:1 10.0.0.2:70000 cwnd:10",
        "ESTAB 0 0 10.0.0.1 10.0.0.2 cwnd:10",
        "ESTAB 0 0 10.0.0.1:1 10.0.0.2:2 cwnd:-10",
        "ESTAB 0 0 10.0.0.1:1 10.0.0.2:2 cwnd:inf",
        "ESTAB 0 0 10.0.0.1:1 10.0.0.2:2 cwnd:1e999",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct tcp_reading r;
        if (parse(lines[i], &r)) {
            fail_msg("taken for a flow: %s", lines[i]);
        }
    }
}

struct seen {
    int samples, results, logs;
    double cwnd_bytes, srtt_us, throughput_bps, delivered_ce, delivery_rate_bps;
    bool is_up, is_down;
    char cc[32];
};

static void on_event(void *user, const struct event *ev, const char *line)
{
    struct seen *s = user;
    (void)line;
    assert_non_null(ev);
    if (ev->type == EVENT_SAMPLE) {
        const cJSON *v = json_get(ev->body, "values");
        assert_true(ev->src[0] == 'x'); /* x#2 where a port is damaged */
        s->samples++;
        s->cwnd_bytes = json_num(v, "cwnd_bytes", NAN);
        s->srtt_us = json_num(v, "srtt_us", NAN);
        s->throughput_bps = json_num(v, "throughput_bps", NAN);
        s->delivered_ce = json_num(v, "delivered_ce", NAN);
        s->delivery_rate_bps = json_num(v, "delivery_rate_bps", NAN);
    } else if (ev->type == EVENT_RESULT) {
        const cJSON *data = json_get(ev->body, "data");
        const cJSON *flow = cJSON_GetArrayItem(json_get(data, "flows"), 0);
        s->is_up |= strcmp(json_str(data, "state", ""), "up") == 0;
        s->is_down |= strcmp(json_str(data, "state", ""), "down") == 0;
        snprintf(s->cc, sizeof(s->cc), "%s", json_str(flow, "cc", ""));
        s->results++;
    } else {
        s->logs++;
    }
}

static struct seen feed(const struct reader_opts *opts, const char *text, size_t len, size_t step)
{
    struct reader *r = reader_new(opts);
    struct event_reader events;
    struct seen s = {0};
    struct buf out;
    buf_init(&out, 1u << 20);
    event_reader_init(&events);
    for (size_t at = 0; at < len; at += step) {
        r->feed(r, text + at, len - at < step ? len - at : step, &out);
    }
    r->end(r, &out);
    event_reader_feed(&events, out.data, out.len, "job", on_event, &s);
    event_reader_done(&events);
    buf_done(&out);
    r->free(r);
    return s;
}

static const char *const versions[] = {"4.9.0", "4.20.0", "5.10.0", "6.1.0", "6.18.0"};

/* Every version tells the same of the same flow, as far as it tells it; the control connection of
 * iperf3 and the flow to another port are none. */
static void test_recorded_versions(void **state)
{
    (void)state;
    const struct reader_opts opts = {
        .kind = "ss", .label = "x", .peer = "10.98.3.2", .dport = 5201};
    for (size_t i = 0; i < 5; i++) {
        char path[256];
        struct buf b;
        struct error err;
        snprintf(path, sizeof(path), "%s/ss_%s.txt", TEST_DATA, versions[i]);
        assert_int_equal(buf_read_file(&b, path, 1u << 20, &err), STATUS_OK);
        for (size_t step = 1; step < 10000; step *= 9) {
            struct seen s = feed(&opts, b.data, b.len, step);
            assert_int_equal(s.samples, 2);
            assert_int_equal(s.results, 2);
            assert_true(s.is_up && s.is_down);
            assert_string_equal(s.cc, "bpf_prague");
            assert_true(s.cwnd_bytes > 40 * 1448 && s.cwnd_bytes < 70 * 1448);
            assert_true(s.srtt_us > 20000 && s.srtt_us < 23000);
            assert_true(isnan(s.throughput_bps) || s.throughput_bps >= 0);
            assert_int_equal(isnan(s.delivery_rate_bps), i == 0); /* 4.9 does not know */
            assert_int_equal(isnan(s.delivered_ce), i == 0);
        }
        struct reader_opts other = opts;
        other.peer = "10.98.3.3";
        assert_int_equal(feed(&other, b.data, b.len, b.len).samples, 0);
        buf_done(&b);
    }
}

static void test_damaged(void **state)
{
    (void)state;
    const struct reader_opts opts = {.kind = "ss", .label = "x", .dport = 5201};
    unsigned seed = 11;
    int samples = 0;
    for (int round = 0; round < 5000; round++) {
        char path[256];
        struct buf b;
        struct error err;
        snprintf(path, sizeof(path), "%s/ss_%s.txt", TEST_DATA, versions[round % 5]);
        assert_int_equal(buf_read_file(&b, path, 1u << 20, &err), STATUS_OK);
        for (int n = rand_r(&seed) % 20; n > 0; n--) {
            b.data[(size_t)rand_r(&seed) % b.len] = (char)rand_r(&seed);
        }
        samples += feed(&opts, b.data, (size_t)rand_r(&seed) % b.len, 512).samples;
        buf_done(&b);
    }
    assert_true(samples > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_line),   cmocka_unit_test(test_what_is_left_out),
        cmocka_unit_test(test_no_flows), cmocka_unit_test(test_recorded_versions),
        cmocka_unit_test(test_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
