/* Plots on cells, against drawings checked by eye. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "console/cells.h"
#include "console/utf8.h"

static struct series_set set;

static int set_up(void **state)
{
    (void)state;
    series_set_init(&set, 10);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    series_set_done(&set);
    return 0;
}

/* The rows as UTF-8 without their trailing blanks. */
static char *text_of(const struct cells *c)
{
    char *out = calloc((size_t)(c->width * 4 + 1) * (size_t)c->height + 1, 1), *p = out;

    for (int y = 0; y < c->height; y++) {
        int end = c->width;

        while (end > 0 && c->at[y * c->width + end - 1].ch == L' ')
            end--;
        for (int x = 0; x < end; x++)
            p += utf8_encode((uint32_t)c->at[y * c->width + x].ch, p);
        *p++ = '\n';
    }
    return out;
}

static void assert_drawn(const struct plot *p, enum cells_tier tier, int width, int height,
                         const char *expected)
{
    struct cells c = {0};
    char *text;

    assert_true(cells_resize(&c, width, height));
    cells_plot(&c, p, tier);
    text = text_of(&c);
    if (strcmp(text, expected))
        fail_msg("drawn:\n%s\nexpected:\n%s", text, expected);
    free(text);
    cells_done(&c);
}

/* A saw: 0 to 10 in 10 s, then down to 0 at once, twice, 10 samples a second. */
static struct series *saw(void)
{
    struct series *s = series_set_get(&set, "saw");

    for (int i = 0; i <= 200; i++)
        series_append(s, i / 10.0, (i % 100) / 10.0);
    return s;
}

/* clang-format off: a drawing a line */
static void test_golden_ascii(void **state)
{
    struct plot_line line = {"saw", saw(), 1};
    struct plot p = {
        .x_label = "time [s]", .x0 = 0, .x1 = 20, .has_zero = true, .lines = &line, .nlines = 1};

    (void)state;
    assert_drawn(&p, CELLS_ASCII, 44, 8,
                 "* saw 0 (min 0, max 9.9)\n"
                 "10+                   **                  **\n"
                 "  |               ******              ******\n"
                 "  |          *****     *          *****    *\n"
                 " 5+      *****         *      *****        *\n"
                 "  |  *****             * *****             *\n"
                 " 0+***                 ***                 *\n"
                 "  0s                  10s                20s\n");
}

static void test_golden_braille(void **state)
{
    struct plot_line line = {"saw", saw(), 1};
    struct plot p = {
        .x_label = "time [s]", .x0 = 0, .x1 = 20, .has_zero = true, .lines = &line, .nlines = 1};

    (void)state;
    assert_drawn(&p, CELLS_BRAILLE, 44, 8,
                 "* saw 0 (min 0, max 9.9)\n"
                 "10+                  ⣀⡤⡆                 ⢀⣠⢴\n"
                 "  |              ⢀⡠⠖⠋⠁ ⡇              ⣀⠴⠚⠉ ⢸\n"
                 "  |          ⢀⣠⠴⠚⠁     ⡇          ⣀⡤⠖⠋     ⢸\n"
                 " 5+       ⣠⠤⠚⠉         ⡇      ⢀⡤⠔⠋⠁        ⢸\n"
                 "  |   ⣀⡤⠖⠉             ⡇  ⢀⣠⠴⠊⠁            ⢸\n"
                 " 0+⡠⠖⠋⠁                ⣇⠴⠚⠉                *\n"
                 "  0s                  10s                20s\n");
}

/* Two lines: told apart by glyph; a gap (NaN) is left open; the second is scaled. */
static void test_golden_two_lines_and_a_gap(void **state)
{
    struct series *a = series_set_get(&set, "a"), *b = series_set_get(&set, "b");
    struct plot_line lines[] = {{"flat", a, 1}, {"step", b, 1e-3}};
    struct plot p = {
        .x_label = "time [s]", .x0 = 0, .x1 = 30, .has_zero = true, .lines = lines, .nlines = 2};

    (void)state;
    for (int t = 0; t <= 30; t++) {
        series_append(a, t, t > 10 && t < 20 ? (double)NAN : 2);
        series_append(b, t, t < 15 ? 5000 : 8000);
    }
    assert_drawn(&p, CELLS_ASCII, 36, 10,
                 "* flat 2 (min 2, max 2)  + step 8\n"
                 " |                 +++++++++++++++++\n"
                 " |                 +\n"
                 " |                +\n"
                 "5+++++++++++++++++\n"
                 " |\n"
                 " |************          ************\n"
                 " |\n"
                 "0+\n"
                 " 0s                    20s\n");
}

