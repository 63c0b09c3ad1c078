#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/units.h"

static void test_rates(void **state)
{
    static const struct {
        const char *text;
        uint64_t bps;
    } good[] = {
        {"50mbit", 50000000},
        {"1gbit", 1000000000},
        {"500kbit", 500000},
        {"12345", 12345},
        {"8bit", 8},
        {"1.5Mbit", 1500000},
        {"0.25gbit", 250000000},
        {"1tbit", 1000000000000},
        {"1kibit", 1024},
        {"2mibit", 2097152},
        {"1gibit", 1073741824},
        {"10kbps", 80000},
        {"1mbps", 8000000},
        {"3bps", 24},
        {"0", 0},
        {"unlimited", 0},
        {"Unlimited", 0},
        {"0mbit", 0},
        {"1.9", 2},
        {"007kbit", 7000},
    };
    static const char *const bad[] = {
        "",          "mbit",     "-1mbit", "+1mbit",  " 1mbit",
        "1mbit ",    "1 mbit",   "1e6",    "0x10",    "inf",
        "nan",       "1..5mbit", ".5mbit", "5.",      "5.mbit",
        "1mb",       "50Mbps!",  "2tbit",  "1.1tbit", "99999999999999999999",
        "1.5.5kbit", "0.1bit",   "0.0001", "1mbitx",  "1000000000000000001",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        uint64_t bps = 77;

        assert_int_equal(parse_rate_bps(good[i].text, &bps, NULL), STATUS_OK);
        assert_int_equal(bps, good[i].bps);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint64_t bps = 77;
        struct error err;

        if (parse_rate_bps(bad[i], &bps, &err) != STATUS_USAGE) {
            fail_msg("rate '%s' was taken as %llu", bad[i], (unsigned long long)bps);
        }
        assert_int_equal(bps, 77);
        assert_true(err.hint[0] != '\0');
    }
}

static void test_times(void **state)
{
    static const struct {
        const char *text;
        uint64_t us;
    } good[] = {
        {"10ms", 10000}, {"500us", 500},   {"1s", 1000000},         {"1.5ms", 1500},
        {"0", 0},        {"0ms", 0},       {"2SEC", 2000000},       {"3msecs", 3000},
        {"7usec", 7},    {"0.0005s", 500}, {"86400s", 86400000000},
    };
    static const char *const bad[] = {"",       "10",    "ms",    "-1ms",  "1 ms",  "1m",   "1h",
                                      "86401s", "1e3ms", "10mss", "0.1us", "10ms ", "1,5ms"};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        uint64_t us = 77;

        assert_int_equal(parse_time_us(good[i].text, &us, NULL), STATUS_OK);
        assert_int_equal(us, good[i].us);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint64_t us = 77;
        struct error err;

        if (parse_time_us(bad[i], &us, &err) != STATUS_USAGE) {
            fail_msg("time '%s' was taken as %llu", bad[i], (unsigned long long)us);
        }
        assert_int_equal(us, 77);
        assert_true(err.hint[0] != '\0');
    }
}

static void test_durations(void **state)
{
    static const struct {
        const char *text;
        uint64_t us;
    } good[] = {
        {"20", 20000000},
        {"1.5", 1500000},
        {"0.000001", 1},
        {"1500ms", 1500000},
        {"2s", 2000000},
        {"7us", 7},
        {"100000sec", 100000000000},
        {"31536000", 31536000000000},
    };
    static const char *const bad[] = {"",      "0",        "0s", "0.0", "-1",   "+1",
                                      "soon",  "1e3",      "1h", "1 s", "0x10", "inf",
                                      "0.1us", "31536001", "5.", "nan"};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        uint64_t us = 77;

        assert_int_equal(parse_duration_us(good[i].text, &us, NULL), STATUS_OK);
        assert_int_equal(us, good[i].us);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint64_t us = 77;
        struct error err;

        if (parse_duration_us(bad[i], &us, &err) != STATUS_USAGE) {
            fail_msg("duration '%s' was taken as %llu", bad[i], (unsigned long long)us);
        }
        assert_int_equal(us, 77);
        assert_true(err.hint[0] != '\0');
    }
}

static void test_counts(void **state)
{
    static const char *const bad[] = {"", "0", "11", "-1", "+1", "1.0", "1k", " 1", "0x1"};
    uint64_t n = 0;

    (void)state;
    assert_int_equal(parse_count("10", "--n", 1, 10, &n, NULL), STATUS_OK);
    assert_int_equal(n, 10);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct error err;

        assert_int_equal(parse_count(bad[i], "--n", 1, 10, &n, &err), STATUS_USAGE);
        assert_int_equal(n, 10);
        assert_non_null(strstr(err.message, "--n"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rates),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
