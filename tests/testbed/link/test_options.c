#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "testbed/link/options.h"

#define ARGS_MAX 32

/* Split at blanks, behind a program name. */
static enum status parse(const char *line, struct link_options *o, struct error *err)
{
    static char copy[512];
    char *argv[ARGS_MAX] = {"ccalab-link"};
    int argc = 1;

    snprintf(copy, sizeof(copy), "%s", line);
    for (char *word = strtok(copy, " "); word != NULL && argc < ARGS_MAX - 1;
         word = strtok(NULL, " ")) {
        argv[argc++] = word;
    }
    return link_options_parse(argc, argv, o, err);
}

static void test_defaults(void **state)
{
    struct link_options o;

    (void)state;
    assert_int_equal(parse("--a /run/netns/r:bn0 --b :eth0", &o, NULL), STATUS_OK);
    assert_string_equal(o.a.netns, "/run/netns/r");
    assert_string_equal(o.a.ifname, "bn0");
    assert_string_equal(o.b.netns, "");
    assert_string_equal(o.b.ifname, "eth0");
    assert_int_equal(o.rate_bps, 50000000);
    assert_int_equal(o.up_rate_bps, 50000000);
    assert_int_equal(o.delay_us, 10000);
    assert_string_equal(o.aqm, "dualpi2");
    assert_int_equal(o.limit_pkts, 0); /* the AQM's own */
    assert_int_equal(o.limit_bytes, 0);
    assert_int_equal(o.jitter_us + o.loss + o.paths.count + o.step_count, 0);
    assert_string_equal(o.control, "");
    assert_string_equal(o.packet_log, "");
    assert_string_equal(o.rate_trace, "");
    assert_int_equal(o.interval_us, 100000);
    assert_int_equal(o.duration_us, 0);
    assert_false(o.has_seed);
    assert_true(o.is_realtime);
    assert_int_equal(o.ports, LINK_PORT_AUTO);
}

static void test_all(void **state)
{
    struct link_options o;

    (void)state;
    assert_int_equal(parse("--a c:d:bn0 --b x:b --up-rate unlimited --rate 1gbit --delay 500us "
                           "--aqm fifo --limit 42 --limit-bytes 250000 --interval 0 --duration 20 "
                           "--seed 4294967295 --no-realtime --ports packet",
                           &o, NULL),
                     STATUS_OK);
    assert_string_equal(o.a.netns, "c:d");
    assert_int_equal(o.rate_bps, 1000000000);
    assert_int_equal(o.up_rate_bps, 0);
    assert_int_equal(o.delay_us, 500);
    assert_string_equal(o.aqm, "fifo");
    assert_int_equal(o.limit_pkts, 42);
    assert_int_equal(o.limit_bytes, 250000);
    assert_int_equal(o.interval_us, 0);
    assert_int_equal(o.duration_us, 20000000);
    assert_true(o.has_seed);
    assert_int_equal(o.seed, 4294967295u);
    assert_false(o.is_realtime);
    assert_int_equal(o.ports, LINK_PORT_PACKET);
    assert_int_equal(parse("--a x:a --b x:b --duration 1500ms", &o, NULL), STATUS_OK);
    assert_int_equal(o.duration_us, 1500000);
    assert_int_equal(parse("--help --nonsense", &o, NULL), STATUS_OK);
    assert_true(o.is_help);
}

static void test_line_options(void **state)
{
    struct link_options o;
    uint8_t address[16];

    (void)state;
    assert_int_equal(
        parse("--a x:a --b x:b --jitter 2ms --burst 4ms --loss 2.5% --path 10.98.1.2=5ms "
              "--path 2001:db8::7=1s --control /run/s --packet-log p.csv "
              "--rate-steps 0s:20mbit,500ms:1gbit,2s:unlimited",
              &o, NULL),
        STATUS_OK);
    assert_int_equal(o.jitter_us, 2000);
    assert_int_equal(o.burst_us, 4000);
    assert_int_equal(o.loss, (uint64_t)(0.025 * LINK_LOSS_ONE));
    assert_int_equal(o.paths.count, 2);
    assert_int_equal(path_address_parse("2001:db8::7", address, NULL), STATUS_OK);
    assert_int_equal(path_table_find(&o.paths, address), 2);
    assert_int_equal(o.paths.paths[1].extra_ns, 1000000000);
    assert_string_equal(o.control, "/run/s");
    assert_string_equal(o.packet_log, "p.csv");
    assert_int_equal(o.step_count, 3);
    assert_int_equal(o.rate_bps, 20000000); /* that of the step at 0 */
    assert_int_equal(o.up_rate_bps, 20000000);
    assert_int_equal(o.steps[1].at_us, 500000);
    assert_int_equal(o.steps[2].rate_bps, 0);
    assert_int_equal(parse("--a x:a --b x:b --loss 1 --rate-trace t --up-rate 1mbit", &o, NULL),
                     STATUS_OK);
    assert_int_equal(o.loss, 1ull << 32);
    assert_true(o.has_up_rate);
    assert_string_equal(o.rate_trace, "t");
    assert_string_equal(o.up_rate_trace, "");
    assert_int_equal(parse("--a x:a --b x:b --up-rate-trace u --tick 1ms", &o, NULL), STATUS_OK);
    assert_string_equal(o.up_rate_trace, "u");
    assert_int_equal(o.tick_us, 1000);
}

