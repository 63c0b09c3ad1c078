/* error, buf, clock, log, json, paths: the small things everything stands on. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/buf.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/log.h"
#include "core/paths.h"

static void test_error_carries_all_parts(void **state)
{
    (void)state;
    struct error e;
    assert_int_equal(error_sys(&e, STATUS_IO, 2, "room", "cannot open %s", "x"), STATUS_IO);
    assert_string_equal(e.message, "cannot open x: No such file or directory");
    assert_int_equal(e.sys_errno, 2);
    assert_int_equal(error_hint(&e, "try %d", 7), STATUS_IO);
    assert_string_equal(e.hint, "try 7");
    error_set(&e, STATUS_HOST, "a subsystem name that is too long", "m");
    assert_string_equal(e.hint, ""); /* a new error has no old hint */
    assert_string_equal(e.subsystem, "a subsystem nam");
    assert_int_equal(error_set(NULL, STATUS_TIMEOUT, "x", "y"), STATUS_TIMEOUT);
}

static void test_error_names_the_program(void **state)
{
    (void)state;
    struct error e;
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    assert_non_null(f);
    error_set(&e, STATUS_HOST, "room", "it broke");
    error_print(f, &e);
    error_hint(&e, "mend it");
    error_print(f, &e);
    fclose(f);
    assert_string_equal(text, "core_basics: room: it broke\n"
                              "core_basics: room: it broke\n"
                              "  hint: mend it\n");
    free(text);
}

static void test_statuses_are_distinct(void **state)
{
    (void)state;
    for (int i = 0; i < STATUS_COUNT; i++) {
        assert_int_equal(status_from_name(status_name((enum status)i)), i);
        for (int k = 0; k < i; k++)
            assert_int_not_equal(status_exit_code((enum status)i),
                                 status_exit_code((enum status)k));
    }
    assert_int_equal(status_exit_code(STATUS_INTERRUPTED), 130);
    assert_int_equal(status_from_name("no such"), STATUS_INTERNAL);
}

static void test_buf_grows_and_stops(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 10);
    assert_string_equal(b.data, "");
    assert_true(buf_puts(&b, "12345"));
    assert_true(buf_printf(&b, "%d", 67890));
    assert_false(buf_puts(&b, "x"));
    assert_false(buf_append(&b, "", 0)); /* once failed, failed */
    assert_string_equal(b.data, "1234567890");
    buf_clear(&b);
    assert_true(buf_puts(&b, "abc"));
    buf_consume(&b, 1);
    assert_string_equal(b.data, "bc");
    buf_append_tail(&b, "0123456789", 10);
    assert_string_equal(b.data, "0123456789");
    buf_append_tail(&b, "XY", 2);
    assert_string_equal(b.data, "23456789XY");
    char *s = buf_take(&b);
    assert_string_equal(s, "23456789XY");
    assert_int_equal(b.len, 0);
    free(s);
    buf_done(&b);
}

