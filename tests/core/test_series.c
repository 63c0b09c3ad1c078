/* Time series: columns against a naive scan, sets, and what an event stream can do to them. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/event.h"
#include "core/series.h"

static double uniform(unsigned *seed)
{
    return rand_r(seed) / (RAND_MAX + 1.0);
}

/* Straight from the header: each sample into the first column that ends after it. */
static void naive_columns(const struct series *s, double t0, double t1, size_t n,
                          struct series_col *cols)
{
    memset(cols, 0, n * sizeof(*cols));
    for (size_t c = 0; c < n && t0 < t1; c++) {
        double begin = c == 0 ? t0 : t0 + (t1 - t0) * (double)c / (double)n;
        double end = c + 1 == n ? t1 : t0 + (t1 - t0) * (double)(c + 1) / (double)n;
        bool is_first = true;
        for (size_t i = 0; i < s->len; i++) {
            if (s->t[i] < begin || s->t[i] >= end || s->t[i] >= t1) {
                continue;
            }
            struct series_col *col = &cols[c];
            float v = s->v[i];
            col->starts_gap = is_first ? isnan(v) : col->starts_gap;
            col->ends_gap = isnan(v);
            is_first = false;
            if (!isnan(v)) {
                col->min = col->count && col->min < v ? col->min : v;
                col->max = col->count && col->max > v ? col->max : v;
                col->last = v;
                col->count++;
            }
        }
    }
}

static void assert_same_columns(const struct series *s, double t0, double t1, size_t n)
{
    struct series_col got[64], want[64];
    series_columns(s, t0, t1, n, got);
    naive_columns(s, t0, t1, n, want);
    for (size_t c = 0; c < n; c++) {
        if (got[c].count != want[c].count || got[c].min != want[c].min ||
            got[c].max != want[c].max || got[c].last != want[c].last ||
            got[c].starts_gap != want[c].starts_gap || got[c].ends_gap != want[c].ends_gap) {
            fail_msg("%zu samples, [%.17g, %.17g), column %zu of %zu: count %zu min %g max %g "
                     "last %g, not %zu %g %g %g",
                     s->len, t0, t1, c, n, got[c].count, got[c].min, got[c].max, got[c].last,
                     want[c].count, want[c].min, want[c].max, want[c].last);
        }
    }
}

static void test_columns_are_exact(void **state)
{
    (void)state;
    unsigned seed = 1;
    for (int round = 0; round < 400; round++) {
        struct series s = {0};
        size_t len = (size_t)(uniform(&seed) * (round % 4 ? 3000 : 150));
        double start = round % 2 ? 1795250000.0 : -5, t = start;
        double gap_share = round % 3 == 0 ? 0 : round % 3 == 1 ? 0.2 : 0.97;
        for (size_t i = 0; i < len; i++) {
            /* Steps of every size, whole ones so that samples lie on edges, and some back. */
            t += uniform(&seed) < 0.3 ? (double)(rand_r(&seed) % 3) : uniform(&seed) * 0.1;
            double back = uniform(&seed) < 0.05 ? 3 : 0;
            double v = uniform(&seed) < gap_share ? NAN : uniform(&seed) * 2000 - 1000;
            assert_true(series_append(&s, t - back, v));
        }
        assert_int_equal(s.level[0].n, len / SERIES_BLOCK);
        double span = t - start + 1;
        for (int range = 0; range < 12; range++) {
            double t0 = start + floor((uniform(&seed) * 1.4 - 0.2) * span);
            double t1 = t0 + floor(uniform(&seed) * span * 1.2);
            assert_same_columns(&s, t0, t1, 1 + (size_t)(rand_r(&seed) % 64));
            assert_same_columns(&s, t0, t0 + uniform(&seed) * span, 1 + (size_t)range);
        }
        assert_same_columns(&s, start, nextafter(t, INFINITY), 1);
        series_done(&s);
    }
}

/* A sample on the edge between two columns belongs to the second, at the end of a block too. */
static void test_edges_on_block_ends(void **state)
{
    (void)state;
    struct series s = {0};
    for (int i = 0; i < 10 * SERIES_BLOCK; i++) {
        assert_true(series_append(&s, i, i));
    }
    for (int end = 1; end < 5 * SERIES_BLOCK; end++) {
        assert_same_columns(&s, 0, end, 1);
        assert_same_columns(&s, 0, 2 * end, 2);
    }
    series_done(&s);
}