static void test_golden_block(void **state)
{
    struct plot_line line = {"saw", saw(), 1};
    struct plot p = {
        .x_label = "time [s]", .x0 = 0, .x1 = 20, .has_zero = true, .lines = &line, .nlines = 1};

    (void)state;
    assert_drawn(&p, CELLS_BLOCK, 44, 8,
                 "* saw 0 (min 0, max 9.9)\n"
                 "10+                  ▗▄▖                  ▄▄\n"
                 "  |              ▗▄▟▀▘ ▌              ▄▄▛▀ ▐\n"
                 "  |          ▗▄▟▀▀     ▌          ▄▄▛▀▘    ▐\n"
                 " 5+      ▗▄▟▀▀         ▌      ▄▄▛▀▘        ▐\n"
                 "  |   ▄▟▀▀             ▌  ▗▄▛▀▘            ▐\n"
                 " 0+▄▀▀                 ▙▞▀▘                *\n"
                 "  0s                  10s                20s\n");
}

/* Events, labelled where there is room; what lies under the cursor; a baseline; units. */
static void test_golden_marks_and_cursor(void **state)
{
    struct plot_line lines[] = {{"saw", saw(), 1e-3},
                                {.label = "no-op", .is_level = true, .level = 4e-3}};
    struct plot_mark marks[] = {{3, PLOT_MARK_CE, "CE"},
                                {12.5, PLOT_MARK_STEP, "rate 25M"},
                                {13, PLOT_MARK_CHECKPOINT, "checkpoint"},
                                {99, PLOT_MARK_OTHER, "out of sight"}};
    struct plot p = {.x_label = "time [s]",
                     .y_label = "cwnd [MB]",
                     .has_zero = true,
                     .lines = lines,
                     .nlines = 2,
                     .marks = marks,
                     .nmarks = 4,
                     .has_cursor = true,
                     .cursor_x = 7.52};

    (void)state;
    assert_drawn(&p, CELLS_ASCII, 60, 10,
                 "[MB] * saw @0.0075  + no-op @0.004\n"
                 " 0.01+        :CE         |     *      : :checkpoint       *\n"
                 "     |        :           | *****      : :             *****\n"
                 "     |        :         *****   *      : :         *****   *\n"
                 "     |        :     ***** |     *      : :     *****       *\n"
                 "0.005+++++++++++++++++++++++++++++++++++++++++++++++++++++++\n"
                 "     |      ****          |     *      ****                *\n"
                 "     |  ****  :           |     *  ****: :                 *\n"
                 "    0+**      :           |     ***    : :                 *\n"
                 "     0s           5s      ^7.52s             15s         20s\n");
}

static void test_golden_cdf(void **state)
{
    struct series *a = series_set_get(&set, "a"), *b = series_set_get(&set, "b");
    struct plot_line lines[] = {{"L", a, 0}, {"C", b, 0}};
    struct plot p = {.kind = PLOT_CDF, .x_label = "RTT [ms]", .lines = lines, .nlines = 2};
    double few[] = {12, 10, NAN, 11, 10}, many[400];

    (void)state;
    for (int i = 0; i < 400; i++)
        many[i] = 15 + (i * 7 % 400) / 40.0;
    assert_true(plot_cdf(few, 5, a) && plot_cdf(many, 400, b));
    assert_drawn(&p, CELLS_ASCII, 60, 12,
                 "* L med 10 (min 10, max 12)  + C med 20 (min 15, max 25)\n"
                 "  1+       *                                             +++\n"
                 "   |       *                                         +++++\n"
                 "   |   *****                                     +++++\n"
                 "   |   *                                     +++++\n"
                 "   |   *                                 +++++\n"
                 "0.5+****                             +++++\n"
                 "   |                             +++++\n"
                 "   |                        ++++++\n"
                 "   |                    +++++\n"
                 "  0+                  +++\n"
                 "  10ms              15ms               20ms\n");
}

