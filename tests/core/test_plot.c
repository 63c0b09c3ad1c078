/* Plots: ticks and labels, ranges, and the SVG they end in. */
#include <float.h>
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/plot_page.h"

static void assert_si(double v, const char *want)
{
    char text[24];
    plot_si(v, text, sizeof(text));
    assert_string_equal(text, want);
}

static void test_si(void **state)
{
    (void)state;
    assert_si(0, "0");
    assert_si(-0.0, "0");
    assert_si(12345678, "12.3M");
    assert_si(1000, "1k");
    assert_si(999.4, "999");
    assert_si(999.7, "1k");
    assert_si(999700, "1M");
    assert_si(-1234, "-1.23k");
    assert_si(50e6, "50M");
    assert_si(2.5, "2.5");
    assert_si(0.02, "0.02");
    assert_si(0.0123456, "0.0123");
    assert_si(0.001, "0.001");
    assert_si(0.0002, "2e-4");
    assert_si(-3.456e-7, "-3.46e-7");
    assert_si(1.5e20, "150E");
    assert_si(3.2e33, "3.2e33");
    assert_si(1e-300, "0");
    assert_si(NAN, "-");
    assert_si(INFINITY, "-");
    char text[24];
    for (double v = 4e-320; v < 1e308; v *= 3.7) {
        plot_si(v, text, sizeof(text));
        assert_true(strlen(text) <= 9 && strspn(text, "0123456789.e-kMGTPE") == strlen(text));
        double back = strtod(text, NULL);
        if (v > 1e-3 && v < 999) {
            assert_true(fabs(back - v) <= 0.005 * v);
        }
    }
}

static void assert_ticks(double lo, double hi, size_t want, bool is_log, const char *labels)
{
    struct plot_ticks ticks;
    char joined[512] = "";
    plot_ticks(lo, hi, want, is_log, &ticks);
    for (size_t i = 0; i < ticks.n; i++) {
        snprintf(joined + strlen(joined), sizeof(joined) - strlen(joined), "%s%s", i ? " " : "",
                 ticks.label[i]);
    }
    assert_string_equal(joined, labels);
}

static void test_ticks(void **state)
{
    (void)state;
    assert_ticks(0, 50e6, 6, false, "0 10M 20M 30M 40M 50M");
    assert_ticks(0, 1.7e6, 4, false, "0 500k 1M 1.5M");
    assert_ticks(0, 20, 11, false, "0 2 4 6 8 10 12 14 16 18 20");
    assert_ticks(-1.2, 1.2, 6, false, "-1 -0.5 0 0.5 1");
    assert_ticks(1000000, 1000100, 5, false, "1M 1.00005M 1.0001M");
}

static void test_tick_rules(void **state)
{
    (void)state;
    unsigned seed = 5;
    for (int i = 0; i < 200000; i++) {
        double size = pow(10, rand_r(&seed) % 40 - 20);
        double lo = (rand_r(&seed) / (double)RAND_MAX - 0.5) * size;
        double hi = lo + rand_r(&seed) / (double)RAND_MAX * size;
        size_t want = (size_t)(rand_r(&seed) % 20);
        bool is_log = rand_r(&seed) % 2;
        struct plot_ticks ticks;
        plot_ticks(lo, hi, want, is_log, &ticks);
        want = want < 2 ? 2 : want > PLOT_TICKS_MAX ? PLOT_TICKS_MAX : want;
        if (is_log && lo <= 0) {
            assert_int_equal(ticks.n, 0);
            continue;
        }
        assert_in_range(ticks.n, 1, want);
        for (size_t k = 0; k < ticks.n; k++) {
            double slack = (hi - lo) * 1e-6 + hi * 1e-6;
            assert_true(ticks.at[k] >= lo - fabs(slack) && ticks.at[k] <= hi + fabs(slack));
            assert_true(k == 0 || ticks.at[k] > ticks.at[k - 1]);
            assert_true(k == 0 || strcmp(ticks.label[k], ticks.label[k - 1]) != 0);
        }
    }
}

static void test_log_ticks(void **state)
{
    (void)state;
    assert_ticks(0.001, 100, 8, true, "0.001 0.01 0.1 1 10 100");
    assert_ticks(1e-6, 1, 4, true, "1e-6 1e-4 0.01 1");
    assert_ticks(1, 1000, 15, true, "1 2 5 10 20 50 100 200 500 1k");
    assert_ticks(15, 80, 5, true, "20 50");
    assert_ticks(110, 130, 5, true, "110 115 120 125 130");
}

