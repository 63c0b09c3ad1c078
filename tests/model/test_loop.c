/* The recipe loop by hand: rows out of counters, what a run directory gives, rewards. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
/* After the above, as cmocka wants it. */
#include <cmocka.h>

#include "core/buf.h"
#include "model/dataset.h"
#include "model/snapshot.h"
#include "model/trace_samples.h"

#define INTERVAL_S 0.01

static void assert_near(double a, double b)
{
    if (!(fabs(a - b) <= 1e-6 * fmax(1, fabs(b))))
        fail_msg("%.9g is not %.9g", a, b);
}

/* --- rows ------------------------------------------------------------------------------------- */

static void rows_are_growth(void **state)
{
    (void)state;
    const struct snapshot a = {10, 0.02, 0.02, 1e4, 5000, 4294967290.0, 7, 3},
                          b = {10.02, 0.03, 0.02, 2e4, 30000, 14, 12, 4};
    struct trace_row r = snapshot_row(&a, &b);
    assert_near(r.t_s, 10.02);
    assert_near(r.throughput_bps, 1e7); /* 25000 bytes in 20 ms */
    assert_near(r.ce_share, 0.25);      /* 5 of 20: the counter has wrapped */
    assert_near(r.lost_share, 0.05);    /* 1 */
    assert_near(r.rtt_s, 0.03);
    assert_near(r.cwnd_bytes, 2e4);
    r = snapshot_row(NULL, &b);
    assert_true(isnan(r.throughput_bps) && isnan(r.ce_share) && isnan(r.lost_share));
    assert_near(r.cwnd_bytes, 2e4);
    r = snapshot_row(&b, &b);
    assert_true(isnan(r.throughput_bps));
    struct snapshot c = b;
    c.t_s += 0.1;
    c.lost += 2;
    r = snapshot_row(&b, &c); /* a time-out: nothing delivered, two lost */
    assert_true(r.throughput_bps == 0 && r.ce_share == 0);
    assert_near(r.lost_share, 2);
    c.delivered = 13; /* it fell: another flow, or a fault */
    assert_true(isnan(snapshot_row(&b, &c).ce_share));

    struct snapshot next = c = b;
    c.srtt_s = 0.005;
    c.t_s = b.t_s + 0.0095; /* the grid shakes: nearer to 10 ms than the next one */
    next.t_s = b.t_s + 0.0195;
    assert_true(snapshot_is_due(&b, &c, &next, INTERVAL_S));
    c.srtt_s = 0.0155; /* and here the next one is */
    assert_false(snapshot_is_due(&b, &c, &next, INTERVAL_S));
    assert_false(snapshot_is_due(&b, &c, NULL, INTERVAL_S));
    c.t_s = b.t_s + 0.02;
    assert_true(snapshot_is_due(&b, &c, NULL, INTERVAL_S));
}

/* --- a run directory -------------------------------------------------------------------------- */

static char dir[] = "/tmp/ccalab-loop-XXXXXX";

static void put(const char *name, const char *text)
{
    char path[512];
    struct error err;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_int_equal(file_write_atomic(path, text, strlen(text), &err), STATUS_OK);
}

static void drop(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    unlink(path);
}

static int make_dir(void **state)
{
    (void)state;
    char path[256];
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof path, "%s/samples", dir);
    return mkdir(path, 0700);
}

