/* The tutorial's recipe by hand, refused inputs, and the file. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* After the above, as cmocka wants it. */
#include <cmocka.h>

#include "core/buf.h"
#include "model/pool.h"
#include "model/safetensors.h"
#include "tests/temp_file.h"

#define INTERVAL(cwnd, rtt, bps, omitted)                                                          \
    "{\"streams\":[{\"socket\":5,\"bits_per_second\":" #bps ",\"snd_cwnd\":" #cwnd                 \
    ",\"rtt\":" #rtt ",\"omitted\":" #omitted "}],\"sum\":{\"bits_per_second\":9e9}}"

static enum status add(struct pool *p, const char *json, struct error *err)
{
    return pool_add_iperf3(p, json, strlen(json), "run.json", err);
}

static void test_recipe(void **state)
{
    (void)state;
    struct error err;
    struct pool *p = pool_new("tutorial");
    assert_int_equal(
        add(p,
            "{\"start\":{},\"intervals\":[" INTERVAL(999999, 1, 1, true) "," /* omitted */
            INTERVAL(10000, 20000, 1000000, false) ","                       /* minimum: 1 */
            INTERVAL(20000, 50000, 5000000, false) "," /* middle: trunc(2 * 0.5) + 1 = 2 */
            INTERVAL(19999, 50000, 0, false) ","       /* just below: 1; nothing sent: 0.1 */
            INTERVAL(29999, 0, 1000000, false) ","     /* 2; no rtt: 0.1 */
            INTERVAL(30000, 100000, 10000000, false)   /* maximum: 3 */
            "],\"end\":{\"sender_tcp_congestion\":\"prague\"}}",
            &err),
        STATUS_OK);
    assert_int_equal(p->rows, 5);
    assert_int_equal(p->episode_count, 1);
    const struct pool_episode *e = &p->episodes[0];
    assert_int_equal(e->begin, 0);
    assert_int_equal(e->end, 5);
    assert_string_equal(e->source, "run.json");
    assert_string_equal(e->cc, "prague");
    assert_true(e->cwnd_min == 10000 && e->cwnd_max == 30000);

    const double actions[] = {1, 2, 1, 2, 3};
    const double rewards[] = {7.698970004336019 /* log10(1e6 / 0.02) = log10(5e7) */,
                              8 /* log10(5e6 / 0.05) */, 0.1, 0.1, 8 /* log10(1e7 / 0.1) */};
    for (int i = 0; i < 5; i++) {
        assert_true(p->actions[i] == actions[i]);
        assert_true(fabs(p->rewards[i] - rewards[i]) < 1e-12);
    }
    /* The stream's own rate, not the sum's; microseconds to seconds. */
    assert_true(p->states[0][POOL_RTT_S] == 0.02f);
    assert_true(p->states[0][POOL_CWND_BYTES] == 10000);
    assert_true(p->states[0][POOL_THROUGHPUT_BPS] == 1e6f);
    pool_free(p);
}

static void test_constant_cwnd(void **state)
{
    (void)state;
    struct error err;
    struct pool *p = pool_new("tutorial");
    assert_int_equal(
        add(p, "{\"intervals\":[" INTERVAL(5, 1, 1, false) "," INTERVAL(5, 1, 1, false) "]}", &err),
        STATUS_OK);
    assert_int_equal(p->rows, 2);
    assert_true(p->actions[0] == 1 && p->actions[1] == 1);
    pool_free(p);
}

static void refuse(const char *json, const char *why)
{
    struct error err;
    struct pool *p = pool_new("tutorial");
    assert_int_equal(add(p, json, &err), STATUS_INPUT);
    if (!strstr(err.message, why) || !strstr(err.message, "run.json"))
        fail_msg("'%s' does not say '%s'", err.message, why);
    pool_free(p);
}

static void test_refused(void **state)
{
    (void)state;
    refuse("", "empty");
    refuse("{\"intervals\":[", "not valid JSON");
    refuse("{}", "not the --json output");
    refuse("{\"intervals\":[],\"end\":{}}", "no intervals");
    refuse("{\"intervals\":[{\"streams\":[]}]}", "no streams");
    /* A cut-off run has rows and an error: it is no result. */
    refuse("{\"intervals\":[" INTERVAL(
               5, 1, 1, false) "],\"error\":\"interrupt - the client has terminated\"}",
           "interrupt - the client has terminated");
    refuse("{\"start\":{},\"intervals\":[],\"end\":{},\"error\":\"unable to connect to server\"}",
           "unable to connect to server");
    refuse("{\"intervals\":[" INTERVAL(5, 1, 1, true) "]}", "every interval is omitted");
    refuse("{\"intervals\":[{\"streams\":[{\"bits_per_second\":1}]}]}", "'snd_cwnd'");
    refuse("{\"intervals\":[{\"streams\":[{\"bits_per_second\":1,\"snd_cwnd\":3}]}]}", "'rtt'");
    refuse("{\"intervals\":[" INTERVAL(5, -1, 1, false) "]}", "out of range");
    refuse("{\"intervals\":[" INTERVAL(5, 1, 1e999, false) "]}", "out of range");
}

