/* The console's own screens: Lab, Log, Packets (others: test_views_work.c); what goes from one to
 * the other. */
#include "tests/console/screen_golden.h"

#include <unistd.h>

#define UP                                                                                         \
    "{\"t\":1795251163,\"type\":\"result\",\"data\":{\"state\":\"up\",\"name\":\"lab7\","          \
    "\"hosts\":{"                                                                                  \
    "\"client_x\":{\"role\":\"client\",\"address\":\"10.98.1.2\"},"                                \
    "\"client_y\":{\"role\":\"client\",\"address\":\"10.98.2.2\",\"delay_us\":5000},"              \
    "\"router\":{\"role\":\"router\"},\"server\":{\"role\":\"server\"}},"                          \
    "\"names\":[\"client_x\",\"client_y\",\"server\",\"router\"],\"routers\":[{\"name\":"          \
    "\"router\","                                                                                  \
    "\"egress\":\"bn1\",\"link\":{\"rate_bps\":50000000,\"up_rate_bps\":50000000,"                 \
    "\"delay_us\":10000,\"jitter_us\":0,\"loss\":0,\"aqm\":\"dualpi2 limit 10000p memlimit "       \
    "30000000B target 15ms tupdate 16ms alpha 0.16015625 beta 3.19921875 step_thresh 1ms "         \
    "min_qlen_step 0p coupling_factor 2 drop_on_overload\"}}],"                                    \
    "\"rung\":{\"number\":2,\"name\":\"root\"},\"prague\":{\"cc\":\"bpf_prague\","                 \
    "\"label\":\"BPF Prague\"}}}"
#define SAMPLE                                                                                     \
    "{\"t\":1795251164,\"type\":\"sample\",\"src\":\"link/down\",\"values\":{\"delay_l_us\":412,"  \
    "\"delay_c_us\":15300,\"prob\":0.021,\"rate_bps\":48200000}}"
#define CHECKS                                                                                     \
    "{\"t\":1795251163,\"type\":\"checks\",\"host\":\"client_x\",\"role\":\"client\",\"checks\":[" \
    "{\"name\":\"disk\",\"verdict\":\"pass\",\"seen\":\"9 GiB free\"},"                            \
    "{\"name\":\"tcp_ecn\",\"verdict\":\"fail\",\"seen\":\"tcp_ecn = 2\\u001b[2J\","               \
    "\"want\":\"3 (AccECN)\",\"fix\":\"sysctl -w net.ipv4.tcp_ecn=3\"},"                           \
    "{\"name\":\"clock\",\"verdict\":\"unknown\",\"seen\":\"not measured\"}]}"

/* The lab's job does not run here: its end would be noticed. */
static void lab_up(void)
{
    golden_event("script", UP);
    golden_event("script", SAMPLE);
    golden_event("script", CHECKS);
}

static void test_lab(void **state)
{
    (void)state;
    golden_open(VIEW_LAB, 80, 24);
    golden_assert("lab-empty-80x24");
    lab_up();
    golden_assert("lab-80x24");
    golden_resize(200, 50);
    golden_assert("lab-200x50");
    golden_resize(20, 5);
    golden_assert("too-small-20x5");
    golden_resize(1, 1);
    golden_resize(60, 16);
    golden_assert("lab-60x16");
    golden_type("\t"); /* there is room for one of them */
    golden_assert_shown("[Checks]");
    golden_assert_not_shown("client_x ─");
    golden_type("\t\t");
    golden_assert("lab-60x16");
    golden_resize(80, 24);
    golden_assert("lab-80x24");
    golden_event("script", "{\"t\":1,\"type\":\"result\",\"data\":{\"state\":\"down\"}}");
    golden_assert_shown("no lab");
    golden_close();
}

static void test_lab_selects_checks(void **state)
{
    (void)state;
    golden_open(VIEW_LAB, 100, 24);
    lab_up();
    golden_press(KEY_DOWN);
    golden_assert_shown(">client_x");
    golden_press(KEY_DOWN);
    golden_assert_shown(">client_y");
    golden_type("/serv\r");
    golden_assert_shown(">server");
    golden_type("n");
    golden_assert_shown(">server");
    golden_type("/nobody\r");
    golden_assert_shown("not found: nobody");
    golden_type("\t"); /* the checks */
    golden_type("/sysctl\rz");
    golden_assert("lab-checks-zoomed");
    golden_close();
}