static void test_a_spike_is_never_lost(void **state)
{
    (void)state;
    struct series s = {0};
    struct series_col cols[10];
    for (int i = 0; i < 100000; i++) {
        series_append(&s, i, i == 54321 ? 1e6 : i == 54400 ? -1e6 : 1);
    }
    series_columns(&s, 0, 100000, 10, cols);
    assert_true(cols[5].max == 1e6f && cols[5].min == -1e6f && cols[5].count == 10000);
    assert_true(cols[4].max == 1 && cols[6].min == 1);
    series_done(&s);
}

static void test_strange_times_and_values(void **state)
{
    (void)state;
    struct series s = {0};
    series_append(&s, NAN, 1);
    series_append(&s, 10, 2);
    series_append(&s, 5, 3);         /* the clock jumped back */
    series_append(&s, INFINITY, 4);  /* no time */
    series_append(&s, 11, INFINITY); /* no value */
    series_append(&s, 12, 1e300);    /* none that a float holds */
    series_append(&s, 13, -FLT_MAX);
    const double times[] = {0, 10, 10, 10, 11, 12, 13};
    for (int i = 0; i < 7; i++) {
        assert_true(s.t[i] == times[i]);
    }
    assert_true(s.v[2] == 3 && isnan(s.v[4]) && isnan(s.v[5]) && s.v[6] == -FLT_MAX);
    assert_int_equal(series_lower_bound(&s, 10), 1);
    assert_int_equal(series_lower_bound(&s, 10.5), 4);
    assert_int_equal(series_lower_bound(&s, 99), 7);

    struct series_col cols[3];
    const double edges[][2] = {{5, 5}, {9, 1}, {NAN, 3}, {0, NAN}, {20, 1e308}, {-1e308, -1e307}};
    for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++) {
        series_columns(&s, edges[i][0], edges[i][1], 3, cols);
        assert_true(cols[0].count + cols[1].count + cols[2].count == 0);
    }
    series_columns(&s, -INFINITY, INFINITY, 1, cols);
    assert_int_equal(cols[0].count, 5);
    series_columns(&s, -1e308, 1e308, 3, cols); /* the width overflows */
    assert_int_equal(cols[0].count + cols[1].count + cols[2].count, 5);
    series_columns(&s, 0, 1, 0, cols);
    series_columns(&(struct series){0}, 0, 1, 3, cols);
    assert_int_equal(cols[0].count, 0);
    series_done(&s);
}

static void test_memory_of_ten_million_samples(void **state)
{
    (void)state;
    struct series s = {0};
    size_t most = 0;
    for (int i = 0; i < 10000000; i++) {
        assert_true(series_append(&s, i * 0.001, i == 7654321 ? 1e6 : i & 1023));
        size_t bytes = s.cap * (sizeof(*s.t) + sizeof(*s.v));
        for (int l = 0; l < SERIES_LEVELS; l++) {
            bytes += s.level[l].cap * sizeof(*s.level[l].at);
        }
        most = bytes > most ? bytes : most;
    }
    print_message("10 million samples: %.1f MB\n", (double)most / 1e6);
    assert_true(most < 200000000);
    struct series_col cols[2];
    series_columns(&s, 0, 10000, 2, cols);
    assert_true(cols[0].count == 5000000 && cols[0].max == 1023 && cols[1].max == 1e6f);
    /* The peak shows in every width, and in its own column. */
    struct series_col wide[500];
    for (size_t n = 1; n <= 500; n++) {
        series_columns(&s, 0, 10000, n, wide);
        size_t at = (size_t)(7654.321 / 10000 * (double)n);
        assert_true(wide[at].max == 1e6f);
    }
    series_done(&s);
}

