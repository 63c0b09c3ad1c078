/* Recorded samples as series: what run_samples.c writes comes back, what others write does no harm.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/run_samples.h"
#include "core/run_series.h"

static void add_line(struct run_samples *samples, const char *line)
{
    struct event ev;
    cJSON *root;
    assert_true(event_parse(line, strlen(line), "job", &ev, &root));
    run_samples_add(samples, &ev);
    cJSON_Delete(root);
}

static void test_what_was_written_is_read(void **state)
{
    (void)state;
    char dir[] = "/tmp/run_series.XXXXXX", command[64];
    struct series_set set;
    struct error err;
    assert_non_null(mkdtemp(dir));
    struct run_samples *samples = run_samples_new(dir);
    assert_non_null(samples);
    add_line(samples, "{\"t\":1.5,\"type\":\"sample\",\"src\":\"link/down\",\"values\":"
                      "{\"link_rate_bps\":5e7,\"delay_l_us\":null}}");
    add_line(samples, "{\"t\":2.5,\"type\":\"sample\",\"src\":\"link/down\",\"values\":"
                      "{\"link_rate_bps\":25000000,\"delay_l_us\":412.5}}");
    series_set_init(&set, 10);
    /* While the run still goes on, too. */
    assert_int_equal(run_series_read(dir, &set, &err), STATUS_OK);
    run_samples_free(samples);
    const struct series *delay = run_series_find(&set, "link/down/delay_l_us");
    assert_non_null(delay);
    assert_ptr_equal(delay, run_series_find(&set, "link_down/delay_l_us"));
    assert_int_equal(delay->len, 2);
    assert_true(isnan(delay->v[0]) && delay->v[1] == 412.5f && delay->t[1] == 2.5);
    assert_int_equal(set.marks.n, 1);
    assert_string_equal(set.marks.at[0].label, "rate 25M");
    assert_null(run_series_find(&set, "link/down/prob"));
    assert_null(run_series_find(&set, "x"));
    series_set_done(&set);

    series_set_init(&set, 10);
    assert_int_equal(run_series_read("/nowhere/at/all", &set, &err), STATUS_IO);
    series_set_done(&set);
    snprintf(command, sizeof(command), "rm -r %s", dir);
    assert_int_equal(system(command), 0);
}

static size_t values_of(const char *text)
{
    struct series_set set;
    size_t n = 0;
    series_set_init(&set, 10);
    assert_true(run_series_parse("s", text, strlen(text), &set));
    for (const struct series *s = set.first; s; s = s->next) {
        for (size_t i = 0; i < s->len; i++) {
            n += !isnan(s->v[i]);
        }
    }
    series_set_done(&set);
    return n;
}

static void test_strange_files(void **state)
{
    (void)state;
    assert_int_equal(values_of(""), 0);
    assert_int_equal(values_of("t_s"), 0);
    assert_int_equal(values_of("t_s,a,b\n1,2,3\n2,4,5\n"), 4);
    assert_int_equal(values_of("t_s,a,b\n1,2,3\n2,4"), 2);       /* still being written */
    assert_int_equal(values_of("t_s,a,b\n1,2\n2,4,5,6,7\n"), 3); /* too few, too many */
    assert_int_equal(values_of("t_s,a\nx,2\n,3\n1,nan\n2,inf\n3,1e999\n4,5x\n5,6\n"), 1);
    assert_int_equal(values_of("label,n,min\n1,2,3\n"), 0); /* another kind of table */
    assert_int_equal(values_of("t_s,\n1,2\n"), 1);
    assert_int_equal(values_of("\n\n\n"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_written_is_read),
        cmocka_unit_test(test_strange_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
