/* Rates that change: by a call, by steps, by a Mahimahi trace, by the turns of a link in bursts;
 * and what could have been sent. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "testbed/link/aqm_spec.h"
#include "testbed/link/direction.h"
#include "tests/temp_file.h"
#include "tests/testbed/link/link_trace.h"

#define MS 1000000ull
#define S  1000000000ull

static void open_fifo(struct direction *d, uint64_t rate_bps)
{
    assert_int_equal(direction_init(d, rate_bps, 0, 1000, NULL), STATUS_OK);
    assert_int_equal(
        aqm_from_spec(
            "fifo",
            &(struct aqm_config){.pool = &d->pool, .limit_pkts = 1000, .mtu_bytes = LINK_MTU_BYTES},
            &d->aqm, NULL),
        STATUS_OK);
}

static void offer(struct direction *d, int count, uint32_t len_bytes, uint64_t now_ns)
{
    for (int i = 0; i < count; i++) {
        direction_offer(d, trace_packet(&d->pool, len_bytes, ECN_NOT_ECT, (uint32_t)i), now_ns);
    }
}

/* When the next packet leaves. */
static uint64_t next_due(struct direction *d)
{
    struct packet *p = NULL;
    uint64_t due_ns;

    while (p == NULL) {
        assert_true(direction_wake_ns(d) != AQM_NEVER);
        p = direction_take_due(d, direction_wake_ns(d));
    }
    due_ns = p->due_ns;
    direction_sent(d, p, 0, true);
    return due_ns;
}

/* 1250 bytes are 1 ms at 10 Mbit/s, and the half that is left of one takes 5 ms at 1 Mbit/s. */
static void test_change_in_the_middle_of_a_packet(void **state)
{
    struct direction d;

    (void)state;
    open_fifo(&d, 10000000);
    offer(&d, 4, 1250, 0);
    direction_set_rate(&d, 1000000, 1 * MS + MS / 2);
    assert_int_equal(direction_wake_ns(&d), 1 * MS); /* it had left before */
    direction_set_rate(&d, 0, 20 * MS);
    assert_int_equal(next_due(&d), 1 * MS);
    assert_int_equal(next_due(&d), 6 * MS + MS / 2);
    assert_int_equal(next_due(&d), 16 * MS + MS / 2);
    assert_int_equal(next_due(&d), 20 * MS); /* at once, without a limit */
    assert_int_equal(direction_wake_ns(&d), AQM_NEVER);
    /* From unlimited to a rate, while idle. */
    direction_set_rate(&d, 10000000, 30 * MS);
    offer(&d, 1, 1250, 40 * MS);
    assert_int_equal(next_due(&d), 41 * MS);
    direction_done(&d);
}

static void test_steps(void **state)
{
    static const struct rate_step steps[] = {{2 * MS, 5000000}, {6 * MS, 20000000}};
    struct direction d;

    (void)state;
    open_fifo(&d, 10000000);
    d.steps = steps;
    d.step_count = 2;
    offer(&d, 6, 1250, 0);
    /* 1 ms each, then 2 ms each, then 0.5 ms each; at the very end the schedule is looked at once.
     */
    assert_int_equal(next_due(&d), 1 * MS);
    assert_int_equal(next_due(&d), 2 * MS);
    assert_int_equal(next_due(&d), 4 * MS);
    assert_int_equal(next_due(&d), 6 * MS);
    assert_int_equal(next_due(&d), 6 * MS + MS / 2);
    assert_int_equal(next_due(&d), 7 * MS);
    assert_int_equal(d.step_count, 0);
    /* Capacity follows: 2 ms at 10, 4 at 5, 4 at 20 Mbit/s. */
    direction_account(&d, 10 * MS);
    assert_true(fabs(d.totals.capacity_bits - (20000 + 20000 + 80000)) < 1e-6);
    direction_done(&d);
}

/* A faster step brings a departure forward: whoever sleeps must wake for it. */
static void test_steps_wake(void **state)
{
    static const struct rate_step steps[] = {{2 * MS, 1000000000}};
    struct direction d;

    (void)state;
    open_fifo(&d, 100000); /* 1250 bytes: 100 ms */
    d.steps = steps;
    d.step_count = 1;
    offer(&d, 1, 1250, 0);
    assert_int_equal(direction_wake_ns(&d), 2 * MS);
    direction_advance(&d, 2 * MS);
    assert_true(direction_wake_ns(&d) > 2 * MS && direction_wake_ns(&d) < 2 * MS + MS / 100);
    direction_done(&d);
}

