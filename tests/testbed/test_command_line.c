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
                  "--owner 4242 --ports packet";
    assert_int_equal(parse(line, &o, NULL), STATUS_OK);
    assert_int_equal(o.verb, TESTBED_KEEP);
    assert_string_equal(o.name, "t1");
    assert_int_equal(o.topology.routers[0].rate_bps, 100000000);
    assert_int_equal(o.topology.routers[0].up_rate_bps, 100000000);
    assert_int_equal(o.topology.routers[0].rtt_us, 12500);
    assert_string_equal(o.topology.routers[0].aqm, "fifo");
    assert_int_equal(o.interval_us, 0);
    assert_int_equal(o.owner, 4242);
    assert_int_equal(o.ports, LINK_PORT_PACKET);
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
    assert_int_equal(o.topology.nrouters, 1);
    assert_string_equal(o.topology.routers[0].name, "router");
    assert_int_equal(o.topology.routers[0].rate_bps, 50000000);
    assert_int_equal(o.topology.routers[0].rtt_us, 20000);
    assert_string_equal(o.topology.routers[0].aqm, "dualpi2");
    assert_int_equal(o.topology.nleaves, 3);
    assert_int_equal(o.interval_us, 100000);
    assert_false(o.has_sshd);
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

/* Flags say what a router of the description leaves open. */
static void topology(void **state)
{
    (void)state;
    struct testbed_options o;
    char *argv[] = {"testbed",
                    "up",
                    "--sshd",
                    "--topology",
                    "{\"routers\":[{\"name\":\"a\",\"rtt\":\"5ms\"},"
                    "{\"name\":\"b\",\"rate\":\"9mbit\"}]}",
                    "--rate=8mbit",
                    "--aqm",
                    "codel target 7ms ecn",
                    NULL};
    assert_int_equal(testbed_options_parse(8, argv, &o, NULL), STATUS_OK);
    assert_true(o.has_sshd);
    assert_int_equal(o.topology.nrouters, 2);
    assert_int_equal(o.topology.routers[0].rtt_us, 5000);
    assert_int_equal(o.topology.routers[1].rtt_us, 20000);
    assert_int_equal(o.topology.routers[0].up_rate_bps, 8000000);
    assert_int_equal(o.topology.routers[1].up_rate_bps, 9000000);
    assert_string_equal(o.topology.routers[1].aqm, "codel target 7ms ecn");
}

static void words(void **state)
{
    (void)state;
    struct testbed_options o;
    char set[] = "testbed set rate=25mbit --name a loss=1% --router r2 --up",
         shell[] = "testbed shell --name a client_x -- ls --help -- x", tc[] = "testbed tc -h --x",
         plain[] = "testbed shell router", dial[] = "testbed dial router 22";
    assert_int_equal(parse(set, &o, NULL), STATUS_OK);
    assert_true(o.verb == TESTBED_SET && o.nassignments == 2 && o.is_up && !o.is_down);
    assert_string_equal(o.assignments[1], "loss=1%");
    assert_string_equal(o.router, "r2");
    assert_int_equal(parse(shell, &o, NULL), STATUS_OK);
    assert_string_equal(o.host, "client_x");
    assert_true(o.argc == 4 && strcmp(o.argv[0], "ls") == 0 && strcmp(o.argv[3], "x") == 0);
    assert_int_equal(parse(plain, &o, NULL), STATUS_OK);
    assert_int_equal(o.argc, 0);
    assert_int_equal(parse(tc, &o, NULL), STATUS_OK);
    assert_true(o.verb == TESTBED_TC && o.argc == 2);
    assert_int_equal(parse(dial, &o, NULL), STATUS_OK);
    assert_true(o.verb == TESTBED_DIAL && o.argc == 1);
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
        "testbed up --aqm codel=5",
        "testbed up --sshd=yes",
        "testbed up --router r",
        "testbed keep --topology",
        "testbed set",
        "testbed set --name a",
        "testbed set rate",
        "testbed set --up --down rate=1mbit",
        "testbed set --rate 1mbit",
        "testbed get rate=1mbit",
        "testbed shell",
        "testbed shell --name a",
        "testbed shell a ls",
        "testbed shell --frob a",
        "testbed dial a",
        "testbed dial a 1 2",
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
        cmocka_unit_test(keep),     cmocka_unit_test(defaults), cmocka_unit_test(other_verbs),
        cmocka_unit_test(topology), cmocka_unit_test(words),    cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
