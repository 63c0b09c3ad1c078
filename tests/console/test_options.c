/* The command line, the action table and the layout. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "console/action.h"
#include "console/keymap.h"
#include "console/layout.h"
#include "console/options.h"
#include "core/suggest.h"

#define PARSE(...)                                                                                 \
    parse((char *[]){"ccalab", __VA_ARGS__, NULL},                                                 \
          sizeof((char *[]){"ccalab", __VA_ARGS__}) / sizeof(char *))

static struct options o;
static struct error err;

static enum status parse(char **argv, size_t argc)
{
    memset(&err, 0, sizeof err);
    return options_parse((int)argc, argv, &o, &err);
}

static void test_test_is_a_command(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        char *apart[] = {"ccalab", "--test", "dir", "--junit", "x", NULL};
        char *joined[] = {"ccalab", "--test=dir", "--junit", "x", NULL};

        assert_int_equal(i ? parse(joined, 4) : parse(apart, 5), STATUS_OK);
        assert_int_equal(o.mode, OPTIONS_RUN);
        assert_string_equal(o.builtin, "test");
        assert_int_equal(o.argc, 3);
        assert_string_equal(o.argv[0], "dir");
        assert_string_equal(o.argv[2], "x");
    }
}

static void test_nothing_opens_the_console(void **state)
{
    char *argv[] = {"ccalab", NULL};

    (void)state;
    assert_int_equal(parse(argv, 1), STATUS_OK);
    assert_int_equal(o.mode, OPTIONS_TUI);
    assert_null(o.file);
    assert_int_equal(o.plot, OPTIONS_PLOT_AUTO);
    assert_int_equal(o.log_level, LOG_LEVEL_INFO);
    assert_false(o.is_unsafe);
}

static void test_script_takes_the_rest(void **state)
{
    (void)state;
    assert_int_equal(PARSE("--unsafe", "--events", "e.jsonl", "--run", "a.lua", "--help", "x"),
                     STATUS_OK);
    assert_int_equal(o.mode, OPTIONS_RUN);
    assert_string_equal(o.file, "a.lua");
    assert_string_equal(o.events_path, "e.jsonl");
    assert_true(o.is_unsafe);
    assert_int_equal(o.argc, 2);
    assert_string_equal(o.argv[0], "--help");
    assert_string_equal(o.argv[1], "x");

    assert_int_equal(PARSE("a.lua", "-V"), STATUS_OK);
    assert_int_equal(o.mode, OPTIONS_TUI);
    assert_string_equal(o.file, "a.lua");
    assert_int_equal(o.argc, 1);

    assert_int_equal(PARSE("--watch=a.lua"), STATUS_OK);
    assert_int_equal(o.mode, OPTIONS_TUI);
    assert_string_equal(o.file, "a.lua");
    assert_int_equal(o.argc, 0);

    assert_int_equal(PARSE("--", "--odd.lua"), STATUS_OK);
    assert_string_equal(o.file, "--odd.lua");
}

static void test_command_takes_the_rest(void **state)
{
    (void)state;
    assert_int_equal(PARSE("--log-level", "debug", "testbed", "up", "--rate", "50mbit"), STATUS_OK);
    assert_int_equal(o.mode, OPTIONS_COMMAND);
    assert_int_equal(o.command, COMMAND_TESTBED);
    assert_int_equal(o.log_level, LOG_LEVEL_DEBUG);
    assert_int_equal(o.argc, 4);
    assert_string_equal(o.argv[0], "testbed");
    assert_int_equal(PARSE("tcp-info"), STATUS_OK);
    assert_int_equal(o.command, COMMAND_TCP_INFO);
    assert_null(o.builtin);
}

static void test_command_in_lua(void **state)
{
    (void)state;
    assert_int_equal(PARSE("doctor", "--help"), STATUS_OK);
    assert_int_equal(o.mode, OPTIONS_RUN);
    assert_string_equal(o.builtin, "doctor");
    assert_null(o.file);
    assert_int_equal(o.argc, 1);
    assert_string_equal(o.argv[0], "--help");
    assert_int_equal(PARSE("testbed", "bench", "--json"), STATUS_OK);
    assert_int_equal(o.mode, OPTIONS_RUN);
    assert_string_equal(o.builtin, "testbed_bench");
    assert_int_equal(o.argc, 1);
    assert_string_equal(o.argv[0], "--json");
    assert_int_equal(PARSE("testbed", "up"), STATUS_OK);
    assert_null(o.builtin);
}

static void test_values(void **state)
{
    (void)state;
    assert_int_equal(PARSE("--plot", "ascii"), STATUS_OK);
    assert_int_equal(o.plot, OPTIONS_PLOT_ASCII);
    assert_int_equal(PARSE("--plot=braille", "-h"), STATUS_OK);
    assert_int_equal(o.plot, OPTIONS_PLOT_BRAILLE);
    assert_int_equal(o.mode, OPTIONS_HELP);
    assert_int_equal(PARSE("-V"), STATUS_OK);
    assert_int_equal(o.mode, OPTIONS_VERSION);
}

static void assert_hint(const char *part)
{
    assert_int_equal(err.status, STATUS_USAGE);
    if (!strstr(err.hint, part))
        fail_msg("hint is \"%s\", not \"%s\"", err.hint, part);
}

static void test_mistakes_are_named(void **state)
{
    (void)state;
    assert_int_equal(PARSE("--evnets", "x"), STATUS_USAGE);
    assert_hint("did you mean --events?");
    assert_int_equal(PARSE("--verison"), STATUS_USAGE);
    assert_hint("did you mean --version?");
    assert_int_equal(PARSE("tesbted"), STATUS_USAGE);
    assert_hint("did you mean testbed?");
    assert_int_equal(PARSE("--plot", "brail"), STATUS_USAGE);
    assert_hint("did you mean braille?");
    assert_int_equal(PARSE("--log-level", "warning"), STATUS_USAGE);
    assert_hint("debug, info, warn or error");
    assert_int_equal(PARSE("--zzz"), STATUS_USAGE);
    assert_hint("--help");
    assert_int_equal(PARSE("--run"), STATUS_USAGE);
    assert_hint("--run FILE.lua");
    assert_int_equal(PARSE("--events="), STATUS_USAGE);
    assert_int_equal(PARSE("--unsafe=1"), STATUS_USAGE);
    assert_int_equal(PARSE("-x"), STATUS_USAGE);
}

static void test_did_you_mean(void **state)
{
    static const char *const names[] = {"testbed", "ecn", "capture", NULL};
    char big[200];

    (void)state;
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    assert_string_equal(did_you_mean("capure", names), "capture");
    assert_string_equal(did_you_mean("enc", names), "ecn"); /* neighbours swapped: one mistake */
    assert_null(did_you_mean("quickstart", names));
    assert_null(did_you_mean("", names));
    assert_null(did_you_mean(big, names));
}