static void test_a_big_lab(void **state)
{
    char json[8192] =
        "{\"t\":1,\"type\":\"result\",\"data\":{\"state\":\"up\",\"name\":\"big\",\"hosts\":{";
    size_t n = strlen(json);

    (void)state;
    for (int i = 0; i < 40; i++)
        n +=
            (size_t)sprintf(json + n, "\"h%d\":{\"role\":\"%s\"},", i, i % 2 ? "client" : "server");
    n += (size_t)sprintf(json + n,
                         "\"r1\":{\"role\":\"router\"},\"r2\":{\"role\":\"router\"}},\"names\":[");
    for (int i = 0; i < 40; i++)
        n += (size_t)sprintf(json + n, "\"h%d\",", i);
    sprintf(json + n, "\"r1\",\"r2\"],\"routers\":[{\"name\":\"r1\",\"link\":{\"rate_bps\":2e9}},"
                      "{\"name\":\"r2\",\"link\":{\"rate_bps\":100000,\"up_rate_bps\":2000,"
                      "\"jitter_us\":1000,\"loss\":0.01,\"delay_us\":1000}}]}}");
    golden_open(VIEW_LAB, 80, 24);
    golden_event("script", json);
    golden_assert("lab-big-80x24");
    for (int rows = 40; rows > 0; rows -= 3)
        golden_resize(rows * 4, rows);
    golden_close();
}

static void fill_log(void)
{
    log_lines_add(&golden.console.log, LOG_INPUT, "lab.run{}");
    log_lines_add(&golden.console.log, LOG_VALUE, "{1, 2}");
    for (int i = 0; i < 60; i++) {
        char text[64];

        snprintf(text, sizeof text, "%s: line %d", i % 2 ? "testbed" : "iperf3", i);
        log_lines_add(&golden.console.log, i % 10 ? LOG_INFO : LOG_WARN, text);
    }
    log_lines_add(&golden.console.log, LOG_ERROR, "client_x: it broke\nin two lines");
    log_lines_add(&golden.console.log, LOG_STRAY, "noise \33[2J of a library");
    log_lines_output(&golden.console.log, "printed\nand more", 16);
    golden_settle();
}

static void test_log(void **state)
{
    (void)state;
    golden_open(VIEW_LOG, 80, 24);
    golden_assert("log-empty-80x24");
    fill_log();
    golden_assert("log-80x24");
    golden_resize(200, 50);
    golden_assert("log-200x50");
    golden_resize(20, 5);
    golden_assert("too-small-20x5");
    golden_resize(80, 24);
    golden_assert("log-80x24");
    golden_type("e"); /* warnings and errors */
    golden_assert("log-warnings");
    golden_type("ee");
    golden_type("s");
    golden_assert_shown("(client_x)");
    golden_assert_shown("in two lines");
    golden_assert_not_shown("testbed");
    golden_type("s"); /* iperf3 */
    golden_type("s"); /* output */
    golden_type("s"); /* stderr */
    golden_type("s"); /* testbed */
    golden_assert_shown("(testbed)");
    golden_assert_not_shown("iperf3");
    golden_type("ss");
    golden_assert("log-80x24");
    golden_close();
}

static void test_log_moving(void **state)
{
    (void)state;
    golden_open(VIEW_LOG, 80, 24);
    fill_log();
    golden_type("/line 1\r"); /* upwards from the newest: line 19 */
    golden_assert_shown("line 19");
    golden_assert("log-searched");
    golden_type("N");
    golden_type("N");
    golden_assert_shown("line 17");
    golden_press(KEY_HOME);
    golden_assert_shown("lab.run{}");
    golden_assert_shown("End follows");
    /* What comes meanwhile does not move what is read. */
    log_lines_add(&golden.console.log, LOG_INFO, "newer");
    golden_settle();
    golden_assert_shown("lab.run{}");
    golden_assert_not_shown("newer");
    golden_press(KEY_NPAGE);
    golden_assert_not_shown("lab.run{}");
    golden_press(KEY_END);
    golden_assert_shown("newer");
    golden_assert_not_shown("End follows");
    golden_type("kkk");
    golden_assert_shown("End follows");
    golden_type("jjjj");
    golden_assert_not_shown("End follows");
    for (int i = 0; i < 20; i++)
        golden_press(KEY_PPAGE);
    golden_assert_shown("lab.run{}");
    /* The oldest lines go; the place is lost with them, nothing else. */
    for (int i = 0; i < LOG_LINES_MAX + 10; i++)
        log_lines_add(&golden.console.log, LOG_INFO, "flood");
    golden_settle();
    golden_assert_shown("flood");
    golden_assert_not_shown("lab.run{}");
    golden_close();
}