static void test_nearest(void **state)
{
    (void)state;
    struct series s = {0};
    const double v[] = {1, NAN, NAN, 4, 5};
    assert_int_equal(series_nearest(&s, 0, -9, 9), 0); /* empty */
    for (int i = 0; i < 5; i++) {
        series_append(&s, i, v[i]);
    }
    assert_int_equal(series_nearest(&s, -7, -9, 9), 0);
    assert_int_equal(series_nearest(&s, 1.4, -9, 9), 0);
    assert_int_equal(series_nearest(&s, 1.6, -9, 9), 3);
    assert_int_equal(series_nearest(&s, 3.4, -9, 9), 3);
    assert_int_equal(series_nearest(&s, 99, -9, 9), 4);
    assert_int_equal(series_nearest(&s, 99, -9, 3.5), 3);
    assert_int_equal(series_nearest(&s, 1.4, 0.5, 2.5), s.len); /* gaps only */
    series_done(&s);
}

static void test_length_is_bounded(void **state)
{
    (void)state;
    struct series s = {0};
    assert_true(series_append(&s, 1, 1));
    s.len = s.cap = SERIES_LEN_MAX; /* as if full; nothing of it is read */
    assert_false(series_append(&s, 2, 2));
    assert_int_equal(s.len, SERIES_LEN_MAX);
    series_done(&s);
}

static void test_set_is_bounded(void **state)
{
    (void)state;
    struct series_set set;
    char name[SERIES_NAME_MAX + 8];
    series_set_init(&set, 3);
    struct series *a = series_set_get(&set, "a");
    assert_non_null(a);
    assert_ptr_equal(series_set_get(&set, "a"), a);
    assert_null(series_set_find(&set, "b"));
    memset(name, 'x', sizeof(name));
    name[SERIES_NAME_MAX] = '\0';
    assert_null(series_set_get(&set, name)); /* a cut name could be that of another */
    name[SERIES_NAME_MAX - 1] = '\0';
    assert_non_null(series_set_get(&set, name));
    assert_non_null(series_set_get(&set, "c"));
    assert_null(series_set_get(&set, "d"));
    assert_int_equal(set.count, 3);
    assert_ptr_equal(set.first, a);
    assert_ptr_equal(series_set_get(&set, "a"), a); /* what exists is still found */
    series_set_done(&set);
    assert_null(set.first);
}

static void add_line(struct series_set *set, const char *line)
{
    struct event ev;
    cJSON *root;
    assert_true(event_parse(line, strlen(line), "job", &ev, &root));
    series_set_add_event(set, &ev);
    cJSON_Delete(root);
}

static void test_events_become_series(void **state)
{
    (void)state;
    struct series_set set;
    series_set_init(&set, 8);
    add_line(&set, "{\"t\":1,\"type\":\"sample\",\"src\":\"link/down\",\"values\":"
                   "{\"prob\":0.5,\"delay_l_us\":null,\"name\":\"x\",\"flag\":true}}");
    add_line(&set, "{\"t\":2,\"type\":\"sample\",\"src\":\"link/down\",\"values\":"
                   "{\"prob\":0.25,\"delay_l_us\":400}}");
    add_line(&set, "{\"t\":3,\"type\":\"progress\",\"done\":1,\"values\":{\"prob\":1}}");
    assert_int_equal(set.count, 2);
    const struct series *prob = series_set_find(&set, "link/down/prob");
    const struct series *delay = series_set_find(&set, "link/down/delay_l_us");
    assert_non_null(prob);
    assert_non_null(delay);
    assert_int_equal(prob->len, 2);
    assert_true(prob->t[1] == 2 && prob->v[1] == 0.25f);
    assert_true(isnan(delay->v[0]) && delay->v[1] == 400);

    /* A stream that invents names makes no more than `max` series. */
    for (int i = 0; i < 1000; i++) {
        char line[128];
        snprintf(line, sizeof(line),
                 "{\"t\":1,\"type\":\"sample\",\"src\":\"s%d\",\"values\":{\"x\":%d}}", i, i);
        add_line(&set, line);
    }
    assert_int_equal(set.count, 8);
    series_set_done(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns_are_exact),
        cmocka_unit_test(test_edges_on_block_ends),
        cmocka_unit_test(test_a_spike_is_never_lost),
        cmocka_unit_test(test_strange_times_and_values),
        cmocka_unit_test(test_memory_of_ten_million_samples),
        cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_length_is_bounded),
        cmocka_unit_test(test_set_is_bounded),
        cmocka_unit_test(test_events_become_series),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