static void test_no_key_twice(void **state)
{
    (void)state;
    for (size_t i = 0; i < action_keys_len; i++) {
        enum action_where where = actions[action_keys[i].action].where;

        assert_int_equal(keymap_action(where, action_keys[i].code), action_keys[i].action);
        for (size_t k = i + 1; k < action_keys_len; k++) {
            if (!(where & actions[action_keys[k].action].where))
                continue;
            if (action_keys[i].code == action_keys[k].code)
                fail_msg("%s is both %s and %s", action_keys[i].label,
                         actions[action_keys[i].action].name, actions[action_keys[k].action].name);
            assert_string_not_equal(action_keys[i].label, action_keys[k].label);
        }
    }
    assert_int_equal(keymap_action(ACTION_IN_ALL, 0x1ffff), ACTION_NONE);
}

static void test_every_action_has_a_key_and_help(void **state)
{
    (void)state;
    for (int i = 0; i < ACTION_COUNT; i++) {
        assert_true(actions[i].name[0] && actions[i].help[0]);
        assert_true(keymap_label((enum action_id)i)[0]);
        for (int k = i + 1; k < ACTION_COUNT; k++)
            assert_string_not_equal(actions[i].name, actions[k].name);
    }
}

static bool is_inside(const struct rect *r, int cols, int rows)
{
    return r->rows > 0 && r->cols > 0 && r->y >= 0 && r->x >= 0 && r->y + r->rows <= rows &&
           r->x + r->cols <= cols;
}

static bool do_overlap(const struct rect *a, const struct rect *b)
{
    return a->y < b->y + b->rows && b->y < a->y + a->rows && a->x < b->x + b->cols &&
           b->x < a->x + a->cols;
}

static void test_layout_fills_every_size(void **state)
{
    struct layout l;

    (void)state;
    for (int rows = 1; rows < 120; rows += rows < 30 ? 1 : 13) {
        for (int cols = 1; cols < 300; cols += cols < 90 ? 1 : 17) {
            layout_compute(cols, rows, &l);
            assert_int_equal(l.is_too_small, cols < 60 || rows < 16);
            if (l.is_too_small)
                continue;
            const struct rect *all[] = {&l.title, &l.body, &l.command, &l.keys};
            int used = 0;

            for (int i = 0; i < 4; i++) {
                assert_true(is_inside(all[i], cols, rows));
                used += all[i]->rows;
                for (int k = i + 1; k < 4; k++)
                    assert_false(do_overlap(all[i], all[k]));
            }
            assert_int_equal(used, rows);
        }
    }
}

static void test_cutting(void **state)
{
    struct rect all = {2, 5, 20, 61}, a, b;

    (void)state;
    for (int share = -100; share <= 1100; share += 50) {
        layout_rows(all, share, 4, 6, &a, &b);
        assert_true(a.rows >= 4 && b.rows >= 6 && a.rows + b.rows == 20 && b.y == 2 + a.rows);
        layout_columns(all, share, 10, 10, &a, &b);
        assert_true(a.cols >= 10 && b.cols >= 10 && a.cols + b.cols == 60 && b.x == 6 + a.cols);
    }
    layout_rows(all, 500, 30, 30, &a, &b); /* no room: the first has it */
    assert_int_equal(a.rows, 20);
    assert_int_equal(b.rows, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_opens_the_console),
        cmocka_unit_test(test_test_is_a_command),
        cmocka_unit_test(test_script_takes_the_rest),
        cmocka_unit_test(test_command_takes_the_rest),
        cmocka_unit_test(test_command_in_lua),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_mistakes_are_named),
        cmocka_unit_test(test_did_you_mean),
        cmocka_unit_test(test_no_key_twice),
        cmocka_unit_test(test_every_action_has_a_key_and_help),
        cmocka_unit_test(test_layout_fills_every_size),
        cmocka_unit_test(test_cutting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