static void test_numbers_and_focus(void **state)
{
    (void)state;
    golden_open(VIEW_LAB, 120, 24);
    golden_assert_shown("[1 Lab] 2 Runs ");
    golden_type("6");
    golden_assert_shown("[6 Log]");
    golden_type("2");
    golden_assert_shown("[2 Runs]");
    golden_assert_shown("[Log]"); /* the focus */
    golden_type("\t");
    golden_assert_shown("[Throughput [Mbit/s]]");
    golden_press(KEY_BTAB);
    golden_assert_shown("[Log]");
    golden_type("1");
    golden_assert_shown("[Lab]");
    golden_press(KEY_BTAB);
    golden_assert_shown("[Log]");
    golden_type(":1 + 2\r");
    golden_assert_shown("press :");
    assert_string_equal(golden.evaluated, "1 + 2");
    golden_type("q");
    assert_true(golden.is_quit);
    golden_close();
}

static void test_help(void **state)
{
    (void)state;
    golden_open(VIEW_LAB, 80, 24);
    golden_type("?");
    golden_assert("help-80x24");
    golden_press(KEY_END);
    golden_assert_shown("draw the screen anew");
    golden_type("leave");
    golden_assert("help-filtered");
    golden_type("\r");
    assert_true(golden.is_quit);
    golden_assert_not_shown("leave the console");
    golden_type("?whole log\r");
    golden_assert_shown("[6 Log]");
    golden_type("?xyz");
    golden_assert_shown("nothing is called that");
    golden_type("\r");
    golden_assert_shown("[6 Log]");
    golden_type("?^L"); /* by key */
    golden_assert_shown("draw the screen anew");
    golden_type("\x7f\x7f");
    golden_assert_shown("leave the console");
    golden_resize(20, 5);
    golden_resize(200, 50);
    golden_assert("help-200x50");
    golden_type("\x1b");
    golden_assert_not_shown("leave the console");
    golden_close();
}

static void test_palette(void **state)
{
    (void)state;
    golden_open(VIEW_LAB, 80, 24);
    golden_type(":sc");
    golden_assert("palette-80x24");
    golden_type("\t");
    assert_string_equal(golden.console.command.editor.text, "screen-");
    golden_type("lo\t");
    assert_string_equal(golden.console.command.editor.text, "screen-log");
    golden_type("\r");
    golden_assert_shown("[6 Log]");
    golden_assert_not_shown("the whole log");
    golden_type(":slb\t\r"); /* the letters in their order */
    golden_assert_shown("[1 Lab]");
    assert_string_equal(golden.evaluated, "");
    golden_type(":");
    golden_press(KEY_UP); /* actions are in the history too */
    assert_string_equal(golden.console.command.editor.text, "screen-lab");
    golden_type("\x1b");
    golden_type(":  zoom  \r");
    assert_true(golden.console.screen.view->is_zoomed);
    golden_type(":zoom = 3\r");
    assert_string_equal(golden.evaluated, "zoom = 3");
    golden_type(":zoom()\r");
    assert_string_equal(golden.evaluated, "zoom()");
    golden_type(":pause\r");
    golden_assert_shown("is for other screens");
    golden_type(":zo");
    golden_resize(60, 16);
    golden_resize(20, 5);
    golden_resize(80, 24);
    golden_assert_shown("give the focused panel");
    golden_type("\x1b");
    golden_assert_not_shown("give the focused panel");
    golden_close();
}

/* Until its threads have found everything. */
static void packets_settle(const char *text)
{
    for (int i = 0; i < 60000 && !golden_is_shown(text); i++) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        golden_settle();
    }
    golden_assert_shown(text);
}

static void test_packets(void **state)
{
    (void)state;
    golden_open(VIEW_PACKETS, 80, 24);
    golden_assert("view-packets-none");
    golden_type("o/no-such.pcap\r");
    golden_assert_shown("file: /no-such.pcap");
    golden_assert_shown("No such file");
    golden_type("\x15" CCALAB_CORPUS "/accecn-172.pcap\r");
    packets_settle("903 packets");
    packets_settle("Internet Protocol");
    golden_assert("view-packets-80x24");
    golden_type("\t");
    golden_assert_shown("[Packet 1]");
    golden_type("z");
    golden_assert_not_shown("  No. ");
    golden_type("zc");
    packets_settle("Congestion Experienced (3)");
    golden_type("/ip.dsfeld == 3\r");
    golden_assert_shown("did you mean");
    assert_true(golden.console.screen.view->has_cursor);
    golden_resize(60, 16);
    golden_resize(20, 5);
    golden_resize(1, 1);
    golden_resize(80, 24);
    golden_assert_shown("did you mean");
    console_give_up(&golden.console); /* Ctrl-C */
    golden_settle();
    assert_false(golden.console.screen.view->has_cursor);
    golden_type("/ip.dsfield.ecn == 3\r");
    packets_settle("60 of 903 pass");
    golden_type("16"); /* away, and the digits are no text */
    golden_assert_shown("[6 Log]");
    golden_type("3");
    golden_assert_shown("60 of 903 pass");
    golden_resize(200, 50);
    packets_settle(" Bytes ");
    golden_close();
}