static void test_strange_ticks(void **state)
{
    (void)state;
    assert_ticks(5, 5, 4, false, "5");
    assert_ticks(0, 0, 4, false, "0");
    assert_ticks(10, 0, 6, false, "0 2 4 6 8 10");
    assert_ticks(NAN, 1, 4, false, "");
    assert_ticks(0, INFINITY, 4, false, "");
    assert_ticks(0, 10, 4, true, "");
    assert_ticks(-5, -1, 4, true, "");
    struct plot_ticks ticks;
    plot_ticks(1e9, nextafter(1e9, 2e9), 4, false, &ticks); /* finer than labels can be */
    assert_in_range(ticks.n, 1, 4);
    plot_ticks(0, DBL_MIN, 4, false, &ticks);
    assert_in_range(ticks.n, 1, 4);
}

static struct plot_range fit(const double *t, const double *v, size_t n, bool is_log, bool has_zero,
                             double scale)
{
    struct series s = {0};
    for (size_t i = 0; i < n; i++) {
        assert_true(series_append(&s, t[i], v[i]));
    }
    struct plot_line line = {"x", &s, scale};
    struct plot p = {.lines = &line, .nlines = 1, .is_log_y = is_log, .has_zero = has_zero};
    struct plot_range r;
    plot_fit(&p, &r);
    assert_true(r.x0 < r.x1 && r.y0 < r.y1);
    assert_true(isfinite(r.x0) && isfinite(r.x1) && isfinite(r.y0) && isfinite(r.y1));
    series_done(&s);
    return r;
}

static void test_fit(void **state)
{
    (void)state;
    const double t[] = {10, 11, 12}, v[] = {100, 300, 200}, zeros[] = {0, 0, 0};
    const double mixed[] = {-1, 0, 1000}, negative[] = {-5, -4, -3};
    struct plot_range r = fit(t, v, 3, false, false, 0);
    assert_true(r.x0 == 10 && r.x1 == 12 && !r.is_empty);
    assert_true(r.y0 < 100 && r.y0 > 80 && r.y1 > 300 && r.y1 < 320);
    r = fit(t, v, 3, false, true, 0.5);
    assert_true(r.y0 == 0 && r.y1 > 150 && r.y1 < 170);
    r = fit(t, v, 3, false, false, -1);
    assert_true(r.y0 < -300 && r.y1 > -100 && r.y1 < 0);
    r = fit(t, negative, 3, false, true, 0);
    assert_true(r.y0 < -5 && r.y1 >= 0);
    r = fit(t, zeros, 3, false, false, 0);
    assert_true(r.y0 == 0 && r.y1 > 0 && !r.is_empty);
    r = fit(t, v, 1, false, false, 0); /* one sample */
    assert_true(r.x1 > r.x0 && r.y0 < 100 && r.y1 > 100);
    r = fit(t, mixed, 3, true, false, 0);
    assert_true(r.y0 > 0 && r.y0 < 1000 && r.y1 > 1000);
    r = fit(t, zeros, 3, true, false, 0);
    assert_true(r.is_empty && r.y0 > 0);
    r = fit(t, v, 0, false, true, 0);
    assert_true(r.is_empty);

    /* Whatever the numbers are, a range is a range. */
    unsigned seed = 3;
    for (int i = 0; i < 20000; i++) {
        double tt[4], vv[4];
        size_t n = (size_t)(rand_r(&seed) % 5);
        for (size_t k = 0; k < n; k++) {
            int e = rand_r(&seed) % 620 - 310;
            tt[k] = (rand_r(&seed) % 3 - 1) * pow(10, e);
            vv[k] = rand_r(&seed) % 7 == 0 ? NAN : (rand_r(&seed) % 5 - 2) * pow(10, e / 7);
        }
        double scale = rand_r(&seed) % 3 == 0 ? pow(10, rand_r(&seed) % 600 - 300) : 1;
        r = fit(tt, vv, n, rand_r(&seed) % 2, rand_r(&seed) % 2, scale);
        bool is_log = rand_r(&seed) % 2 && r.y0 > 0;
        assert_true(isfinite(plot_y(&r, is_log, vv[0])));
    }
}

static void test_y_positions(void **state)
{
    (void)state;
    struct plot_range r = {.x0 = 0, .x1 = 1, .y0 = 1, .y1 = 100};
    assert_true(plot_y(&r, false, 1) == 0 && plot_y(&r, false, 100) == 1);
    assert_true(fabs(plot_y(&r, true, 10) - 0.5) < 1e-12);
    assert_true(plot_y(&r, false, 199) > 1.9);
    assert_true(plot_y(&r, true, 0) == -1 && plot_y(&r, true, -3) == -1);
    assert_true(plot_y(&r, false, NAN) == -1 && plot_y(&r, false, INFINITY) == -1);
}