/* --- traces ------------------------------------------------------------------------------------
 */

static enum status load(const char *text, struct trace *t, struct error *err)
{
    FILE *f = fopen(temp_path, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    return trace_load(temp_path, t, err);
}

/* Turns every 4 ms from 0 on, 2500 bytes each at 5 Mbit/s. */
static void test_bursts(void **state)
{
    struct direction d;

    (void)state;
    open_fifo(&d, 5000000);
    burst_start(&d.burst, 4 * MS, 0);
    offer(&d, 5, 1250, MS); /* the first turn found nobody */
    for (uint64_t turn = 1; turn <= 2; turn++) {
        assert_int_equal(next_due(&d), turn * 4 * MS); /* both at once */
        assert_int_equal(next_due(&d), turn * 4 * MS);
    }
    assert_int_equal(next_due(&d), 12 * MS);
    /* Half of that turn is lost for who comes too late. */
    offer(&d, 1, 1250, 12 * MS + 1);
    assert_int_equal(next_due(&d), 16 * MS);
    /* A turn lets out 2500 bytes, and the packet that they end in; the 500 too many come off the
     * next one. */
    offer(&d, 5, 1500, 17 * MS);
    assert_int_equal(next_due(&d), 20 * MS);
    assert_int_equal(next_due(&d), 20 * MS);
    assert_int_equal(next_due(&d), 24 * MS);
    assert_int_equal(next_due(&d), 24 * MS);
    assert_int_equal(next_due(&d), 28 * MS);
    assert_int_equal(direction_wake_ns(&d), AQM_NEVER);
    /* At a rate that a packet takes several turns of. */
    direction_set_rate(&d, 1000000, 29 * MS);
    offer(&d, 2, 1250, 30 * MS);
    assert_int_equal(next_due(&d), 32 * MS);
    assert_int_equal(next_due(&d), 40 * MS); /* one has 500 bytes: the first took three of them */
    direction_set_rate(&d, 0, 45 * MS);      /* unlimited: all that waits */
    offer(&d, 3, 1250, 46 * MS);
    assert_int_equal(next_due(&d), 48 * MS);
    assert_int_equal(next_due(&d), 48 * MS);
    assert_int_equal(next_due(&d), 48 * MS);
    direction_done(&d);
}

/* Of a queue that is never empty 16 packets leave in each turn, from the first on. */
static void test_bursts_keep_the_rate(void **state)
{
    struct direction d;
    uint64_t due_ns = 0, bytes = 0;

    (void)state;
    open_fifo(&d, 48000000);
    burst_start(&d.burst, 4 * MS, 0);
    offer(&d, 100, 1500, 0);
    for (uint64_t i = 0; i < 16000; i++) {
        due_ns = next_due(&d);
        assert_int_equal(due_ns, (i / 16 + 1) * 4 * MS);
        offer(&d, 1, 1500, due_ns);
        bytes += 1500;
    }
    direction_account(&d, due_ns);
    assert_true((double)bytes * 8 == d.totals.capacity_bits);
    direction_done(&d);
}

static void test_trace_file(void **state)
{
    static const struct {
        const char *text, *message;
    } bad[] = {
        {"", "no time"},
        {"0\n0\n", "no time"},
        {"1\n2\nx\n", "line 3"},
        {"1\n\n2\n", "line 2"},
        {"5\n4\n", "line 2: 4"},
        {"1\n 2\n", "line 2"},
        {"-1\n", "line 1"},
        {"1.5\n", "line 1"},
        {"1\r\n", "line 1"},
        {"4294967296\n", "line 1"},
        {"99999999999999999999999\n", "line 1"},
    };
    struct trace t;
    struct error err;

    (void)state;
    assert_int_equal(load("0\n3\n3\n10", &t, &err), STATUS_OK); /* no last line feed */
    assert_int_equal(t.count, 4);
    assert_int_equal(t.at_ms[3], 10);
    assert_int_equal(trace_count(&t, 0), 1);
    assert_int_equal(trace_count(&t, 3 * MS - 1), 1);
    assert_int_equal(trace_count(&t, 3 * MS), 3);
    assert_int_equal(trace_count(&t, 10 * MS), 5); /* the last, and the first again */
    assert_int_equal(trace_count(&t, 25 * MS), 11);
    trace_done(&t);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        enum status s = load(bad[i].text, &t, &err);

        if (s != STATUS_INPUT || strstr(err.message, bad[i].message) == NULL) {
            fail_msg("%zu: %s, '%s'", i, status_name(s), err.message);
        }
        trace_done(&t);
    }
    assert_int_equal(trace_load("/nonexistent/trace", &t, &err), STATUS_IO);
    assert_int_equal(trace_load("/tmp", &t, &err), STATUS_IO);
    assert_int_equal(trace_load("/dev/zero", &t, &err), STATUS_IO);
}