/* The last capture is opened by itself. */
static void test_packets_of_a_job(void **state)
{
    (void)state;
    golden_open(VIEW_LAB, 80, 24);
    golden_event("capture",
                 "{\"t\":1,\"type\":\"result\",\"data\":{\"state\":\"up\",\"file\":\"" CCALAB_CORPUS
                 "/llc.pcap.gz\"}}");
    golden_event("capture", "{\"t\":2,\"type\":\"result\",\"data\":{\"files\":[\"" CCALAB_CORPUS
                            "/accecn-172.pcap\"]}}");
    golden_type("3");
    packets_settle("accecn-172.pcap | 903 packets");
    golden_close();
}

static char layout_path[] = "/tmp/ccalab-layout-XXXXXX";

static void put_file(const char *text)
{
    struct error err;

    assert_int_equal(file_write_atomic(layout_path, text, strlen(text), &err), STATUS_OK);
}

static void test_sizes_of_panels(void **state)
{
    static const char *const garbage[] = {"Lab",
                                          "Lab 0",
                                          "Lab 0 x\nLab 9 300\nLab -1 300\nNone 0 300\n\n",
                                          "\xff\xfe\n\n",
                                          "Lab 0 99999999999999999999\nLab 1 -5",
                                          "LabLabLabLabLabLabLabLabLabLab 0 300"};
    struct buf b;
    struct error err;
    struct view *v;
    int before;

    (void)state;
    golden_open(VIEW_LAB, 80, 24);
    v = golden.console.screen.view;
    before = v->panel[2]->win ? getmaxy(v->panel[2]->win) : 0;
    golden_press(KEY_BTAB); /* the log */
    golden_type("]]");
    assert_true(getmaxy(v->panel[2]->win) > before);
    golden_assert("lab-large-log");
    golden_type("[[[[");
    assert_true(getmaxy(v->panel[2]->win) < before);
    for (int i = 0; i < 30; i++)
        golden_type(i % 2 ? "]" : "]]");
    assert_int_equal(v->share[0], 50);
    golden_assert_shown("[Log]");
    golden_type("0");
    assert_int_equal(getmaxy(v->panel[2]->win), before);
    golden_type("6]"); /* it is all there is */
    golden_assert_shown("this panel has the whole screen");
    console_keep_layout(&golden.console, "/dev/null/layout"); /* not to be written, and told of */
    golden_close();

    close(mkstemp(layout_path));
    put_file("Lab 0 500\n# remark\nRuns 1 300\n");
    golden_open(VIEW_LAB, 80, 24);
    console_keep_layout(&golden.console, layout_path);
    assert_int_equal(golden.console.view[VIEW_LAB]->share[0], 500);
    assert_int_equal(golden.console.view[VIEW_RUNS]->share[1], 300);
    golden_type("\t\t]");
    golden_close();
    assert_int_equal(buf_read_file(&b, layout_path, 4096, &err), STATUS_OK);
    assert_non_null(strstr(b.data, "Lab 0 450\n"));
    assert_non_null(strstr(b.data, "Runs 1 300\n"));
    buf_done(&b);
    for (size_t i = 0; i < sizeof garbage / sizeof garbage[0]; i++) {
        put_file(garbage[i]);
        golden_open(VIEW_LAB, 80, 24);
        console_keep_layout(&golden.console, layout_path);
        for (int k = 0; k < golden.console.view[VIEW_LAB]->shares; k++)
            assert_in_range(golden.console.view[VIEW_LAB]->share[k], 50, 950);
        golden_settle();
        golden_close();
    }
    unlink(layout_path);
}

