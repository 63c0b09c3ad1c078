/* A plot panel: what its keys do to what is in view, and what it writes. */
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "console/panel_plot.h"
#include "core/event.h"

static struct series_set set;
static struct panel_plot panel;

static void add_event(double t, const char *src, const char *values)
{
    char line[256];
    struct event ev;
    cJSON *root;
    int n =
        snprintf(line, sizeof line, "{\"t\":%.3f,\"type\":\"sample\",\"src\":\"%s\",\"values\":%s}",
                 t, src, values);

    assert_true(event_parse(line, (size_t)n, "job", &ev, &root));
    series_set_add_event(&set, &ev);
    cJSON_Delete(root);
}

/* 100 s of throughput, ten samples a second; marks begin at 30 s and at 80 s, the rate falls at 50.
 */
static int set_up(void **state)
{
    (void)state;
    series_set_init(&set, 10);
    for (int i = 0; i <= 1000; i++) {
        char values[128];
        int ce = i < 300 ? 0 : i < 330 ? i - 299 : i < 800 ? 30 : i - 769;

        snprintf(values, sizeof values, "{\"throughput_bps\":%d,\"delivered_ce\":%d}",
                 i == 500 ? 90000000 : 40000000, ce);
        add_event(1000 + i / 10.0, "client_x", values);
        snprintf(values, sizeof values, "{\"link_rate_bps\":%d}", i < 500 ? 50000000 : 25000000);
        add_event(1000 + i / 10.0, "link/down", values);
    }
    panel_plot_init(&panel, PANEL_PLOT_THROUGHPUT, &set);
    panel.base.win = newwin(20, 80, 0, 0);
    return panel.base.win ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    delwin(panel.base.win);
    panel_plot_done(&panel);
    series_set_done(&set);
    return 0;
}

static void act(enum action_id id, int times)
{
    while (times--)
        assert_true(panel.base.ops->act(&panel.base, id));
}

/* Is the text anywhere on the panel? */
static bool shows(const char *text)
{
    char row[81];
    bool is_there = false;

    werase(panel.base.win);
    panel.base.ops->draw(&panel.base);
    for (int y = 0; y < 20; y++) {
        mvwinnstr(panel.base.win, y, 0, row, 80);
        is_there |= strstr(row, text) != NULL;
    }
    return is_there;
}

static void test_marks_of_the_events(void **state)
{
    (void)state;
    assert_int_equal(set.marks.n, 3);
    assert_true(set.marks.at[0].x == 1030 && set.marks.at[0].kind == PLOT_MARK_CE);
    assert_true(set.marks.at[1].x == 1050 && !strcmp(set.marks.at[1].label, "rate 25M"));
    assert_true(set.marks.at[2].x == 1080 && set.marks.at[2].kind == PLOT_MARK_CE);
    assert_true(shows(":CE") && shows(":rate 25M"));
    add_event(1, "valid", "{\"loss\":0.5}");
    add_event(2, "valid", "{\"loss\":0.6}");
    add_event(3, "valid", "{\"loss\":0.4}");
    assert_int_equal(set.marks.n, 5);
    assert_true(set.marks.at[4].x == 3 && set.marks.at[4].kind == PLOT_MARK_CHECKPOINT);
    assert_false(shows("checkpoint")); /* of a training: not on this plot */
}

static void test_rolling_view(void **state)
{
    (void)state;
    assert_true(shows("client_x 40 (min 40, max 90)"));
    assert_true(shows("100s") && !shows("30s")); /* the last minute */
    act(ACTION_PLOT_OUT, 1);
    assert_true(shows("20s"));
    act(ACTION_LAST, 1);
    assert_false(shows("20s"));
}

static void test_cursor_holds_the_view_and_reads_samples(void **state)
{
    (void)state;
    act(ACTION_CLOSE, 1);
    assert_true(panel.is_paused && panel.has_cursor);
    assert_string_equal(panel.base.note, "paused");
    assert_true(shows("client_x @40") && shows("^100s"));
    panel.cursor_t = 1050.02;
    assert_true(shows("client_x @90")); /* the nearest sample, spike or not */
    add_event(1101, "client_x", "{\"throughput_bps\":1}");
    assert_false(shows("101s"));
    act(ACTION_LAST, 1);
    assert_true(!panel.is_paused && !panel.has_cursor && !panel.base.note);
}

