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

static void assert_drawn(const struct plot *p, const struct cells_style *style, int width,
                         int height, const char *expected)
{
    struct cells c = {0};
    char *text;

    assert_true(cells_resize(&c, width, height));
    cells_plot(&c, p, style);
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
    struct plot p = {.x0 = 0, .x1 = 20, .has_zero = true, .lines = &line, .nlines = 1};
    struct cells_style style = {.tier = CELLS_ASCII};

    (void)state;
    assert_drawn(&p, &style, 44, 8,
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
    struct plot p = {.x0 = 0, .x1 = 20, .has_zero = true, .lines = &line, .nlines = 1};
    struct cells_style style = {.tier = CELLS_BRAILLE};

    (void)state;
    assert_drawn(&p, &style, 44, 8,
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
    struct plot p = {.x0 = 0, .x1 = 30, .has_zero = true, .lines = lines, .nlines = 2};
    struct cells_style style = {.tier = CELLS_ASCII};

    (void)state;
    for (int t = 0; t <= 30; t++) {
        series_append(a, t, t > 10 && t < 20 ? (double)NAN : 2);
        series_append(b, t, t < 15 ? 5000 : 8000);
    }
    assert_drawn(&p, &style, 36, 10,
                 "* flat 2 (min 2, max 2)  + step 8\n"
                 " |                ++++++++++++++++++\n"
                 " |                +\n"
                 " |                +\n"
                 "5+++++++++++++++++\n"
                 " |\n"
                 " |************          ************\n"
                 " |\n"
                 "0+\n"
                 " 0s                    20s\n");
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
        struct cells_style style = {.tier = (enum cells_tier)tier};

        for (int width = 8; width < 230; width++) {
            struct cells c = {0};
            int lit = 0, column = 0;

            assert_true(cells_resize(&c, width, 12));
            cells_plot(&c, &p, &style);
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
    struct cells_style style = {.tier = CELLS_ASCII, .join_max_s = 10};
    struct cells c = {0};

    (void)state;
    series_append(s, 0, 1);
    series_append(s, 100, 1);
    assert_true(cells_resize(&c, 40, 3));
    for (int joined = 0; joined < 2; joined++) {
        int stars = 0;

        style.join_max_s = joined ? 0 : 10;
        cells_plot(&c, &p, &style);
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
                                {"", empty, 0}};
    struct cells c = {0};

    (void)state;
    series_append(s, 1e9, -1e30);
    series_append(s, 1e9, 1e30);
    series_append(s, 1e9 + 1, NAN);
    series_append(s, 1e9 + 2, 0);
    for (int is_log = 0; is_log < 2; is_log++) {
        struct plot p = {.is_log_y = is_log, .lines = lines, .nlines = 2};

        for (int tier = CELLS_ASCII; tier <= CELLS_BRAILLE; tier++) {
            struct cells_style style = {.tier = (enum cells_tier)tier, .t_zero = 1e9};

            for (int h = 0; h < 14; h++) {
                for (int w = 0; w < 60; w += 1 + w / 20) {
                    assert_true(cells_resize(&c, w, h));
                    cells_plot(&c, &p, &style);
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
        cmocka_unit_test_setup_teardown(test_a_spike_is_never_lost, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_joins_only_near_points, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_any_size_and_any_data, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
