/* The recipes by hand, refused inputs, and the file. */
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
#include "core/json.h"
#include "model/pool.h"
#include "model/recipe.h"
#include "model/safetensors.h"
#include "tests/temp_file.h"

#define INTERVAL(cwnd, rtt, bps, omitted)                                                          \
    "{\"streams\":[{\"socket\":5,\"bits_per_second\":" #bps ",\"snd_cwnd\":" #cwnd                 \
    ",\"rtt\":" #rtt ",\"omitted\":" #omitted "}],\"sum\":{\"bits_per_second\":9e9}}"

/* A pool from one document, by the recipe. */
static enum status build(const char *recipe, const char *json, struct pool **out, struct error *err)
{
    struct trace_set traces;
    trace_set_init(&traces);
    *out = NULL;
    enum status st = trace_add_iperf3(&traces, json, strlen(json), "run.json", err);
    if (!st)
        st = recipe_build(recipe_of(recipe), &traces, out, err);
    trace_set_done(&traces);
    return st;
}

static void test_recipe(void **state)
{
    (void)state;
    struct error err;
    struct pool *p;
    assert_int_equal(
        build("tutorial",
              "{\"start\":{},\"intervals\":[" INTERVAL(999999, 1, 1, true) "," /* omitted */
              INTERVAL(10000, 20000, 1000000, false) ","                       /* minimum: 1 */
              INTERVAL(20000, 50000, 5000000, false) "," /* middle: trunc(2 * 0.5) + 1 = 2 */
              INTERVAL(19999, 50000, 0, false) ","       /* just below: 1; nothing sent: 0.1 */
              INTERVAL(29999, 0, 1000000, false) ","     /* 2; no rtt: 0.1 */
              INTERVAL(30000, 100000, 10000000, false)   /* maximum: 3 */
              "],\"end\":{\"sender_tcp_congestion\":\"prague\"}}",
              &p, &err),
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
    struct pool *p;
    assert_int_equal(
        build("tutorial",
              "{\"intervals\":[" INTERVAL(5, 1, 1, false) "," INTERVAL(5, 1, 1, false) "]}", &p,
              &err),
        STATUS_OK);
    assert_int_equal(p->rows, 2);
    assert_true(p->actions[0] == 1 && p->actions[1] == 1);
    pool_free(p);
}

/* The published pools' recipe: constants over all flows, rewards standardised. */
static void test_published(void **state)
{
    (void)state;
    struct error err;
    struct pool *p;
    assert_int_equal(build("published",
                           "{\"intervals\":[" INTERVAL(10000, 20000, 1000000, false) "," INTERVAL(
                               15000, 50000, 5000000, false) "," INTERVAL(30000, 1, 0, false) "]}",
                           &p, &err),
                     STATUS_OK);
    assert_true(p->actions[0] == 0 && p->actions[1] == 0.25 && p->actions[2] == 1);
    assert_memory_equal(p->advice, p->actions, 3 * sizeof *p->actions); /* nobody was asked */
    const double raw[] = {log10(5e7), 8, 0.1}, mean = (log10(5e7) + 8.1) / 3;
    double squares = 0;
    for (int i = 0; i < 3; i++)
        squares += (raw[i] - mean) * (raw[i] - mean);
    assert_true(fabs(p->reward_mean - mean) < 1e-12);
    assert_true(fabs(p->reward_std - sqrt(squares / 3)) < 1e-12);
    for (int i = 0; i < 3; i++)
        assert_true(fabs(p->rewards[i] - (raw[i] - mean) / sqrt(squares / 3)) < 1e-12);
    assert_true(recipe_copy(RECIPE_PUBLISHED, 15000, &p->episodes[0]) == p->actions[1]);

    /* Written and read back, its constants are still there; from its states it is recognised. */
    struct pool *q;
    assert_int_equal(pool_save(p, temp_path, &err), STATUS_OK);
    assert_int_equal(pool_load(temp_path, &q, &err), STATUS_OK);
    assert_true(q->reward_mean == p->reward_mean && q->reward_std == p->reward_std);
    snprintf(q->recipe, sizeof q->recipe, "imported");
    assert_int_equal(recipe_recognise(q, &err), STATUS_OK);
    assert_string_equal(q->recipe, "published");
    q->actions[1] += 1e-9;
    snprintf(q->recipe, sizeof q->recipe, "imported");
    assert_int_equal(recipe_recognise(q, &err), STATUS_OK);
    assert_string_equal(q->recipe, "imported");
    pool_free(q);
    pool_free(p);
}

/* The lab's recipe looks one interval ahead. */
static void test_lab(void **state)
{
    (void)state;
    struct error err;
    struct pool *p;
    assert_int_equal(
        build("lab",
              "{\"intervals\":[" INTERVAL(10000, 20000, 1000000, false) "," INTERVAL(
                  20000, 50000, 5000000, false) "," INTERVAL(10000, 100000, 0, false) "]}",
              &p, &err),
        STATUS_OK);
    assert_int_equal(p->rows, 2); /* the last interval has no next one */
    assert_true(fabs(p->actions[0] - log(2)) < 1e-12 && fabs(p->actions[1] + log(2)) < 1e-12);
    assert_true(fabs(p->rewards[0] - 8) < 1e-12);                 /* log10(5e6 / 0.05) */
    assert_true(fabs(p->rewards[1] - log10(12e3 / 0.1)) < 1e-12); /* nothing came: the floor */
    assert_true(p->states[1][POOL_CWND_BYTES] == 20000);
    assert_true(isnan(recipe_copy(RECIPE_LAB, 20000, &p->episodes[0])));
    pool_free(p);
    assert_int_equal(build("lab", "{\"intervals\":[" INTERVAL(5, 1, 1, false) "]}", &p, &err),
                     STATUS_INPUT);
    assert_non_null(strstr(err.message, "no row"));
    assert_int_equal(build("nonsense", "{\"intervals\":[" INTERVAL(5, 1, 1, false) "]}", &p, &err),
                     STATUS_USAGE);
}

/* Samples in long form: flows side by side, rows by time, a gap ends an episode. */
static void test_csv(void **state)
{
    (void)state;
    static const char text[] = "t_s,series,value\n"
                               "1.0,x/cwnd_bytes,1000\n2.0,x/cwnd_bytes,2000\n"
                               "3.0,x/cwnd_bytes,\n4.0,x/cwnd_bytes,4000\n5.0,x/cwnd_bytes,8000\n"
                               "1.0,y/cwnd_bytes,500\n"
                               "1.0,x/srtt_us,0\n2.0,x/srtt_us,20000\n3.0,x/srtt_us,20000\n"
                               "4.0,x/srtt_us,20000\n5.0,x/srtt_us,20000\n"
                               "2.0,x/throughput_bps,1e6\n3.0,x/throughput_bps,1e6\n"
                               "4.0,x/throughput_bps,1e6\n5.0,x/throughput_bps,2e6\n"
                               "1.0,link/down/prob,0.1\n";
    struct error err;
    struct trace_set traces;
    struct pool *p;
    trace_set_init(&traces);
    assert_int_equal(trace_add_csv(&traces, text, strlen(text), "s.csv", &err), STATUS_OK);
    assert_int_equal(traces.count, 1); /* y never had a round trip */
    assert_int_equal(traces.at[0].count, 4);
    assert_true(traces.at[0].rows[0].t_s == 2 && traces.at[0].rows[0].rtt_s == 0.02);
    assert_true(isnan(traces.at[0].rows[1].cwnd_bytes));
    assert_int_equal(recipe_build(RECIPE_LAB, &traces, &p, &err), STATUS_OK);
    assert_int_equal(p->rows, 1); /* 4 to 5: a step over the gap would be none */
    assert_true(fabs(p->actions[0] - log(2)) < 1e-12);
    pool_free(p);
    assert_int_equal(recipe_build(RECIPE_TUTORIAL, &traces, &p, &err), STATUS_OK);
    assert_int_equal(p->episode_count, 2);
    pool_free(p);
    trace_set_done(&traces);

    static const char *const bad[] = {"t_s,series,value\nx\n",
                                      "t_s,series,value\n1,x/srtt_us\n",
                                      "t_s,series,value\n1,x/srtt_us,-1\n",
                                      "t_s,series,value\n1,x/srtt_us,1 2\n",
                                      "t_s,series,value\n \n1,x/srtt_us,1\n",
                                      "t_s,series,value\n1,x/srtt_us,1",
                                      "t_s,series,value\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        trace_set_init(&traces);
        assert_int_equal(trace_add_csv(&traces, bad[i], strlen(bad[i]), "s.csv", &err),
                         STATUS_INPUT);
        assert_non_null(
            strstr(err.message, i + 1 < sizeof bad / sizeof *bad ? "s.csv:2" : "s.csv"));
        trace_set_done(&traces);
    }
}

static void refuse(const char *json, const char *why)
{
    struct error err;
    struct pool *p;
    assert_int_equal(build("tutorial", json, &p, &err), STATUS_INPUT);
    assert_null(p);
    if (!strstr(err.message, why) || !strstr(err.message, "run.json"))
        fail_msg("'%s' does not say '%s'", err.message, why);
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

/* Six numbers a state: the file, the check of a row, the columns of the CSV and of the ranges. */
static void test_loop(void **state)
{
    (void)state;
    struct error err;
    struct buf csv;
    struct pool *p = pool_new("loop"), *q;
    const float s[] = {0.03f, 30000, 1e7f, 0.02f, 0.25f, 0};
    const struct pool_episode info = {.source = "run", .cwnd_min = NAN, .cwnd_max = NAN};
    assert_int_equal(p->features, 6);
    assert_int_equal(pool_add(p, s, 0.5, 1, &err), STATUS_OK);
    assert_int_equal(pool_add(p, s, -0.5, 2, &err), STATUS_OK);
    assert_int_equal(pool_end_episode(p, &info, &err), STATUS_OK);
    assert_int_equal(pool_save(p, temp_path, &err), STATUS_OK);
    assert_int_equal(pool_load(temp_path, &q, &err), STATUS_OK);
    assert_int_equal(q->features, 6);
    assert_memory_equal(q->states[1], s, sizeof s);
    cJSON *o = pool_describe(q);
    const cJSON *columns = json_get(o, "columns");
    assert_int_equal(cJSON_GetArraySize(columns), 8);
    assert_true(json_num(json_get(columns, "ce_share"), "max", 0) == 0.25);
    assert_true(json_num(json_get(o, "advice"), "share", 1) == 0);
    assert_true(cJSON_IsNull(json_get(json_get(o, "advice"), "mean")));
    cJSON_Delete(o);
    assert_int_equal(pool_export_csv(q, temp_path, &err), STATUS_OK);
    assert_int_equal(buf_read_file(&csv, temp_path, 4096, &err), STATUS_OK);
    const char *header = "rtt_s,cwnd_bytes,throughput_bps,min_rtt_s,ce_share,lost_share,action,"
                         "advice,reward,done\n";
    assert_memory_equal(csv.data, header, strlen(header));
    buf_done(&csv);

    /* Advice is another than the action by more than rounding. */
    q->advice[0] += 1e-9;
    q->advice[1] = 0.25;
    o = pool_describe(q);
    assert_true(json_num(json_get(o, "advice"), "share", 0) == 0.5);
    assert_true(json_num(json_get(o, "advice"), "mean", 0) == 0.25);
    assert_true(json_num(json_get(o, "advice"), "std", 1) == 0);
    cJSON_Delete(o);
    q->advice[0] = 0.75;
    o = pool_describe(q);
    assert_true(json_num(json_get(o, "advice"), "share", 0) == 1);
    assert_true(json_num(json_get(o, "advice"), "mean", 0) == 0.5);
    assert_true(json_num(json_get(o, "advice"), "std", 0) == 0.25);
    cJSON_Delete(o);
    assert_int_equal(pool_export_csv(q, temp_path, &err), STATUS_OK);
    assert_int_equal(buf_read_file(&csv, temp_path, 4096, &err), STATUS_OK);
    assert_non_null(strstr((char *)csv.data, ",0.5,0.75,1,0\n"));
    assert_non_null(strstr((char *)csv.data, ",-0.5,0.25,2,1\n"));
    buf_done(&csv);
    pool_free(q);

    /* Advice is kept beside the action, and no number but a finite one. */
    p->advice[0] = 0.25;
    p->t_s[1] = 0.5;
    assert_int_equal(pool_save(p, temp_path, &err), STATUS_OK);
    assert_int_equal(pool_load(temp_path, &q, &err), STATUS_OK);
    assert_true(q->advice[0] == 0.25 && q->advice[1] == -0.5 && q->t_s[1] == 0.5);
    assert_true(q->actions[0] == 0.5);
    pool_free(q);
    p->advice[0] = INFINITY;
    assert_int_equal(pool_save(p, temp_path, &err), STATUS_OK);
    assert_int_equal(pool_load(temp_path, &q, &err), STATUS_INPUT);
    assert_non_null(strstr(err.message, "row 0: advice is not a finite"));
    p->advice[0] = p->actions[0];
    p->t_s[1] = p->t_s[0] - 1; /* would weigh a reward of the past more than all others */
    assert_int_equal(pool_save(p, temp_path, &err), STATUS_OK);
    assert_int_equal(pool_load(temp_path, &q, &err), STATUS_INPUT);
    assert_non_null(strstr(err.message, "row 1: t is before that of the row above"));
    p->t_s[1] = p->t_s[0];

    static const struct {
        int column;
        float value;
        const char *says;
    } bad[] = {{POOL_MIN_RTT_S, 0, "row 1: min_rtt_s is not positive"},
               {POOL_CE_SHARE, -0.1f, "row 1: ce_share is negative"},
               {POOL_LOST_SHARE, NAN, "row 1: lost_share is not a finite"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        memcpy(p->states[1], s, sizeof s);
        p->states[1][bad[i].column] = bad[i].value;
        assert_int_equal(pool_save(p, temp_path, &err), STATUS_OK);
        assert_int_equal(pool_load(temp_path, &q, &err), STATUS_INPUT);
        assert_non_null(strstr(err.message, bad[i].says));
    }
    /* A file whose states are of another recipe. */
    snprintf(p->recipe, sizeof p->recipe, "lab");
    assert_int_equal(pool_save(p, temp_path, &err), STATUS_OK);
    assert_int_equal(pool_load(temp_path, &q, &err), STATUS_INPUT);
    assert_non_null(strstr(err.message, "'states' has 6 columns, those of recipe lab have 3"));
    pool_free(p);
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
    struct pool *p;
    assert_int_equal(build("tutorial", text.data, &p, &err), STATUS_OK);
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
        cmocka_unit_test(test_recipe),    cmocka_unit_test(test_constant_cwnd),
        cmocka_unit_test(test_published), cmocka_unit_test(test_lab),
        cmocka_unit_test(test_csv),       cmocka_unit_test(test_refused),
        cmocka_unit_test(test_file),      cmocka_unit_test(test_foreign_file),
        cmocka_unit_test(test_loop),      cmocka_unit_test(test_recorded),
    };
    return cmocka_run_group_tests(tests, temp_file_make, temp_file_remove);
}
