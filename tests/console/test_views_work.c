/* The screens that one works on: Runs with the runs of before, Train, REPL. */
#include <sys/stat.h>

#include "tests/console/screen_golden.h"

#include "console/driven.h"
#include "console/term.h"

static char dir[] = "/tmp/ccalab-views-XXXXXX";

static void write_file(const char *name, const char *text)
{
    char path[256];
    struct error err;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_int_equal(file_write_atomic(path, text, strlen(text), &err), STATUS_OK);
}

/* Two runs that ended, one that broke; the second has samples. */
static void write_runs(void)
{
    static const char *const ids[] = {"20261121T080000Z-cc", "20261121T081500Z-cc",
                                      "20261121T083000Z-probe"};
    static const char *const results[] = {
        "\"status\":\"ok\",\"duration_s\":12.5,\"result\":{\"rate_bps\":41e6,\"marks\":0.031}",
        "\"status\":\"ok\",\"duration_s\":13.5,\"result\":{\"rate_bps\":45e6,\"marks\":0.062}",
        "\"status\":\"failed\",\"duration_s\":1.25,\"message\":\"client_x: no such host\""};
    char path[256], text[8192];
    size_t n;

    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, ids[i]);
        assert_int_equal(mkdir(path, 0755), 0);
        snprintf(path, sizeof path, "%s/run.json", ids[i]);
        snprintf(text, sizeof text, "{\"name\":\"x\",\"started_utc\":\"%.16s\",%s}", ids[i],
                 results[i]);
        write_file(path, text);
    }
    snprintf(path, sizeof path, "%s/%s/samples", dir, ids[1]);
    assert_int_equal(mkdir(path, 0755), 0);
    n = (size_t)sprintf(text,
                        "t_s,cwnd_bytes,srtt_us,throughput_bps,delivered,delivered_ce,retrans\n");
    for (int i = 0; i < 60; i++)
        n += (size_t)sprintf(text + n, "%d,%d,%d,%d,%d,%d,2\n", 1000 + i, 30000 + 400 * (i % 9),
                             21000 + 100 * (i % 7), 40000000 + 100000 * i, 1000 * i, 25 * i);
    snprintf(path, sizeof path, "%s/samples/client_x.csv", ids[1]);
    write_file(path, text);
}

static void start_lua(void)
{
    struct error err;

    if (session_script(&golden.session, NULL, NULL, &err) != STATUS_OK)
        fail_msg("%s", err.message);
}

static void flow_samples(void)
{
    char json[512];

    for (int i = 0; i < 100; i++) {
        snprintf(json, sizeof json,
                 "{\"t\":%d.%d,\"type\":\"sample\",\"src\":\"client_x\",\"values\":{"
                 "\"throughput_bps\":%d,\"cwnd_bytes\":%d,\"srtt_us\":%d,\"delivered\":%d,"
                 "\"delivered_ce\":%d,\"retrans\":3}}",
                 1795251163 + i / 10, i % 10, 20000000 + 100000 * (i % 30), 20000 + 500 * (i % 20),
                 20000 + 10 * i, 1000 + i, 30 + i / 10);
        golden_event("client_x", json);
    }
    golden_event("client_y",
                 "{\"t\":1795251173,\"type\":\"sample\",\"src\":\"client_y\",\"values\":"
                 "{\"throughput_bps\":null,\"cwnd_bytes\":14480,\"srtt_us\":null}}");
}

/* Large, which `wide` is to show, too small, and all between, to 80 x 24 again. */
static void resize_and_back(const char *wide)
{
    golden_resize(200, 50);
    golden_assert(wide);
    golden_resize(20, 5);
    golden_assert("too-small-20x5");
    for (int rows = 40; rows > 0; rows -= 3)
        golden_resize(rows * 4, rows);
    golden_resize(80, 24);
}

static void test_runs_live(void **state)
{
    (void)state;
    golden_open(VIEW_RUNS, 80, 24);
    flow_samples();
    golden_assert("runs-80x24");
    golden_type("p");
    golden_assert_shown("(paused)");
    golden_type("p");
    resize_and_back("runs-200x50");
    golden_assert("runs-80x24");
    golden_type("r"); /* Lua is not up: an empty list, and no crash */
    golden_type("\rmcx");
    golden_close();
}