static void test_golden_boxes(void **state)
{
    double v[2][21];
    struct plot_box boxes[] = {{.label = "client_x"}, {.label = "client_y"}, {.label = "nothing"}};
    struct plot p = {.kind = PLOT_BOXES, .y_label = "RTT [ms]", .boxes = boxes, .nboxes = 3};

    (void)state;
    for (int i = 0; i < 20; i++) {
        v[0][i] = 10 + i * 0.5;
        v[1][i] = 25 + i;
    }
    v[0][20] = 44; /* far out */
    v[1][20] = 45;
    plot_box(v[0], 21, &boxes[0]);
    plot_box(v[1], 21, &boxes[1]);
    plot_box(v[0], 0, &boxes[2]);
    assert_drawn(&p, CELLS_ASCII, 60, 16,
                 "[ms] * client_x med 15 (min 10, max 44)  + client_y 35\n"
                 "o nothing -\n"
                 "  |\n"
                 "  |         *               +++++++\n"
                 "40+                      +++++++++++++\n"
                 "  |                      +           +\n"
                 "  |                      +++++++++++++\n"
                 "30+                      +++++++++++++\n"
                 "  |                            +\n"
                 "  |                         +++++++\n"
                 "20+      *******\n"
                 "  |   *************\n"
                 "  |   *************\n"
                 "10+   *************\n"
                 "  |\n"
                 "        client_x           client_y            nothing\n");
    assert_drawn(&p, CELLS_BRAILLE, 60, 16,
                 "[ms] * client_x med 15 (min 10, max 44)  + client_y 35\n"
                 "o nothing -\n"
                 "  |                         ⢀⣀⣀⣀⣀⣀⡀\n"
                 "  |         ⠈                  ⢸\n"
                 "40+                      ⢰⠒⠒⠒⠒⠒⠚⠒⠒⠒⠒⠒⡆\n"
                 "  |                      ⢸           ⡇\n"
                 "  |                      ⢸⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⡇\n"
                 "30+                      ⠸⠤⠤⠤⠤⠤⢤⠤⠤⠤⠤⠤⠇\n"
                 "  |                            ⢸\n"
                 "  |                         ⠐⠒⠒⠚⠒⠒⠂\n"
                 "20+\n"
                 "  |   ⢀⣀⣀⣈⣉⣉⣹⣉⣉⣁⣀⣀⡀\n"
                 "  |   ⢸⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⡇\n"
                 "  |   ⠘⠒⠒⠒⠒⠒⢲⠒⠒⠒⠒⠒⠃\n"
                 "10+      ⠈⠉⠉⠉⠉⠉⠁\n"
                 "        client_x           client_y            nothing\n");
}

static void test_golden_scatter(void **state)
{
    struct series *s = series_set_get(&set, "s");
    struct plot_line line = {"flows", s, 0};
    struct plot p = {.kind = PLOT_POINTS,
                     .x_label = "rate [Mbit/s]",
                     .y_label = "RTT [ms]",
                     .lines = &line,
                     .nlines = 1};
    double xy[40][2];

    (void)state;
    for (int i = 0; i < 40; i++) {
        xy[i][0] = i * 11 % 40;
        xy[i][1] = 20 + xy[i][0] * xy[i][0] / 80 + (i % 3);
    }
    assert_true(plot_scatter(xy, 40, s));
    assert_drawn(&p, CELLS_BRAILLE, 60, 10,
                 "[ms] * flows 41 (min 20, max 41)\n"
                 "40+                                                       *\n"
                 "  |                                                    ⠐⠠\n"
                 "  |                                             ⠄⢀ ⠁⠈ ⠁\n"
                 "  |                                      ⡀⢀ ⡀⠐⠠\n"
                 "30+                               ⡀⢀  ⠁⠠\n"
                 "  |                     ⡀   ⠐⢀ ⠁⠐    ⠁\n"
                 "  | ⡀      ⠠⢀ ⠄⢀  ⠠ ⡀⠁⠐  ⠈ ⠂\n"
                 "20+⠂ ⠈ ⠂⠈ ⠂      ⠁\n"
                 "   0            10            20            30      40Mbit/s\n");
}