/* --- data ------------------------------------------------------------------------------------- */

static void test_box_is_that_of_tukey(void **state)
{
    (void)state;
    double v[] = {30, 1, NAN, 2, 3, INFINITY, 4, 5, 6, 7, 8};
    struct plot_box b = {.label = "b"}, none = {0};
    plot_box(v, 11, &b); /* 1 to 8 and 30: quartiles at the third, fifth and seventh of nine */
    assert_int_equal(b.n, 9);
    assert_true(b.q1 == 3 && b.median == 5 && b.q3 == 7);
    assert_true(b.min == 1 && b.whisker_lo == 1 && b.whisker_hi == 8 && b.max == 30);
    assert_string_equal(b.label, "b");
    double two[] = {1, 2};
    plot_box(two, 2, &b);
    assert_true(b.q1 == 1.25 && b.median == 1.5 && b.q3 == 1.75 && b.whisker_hi == 2);
    plot_box(v, 0, &none);
    assert_int_equal(none.n, 0);
}

static void test_cdf_counts_what_is_not_greater(void **state)
{
    (void)state;
    double v[] = {3, 1, NAN, 3, 2};
    struct series s = {0};
    assert_true(plot_cdf(v, 5, &s));
    assert_int_equal(s.len, 3);
    assert_true(s.t[0] == 1 && s.v[0] == 0.25f && s.t[1] == 2 && s.v[1] == 0.5f);
    assert_true(s.t[2] == 3 && s.v[2] == 1);
    struct plot_line line = {"x", &s, 0};
    struct plot p = {.kind = PLOT_CDF, .lines = &line, .nlines = 1};
    struct plot_range r;
    struct plot_stat stat;
    plot_fit(&p, &r);
    assert_true(r.x0 == 1 && r.x1 == 3 && r.y0 == 0 && r.y1 == 1);
    plot_stat(&p, &r, 0, &stat);
    assert_true(stat.last == 2 && stat.min == 1 && stat.max == 3);
    series_done(&s);
}

static void test_csv(void **state)
{
    (void)state;
    struct series s = {0};
    const double values[] = {1, NAN, 3, 4};
    for (int i = 0; i < 4; i++) {
        series_append(&s, 10.5 + i, values[i]);
    }
    struct plot_line lines[] = {{"=\"x\"", &s, 1e-3},
                                {.label = "fair", .is_level = true, .level = 2}};
    struct plot p = {.x0 = 10, .x1 = 13, .lines = lines, .nlines = 2};
    struct plot_range r;
    struct buf out;
    buf_init(&out, 4096);
    plot_fit(&p, &r);
    plot_csv(&p, &r, &out);
    assert_string_equal(out.data, "line,x,y\n\"'=\"\"x\"\"\",10.5,0.001\n"
                                  "\"'=\"\"x\"\"\",11.5,\n\"'=\"\"x\"\"\",12.5,0.003\n"
                                  "\"fair\",10,2\n\"fair\",13,2\n");
    double x, y;
    p.has_cursor = true;
    p.cursor_x = 11.9;
    assert_true(plot_read(&p, &r, 0, &x, &y) && x == 12.5 && fabs(y - 0.003) < 1e-9);
    assert_true(plot_read(&p, &r, 1, &x, &y) && y == 2);
    buf_done(&out);
    series_done(&s);
}

static void test_units(void **state)
{
    (void)state;
    char unit[8];
    plot_unit("RTT [ms]", unit, sizeof(unit));
    assert_string_equal(unit, "ms");
    plot_unit("a [b] of [Mbit/s]", unit, sizeof(unit));
    assert_string_equal(unit, "Mbit/s");
    plot_unit("none [", unit, sizeof(unit));
    assert_string_equal(unit, "");
    plot_unit(NULL, unit, sizeof(unit));
    assert_string_equal(unit, "");
}

/* --- SVG -------------------------------------------------------------------------------------- */

static char *svg(const struct plot *p, int width, int height)
{
    struct buf b;
    buf_init(&b, 4u << 20);
    plot_svg(p, width, height, &b);
    assert_false(b.is_failed);
    char *text = buf_take(&b);
    buf_done(&b);
    assert_non_null(text);
    /* Numbers only, everywhere. "nan" would also hit a label: those of the tests have none. */
    assert_null(strstr(text, "nan"));
    assert_null(strstr(text, "inf"));
    assert_non_null(strstr(text, "</svg>\n"));
    return text;
}