#define DRIVE_UP                                                                                   \
    "{\"t\":1795251160,\"type\":\"result\",\"data\":{\"state\":\"up\",\"cc\":\"netllm\","          \
    "\"policy\":"                                                                                  \
    "\"lua:/home/student/own_cc.lua\",\"interval_us\":10000,\"target_return_scale\":0.8}}"
#define DRIVE_ALL(flows)                                                                           \
    "{\"t\":1795251174,\"type\":\"sample\",\"src\":\"drive\",\"values\":{\"intervals\":98,"        \
    "\"decisions\":97,\"refused\":1,\"clamped\":2,\"watchdog_share\":0.0204,"                      \
    "\"event_p50_us\":38.2,\"event_p99_us\":166,\"flows\":" flows "}}"

/* A second of a driven flow; the watchdog has the other one. */
static void driven_samples(int port)
{
    char json[1024];

    for (int i = 0; i < 100; i++) {
        int wanted = 60 + 2 * (i / 10 % 5), cwnd = 60 + 2 * ((i + 9) / 10 % 5);

        snprintf(json, sizeof json,
                 "{\"t\":%d.%d,\"type\":\"sample\",\"src\":\"drive/10.98.1.2:%d\",\"values\":{"
                 "\"srtt_us\":21000,\"min_rtt_us\":20100,\"throughput_bps\":41234567,"
                 "\"interval_delivered\":42,\"interval_ce\":3,\"interval_lost\":0,"
                 "\"wanted_pkts\":%d,\"target_return_scale\":0.8,\"target_return\":%s,"
                 "\"cwnd_pkts\":%d,\"in_flight_pkts\":%d,\"pacing_rate_bps\":42100000,"
                 "\"is_driven\":%d,\"age_us\":2140,\"takeovers\":%d,\"cwnd_bytes\":%d}}",
                 1795251163 + i / 10, i % 10, port, wanted, port == 42236 ? "412.6" : "null", cwnd,
                 cwnd - 2, port == 42236, port != 42236, 1448 * cwnd);
        golden_event("script", json);
    }
}

static void test_runs_driven(void **state)
{
    (void)state;
    golden_open(VIEW_RUNS, 80, 24);
    golden_event("script", DRIVE_ALL("1")); /* of nobody */
    golden_event("script", DRIVE_UP);
    golden_assert_not_shown("Driven"); /* no flow yet */
    driven_samples(42236);
    golden_event("script", DRIVE_ALL("1"));
    golden_assert("runs-driven-80x24");
    golden_assert_shown("lua:own_cc.lua, return 0.80, < > change it");
    golden_type("><"); /* Lua is not up */
    start_lua();
    golden_type(">");
    golden_assert_shown("nothing is driven from here");
    driven_samples(42240);
    golden_event("script", DRIVE_ALL("2"));
    golden_resize(200, 50);
    golden_assert("runs-driven-200x50");
    golden_type("/WATCHDOG\r"); /* the log has the focus, and no such line */
    golden_assert_shown("not found");
    golden_press(KEY_BTAB);
    golden_press(KEY_BTAB);
    golden_assert_not_shown("[Log]");
    golden_resize(20, 5);
    for (int rows = 48; rows > 0; rows -= 3)
        golden_resize(rows * 4, rows);
    golden_resize(100, 30);
    golden_assert_shown("10.98.1.2:42240: the WATCHDOG has the window");
    golden_event("script", DRIVE_ALL("1")); /* that heard of longest ago goes */
    golden_assert_not_shown("10.98.1.2:42236:");
    golden_event("script", DRIVE_ALL("0"));
    golden_assert_shown("10.98.1.2:42240: ended");
    golden_event("other", "{\"t\":1,\"type\":\"result\",\"data\":{\"state\":\"down\"}}");
    golden_assert_shown("42240: ended");
    golden_event("script", "{\"t\":1,\"type\":\"result\",\"data\":{\"state\":\"down\"}}");
    golden_assert_not_shown("Driven");
    golden_assert_shown("[Log]");
    /* Strange ones, and more than there is room for. */
    golden_event("script", DRIVE_UP);
    golden_event("script", "{\"t\":1,\"type\":\"sample\",\"src\":\"drive/\\u001b[2J\",\"values\":{"
                           "\"wanted_pkts\":1e300,\"cwnd_pkts\":0,\"srtt_us\":null}}");
    golden_assert_shown("?[2J: the WATCHDOG");
    for (int i = 0; i < 2 * DRIVEN_FLOWS_MAX; i++) {
        char json[160];

        snprintf(json, sizeof json,
                 "{\"t\":%d,\"type\":\"sample\",\"src\":\"drive/%d\",\"values\":{}}", i + 2, i);
        golden_event("script", json);
    }
    golden_assert_shown("64: the WATCHDOG");
    golden_close();
}