static void test_zoom_keeps_the_cursor_and_pans_within_the_data(void **state)
{
    (void)state;
    act(ACTION_CLOSE, 1);
    panel.cursor_t = 1050;
    act(ACTION_PLOT_IN, 6);
    assert_true(panel.cursor_t == 1050);
    assert_true(shows("client_x @90") && shows("50s"));
    act(ACTION_PLOT_OUT, 60);
    assert_true(shows("client_x @90"));
    assert_true(fabs(panel.span_s - 100) < 1e-6);
    act(ACTION_PLOT_IN, 3);
    act(ACTION_FIRST, 1);
    assert_true(shows("0s") && !shows("50s"));
    act(ACTION_PAGE_UP, 3);
    assert_true(shows("0s"));
    act(ACTION_PAGE_DOWN, 100);
    assert_true(shows("100s"));
    act(ACTION_PLOT_IN, 100); /* below what a span can be */
    assert_true(panel.span_s > 0);
    shows("");
}

static void test_log_axis_and_baselines(void **state)
{
    (void)state;
    panel_plot_level(&panel, "fair share", 25);
    panel_plot_level(&panel, "fair share", 20);
    assert_int_equal(panel.nlevels, 1);
    assert_true(shows("fair share 20"));
    act(ACTION_PLOT_LOG, 1);
    assert_string_equal(panel.base.note, "log y");
    assert_true(shows("50+"));
    for (int i = 0; i < 20; i++) {
        char label[16];

        snprintf(label, sizeof label, "l%d", i);
        panel_plot_level(&panel, label, i);
    }
    assert_int_equal(panel.nlevels, PANEL_PLOT_LEVELS);
}

static void test_export_is_what_is_in_view(void **state)
{
    char path[512], line[128];
    struct error err;
    FILE *f;
    int n = 0;

    (void)state;
    act(ACTION_CLOSE, 1);
    panel.cursor_t = 1050;
    act(ACTION_PLOT_IN, 4);
    assert_int_equal(panel_plot_export(&panel, "/tmp", path, sizeof path, &err), STATUS_OK);
    assert_non_null(strstr(path, "/tmp/throughput-"));
    f = fopen(path, "r");
    assert_non_null(f);
    assert_non_null(fgets(line, sizeof line, f));
    assert_string_equal(line, "line,x,y\n");
    while (fgets(line, sizeof line, f)) {
        assert_non_null(strstr(line, "\"client_x\",10"));
        n++;
    }
    fclose(f);
    unlink(path);
    assert_in_range(n, 37, 39); /* 60 s / 16, ten a second */
    assert_int_equal(panel_plot_export(&panel, "/nowhere/at/all", path, sizeof path, &err),
                     STATUS_IO);
}

static void test_nothing_to_show(void **state)
{
    struct series_set empty;

    (void)state;
    series_set_init(&empty, 1);
    panel_plot_show(&panel, &empty, false);
    assert_true(shows("no data yet"));
    assert_false(panel.base.ops->act(&panel.base, ACTION_PLOT_IN));
    assert_false(panel.base.ops->act(&panel.base, ACTION_OPEN));
}

int main(void)
{
    FILE *null = fopen("/dev/null", "r+");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_marks_of_the_events, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rolling_view, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cursor_holds_the_view_and_reads_samples, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_zoom_keeps_the_cursor_and_pans_within_the_data, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_log_axis_and_baselines, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_export_is_what_is_in_view, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_to_show, set_up, tear_down),
    };

    if (!null || !setlocale(LC_CTYPE, "C.UTF-8") || !newterm("xterm", null, null)) {
        puts("no terminal description, or no UTF-8 locale");
        return 77;
    }
    theme_init(OPTIONS_PLOT_ASCII);
    resizeterm(24, 80);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