static void test_mouse(void **state)
{
    (void)state;
    golden_open(VIEW_LAB, 120, 24);
    lab_up();
    fill_log();
    golden_click(20, 5, BUTTON1_PRESSED); /* off: the terminal's */
    golden_assert_shown("[Lab]");
    golden_type("M");
    golden_assert_shown("with Shift it selects text");
    golden_click(20, 5, BUTTON1_PRESSED);
    golden_assert_shown("[Log]");
    golden_click(20, 5, BUTTON4_PRESSED);
    golden_assert_shown("End follows");
    golden_click(20, 5, BUTTON5_PRESSED);
    golden_click(20, 5, BUTTON5_PRESSED);
    golden_assert_not_shown("End follows");
    golden_click(3, 100, BUTTON1_PRESSED);
    golden_assert_shown("[Checks]");
    golden_type("y");
    assert_string_equal(golden.copied, "FAIL tcp_ecn: tcp_ecn = 2?[2J");
    golden_click(0, 12, BUTTON1_PRESSED); /* a tab */
    golden_assert_shown("[2 Runs]");
    golden_click(0, 119, BUTTON1_PRESSED);
    golden_click(23, 0, BUTTON1_PRESSED);
    golden_assert_shown("[2 Runs]");
    golden_type("M");
    golden_assert_shown("the mouse is the terminal's");
    golden_close();
}

static void test_copying(void **state)
{
    (void)state;
    golden_open(VIEW_LOG, 80, 24);
    fill_log();
    golden_type("/line 55\ry");
    assert_string_equal(golden.copied, "- testbed: line 55");
    golden_assert_shown("copied: - testbed: line 55");
    golden_type("1y");
    golden_assert_shown("nothing is selected");
    golden_close();
}

static void test_themes(void **state)
{
    (void)state;
    golden_open(VIEW_LOG, 80, 24);
    assert_string_equal(theme_name(), "mono"); /* NO_COLOR */
    golden_type(":theme light\r");
    assert_string_equal(theme_name(), "light");
    golden_type(":theme lihgt\r");
    golden_assert_shown("no theme is called lihgt: dark, light");
    golden_type("t");
    golden_assert_shown("theme mono");
    golden_type("t");
    golden_assert_shown("theme high-contrast");
    golden_type("t");
    golden_assert_shown("theme dark");
    theme_set("mono");
    golden_close();
}

static bool is_no;

static void answered(void *user, bool is_yes)
{
    (void)user;
    is_no = !is_yes;
}

static void test_confirming(void **state)
{
    (void)state;
    golden_open(VIEW_LAB, 80, 24);
    console_confirm(&golden.console, "really? (y/n)", answered, NULL);
    golden_settle();
    golden_assert_shown("really? (y/n)");
    golden_type("q"); /* no */
    assert_true(is_no && !golden.is_quit);
    golden_assert_not_shown("really?");
    golden_close();
}

/* At every size every panel has its place, and none lies on another. */
static void test_layouts(void **state)
{
    (void)state;
    golden_open(VIEW_LAB, 80, 24);
    for (int i = 0; i < VIEW_COUNT; i++) {
        struct view *v = golden.console.view[i];

        for (int rows = LAYOUT_MIN_ROWS; rows < 90; rows += 7) {
            for (int cols = LAYOUT_MIN_COLS; cols < 300; cols += 11) {
                struct rect body = {1, 0, rows - 3, cols}, at[VIEW_PANELS_MAX] = {0};

                v->ops->layout(v, body, at);
                for (int k = 0; k < v->panels; k++) {
                    if (!at[k].rows)
                        continue;
                    assert_true(at[k].y >= 1 && at[k].x >= 0 && at[k].cols > 0);
                    assert_true(at[k].y + at[k].rows <= rows - 2 && at[k].x + at[k].cols <= cols);
                    for (int m = 0; m < k; m++)
                        assert_true(
                            at[m].y >= at[k].y + at[k].rows || at[k].y >= at[m].y + at[m].rows ||
                            at[m].x >= at[k].x + at[k].cols || at[k].x >= at[m].x + at[m].cols);
                }
            }
        }
    }
    golden_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lab),
        cmocka_unit_test(test_lab_selects_checks),
        cmocka_unit_test(test_a_big_lab),
        cmocka_unit_test(test_log),
        cmocka_unit_test(test_log_moving),
        cmocka_unit_test(test_numbers_and_focus),
        cmocka_unit_test(test_packets),
        cmocka_unit_test(test_packets_of_a_job),
        cmocka_unit_test(test_sizes_of_panels),
        cmocka_unit_test(test_mouse),
        cmocka_unit_test(test_copying),
        cmocka_unit_test(test_themes),
        cmocka_unit_test(test_help),
        cmocka_unit_test(test_palette),
        cmocka_unit_test(test_confirming),
        cmocka_unit_test(test_layouts),
    };

    if (!golden_init())
        return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