/* clang-format on */

/* One sample of 10000 stands out: it must be seen in the top row whatever the width is. */
static void test_a_spike_is_never_lost(void **state)
{
    struct series *s = series_set_get(&set, "spike");
    struct plot_line line = {"spike", s, 1};
    struct plot p = {.has_zero = true, .lines = &line, .nlines = 1};

    (void)state;
    for (int i = 0; i < 10000; i++)
        series_append(s, i * 0.01, i == 7321 ? 100 : 1);
    for (int tier = CELLS_ASCII; tier <= CELLS_BRAILLE; tier++) {
        for (int width = 8; width < 230; width++) {
            struct cells c = {0};
            int lit = 0, column = 0;

            assert_true(cells_resize(&c, width, 12));
            cells_plot(&c, &p, (enum cells_tier)tier);
            /* Rows 0 to 2 are the legend's; the spike ends below the head room. */
            for (int y = 1; y < 5; y++) {
                for (int x = 0; x < width; x++) {
                    if (c.at[y * width + x].line == 0 && c.at[y * width + x].ch != 'k') {
                        lit++;
                        column = x;
                    }
                }
            }
            if (!lit)
                fail_msg("lost at width %d, tier %d", width, tier);
            assert_true(column > width / 2);
            cells_done(&c);
        }
    }
}

/* Measurements far apart are joined only where they are asked to be. */
static void test_joins_only_near_points(void **state)
{
    struct series *s = series_set_get(&set, "far");
    struct plot_line line = {"far", s, 1};
    struct plot p = {.x0 = 0, .x1 = 100, .lines = &line, .nlines = 1};
    struct cells c = {0};

    (void)state;
    series_append(s, 0, 1);
    series_append(s, 100, 1);
    assert_true(cells_resize(&c, 40, 3));
    for (int joined = 0; joined < 2; joined++) {
        int stars = 0;

        p.join_max_s = joined ? 0 : 10;
        cells_plot(&c, &p, CELLS_ASCII);
        for (int i = 0; i < 120; i++)
            stars += c.at[i].line == 0 && c.at[i].ch == '*';
        assert_true(joined ? stars > 20 : stars <= 3);
    }
    cells_done(&c);
}

static void test_any_size_and_any_data(void **state)
{
    struct series *s = series_set_get(&set, "odd"), *empty = series_set_get(&set, "empty");
    struct plot_line lines[] = {{"a line with a rather long label, longer than the plot", s, -1},
                                {"\033]0;\xc3\xa4", empty, 0}};
    struct plot_mark mark = {.x = 1e9 + 1, .label = "\033[2J\n"};
    struct cells c = {0};

    (void)state;
    series_append(s, 1e9, -1e30);
    series_append(s, 1e9, 1e30);
    series_append(s, 1e9 + 1, NAN);
    series_append(s, 1e9 + 2, 0);
    for (int is_log = 0; is_log < 2; is_log++) {
        struct plot p = {.is_log_y = is_log,
                         .x_zero = 1e9,
                         .lines = lines,
                         .nlines = 2,
                         .marks = &mark,
                         .nmarks = 1};

        for (int tier = CELLS_ASCII; tier <= CELLS_BRAILLE; tier++) {
            for (int h = 0; h < 14; h++) {
                for (int w = 0; w < 60; w += 1 + w / 20) {
                    assert_true(cells_resize(&c, w, h));
                    cells_plot(&c, &p, (enum cells_tier)tier);
                    for (int i = 0; i < w * h; i++) /* nothing that a terminal would obey */
                        assert_true((c.at[i].ch >= ' ' && c.at[i].ch <= '~') ||
                                    c.at[i].ch > 0x2500);
                }
            }
        }
    }
    cells_done(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_golden_ascii, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_golden_braille, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_golden_two_lines_and_a_gap, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_golden_block, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_golden_marks_and_cursor, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_golden_cdf, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_golden_boxes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_golden_scatter, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_spike_is_never_lost, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_joins_only_near_points, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_any_size_and_any_data, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
