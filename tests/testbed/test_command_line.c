/* The command line of `ccalab testbed`. */
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on
#include <stdio.h>
#include <string.h>

#include "testbed/options.h"

/* Splits `line` at blanks, in place. */
static enum status parse(char *line, struct testbed_options *o, struct error *err)
{
    char *argv[32], *save = NULL;
    int argc = 0;
    for (char *w = strtok_r(line, " ", &save); w && argc < 31; w = strtok_r(NULL, " ", &save))
        argv[argc++] = w;
    argv[argc] = NULL;
    return testbed_options_parse(argc, argv, o, err);
}

static void keep(void **state)
{
    (void)state;
    struct testbed_options o;
    char line[] = "testbed keep --name=t1 --rate 100mbit --rtt=12.5ms --aqm fifo --interval 0 "
                  "--owner 4242";
    assert_int_equal(parse(line, &o, NULL), STATUS_OK);
    assert_int_equal(o.verb, TESTBED_KEEP);
    assert_string_equal(o.name, "t1");
    assert_int_equal(o.rate_bps, 100000000);
    assert_int_equal(o.rtt_us, 12500);
    assert_string_equal(o.aqm, "fifo");
    assert_int_equal(o.interval_us, 0);
    assert_int_equal(o.owner, 4242);
}

static void defaults(void **state)
{
    (void)state;
    struct testbed_options o;
    char line[] = "testbed up";
    assert_int_equal(parse(line, &o, NULL), STATUS_OK);
    assert_int_equal(o.verb, TESTBED_UP);
    assert_string_equal(o.name, "ccalab");
    assert_false(o.has_name);
    assert_int_equal(o.rate_bps, 50000000);
    assert_int_equal(o.rtt_us, 20000);
    assert_int_equal(o.interval_us, 100000);
    assert_string_equal(o.aqm, "dualpi2");
    assert_int_equal(o.owner, 0);
}

static void other_verbs(void **state)
{
    (void)state;
    struct testbed_options o;
    char status[] = "testbed status --json --name a", down[] = "testbed down --all",
         help[] = "testbed keep --name NOT --help";
    assert_int_equal(parse(status, &o, NULL), STATUS_OK);
    assert_true(o.verb == TESTBED_STATUS && o.is_json && o.has_name);
    assert_int_equal(parse(down, &o, NULL), STATUS_OK);
    assert_true(o.verb == TESTBED_DOWN && o.is_all);
    assert_int_equal(parse(help, &o, NULL), STATUS_OK);
    assert_int_equal(o.verb, TESTBED_HELP);
}

static void refusals(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "testbed",
        "testbed fly",
        "testbed up extra",
        "testbed up --name",
        "testbed up --name Upper",
        "testbed up --nam x",
        "testbed up --rate",
        "testbed up --rate fast",
        "testbed up --rate -5mbit",
        "testbed up --rtt 20",
        "testbed up --rtt 11s",
        "testbed up --aqm red",
        "testbed up --owner 1",
        "testbed up --interval 1s",
        "testbed keep --owner 0",
        "testbed keep --owner -1",
        "testbed keep --owner 12x",
        "testbed keep --owner 99999999999",
        "testbed keep --interval 2h",
        "testbed status --all",
        "testbed status --json=yes",
        "testbed down --name a --all",
        "testbed down --name=",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct testbed_options o;
        struct error err = {0};
        char line[128];
        strcpy(line, lines[i]);
        if (parse(line, &o, &err) != STATUS_USAGE)
            fail_msg("accepted: %s", lines[i]);
        assert_true(err.message[0] && err.hint[0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keep),
        cmocka_unit_test(defaults),
        cmocka_unit_test(other_verbs),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