static void test_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "--a x:a",
        "--b x:b",
        "--a xa --b x:b",
        "--a x: --b x:b",
        "--a x:.. --b x:b",
        "--a x:a/b --b x:b",
        "--a x:eth%d --b x:b",
        "--a x:sixteencharslong --b x:b",
        "--a x:a --b x:a",
        "--a x:a --b x:b extra",
        "--a x:a --b x:b --bogus",
        "--a x:a --b x:b --rate",
        "--a x:a --b x:b --rate fast",
        "--a x:a --b x:b --delay 10",
        "--a x:a --b x:b --delay 11s",
        "--a x:a --b x:b --aqm codel2",
        "--a x:a --b x:b --aqm",
        "--a x:a --b x:b --jitter 11s",
        "--a x:a --b x:b --burst 4",
        "--a x:a --b x:b --burst 1001ms",
        "--a x:a --b x:b --burst 4ms --rate-trace x",
        "--a x:a --b x:b --burst 4ms --up-rate-trace x",
        "--a x:a --b x:b --aqm kernel:codel --burst 4ms",
        "--a x:a --b x:b --loss 1.1",
        "--a x:a --b x:b --loss 101%",
        "--a x:a --b x:b --loss -1",
        "--a x:a --b x:b --loss nan",
        "--a x:a --b x:b --loss 0x1p-3",
        "--a x:a --b x:b --loss 1%%",
        "--a x:a --b x:b --path 10.1.2.3",
        "--a x:a --b x:b --path 10.1.2=1ms",
        "--a x:a --b x:b --path 10.1.2.3=1",
        "--a x:a --b x:b --path 10.1.2.3=11s",
        "--a x:a --b x:b --path =1ms",
        "--a x:a --b x:b --rate-steps 50mbit",
        "--a x:a --b x:b --rate-steps 0s:50mbit,",
        "--a x:a --b x:b --rate-steps 0s:50mbit,0s:20mbit",
        "--a x:a --b x:b --rate-steps 0s:50mbit,1:20mbit",
        "--a x:a --b x:b --rate-steps 0s:50mbit --rate-trace x",
        "--a x:a --b x:b --up-rate 1mbit --up-rate-trace x",
        "--a x:a --b x:b --tick 11ms",
        "--a x:a --b x:b --tick often",
        "--a x:a --b x:b --limit 0",
        "--a x:a --b x:b --limit 1000001",
        "--a x:a --b x:b --limit-bytes 0",
        "--a x:a --b x:b --interval 999us",
        "--a x:a --b x:b --seed 4294967296",
        "--a x:a --b x:b --duration -1",
        "--a x:a --b x:b --duration 0",
        "--a x:a --b x:b --ports veth",
        "--a x:a --b x:b --aqm kernel:",
        "--a x:a --b x:b --aqm kernel:Codel",
        "--a x:a --b x:b --aqm kernel:codel --rate unlimited",
        "--a x:a --b x:b --aqm kernel:codel --up-rate unlimited",
        "--a x:a --b x:b --aqm kernel:codel --rate-steps 1s:20mbit",
        "--a x:a --b x:b --aqm kernel:codel --rate-trace x",
        "--a x:a --b x:b --aqm kernel:codel --packet-log x",
        "--a x:a --b x:b --no-realtime=yes",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct link_options o;
        struct error err = {0};
        enum status s = parse(bad[i], &o, &err);

        if (s != STATUS_USAGE || err.hint[0] == '\0') {
            fail_msg("'%s' gave %s, hint '%s'", bad[i], status_name(s), err.hint);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_all),
        cmocka_unit_test(test_line_options),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