static int count(const char *text, const char *part)
{
    int n = 0;
    for (const char *p = text; (p = strstr(p, part)); p += strlen(part)) {
        n++;
    }
    return n;
}

/* The drawing of the index-th line: the d="..." of a path as wide as data are. */
static const char *line_path(const char *text, int index)
{
    char start[48];
    snprintf(start, sizeof(start), "<path class=\"s%d\" stroke-width=\"1.6\"", index);
    const char *p = strstr(text, start);
    p = p ? strstr(p, " d=\"") : NULL;
    assert_non_null(p);
    return p + 4;
}

static int strokes(const char *path)
{
    int n = 0;
    for (; *path != '"'; path++) {
        n += *path == 'M';
    }
    return n;
}

static void test_svg_has_what_a_reader_needs(void **state)
{
    (void)state;
    struct series a = {0}, b = {0};
    for (int i = 0; i < 100; i++) {
        series_append(&a, 1000 + i * 0.1, 1000 * i);
        series_append(&b, 1000 + i * 0.1, i == 50 || i == 51 ? NAN : 500 * i);
    }
    struct plot_line lines[] = {{"client <X> & \"co\"", &a, 0}, {"client_y", &b, 0}};
    struct plot p = {.title = "A title\x1b[31m\xff",
                     .x_label = "time [s]",
                     .y_label = "cwnd [bytes]",
                     .has_zero = true,
                     .lines = lines,
                     .nlines = 2};
    char *text = svg(&p, 800, 400);
    assert_non_null(strstr(text, ">time [s]</text>"));
    assert_non_null(strstr(text, ">cwnd [bytes]</text>"));
    assert_non_null(strstr(text, "client &lt;X&gt; &amp; &quot;co&quot;"));
    assert_non_null(strstr(text, "A title?[31m?<"));
    assert_null(strchr(text, '\x1b'));
    assert_non_null(strstr(text, ">99k</text>"));   /* last and max of a */
    assert_non_null(strstr(text, ">49.5k</text>")); /* last of b */
    assert_non_null(strstr(text, ">100k</text>"));  /* a tick */
    assert_int_equal(strokes(line_path(text, 0)), 1);
    assert_int_equal(strokes(line_path(text, 1)), 2);  /* the gap breaks the line */
    assert_non_null(strstr(text, "stroke-dasharray")); /* not by colour alone */
    assert_null(strstr(text, " id="));                 /* many fit into one page */
    free(text);

    /* A label as long as it likes, in a picture as small as it gets. */
    char label[4000];
    memset(label, 'w', sizeof(label) - 1);
    label[sizeof(label) - 1] = '\0';
    lines[0].label = label;
    text = svg(&p, 1, 1);
    assert_true(strlen(text) < 20000);
    free(text);
    series_done(&a);
    series_done(&b);
}

static void test_svg_of_much_data_keeps_the_spike(void **state)
{
    (void)state;
    struct series s = {0};
    for (int i = 0; i < 500000; i++) {
        series_append(&s, i * 1e-3, i == 123456 ? 1000 : i > 200000 && i < 210000 ? NAN : i % 10);
    }
    struct plot_line line = {"x", &s, 0};
    struct plot p = {.title = "t", .x_label = "x", .y_label = "y", .lines = &line, .nlines = 1};
    struct plot_range r;
    plot_fit(&p, &r);
    assert_true(r.y1 > 1000);
    char *text = svg(&p, 800, 400);
    assert_true(strlen(text) < 60000);
    assert_non_null(strstr(text, ">1k</text>"));
    /* The spike's tip: 1000 of y1 = 1060, in a plotting area from y = 80 to 354. */
    double top = 80 + (1 - 1000 / r.y1) * (400 - 46 - 80);
    char tip[16];
    snprintf(tip, sizeof(tip), " %.1f", top);
    assert_non_null(strstr(line_path(text, 0), tip));
    assert_int_equal(strokes(line_path(text, 0)), 2);
    free(text);
    series_done(&s);
}

/* Ten samples a column, 718 columns (41 to 50 in the fifth, for the range takes in its end):
 * gaps at the start, at the end and in the middle of one. */