static struct pool *small_pool(void)
{
    struct pool *p = pool_new("tutorial");
    const struct pool_episode info = {
        .source = "a \"b\".json", .cc = "cubic", .stream = 1, .cwnd_min = 1, .cwnd_max = 9};
    for (int i = 0; i < 7; i++) {
        float s[] = {0.1f * (float)i, (float)i, 1e6f};
        assert_int_equal(pool_add(p, s, 1.0 / 3 + i, -i / 7.0, NULL), STATUS_OK);
        if (i == 2 || i == 6)
            assert_int_equal(pool_end_episode(p, &info, NULL), STATUS_OK);
    }
    assert_int_equal(pool_end_episode(p, &info, NULL), STATUS_OK); /* nothing new: no episode */
    return p;
}

static void test_file(void **state)
{
    (void)state;
    struct error err;
    struct pool *p = small_pool(), *q;
    assert_int_equal(pool_save(p, temp_path, &err), STATUS_OK);
    assert_int_equal(pool_load(temp_path, &q, &err), STATUS_OK);
    assert_int_equal(q->rows, 7);
    assert_int_equal(q->episode_count, 2);
    assert_int_equal(q->episodes[0].end, 3);
    assert_int_equal(q->episodes[1].begin, 3);
    assert_int_equal(q->episodes[1].end, 7);
    assert_string_equal(q->episodes[1].source, "a \"b\".json");
    assert_string_equal(q->episodes[1].cc, "cubic");
    assert_int_equal(q->episodes[1].stream, 1);
    assert_true(q->episodes[1].cwnd_max == 9);
    assert_string_equal(q->recipe, "tutorial");
    assert_memory_equal(p->states, q->states, 7 * sizeof *p->states);
    assert_memory_equal(p->actions, q->actions, 7 * sizeof *p->actions);
    assert_memory_equal(p->rewards, q->rewards, 7 * sizeof *p->rewards);
    pool_free(q);

    p->actions[4] = NAN;
    assert_int_equal(pool_save(p, temp_path, &err), STATUS_OK);
    assert_int_equal(pool_load(temp_path, &q, &err), STATUS_INPUT);
    assert_null(q);
    assert_non_null(strstr(err.message, "row 4: action"));
    pool_free(p);

    p = pool_new("tutorial");
    assert_int_equal(pool_save(p, temp_path, &err), STATUS_INPUT);
    pool_free(p);
}

static void test_foreign_file(void **state)
{
    (void)state;
    struct error err;
    struct pool *q;
    float x[4] = {0};
    const struct safetensors_tensor t = {"x", SAFETENSORS_F32, 1, {4}, x, sizeof x};
    assert_int_equal(safetensors_write(temp_path, &t, 1, NULL, &err), STATUS_OK);
    assert_int_equal(pool_load(temp_path, &q, &err), STATUS_INPUT);
    assert_non_null(strstr(err.message, "no experience pool"));

    cJSON *metadata = cJSON_CreateObject();
    cJSON_AddStringToObject(metadata, "format", "ccalab-pool");
    cJSON_AddStringToObject(metadata, "format_version", "1");
    const struct safetensors_tensor short_states = {"states", SAFETENSORS_F32, 2, {2, 2}, x, 16};
    assert_int_equal(safetensors_write(temp_path, &short_states, 1, metadata, &err), STATUS_OK);
    cJSON_Delete(metadata);
    assert_int_equal(pool_load(temp_path, &q, &err), STATUS_INPUT);
    assert_non_null(strstr(err.message, "'states'"));
}

/* A recorded FreeBSD run, where the shared data is at hand. */
static void test_recorded(void **state)
{
    (void)state;
    char name[4096];
    const char *source = getenv("CCALAB_SOURCE");
    snprintf(name, sizeof name, "%s/../shared/data/iperf3/freebsd_client_cubic_10_l4s.json",
             source ? source : ".");
    if (access(name, R_OK) != 0) {
        print_message("no %s: skipped\n", name);
        skip();
    }
    struct buf text;
    struct error err;
    assert_int_equal(buf_read_file(&text, name, 1 << 20, &err), STATUS_OK);
    struct pool *p = pool_new("tutorial");
    assert_int_equal(pool_add_iperf3(p, text.data, text.len, name, &err), STATUS_OK);
    buf_done(&text);
    assert_int_equal(p->rows, 60);
    assert_true(fabsf(p->states[0][POOL_RTT_S] - 0.316875f) < 1e-7f);
    assert_true(p->states[0][POOL_CWND_BYTES] == 88365);
    assert_true(p->states[0][POOL_THROUGHPUT_BPS] == (float)2076396.225891863);
    assert_true(fabs(p->rewards[0] - log10(2076396.225891863 / 0.316875)) < 1e-12);
    pool_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recipe),       cmocka_unit_test(test_constant_cwnd),
        cmocka_unit_test(test_refused),      cmocka_unit_test(test_file),
        cmocka_unit_test(test_foreign_file), cmocka_unit_test(test_recorded),
    };
    return cmocka_run_group_tests(tests, temp_file_make, temp_file_remove);
}
