/* What the control socket is asked: answers, refusals that change nothing, AQMs replaced in the
 * middle of a queue. All in virtual time. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/json.h"
#include "testbed/link/request.h"
#include "tests/testbed/link/link_trace.h"

#define MS 1000000ull
#define S  1000000000ull

static struct link_options options;
static struct link l;

static int open_link(void **state)
{
    (void)state;
    options = (struct link_options){
        .rate_bps = 10000000, .up_rate_bps = 10000000, .delay_us = 5000, .aqm = "fifo"};
    return link_init(&l, &options, 1, NULL, 0, NULL) != STATUS_OK;
}

static int close_link(void **state)
{
    (void)state;
    link_done(&l);
    return 0;
}

static cJSON *ask(const char *line, uint64_t now_ns)
{
    struct buf reply;
    cJSON *answer;

    buf_init(&reply, 1 << 20);
    request_answer(&l, line, strlen(line), now_ns, &reply);
    assert_false(reply.is_failed);
    assert_int_equal(reply.data[reply.len - 1], '\n');
    assert_null(memchr(reply.data, '\n', reply.len - 1));
    answer = json_parse(reply.data, reply.len, "answer", NULL);
    assert_non_null(answer);
    buf_done(&reply);
    return answer;
}

static void set(const char *line, uint64_t now_ns)
{
    cJSON *answer = ask(line, now_ns);

    if (!json_bool(answer, "ok", false)) {
        fail_msg("%s: %s", line, json_str(answer, "message", ""));
    }
    cJSON_Delete(answer);
}

static void offer(int dir, int count, uint64_t now_ns)
{
    for (int i = 0; i < count; i++) {
        struct packet *p = trace_packet(&l.dir[dir].pool, 1250, ECN_ECT1, (uint32_t)i);

        memset(p->data + 4, 17, 20); /* all of one flow of UDP */
        direction_offer(&l.dir[dir], p, now_ns);
    }
}

/* Take all that is due; returns how many, and checks that they come in order. */
static uint32_t drain(int dir, uint32_t next_id, uint64_t now_ns)
{
    struct direction *d = &l.dir[dir];
    struct packet *p;

    while ((p = direction_take_due(d, now_ns)) != NULL) {
        assert_int_equal(trace_packet_id(p), next_id);
        next_id++;
        direction_sent(d, p, now_ns - p->due_ns, true);
    }
    return next_id;
}

static void test_get(void **state)
{
    cJSON *answer;
    const cJSON *down, *up;

    (void)state;
    answer = ask("{\"cmd\":\"get\"}", 0);
    assert_true(cJSON_IsNull(json_get(json_get(answer, "late_us"), "p99"))); /* nothing yet */
    cJSON_Delete(answer);
    offer(LINK_DOWN, 10, 0);
    drain(LINK_DOWN, 0, 8 * MS);
    answer = ask(" {\"cmd\" : \"get\"}\r", 8 * MS);
    assert_true(json_bool(answer, "ok", false));
    down = json_get(answer, "down");
    up = json_get(answer, "up");
    assert_true(json_num(down, "rate_bps", 0) == 10e6);
    assert_true(json_num(down, "delay_us", 0) == 5000);
    assert_true(json_num(down, "jitter_us", -1) == 0);
    assert_true(json_num(down, "loss", -1) == 0);
    assert_true(json_num(down, "backlog_pkts", 0) == 1); /* eight are through, one is on the link */
    assert_true(json_num(down, "backlog_bytes", 0) == 1250);
    assert_true(json_num(down, "out_pkts", 0) == 3);
    assert_true(json_num(down, "out_bytes", 0) == 3750);
    assert_true(json_num(down, "drop", -1) == 0);
    assert_int_equal(strncmp(json_str(down, "aqm", ""), "fifo", 4), 0);
    assert_true(cJSON_IsObject(json_get(down, "stats")));
    assert_true(json_num(up, "out_pkts", -1) == 0);
    assert_true(json_num(json_get(answer, "late_us"), "max", 0) == 2000);
    cJSON_Delete(answer);
}

static void test_set(void **state)
{
    cJSON *answer;

    (void)state;
    set("{\"cmd\":\"set\",\"down\":{\"rate\":\"1mbit\",\"delay\":\"1ms\",\"jitter\":\"100us\","
        "\"loss\":0.5},\"up\":{\"rate\":\"unlimited\",\"aqm\":\"codel ecn\"},"
        "\"paths\":{\"10.98.1.2\":\"5ms\",\"2001:db8::1\":\"0s\"}}",
        S);
    assert_int_equal(l.dir[LINK_DOWN].rate_bps, 1000000);
    assert_int_equal(l.dir[LINK_DOWN].delay_ns, MS);
    assert_int_equal(l.dir[LINK_DOWN].jitter_ns, MS / 10);
    assert_int_equal(l.dir[LINK_DOWN].loss, 1ull << 31);
    assert_int_equal(l.dir[LINK_UP].rate_bps, 0);
    assert_string_equal(l.dir[LINK_UP].aqm->ops->name, "codel");
    assert_string_equal(l.dir[LINK_DOWN].aqm->ops->name, "fifo");
    assert_int_equal(l.paths.count, 2);
    set("{\"cmd\":\"set\",\"paths\":{\"10.98.1.2\":\"1ms\"}}", S);
    assert_int_equal(l.paths.paths[0].extra_ns, MS);
    set("{\"cmd\":\"set\"}", S); /* nothing, done */
    answer = ask("{\"cmd\":\"get\"}", S);
    assert_true(cJSON_IsNull(json_get(json_get(answer, "up"), "rate_bps")));
    assert_true(json_num(json_get(answer, "paths"), "10.98.1.2", 0) == 1000);
    assert_non_null(strstr(json_str(json_get(answer, "up"), "aqm", ""), "ecn"));
    cJSON_Delete(answer);
}

