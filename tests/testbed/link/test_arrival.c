/* Packets that are read later than they came: the ring of stamps, their place in virtual time, and
 * when the process looks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "testbed/link/aqm_spec.h"
#include "testbed/link/direction.h"
#include "testbed/link/pace.h"
#include "testbed/link/stamps.h"
#include "tests/testbed/link/link_trace.h"

#define MS 1000000ull
#define S  1000000000ull

/* --- the ring ----------------------------------------------------------------------------------
 */

static void stamp(struct stamps_ring *ring, uint64_t at_ns)
{
    ring->at_ns[ring->head++ % STAMPS_COUNT] = at_ns;
}

static void test_stamps(void **state)
{
    struct stamps_ring *ring = calloc(1, sizeof(*ring));
    struct stamps s = {.ring = ring}, none = {.ring = NULL};

    (void)state;
    assert_non_null(ring);
    assert_true(stamps_pending(&none));
    assert_int_equal(stamps_take(&none, 7), 7);
    assert_false(stamps_pending(&s));
    assert_int_equal(stamps_take(&s, 5), 5); /* a packet without a stamp came by now */
    for (uint64_t i = 0; i < 3 * STAMPS_COUNT; i++) {
        stamp(ring, 100 + 10 * i);
        stamp(ring, 104 + 10 * i);
        assert_true(stamps_pending(&s));
        assert_int_equal(stamps_take(&s, 110 + 10 * i), 100 + 10 * i);
        assert_int_equal(stamps_take(&s, 110 + 10 * i), 104 + 10 * i);
        assert_false(stamps_pending(&s));
    }
    /* Never back in time, never in the future. */
    stamp(ring, 1 * S);
    stamp(ring, 1 * S - 300);
    stamp(ring, 2 * S);
    assert_int_equal(stamps_take(&s, 1 * S + 5), 1 * S);
    assert_int_equal(stamps_take(&s, 1 * S + 5), 1 * S);
    assert_int_equal(stamps_take(&s, 1 * S + 6), 1 * S + 6);
    /* Stamps without a packet are forgotten once that is certain, younger ones stay. */
    stamp(ring, 3 * S);
    stamp(ring, 3 * S + 1 * MS);
    stamps_settle(&s, 3 * S + 10000);
    assert_int_equal(ring->head - s.next, 2);
    stamps_settle(&s, 3 * S + 1 * MS + 10000);
    assert_int_equal(stamps_take(&s, 3 * S + 2 * MS), 3 * S + 1 * MS);
    free(ring);
}

/* --- virtual time ------------------------------------------------------------------------------
 */

static void open_direction(struct direction *d, uint64_t rate_bps, uint64_t delay_us)
{
    struct aqm_config config = {.pool = &d->pool, .mtu_bytes = LINK_MTU_BYTES};

    assert_int_equal(direction_init(d, rate_bps, delay_us, 100, NULL), STATUS_OK);
    assert_int_equal(aqm_from_spec("fifo limit 100p", &config, &d->aqm, NULL), STATUS_OK);
}

static void offer(struct direction *d, uint32_t id, uint64_t came_ns)
{
    direction_offer(d, trace_packet(&d->pool, 1250, ECN_NOT_ECT, id), came_ns);
}

/* 1250 bytes are 1 ms at 10 Mbit/s. The first packet leaves at 11 ms; who looks only then, and
 * reads then what came at 0.5 and 5 ms, still sends it as if it had been there. */
static void test_read_late(void **state)
{
    static const uint64_t due_ns[] = {11 * MS, 12 * MS, 16 * MS};
    struct direction d;
    struct packet *p;

    (void)state;
    open_direction(&d, 10000000, 10000);
    assert_int_equal(direction_least_delay_ns(&d), 10 * MS);
    offer(&d, 0, 0);
    assert_null(direction_take_due(&d, 10 * MS));
    offer(&d, 1, MS / 2);
    offer(&d, 2, 5 * MS);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(direction_wake_ns(&d), due_ns[i]);
        assert_null(direction_take_due(&d, due_ns[i] - 1));
        p = direction_take_due(&d, due_ns[i]);
        assert_non_null(p);
        assert_int_equal(trace_packet_id(p), i);
        assert_int_equal(p->due_ns, due_ns[i]);
        direction_sent(&d, p, 0, true);
    }
    assert_int_equal(d.totals.sojourn_c_ns, MS / 2); /* of the second one */
    /* Time does not go back: what came before something that is decided came then. */
    direction_advance(&d, 30 * MS);
    offer(&d, 3, 20 * MS);
    assert_int_equal(direction_wake_ns(&d), 41 * MS);
    /* Jitter can bring a packet forward. */
    d.jitter_ns = 4 * MS;
    assert_int_equal(direction_least_delay_ns(&d), 6 * MS);
    d.jitter_ns = 20 * MS;
    assert_int_equal(direction_least_delay_ns(&d), 0);
    direction_done(&d);
}

/* --- when to look ------------------------------------------------------------------------------
 */

static void test_pace(void **state)
{
    struct pace p;
    uint64_t now_ns = 1 * S;

    (void)state;
    pace_init(&p, 0);
    assert_false(pace_is_ticking(&p));
    assert_int_equal(pace_wake_ns(&p, now_ns + 5, false, now_ns), now_ns + 5);
    /* Wake-ups that take 10, 20, 30 and 40 us: woken 10 us before, and seldom too early. */
    for (int i = 0; i < 4000; i++) {
        pace_learn(&p, 10000 * (uint64_t)(1 + i % 4));
    }
    assert_in_range(p.early_ns, 9000, 20500);
    assert_int_equal(pace_sleep_ns(&p, now_ns + 100000, now_ns), now_ns + 99000 - p.early_ns);
    assert_int_equal(pace_sleep_ns(&p, now_ns + S, now_ns), now_ns + S - 60000 - p.early_ns);
    for (int i = 0; i < 4000; i++) {
        pace_learn(&p, 10 * MS); /* a machine that is much too slow */
    }
    assert_in_range(p.early_ns, 50000, 61000);
    for (int i = 0; i < 4000; i++) {
        pace_learn(&p, 0);
    }
    assert_int_equal(p.early_ns, 0);
    /* From 40 packets a millisecond on it looks at intervals, until there are fewer. */
    p.written_pkts = 40;
    p.window_ns = now_ns - MS;
    p.looked_ns = now_ns - 1000;
    assert_int_equal(pace_wake_ns(&p, now_ns, false, now_ns), now_ns - 1000 + 50000);
    assert_true(pace_is_ticking(&p));
    assert_int_equal(pace_wake_ns(&p, now_ns + S, true, now_ns), now_ns + S);
    now_ns += MS;
    p.written_pkts = 39;
    assert_int_equal(pace_wake_ns(&p, now_ns + 1, false, now_ns), now_ns + 1);
    assert_false(pace_is_ticking(&p));
    /* Asked for: always. */
    pace_init(&p, MS);
    p.looked_ns = now_ns;
    assert_true(pace_is_ticking(&p));
    assert_int_equal(pace_wake_ns(&p, now_ns + 1, false, now_ns), now_ns + MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stamps),
        cmocka_unit_test(test_read_late),
        cmocka_unit_test(test_pace),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