static void test_svg_gaps_within_a_pixel(void **state)
{
    (void)state;
    static const struct {
        int at, strokes;
    } cases[] = {{51, 2}, {110, 2}, {155, 1}};
    for (int c = 0; c < 3; c++) {
        struct series s = {0};
        for (int i = 0; i < 7180; i++) {
            series_append(&s, i, i == cases[c].at ? NAN : i % 7);
        }
        struct plot_line line = {"x", &s, 0};
        struct plot p = {.title = "t", .x1 = 7180, .lines = &line, .nlines = 1};
        char *text = svg(&p, 800, 400);
        assert_int_equal(strokes(line_path(text, 0)), cases[c].strokes);
        free(text);
        series_done(&s);
    }
}

static void test_svg_of_nothing_says_so(void **state)
{
    (void)state;
    struct series empty = {0}, gaps = {0}, zeros = {0};
    for (int i = 0; i < 3; i++) {
        series_append(&gaps, i, NAN);
        series_append(&zeros, i, 0);
    }
    struct plot_line lines[] = {{"a", NULL, 0}, {"b", &empty, 0}, {"c", &gaps, 0}};
    struct plot p = {.title = "t", .lines = lines, .nlines = 3};
    char *text = svg(&p, 600, 300);
    assert_int_equal(count(text, "no data"), 4); /* each line, and the plot */
    free(text);
    p.nlines = 0;
    text = svg(&p, 600, 300);
    assert_int_equal(count(text, "no data"), 1);
    free(text);
    struct plot_line zero = {"z", &zeros, 0};
    p = (struct plot){.title = "t", .lines = &zero, .nlines = 1, .is_log_y = true};
    text = svg(&p, 600, 300); /* nothing that a log axis can show */
    assert_int_equal(count(text, ">no data<"), 1);
    assert_int_equal(strokes(line_path(text, 0)), 0);
    free(text);
    p.is_log_y = false;
    text = svg(&p, 600, 300);
    assert_int_equal(count(text, "no data"), 0);
    free(text);
    series_done(&gaps);
    series_done(&zeros);
}

static void test_svg_of_a_lone_value_is_a_dot(void **state)
{
    (void)state;
    struct series s = {0};
    const double v[] = {1, NAN, 2, NAN, 3, 4};
    for (int i = 0; i < 6; i++) {
        series_append(&s, i, v[i]);
    }
    struct plot_line line = {"x", &s, 0};
    struct plot p = {.title = "t", .lines = &line, .nlines = 1};
    char *text = svg(&p, 600, 300);
    assert_int_equal(count(line_path(text, 0), "h.1"), 2);
    assert_int_equal(strokes(line_path(text, 0)), 3);
    free(text);
    /* A window that the data do not fill, and one beside them. */
    p.x0 = -10;
    p.x1 = 20;
    text = svg(&p, 600, 300);
    assert_int_equal(strokes(line_path(text, 0)), 3);
    free(text);
    p.x0 = 100;
    p.x1 = 200;
    text = svg(&p, 600, 300);
    assert_int_equal(strokes(line_path(text, 0)), 0);
    assert_true(count(text, "no data") == 2);
    free(text);
    series_done(&s);
}

/* ncurses programs call setlocale(): half the world writes "0,5" then. */
static void test_no_decimal_comma(void **state)
{
    (void)state;
    static const char *const names[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "ru_RU.UTF-8"};
    bool has_locale = false;
    for (int i = 0; i < 3 && !has_locale; i++) {
        has_locale = setlocale(LC_ALL, names[i]) != NULL;
    }
    if (!has_locale) {
        print_message("no locale with a decimal comma is installed\n");
        skip();
    }
    assert_si(2.5, "2.5");
    setlocale(LC_ALL, "C");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_si),
        cmocka_unit_test(test_ticks),
        cmocka_unit_test(test_tick_rules),
        cmocka_unit_test(test_log_ticks),
        cmocka_unit_test(test_strange_ticks),
        cmocka_unit_test(test_fit),
        cmocka_unit_test(test_y_positions),
        cmocka_unit_test(test_box_is_that_of_tukey),
        cmocka_unit_test(test_cdf_counts_what_is_not_greater),
        cmocka_unit_test(test_csv),
        cmocka_unit_test(test_units),
        cmocka_unit_test(test_svg_has_what_a_reader_needs),
        cmocka_unit_test(test_svg_of_much_data_keeps_the_spike),
        cmocka_unit_test(test_svg_gaps_within_a_pixel),
        cmocka_unit_test(test_svg_of_nothing_says_so),
        cmocka_unit_test(test_svg_of_a_lone_value_is_a_dot),
        cmocka_unit_test(test_no_decimal_comma),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