static void test_files_are_written_whole(void **state)
{
    (void)state;
    char dir[] = "/tmp/ccalab-test-XXXXXX", path[64];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/f", dir);
    struct stat st;
    struct error e;
    assert_int_equal(file_write_atomic(path, "one", 3, &e), STATUS_OK);
    assert_int_equal(file_write_atomic(path, "two!", 4, &e), STATUS_OK);
    struct buf b;
    assert_int_equal(buf_read_file(&b, path, 100, &e), STATUS_OK);
    assert_string_equal(b.data, "two!");
    buf_done(&b);
    assert_int_equal(buf_read_file(&b, path, 3, &e), STATUS_NOMEM);
    buf_done(&b);
    assert_int_equal(buf_read_file(&b, "/nonexistent/f", 3, &e), STATUS_IO);
    buf_done(&b);
    assert_int_equal(file_write_atomic("/nonexistent/f", "x", 1, &e), STATUS_IO);
    assert_int_equal(file_write_new(path, "three", 5, 0600, &e), STATUS_IO);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/dev/null", path), 0);
    assert_int_equal(file_write_new(path, "three", 5, 0600, &e), STATUS_IO);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(file_write_new(path, "three", 5, 0600, &e), STATUS_OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(st.st_size, 5);
    if (access("/dev/full", W_OK) == 0) { /* a full disk: nothing is left behind */
        assert_int_equal(file_write_atomic("/dev/full/x", "x", 1, &e), STATUS_IO);
    }
    unlink(path);
    assert_int_equal(rmdir(dir), 0); /* no temporary file remains */
}

static void test_clock_freezes(void **state)
{
    (void)state;
    char text[20];
    clock_freeze(1795251163.25);
    clock_advance(0.5);
    assert_true(clock_wall_s() == 1795251163.75);
    assert_int_equal(clock_mono_ns(), 500000000);
    clock_format_utc(clock_wall_s(), text, sizeof text);
    assert_string_equal(text, "20261121T085243Z");
    struct timespec left = clock_until(3700000000);
    assert_int_equal(left.tv_sec, 3);
    assert_int_equal(left.tv_nsec, 200000000);
    left = clock_until(499999999);
    assert_int_equal(left.tv_sec, 0);
    assert_int_equal(left.tv_nsec, 0);
    clock_thaw();
    assert_true(clock_mono_ns() <= clock_mono_ns());
}

static void test_escape_disarms_terminal_text(void **state)
{
    (void)state;
    char out[64];
    assert_string_equal(log_escape("a\tb\033[2Jc", out, sizeof out), "a b?[2Jc");
    assert_string_equal(log_escape("µs ⣿", out, sizeof out), "µs ⣿");
    assert_string_equal(log_escape("\xc2\x9b"
                                   "31m",
                                   out, sizeof out),
                        "?31m"); /* C1 CSI */
    assert_string_equal(log_escape("\xff\xc0\xaf\xed\xa0\x80", out, sizeof out), "??????");
    assert_string_equal(log_escape("µµµ", out, 4), "µ"); /* cut between characters */
}

static void test_json_has_no_nan(void **state)
{
    (void)state;
    cJSON *o = cJSON_CreateObject();
    assert_non_null(json_add_num(o, "a", 1.5));
    assert_non_null(json_add_num(o, "b", NAN));
    assert_non_null(json_add_num(o, "c", -INFINITY));
    assert_true(json_num(o, "a", 0) == 1.5);
    assert_true(cJSON_IsNull(json_get(o, "b")));
    assert_true(cJSON_IsNull(json_get(o, "c")));
    cJSON_Delete(o);
}

static void test_json_reports_where(void **state)
{
    (void)state;
    struct error e;
    const char *bad = "{\"a\": 1, oops}";
    assert_null(json_parse(bad, strlen(bad), "thing", &e));
    assert_int_equal(e.status, STATUS_INPUT);
    assert_non_null(strstr(e.message, "thing is not valid JSON at byte "));
    const char *two = "{} {}";
    assert_null(json_parse(two, strlen(two), "thing", &e)); /* text after the document */
    assert_null(json_parse("", 0, "thing", &e));
    cJSON *o = json_parse("{\"n\":2,\"s\":\"x\",\"b\":true} \n", 26, "thing", &e);
    assert_non_null(o);
    assert_true(json_num(o, "n", 0) == 2);
    assert_true(json_num(o, "s", 5) == 5); /* wrong type: the default */
    assert_string_equal(json_str(o, "s", ""), "x");
    assert_true(json_bool(o, "b", false));
    assert_true(json_num(NULL, "n", 7) == 7);
    cJSON_Delete(o);
}

static void test_paths(void **state)
{
    (void)state;
    char out[64];
    assert_true(path_join(out, sizeof out, "/a/", "/b"));
    assert_string_equal(out, "/a/b");
    assert_true(path_join(out, sizeof out, "/", "b"));
    assert_string_equal(out, "/b");
    assert_false(path_join(out, 4, "/a", "b"));
    assert_true(paths_which("sh", NULL, 0));
    assert_false(paths_which("no-such-command-here", NULL, 0));
    struct error e;
    char program[CCALAB_PATH_MAX];
    assert_int_equal(paths_program("no-such-program", program, sizeof program, &e),
                     STATUS_UNAVAILABLE);
    assert_true(e.hint[0]);
    assert_int_equal(path_mkdirs("/dev/null/x", &e), STATUS_IO);
    assert_int_equal(path_mkdirs_above("/dev/null/x/y", &e), STATUS_IO);
    assert_int_equal(path_mkdirs_above("/tmp/y", &e), STATUS_OK);
    assert_int_equal(path_mkdirs_above("y", &e), STATUS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_error_carries_all_parts),
        cmocka_unit_test(test_error_names_the_program),
        cmocka_unit_test(test_statuses_are_distinct),
        cmocka_unit_test(test_buf_grows_and_stops),
        cmocka_unit_test(test_files_are_written_whole),
        cmocka_unit_test(test_clock_freezes),
        cmocka_unit_test(test_escape_disarms_terminal_text),
        cmocka_unit_test(test_json_has_no_nan),
        cmocka_unit_test(test_json_reports_where),
        cmocka_unit_test(test_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
