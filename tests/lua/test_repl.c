/* Lines typed by hand: what they come to, what is missing to them, what could be typed. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include <cmocka.h>

#include "core/log.h"
#include "core/loop.h"
#include "lua/script.h"

static uv_loop_t loop;
static struct bus *bus;
static struct series_set series;
static struct script *script;
static char values[4096], logged[4096], traceback[4096];
static struct error error;
static bool is_done;

static void sink(void *user, enum log_level level, const char *text)
{
    (void)user;
    if (level >= LOG_LEVEL_WARN)
        snprintf(logged, sizeof logged, "%s", text);
}

static int set_up(void **state)
{
    struct error err;

    (void)state;
    uv_loop_init(&loop);
    bus = bus_new();
    series_set_init(&series, 16);
    log_set_sink(sink, NULL);
    struct script_opts opts = {
        .loop = &loop, .bus = bus, .series = &series, .memory_bytes = 64u << 20};
    return script_new(&opts, &script, &err) == STATUS_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    script_clean_up(script);
    while (script_is_busy(script))
        uv_run(&loop, UV_RUN_ONCE);
    script_free(script);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    bus_free(bus);
    series_set_done(&series);
    log_set_sink(NULL, NULL);
    return 0;
}

static void on_done(void *user, const struct error *err, const char *tb, const char *text)
{
    (void)user;
    is_done = true;
    error = *err;
    snprintf(values, sizeof values, "%s", text ? text : "");
    snprintf(traceback, sizeof traceback, "%s", tb ? tb : "");
}

/* What a line comes to; "" for nothing, and after an error. */
static const char *eval(const char *line)
{
    is_done = false;
    values[0] = logged[0] = traceback[0] = '\0';
    if (script_eval(script, line, on_done, NULL, &error) != STATUS_OK)
        return "";
    while (!is_done)
        uv_run(&loop, UV_RUN_ONCE);
    return values;
}

static void test_values(void **state)
{
    (void)state;
    assert_string_equal(eval("1 + 1"), "2");
    assert_string_equal(eval("_ * 21"), "42");
    assert_string_equal(eval("x = _"), "");
    assert_string_equal(eval("x, 'two', nil"), "42\t\"two\"\tnil");
    assert_string_equal(eval("print()"), "");
    assert_string_equal(eval("_"), "42"); /* nothing and nil leave it alone */
    assert_string_equal(eval("nil"), "nil");
    assert_string_equal(eval("_"), "42");
    assert_string_equal(eval("for i = 1, 3 do\n    x = x + i\nend\nreturn x"), "48");
    assert_string_equal(eval("-- nothing"), "");
    assert_string_equal(eval("lab.sleep(0.01) and {b = 1, a = {2}}"), "{a = {2}, b = 1}");
}

static void test_errors(void **state)
{
    (void)state;
    eval("1 +");
    assert_int_equal(error.status, STATUS_SYNTAX);
    eval("error('boom')");
    assert_int_equal(error.status, STATUS_FAIL);
    assert_non_null(strstr(error.message, "boom"));
    assert_non_null(strstr(traceback, "(line)"));
    eval("no_such_name");
    assert_non_null(strstr(error.message, "does not exist"));
    eval("setmetatable({}, {__tostring = function() error('no text') end})");
    assert_non_null(strstr(error.message, "no text"));
    assert_string_equal(eval("1"), "1");
}

static void on_alarm(int signum)
{
    (void)signum;
    loop_interrupted = 1; /* as the console's handler of SIGINT does */
}

/* A value whose text never ends is stopped as every line is. */
static void test_cancel_while_printing(void **state)
{
    struct itimerval soon = {.it_value.tv_usec = 50000, .it_interval.tv_usec = 50000}, never = {0};

    (void)state;
    signal(SIGALRM, on_alarm);
    setitimer(ITIMER_REAL, &soon, NULL);
    eval("setmetatable({}, {__tostring = function() while true do end end})");
    setitimer(ITIMER_REAL, &never, NULL);
    loop_interrupted = 0;
    assert_int_equal(error.status, STATUS_INTERRUPTED);
    assert_string_equal(eval("2"), "2");
}

static void test_incomplete(void **state)
{
    static const char *const more[] = {
        "for i = 1, 3 do", "function f()", "x =",  "print(", "return {1,",
        "if x then\n y",   "s = [[a",      "--[[", "1 +",    "f = function(a)"};
    static const char *const whole[] = {"1", "x = 1", "end", "'abc", "1 1", "", "]]"};

    (void)state;
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++)
        assert_true(script_is_incomplete(script, more[i]));
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++)
        assert_false(script_is_incomplete(script, whole[i]));
}

static void test_lost_local(void **state)
{
    (void)state;
    eval("local bed = 1");
    assert_non_null(strstr(logged, "local bed: gone at the end of the line"));
    eval("local bed = 1; return bed");
    assert_string_equal(logged, "");
    assert_string_equal(values, "1");
}

static void test_complete(void **state)
{
    struct script_words words;

    (void)state;
    eval("mine = {alpha = 1, alpine = 2}");
    script_complete(script, "x = mine.al", 11, &words);
    assert_int_equal(words.start, 9);
    assert_int_equal(words.len, 2);
    assert_string_equal(words.word[0], "alpha");
    assert_string_equal(words.word[1], "alpine");
    assert_null(words.hint);
    script_words_done(&words);
    script_complete(script, "lab.sleep(", 10, &words);
    assert_non_null(strstr(words.hint, "lab.sleep(seconds"));
    script_words_done(&words);
    script_words_done(&words);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_values, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_errors, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cancel_while_printing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_incomplete, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lost_local, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_complete, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