static void test_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "null",
        "\"get\"",
        "{}",
        "{\"cmd\":1}",
        "{\"cmd\":\"stop\"}",
        "{\"cmd\":\"get\"} x",
        "{\"cmd\":\"set\",\"down\":[]}",
        "{\"cmd\":\"set\",\"sideways\":{}}",
        "{\"cmd\":\"set\",\"down\":{\"colour\":\"red\"}}",
        "{\"cmd\":\"set\",\"down\":{\"rate\":25}}",
        "{\"cmd\":\"set\",\"down\":{\"rate\":\"fast\"}}",
        "{\"cmd\":\"set\",\"down\":{\"rate\":null}}",
        "{\"cmd\":\"set\",\"down\":{\"delay\":\"11s\"}}",
        "{\"cmd\":\"set\",\"down\":{\"loss\":\"1\"}}",
        "{\"cmd\":\"set\",\"down\":{\"loss\":1.5}}",
        "{\"cmd\":\"set\",\"down\":{\"loss\":-0.1}}",
        "{\"cmd\":\"set\",\"down\":{\"rate\":\"1mbit\",\"aqm\":\"bogus\"}}",
        "{\"cmd\":\"set\",\"down\":{\"rate\":\"1mbit\"},\"up\":{\"aqm\":\"codel target x\"}}",
        "{\"cmd\":\"set\",\"down\":{\"rate\":\"1mbit\"},\"paths\":{\"x\":\"1ms\"}}",
        "{\"cmd\":\"set\",\"down\":{\"rate\":\"1mbit\"},\"paths\":{\"10.0.0.1\":5}}",
        "{\"cmd\":\"set\",\"paths\":[]}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cJSON *answer = ask(bad[i], S);

        if (json_bool(answer, "ok", true) || json_str(answer, "message", "")[0] == '\0' ||
            json_str(answer, "status", "")[0] == '\0') {
            fail_msg("'%s' was not refused", bad[i]);
        }
        cJSON_Delete(answer);
        assert_int_equal(l.dir[LINK_DOWN].rate_bps, 10000000);
        assert_int_equal(l.paths.count, 0);
    }
}

/* Changing the AQM loses no packet, keeps their order, and their time of arrival. */
static void test_replaced_aqm(void **state)
{
    static const char *const specs[] = {"dualpi2", "codel", "fq_codel", "pie", "pi2", "fifo"};
    struct direction *d = &l.dir[LINK_DOWN];
    struct aqm_stats s;
    uint32_t next = 0;
    char line[128];

    (void)state;
    offer(LINK_DOWN, 100, 0);
    for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
        /* Apart by less than a packet's time, so that no AQM has had a say yet. */
        uint64_t now_ns = MS / 2 + i;

        snprintf(line, sizeof(line), "{\"cmd\":\"set\",\"down\":{\"aqm\":\"%s\"}}", specs[i]);
        set(line, now_ns);
        assert_string_equal(d->aqm->ops->name, specs[i]);
        assert_int_equal(d->aqm->backlog_pkts, 99);
        assert_int_equal(d->aqm->backlog_bytes, 99 * 1250);
    }
    next = drain(LINK_DOWN, next, S);
    assert_int_equal(next, 100);
    direction_stats(d, S, &s);
    assert_int_equal(s.pkts_in_l + s.pkts_in_c, 100); /* not once for each AQM */
    assert_int_equal(s.drop_aqm + s.drop_overlimit, 0);
    assert_int_equal(d->totals.sojourn_c_ns + d->totals.sojourn_l_ns, 99 * 100 / 2 * MS);
    assert_int_equal(d->pool.in_use, 0);

    /* A smaller one drops what has no room, and the counters of before stay. */
    offer(LINK_DOWN, 100, 2 * S);
    set("{\"cmd\":\"set\",\"down\":{\"aqm\":\"fifo limit 10p\"}}", 2 * S + MS / 2);
    set("{\"cmd\":\"set\",\"down\":{\"aqm\":\"fifo\"}}", 2 * S + MS / 2);
    assert_int_equal(d->aqm->backlog_pkts, 10);
    assert_int_equal(drain(LINK_DOWN, 0, 3 * S), 11);
    direction_stats(d, S, &s);
    assert_int_equal(s.drop_overlimit, 89);
    assert_int_equal(d->pool.in_use, 0);
}

/* A limit in BDPs is that of the link as it will be. */
static void test_bdp_limit(void **state)
{
    struct direction *d = &l.dir[LINK_DOWN];

    (void)state;
    set("{\"cmd\":\"set\",\"down\":{\"rate\":\"100mbit\",\"aqm\":\"fifo limit 1bdp\"}}", 0);
    /* 100 Mbit/s times 10 ms are 125000 bytes. */
    offer(LINK_DOWN, 200, S);
    assert_int_equal(d->aqm->backlog_pkts, 100);
    drain(LINK_DOWN, 0, 2 * S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_get, open_link, close_link),
        cmocka_unit_test_setup_teardown(test_set, open_link, close_link),
        cmocka_unit_test_setup_teardown(test_refused, open_link, close_link),
        cmocka_unit_test_setup_teardown(test_replaced_aqm, open_link, close_link),
        cmocka_unit_test_setup_teardown(test_bdp_limit, open_link, close_link),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