static void test_runs_past(void **state)
{
    char path[300];
    struct stat st;

    (void)state;
    golden_open(VIEW_RUNS, 100, 30);
    start_lua();
    golden_type("r");
    golden_assert("runs-past-100x30");
    golden_type("/45000000\r");
    golden_assert_shown(">  ok             13.5 s  20261121T081500Z-cc");
    golden_type("\r");
    golden_assert("runs-opened-100x30");
    golden_resize(200, 50);
    golden_assert("runs-opened-200x50");
    golden_resize(20, 5);
    golden_resize(100, 30);
    golden_assert("runs-opened-100x30");
    golden_type("mmc"); /* both, and side by side */
    golden_assert("runs-compared-100x30");
    golden_type("h");
    golden_assert_shown("Flows of 20261121T081500Z-cc");
    golden_type("h");
    golden_assert_shown("no flows yet");
    snprintf(path, sizeof path, "x%s/out.csv\r", dir);
    golden_type(path);
    golden_assert_shown("written to");
    snprintf(path, sizeof path, "%s/out.csv", dir);
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_size > 60);
    snprintf(path, sizeof path, "x%s/out.csv\r", dir); /* not twice */
    golden_type(path);
    golden_assert_shown("File exists");
    golden_type("\33");
    golden_close();
}

static void train_events(char *into, size_t size)
{
    size_t n = 0;

    for (int i = 1; i <= 40; i++) {
        n += (size_t)snprintf(
            into + n, size - n,
            "{\"t\":%d,\"type\":\"sample\",\"src\":\"train\",\"values\":{\"loss\":%g,"
            "\"lr\":%g,\"grad_norm\":%g,\"step\":%d,\"epoch\":%d,\"tokens_s\":1520,"
            "\"rss_mib\":812,\"eta_s\":%d}}\n",
            1795251163 + i, 2.0 / i, 1e-4 * (i < 10 ? i : 10), 1.0 + 3.0 / i, i, 1 + i / 10,
            80 - 2 * i);
        if (i % 10 == 0)
            n += (size_t)snprintf(
                into + n, size - n,
                "{\"t\":%d,\"type\":\"sample\",\"src\":\"valid\",\"values\":{\"loss\":%g,"
                "\"epoch\":%d}}\n",
                1795251163 + i, i == 40 ? 0.2 : 2.5 / i, i / 10);
    }
    n += (size_t)snprintf(
        into + n, size - n,
        "{\"t\":1795251203,\"type\":\"progress\",\"done\":40,\"total\":80,\"text\":"
        "\"epoch 4\\u001b[2J\"}\n{\"t\":1795251203,\"type\":\"log\",\"level\":\"info\","
        "\"text\":\"a line of the job\"}\n");
}

#define RESULT                                                                                     \
    "{\"t\":1795251204,\"type\":\"result\",\"data\":{\"train_loss\":0.05,\"seconds\":41,"          \
    "\"baselines\":{\"constant\":0.9,\"persistence\":0.05,\"no_op\":null}}}"