static void test_trace_departures(void **state)
{
    struct direction d;
    struct trace t;

    (void)state;
    assert_int_equal(load("2\n2\n5\n10\n", &t, NULL), STATUS_OK);
    open_fifo(&d, 0);
    direction_set_trace(&d, &t, 100 * MS);
    /* 1504 bytes an opportunity: 1000 and 504 share the first, 1000 needs the rest of the second,
     * and the last 1000 take 504 from there and 496 at 105 ms. */
    offer(&d, 1, 1000, 101 * MS);
    offer(&d, 1, 504, 101 * MS);
    offer(&d, 1, 1000, 101 * MS);
    offer(&d, 1, 1000, 101 * MS);
    assert_int_equal(direction_wake_ns(&d), 102 * MS);
    direction_advance(&d, 101 * MS);
    assert_int_equal(d.aqm->backlog_pkts, 4); /* they wait in the queue, not on the link */
    assert_int_equal(next_due(&d), 102 * MS);
    assert_int_equal(next_due(&d), 102 * MS);
    assert_int_equal(next_due(&d), 102 * MS);
    assert_int_equal(next_due(&d), 105 * MS);
    assert_int_equal(d.interval.sojourn_c_ns, 4 * MS);
    assert_null(direction_take_due(&d, 1000 * S));
    direction_done(&d);

    /* What is not used is lost, also of one opportunity; the list repeats after 10 ms. */
    open_fifo(&d, 0);
    direction_set_trace(&d, &t, 0);
    offer(&d, 1, 100, 4 * MS);
    offer(&d, 1, 1500, 6 * MS);
    offer(&d, 3, 1500, 13 * MS);
    assert_int_equal(next_due(&d), 5 * MS);
    assert_int_equal(next_due(&d), 10 * MS);
    assert_int_equal(next_due(&d), 15 * MS);
    assert_int_equal(next_due(&d), 20 * MS); /* 4 bytes of 15, the rest at 20 ms */
    assert_int_equal(next_due(&d), 22 * MS);
    direction_account(&d, 20 * MS);
    assert_true(fabs(d.totals.capacity_bits - 8.0 * 8 * 1504) < 1e-6);
    /* Long idle, then by hand to a rate: the packet starts again. */
    offer(&d, 1, 1250, 900 * S + 6 * MS);
    direction_set_rate(&d, 10000000, 900 * S + 7 * MS);
    assert_int_equal(next_due(&d), 900 * S + 8 * MS);
    direction_done(&d);
    trace_done(&t);
}

/* A trace of a millisecond's spacing is 12.032 Mbit/s, and no packet is ever too early. */
static void test_trace_rate(void **state)
{
    struct direction d;
    struct trace t;
    uint64_t last_ns = 0;
    uint64_t bytes = 0;

    (void)state;
    assert_int_equal(load("1\n", &t, NULL), STATUS_OK);
    open_fifo(&d, 0);
    direction_set_trace(&d, &t, 0);
    for (int i = 0; i < 1000; i++) {
        offer(&d, 1, (uint32_t)(40 + i), 0);
    }
    for (int i = 0; i < 1000; i++) {
        uint64_t due_ns = next_due(&d);

        bytes += (uint64_t)(40 + i);
        assert_int_equal(due_ns, (bytes + 1503) / 1504 * MS);
        last_ns = due_ns;
    }
    direction_account(&d, last_ns);
    assert_true((double)bytes * 8 <= d.totals.capacity_bits);
    assert_true((double)bytes * 8 > d.totals.capacity_bits - 1504 * 8);
    direction_done(&d);
    trace_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_change_in_the_middle_of_a_packet),
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_steps_wake),
        cmocka_unit_test(test_bursts),
        cmocka_unit_test(test_bursts_keep_the_rate),
        cmocka_unit_test(test_trace_file),
        cmocka_unit_test(test_trace_departures),
        cmocka_unit_test(test_trace_rate),
    };

    return cmocka_run_group_tests(tests, temp_file_make, temp_file_remove);
}