static int remove_dir(void **state)
{
    (void)state;
    char path[256];
    static const char *const names[] = {"run.json",         "samples.csv",
                                        "samples/x.csv",    "samples/y.csv",
                                        "samples/link.csv", "samples/drive_10.0.0.1_5.csv"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        drop(names[i]);
    snprintf(path, sizeof path, "%s/samples", dir);
    rmdir(path);
    return rmdir(dir);
}

#define RUN(flows)                                                                                 \
    "{\"provenance\":{\"scenario\":\"s 1\",\"seed\":3,\"cc\":\"reno\"" flows                       \
    "},\"run\":{\"t0\":99,\"flows\":[{\"tcp\":{\"sockets\":["                                      \
    "{\"src\":\"x\",\"local\":\"10.0.0.1:5\",\"cc\":\"reno\"},"                                    \
    "{\"src\":\"y\",\"local\":\"10.0.0.2:6\",\"cc\":\"cubic\"}]}}]}}"
static const char x_csv[] = "t_s,cwnd_bytes,cwnd_pkts,srtt_us,min_rtt_us,throughput_bps,"
                            "bytes_acked,retrans,lost,delivered,delivered_ce\n"
                            "99.99,10000,7,,,,,,,,\n" /* nothing measured yet */
                            "100.00,10000,7,20000,20000,,0,0,0,0,0\n"
                            "100.01,10000,7,20000,20000,8e6,10000,0,0,7,0\n"
                            "100.02,20000,14,26000,20000,8e6,20000,0,0,14,5\n"
                            "100.03,20000,14,25000,20000,14e6,37500,1,9,25,5\n" /* row */
                            "100.04,15000,10,20000,20000,8e6,47500,1,0,35,5\n"
                            "100.05,10000,7,20000,18000,12e6,62500,1,0,45,5\n" /* row */
                            "100.07,10000,7,36000,18000,0,62500,3,0,45,5\n"
                            "100.09,10000,7,36000,18000,0,62500,3,0,45,5\n" /* row */
                            "100.10,10000,7,36000,18000,1,70000,3,0,50,5\n"
                            /* Done, but its socket lingers. */
                            "100.20,10000,7,36000,18000,0,70000,3,0,50,5\n"; /* row */
/* 2.5 MB/s for 40 ms. */
static const char y_csv[] = "t_s,cwnd_bytes,srtt_us,min_rtt_us,throughput_bps,bytes_acked,retrans,"
                            "delivered,delivered_ce\n"
                            "100.02,10000,20000,20000,,1000,0,0,0\n"
                            "100.06,10000,20000,20000,2e7,101000,0,70,0\n";

static enum status build_at(double interval_s, enum recipe recipe, struct pool **out,
                            struct error *err)
{
    struct trace_set traces;
    *out = NULL;
    trace_set_init(&traces);
    traces.interval_s = interval_s;
    enum status st = trace_add_path(&traces, dir, err);
    if (!st)
        st = recipe_build(recipe, &traces, out, err);
    trace_set_done(&traces);
    return st;
}

static void rows_of_samples(void **state)
{
    (void)state;
    struct error err;
    struct pool *p;
    put("run.json", RUN(",\"flows\":[\"x\"]"));
    put("samples/x.csv", x_csv);
    put("samples/y.csv", y_csv);
    put("samples/link.csv", "t_s,rate_bps\n100,5\n");
    assert_int_equal(build_at(INTERVAL_S, RECIPE_LOOP, &p, &err), STATUS_OK);
    assert_int_equal(p->episode_count, 1); /* y is no teacher */
    assert_string_equal(p->episodes[0].scenario, "s 1");
    assert_string_equal(p->episodes[0].cc, "reno");
    assert_true(p->episodes[0].seed == 3);
    assert_int_equal(p->rows, 2); /* the last of the three has no next one */
    const double first[] = {0.025, 20000, 1e7, 0.02, 0.2, 0.04};
    for (int k = 0; k < POOL_FEATURES; k++)
        assert_near(p->states[0][k], first[k]);
    assert_near(p->t_s[0], 1.03); /* since the run's t0 */
    assert_near(p->t_s[1], 1.05);
    assert_near(p->actions[0], -log(2));
    assert_near(p->actions[1], 0);
    /* y had 20 Mbit/s then; the least round trip of x, measured later, is 18 ms. */
    assert_near(p->rewards[0], (log(1e7) + log(2e7)) / 2 - 0.5 * log(20.0 / 18));
    /* y has gone, nothing arrives, all is lost. */
    assert_near(p->rewards[1], log(12e3) - 0.5 * log(2) - 5);

    /* The pool keeps it, and a pool built of pools. */
    char path[256];
    struct pool *q;
    struct trace_set traces;
    snprintf(path, sizeof path, "%s/samples.csv", dir); /* a name that is there */
    assert_int_equal(pool_save(p, path, &err), STATUS_OK);
    trace_set_init(&traces);
    assert_int_equal(trace_add_path(&traces, path, &err), STATUS_OK);
    assert_int_equal(trace_add_path(&traces, path, &err), STATUS_OK);
    assert_int_equal(recipe_build(RECIPE_LOOP, &traces, &q, &err), STATUS_OK);
    trace_set_done(&traces);
    assert_int_equal(q->rows, 4);
    assert_int_equal(q->episode_count, 2);
    assert_memory_equal(q->rewards + 2, p->rewards, 2 * sizeof *p->rewards);
    assert_memory_equal(q->actions + 2, p->actions, 2 * sizeof *p->actions);
    assert_memory_equal(q->t_s + 2, p->t_s, 2 * sizeof *p->t_s);
    assert_memory_equal(q->states + 2, p->states, 2 * sizeof *p->states);
    pool_free(q);
    pool_free(p);
    drop("samples.csv");

    /* The other recipes have a row a sample, as ever: nine with a throughput, the last without
     * next. */
    assert_int_equal(build_at(0, RECIPE_LAB, &p, &err), STATUS_OK);
    assert_int_equal(p->rows, 8);
    assert_near(p->states[0][POOL_THROUGHPUT_BPS], 8e6);
    pool_free(p);
    assert_int_equal(build_at(0, RECIPE_LOOP, &p, &err), STATUS_INPUT); /* no counters */

    /* Without a list of teachers both are experience; y has no row with one before it and after. */
    put("run.json", RUN(""));
    assert_int_equal(build_at(0, RECIPE_TUTORIAL, &p, &err), STATUS_OK);
    assert_int_equal(p->episode_count, 2);
    pool_free(p);
}

/* Two windows by which the policy decided, 5 ms apart: taken as they are. */
static void rows_of_decisions(void **state)
{
    (void)state;
    static const char csv[] = "t_s,cwnd_pkts,wanted_pkts,cwnd_bytes,srtt_us,min_rtt_us,"
                              "throughput_bps,bytes_acked,delivered,delivered_ce,lost\n"
                              "100.010,10,12,10000,20000,20000,,10000,10,0,0\n"
                              "100.015,12,18,12000,20000,20000,1,20000,20,0,1\n"
                              "100.030,18,6,18000,30000,20000,1,35000,40,10,1\n"
                              "100.050,6,6,6000,20000,20000,1,36000,40,10,1\n";
    struct error err;
    struct pool *p;
    put("run.json", RUN(",\"flows\":[\"x\"]"));
    put("samples/drive_10.0.0.1_5.csv", csv);
    assert_int_equal(build_at(INTERVAL_S, RECIPE_LOOP, &p, &err), STATUS_OK);
    assert_int_equal(p->episode_count, 1);
    assert_non_null(strstr(p->episodes[0].source, "drive_10.0.0.1_5"));
    assert_int_equal(p->rows, 2);
    const double first[] = {0.02, 12000, 1.6e7, 0.02, 0, 0.1};
    for (int k = 0; k < POOL_FEATURES; k++)
        assert_near(p->states[0][k], first[k]);
    assert_near(p->actions[0], log(1.5));
    assert_near(p->actions[1], -log(3));
    /* 8 Mbit/s in 15 ms, y not there all the time; half of the packets carried a mark. */
    assert_near(p->rewards[0], log(8e6) - 0.5 * log(1.5) - 0.05 * 0.5);
    assert_near(p->rewards[1], (log(4e5) + log(2e7)) / 2);
    pool_free(p);

    /* Another socket's decisions are nobody's. */
    put("run.json", "{}");
    assert_int_equal(build_at(INTERVAL_S, RECIPE_LOOP, &p, &err), STATUS_OK);
    assert_non_null(strstr(p->episodes[0].source, "samples/x.csv"));
    assert_near(p->t_s[0], 0.04); /* since the first sample, at 99.99 */
    pool_free(p);
    drop("samples/drive_10.0.0.1_5.csv");
}

/* What was advised at a row is what is to be learned there; what was done is still the action, and
 * what came of it the reward. What was wanted may be any number. */
static void rows_of_advice(void **state)
{
    (void)state;
    static const char csv[] = "t_s,wanted_pkts,advised_bytes,cwnd_bytes,srtt_us,min_rtt_us,"
                              "throughput_bps,bytes_acked,delivered,delivered_ce,lost\n"
                              "100.010,-5,99000,10000,20000,20000,,10000,10,0,0\n"
                              "100.020,1e300,15000.5,12000,20000,20000,1,20000,20,0,1\n"
                              "100.030,6,,18000,30000,20000,1,35000,40,10,1\n"
                              "100.040,6,5000,6000,20000,20000,1,36000,40,10,1\n";
    struct error err;
    struct pool *p, *q;
    struct trace_set traces;
    char path[256];
    put("run.json", RUN(",\"flows\":[\"x\"]"));
    put("samples/drive_10.0.0.1_5.csv", csv);
    assert_int_equal(build_at(INTERVAL_S, RECIPE_LOOP, &p, &err), STATUS_OK);
    drop("samples/drive_10.0.0.1_5.csv");
    assert_int_equal(p->rows, 2);
    assert_near(p->actions[0], log(1.5));
    assert_near(p->advice[0], log(15000.5 / 12000)); /* at this row, and not at the one before */
    assert_near(p->actions[1], -log(3));
    assert_near(p->advice[1], -log(3)); /* nobody was asked */

    snprintf(path, sizeof path, "%s/samples.csv", dir); /* a name that is there */
    assert_int_equal(pool_save(p, path, &err), STATUS_OK);
    trace_set_init(&traces);
    assert_int_equal(trace_add_path(&traces, path, &err), STATUS_OK);
    assert_int_equal(recipe_build(RECIPE_LOOP, &traces, &q, &err), STATUS_OK);
    assert_memory_equal(q->advice, p->advice, 2 * sizeof *p->advice);
    assert_memory_equal(q->actions, p->actions, 2 * sizeof *p->actions);
    pool_free(q);
    trace_set_done(&traces);
    drop("samples.csv");
    pool_free(p);
}

/* A second socket of the same name, a gap, a clock that was set back. */
static void gaps_end_episodes(void **state)
{
    (void)state;
#define HEAD                                                                                       \
    "t_s,cwnd_bytes,srtt_us,min_rtt_us,throughput_bps,bytes_acked,retrans,delivered,delivered_"    \
    "ce\n"
#define SAMPLE(t, bytes) #t ",1000,5000,5000,1," #bytes ",0,0,0\n"
    static const char text[] = HEAD SAMPLE(1.00, 100) SAMPLE(1.01, 200) SAMPLE(1.005, 150)
        SAMPLE(1.02, 300) "1.03,,,,,,,,\n" SAMPLE(1.04, 500) SAMPLE(1.05, 600) SAMPLE(1.06, 700)
            SAMPLE(1.07, 50) SAMPLE(1.08, 90);
    struct trace_set traces;
    struct error err;
    struct pool *p;
    trace_set_init(&traces);
    traces.interval_s = INTERVAL_S;
    assert_int_equal(trace_add_samples(&traces, text, strlen(text), "x.csv", &err), STATUS_OK);
    assert_int_equal(recipe_build(RECIPE_LOOP, &traces, &p, &err), STATUS_OK);
    /* 1.01 to 1.02, 1.05 to 1.06; what came of the second socket has one row and no next. */
    assert_int_equal(p->rows, 2);
    assert_int_equal(p->episode_count, 2);
    assert_near(p->t_s[0], 0.01);
    assert_near(p->t_s[1], 0.05);
    pool_free(p);
    trace_set_done(&traces);

    static const char *const bad[] = {HEAD "x\n",   HEAD "1.0,-5,1\n", HEAD "1.0,5 5,1\n",
                                      HEAD "1.0,5", HEAD ",5\n",       HEAD "1.0,1e19\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        trace_set_init(&traces);
        assert_int_equal(trace_add_samples(&traces, bad[i], strlen(bad[i]), "x.csv", &err),
                         STATUS_INPUT);
        assert_non_null(strstr(err.message, "x.csv:2"));
        trace_set_done(&traces);
    }
    trace_set_init(&traces);
    assert_int_equal(trace_add_samples(&traces, "t_s,rate_bps\n1,2\n", 17, "link.csv", &err),
                     STATUS_INPUT);
    trace_set_done(&traces);
}

static void rates_are_of_one_socket(void **state)
{
    (void)state;
    struct trace_samples f;
    struct error err;
    static const char text[] =
        HEAD SAMPLE(1.0, 0) SAMPLE(2.0, 1000) SAMPLE(3.0, 5000) SAMPLE(4.0, 10) SAMPLE(5.0, 20);
    assert_int_equal(trace_samples_read(text, strlen(text), "f", &f, &err), STATUS_OK);
    assert_near(trace_samples_rate(&f, 1, 2), 8000);
    assert_near(trace_samples_rate(&f, 1.5, 2.5), 8 * (3000 - 500)); /* halves of two intervals */
    assert_true(isnan(trace_samples_rate(&f, 0.5, 2)));
    assert_true(isnan(trace_samples_rate(&f, 2.5, 4.5)));
    assert_true(isnan(trace_samples_rate(&f, 3.2, 3.4)));
    assert_true(isnan(trace_samples_rate(&f, 4.5, 5.5)));
    trace_samples_done(&f);
}

/* Not a part of them without a word. */
static void too_many_files(void **state)
{
    (void)state;
    struct error err;
    struct pool *p;
    char path[256];

    for (int i = 0; i <= 4096; i++) {
        snprintf(path, sizeof path, "%s/samples/%d.csv", dir, i);
        assert_int_equal(symlink("nothing", path), 0);
    }
    assert_int_equal(build_at(INTERVAL_S, RECIPE_LOOP, &p, &err), STATUS_INPUT);
    assert_non_null(strstr(err.message, "more than 4096 files"));
    for (int i = 0; i <= 4096; i++) {
        snprintf(path, sizeof path, "samples/%d.csv", i);
        drop(path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_growth),   cmocka_unit_test(rows_of_samples),
        cmocka_unit_test(rows_of_decisions), cmocka_unit_test(rows_of_advice),
        cmocka_unit_test(gaps_end_episodes), cmocka_unit_test(rates_are_of_one_socket),
        cmocka_unit_test(too_many_files),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