static void test_train(void **state)
{
    static char text[32768];

    (void)state;
    golden_open(VIEW_TRAIN, 80, 24);
    golden_assert("train-empty-80x24");
    train_events(text, sizeof text);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        golden_event("adapt", line);
    golden_event("other",
                 "{\"t\":1,\"type\":\"progress\",\"done\":1,\"total\":1,\"text\":\"else\"}");
    golden_assert("train-80x24");
    golden_assert_not_shown("else");
    golden_event("adapt", RESULT);
    resize_and_back("train-200x50");
    golden_assert("train-ended-80x24");
    golden_event("adapt",
                 "{\"t\":1,\"type\":\"sample\",\"src\":\"train\",\"values\":{\"loss\":3}}");
    golden_assert_shown("running"); /* another one */
    golden_assert_not_shown("persistence");
    golden_event("adapt", "{\"t\":1,\"type\":\"error\",\"message\":\"out of \\u001b[2Jmemory\"}");
    golden_assert_shown("FAILED      out of ?[2Jmem");
    golden_event("adapt",
                 "{\"t\":2,\"type\":\"sample\",\"src\":\"train\",\"values\":{\"loss\":3}}");
    golden_event("adapt",
                 "{\"t\":2,\"type\":\"result\",\"data\":{\"train_loss\":1,\"baselines\":[1]}}");
    golden_assert_shown("done        in 0 s"); /* baselines without names */
    golden_close();
}

static void test_train_of_a_file(void **state)
{
    static char text[32768];
    char keys[300];

    (void)state;
    golden_open(VIEW_TRAIN, 80, 24);
    golden_type("o/nonexistent/x\r");
    golden_assert_shown("No such file");
    train_events(text, sizeof text);
    strcat(text, "no event\n" RESULT);
    write_file("20261121T081500Z-cc/events.jsonl", text);
    snprintf(keys, sizeof keys, "o%s/20261121T081500Z-cc\r", dir);
    golden_type(keys);
    golden_assert_shown("47 events of");
    golden_assert_shown("in 41 s");
    golden_assert_shown("a line of the job");
    golden_assert_shown("0.05, better");
    golden_type("v");
    golden_assert_shown("no training yet");
    golden_close();
}

static void test_repl(void **state)
{
    (void)state;
    golden_open(VIEW_REPL, 80, 24);
    start_lua();
    golden_assert("repl-empty-80x24");
    golden_type("for i = 1, 3 do\r  print(i)\rend");
    golden_assert("repl-block-80x24");
    golden_type("\r");
    assert_string_equal(golden.evaluated, "for i = 1, 3 do\n  print(i)\n  end");
    golden_type("1q?:/27"); /* text, and no keys */
    golden_type("\r");
    assert_string_equal(golden.evaluated, "1q?:/27");
    golden_type("lab.mat\t");
    golden_assert_shown("> lab.matrix");
    golden_type("{repe\t");
    golden_assert_shown("> lab.matrix{repeats=");
    golden_assert_shown("  lab.matrix{"); /* the signature */
    resize_and_back("repl-200x50");
    golden_assert_shown("> lab.matrix{repeats=");
    golden_type("\33"); /* the text away, then out of it */
    golden_assert_not_shown("repeats=");
    golden_type("\33"
                "6");
    golden_assert_shown("6 Log");
    golden_type("7");
    golden_press(KEY_F(1));
    golden_assert_shown(" Keys ");
    golden_close();
}

static void test_repl_pastes(void **state)
{
    (void)state;
    golden_open(VIEW_LAB, 80, 24);
    golden_press(TERM_KEY_PASTE); /* on a screen without an editor: into the command line */
    golden_type("a\rq\r");
    golden_press(TERM_KEY_PASTE_END);
    assert_false(golden.is_quit);
    golden_assert_shown("3/3:");
    golden_type("\33"
                "7");
    golden_type("\33");
    golden_press(TERM_KEY_PASTE);
    golden_type("b\r\tq");
    golden_press(TERM_KEY_PASTE_END);
    golden_assert_shown(">>     q");
    golden_assert_not_shown("3/3:");
    assert_string_equal(golden.evaluated, "");
    golden_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs_live),       cmocka_unit_test(test_runs_driven),
        cmocka_unit_test(test_runs_past),       cmocka_unit_test(test_train),
        cmocka_unit_test(test_train_of_a_file), cmocka_unit_test(test_repl),
        cmocka_unit_test(test_repl_pastes),
    };
    char command[64];
    int failed;

    if (!golden_init())
        return 77;
    if (!mkdtemp(dir))
        return 1;
    setenv("CCALAB_RUNS", dir, 1);
    write_runs();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    snprintf(command, sizeof command, "rm -r %s", dir);
    return system(command) ? 1 : failed;
}
