/* The way behind the serializer: delay, jitter, loss, delays of paths, and always the order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "testbed/link/aqm_spec.h"
#include "testbed/link/direction.h"
#include "tests/testbed/link/link_trace.h"

#define MS 1000000ull
#define S  1000000000ull

static void open_line(struct direction *d, uint64_t delay_us)
{
    assert_int_equal(direction_init(d, 0, delay_us, 1000, NULL), STATUS_OK);
    assert_int_equal(
        aqm_from_spec("fifo", &(struct aqm_config){.pool = &d->pool, .mtu_bytes = LINK_MTU_BYTES},
                      &d->aqm, NULL),
        STATUS_OK);
    d->rng.state = 7;
}

static void offer(struct direction *d, uint32_t id, uint64_t now_ns)
{
    direction_offer(d, trace_packet(&d->pool, 100, ECN_NOT_ECT, id), now_ns);
}

static struct packet *take(struct direction *d, uint64_t now_ns)
{
    struct packet *p = direction_take_due(d, now_ns);

    if (p != NULL) {
        direction_sent(d, p, 0, true); /* its fields stay readable until the next packet */
    }
    return p;
}

static void test_heap_order(void **state)
{
    struct packet_pool pool;
    struct delay_line line = {0};
    struct rng r = {.state = 3};
    uint64_t last_ns = 0, seen[4] = {0};

    (void)state;
    assert_int_equal(packet_pool_init(&pool, 5000, NULL), STATUS_OK);
    for (uint32_t i = 0; i < 5000; i++) {
        struct packet *p = packet_pool_get(&pool);
        unsigned src = (unsigned)trace_uniform(&r, 0, 1), dst = (unsigned)trace_uniform(&r, 0, 1);

        p->due_ns = trace_uniform(&r, i, i + 1000 * (1 + 7 * src + 2 * dst));
        p->enqueue_ns = i + 1;
        p->is_l = src;
        p->has_step = dst;
        assert_true(delay_line_push(&line, p, src, dst));
    }
    for (uint32_t i = 0; i < 5000; i++) {
        struct packet *p = delay_line_head(&line);

        assert_ptr_equal(delay_line_pop(&line), p);
        assert_true(p->due_ns >= last_ns);
        last_ns = p->due_ns;
        /* Within a class as they came. */
        assert_true(p->enqueue_ns > seen[p->is_l * 2 + p->has_step]);
        seen[p->is_l * 2 + p->has_step] = p->enqueue_ns;
    }
    assert_null(delay_line_head(&line));
    delay_line_done(&line, &pool);
    packet_pool_done(&pool);
}

static void test_shorter_delay_keeps_the_order(void **state)
{
    struct direction d;

    (void)state;
    open_line(&d, 10000);
    offer(&d, 1, 0);
    direction_advance(&d, 1 * MS);
    d.delay_ns = 2 * MS;
    offer(&d, 2, 1 * MS);  /* would be there at 3 ms */
    offer(&d, 3, 12 * MS); /* on an empty line */
    assert_int_equal(trace_packet_id(take(&d, 10 * MS)), 1);
    assert_int_equal(trace_packet_id(take(&d, 10 * MS)), 2);
    assert_null(take(&d, 14 * MS - 1));
    assert_int_equal(trace_packet_id(take(&d, 14 * MS)), 3);
    direction_done(&d);
}

static void test_jitter(void **state)
{
    enum { N = 20000 };
    struct direction d;
    uint64_t sum_ns = 0, min_ns = S, max_ns = 0;

    (void)state;
    open_line(&d, 10000);
    d.jitter_ns = 4 * MS;
    /* Far enough apart not to hold each other up: uniform in 6 to 14 ms. */
    for (uint32_t i = 0; i < N; i++) {
        uint64_t now_ns = (i + 1) * 20 * MS, way_ns;
        struct packet *p;

        offer(&d, i, now_ns);
        assert_int_equal(direction_wake_ns(&d), now_ns + 6 * MS); /* the earliest it can be */
        p = take(&d, now_ns + 15 * MS);
        assert_int_equal(trace_packet_id(p), i);
        way_ns = p->due_ns - now_ns;
        sum_ns += way_ns;
        min_ns = way_ns < min_ns ? way_ns : min_ns;
        max_ns = way_ns > max_ns ? way_ns : max_ns;
    }
    assert_true(min_ns >= 6 * MS && min_ns < 6 * MS + MS / 100);
    assert_true(max_ns <= 14 * MS && max_ns > 14 * MS - MS / 100);
    assert_true(llabs((long long)(sum_ns / N) - (long long)(10 * MS)) < (long long)MS / 20);
    /* Close together: the order stays. */
    for (uint32_t i = 0; i < 1000; i++) {
        offer(&d, i, 1000 * S + i * MS / 10);
    }
    for (uint32_t i = 0; i < 1000; i++) {
        assert_int_equal(trace_packet_id(take(&d, 1001 * S)), i);
    }
    /* More jitter than delay: never early. */
    d.delay_ns = MS;
    for (uint32_t i = 0; i < 1000; i++) {
        offer(&d, i, 2000 * S + i * S);
        assert_true(take(&d, 2000 * S + i * S + S / 2)->due_ns >= 2000 * S + i * S);
    }
    direction_done(&d);
}

static void test_loss(void **state)
{
    enum { N = 100000 };
    struct direction d;
    uint64_t first;

    (void)state;
    open_line(&d, 0);
    d.loss = (uint64_t)(0.01 * 4294967296.0);
    for (uint32_t i = 0; i < N; i++) {
        offer(&d, i, i * MS);
        take(&d, i * MS);
    }
    assert_true(d.totals.lost > 850 && d.totals.lost < 1150);
    assert_int_equal(d.totals.lost + d.totals.out_pkts, N);
    assert_int_equal(d.pool.in_use, 0);
    first = d.totals.lost;
    d.loss = 1ull << 32; /* all */
    for (uint32_t i = 0; i < 1000; i++) {
        offer(&d, i, (N + i) * MS);
        assert_null(take(&d, (N + i) * MS));
    }
    assert_int_equal(d.totals.lost, first + 1000);
    direction_done(&d);
}

/* --- paths -------------------------------------------------------------------------------------
 */

static void set_path(struct path_table *t, const char *address, uint64_t extra_ns)
{
    uint8_t bytes[16];

    assert_int_equal(path_address_parse(address, bytes, NULL), STATUS_OK);
    assert_int_equal(path_table_set(t, bytes, extra_ns, NULL), STATUS_OK);
}

static void test_path_table(void **state)
{
    struct path_table t = {.count = 0};
    uint8_t address[16];
    char text[64];
    struct error err;

    (void)state;
    for (int i = 0; i < PATHS_MAX; i++) {
        snprintf(text, sizeof(text), i % 2 ? "10.%d.0.1" : "2001:db8::1%d", i);
        set_path(&t, text, (uint64_t)i);
    }
    for (int i = 0; i < PATHS_MAX; i++) {
        char back[64];

        snprintf(text, sizeof(text), i % 2 ? "10.%d.0.1" : "2001:db8::1%d", i);
        assert_int_equal(path_address_parse(text, address, NULL), STATUS_OK);
        assert_int_equal(path_table_find(&t, address), i + 1);
        path_address_format(address, back, sizeof(back));
        assert_string_equal(text, back);
    }
    assert_int_equal(path_address_parse("10.0.0.99", address, NULL), STATUS_OK);
    assert_int_equal(path_table_find(&t, address), 0);
    assert_int_equal(path_table_set(&t, address, 1, &err), STATUS_USAGE);
    set_path(&t, "10.1.0.1", 42); /* known: changed, not added */
    assert_int_equal(t.paths[1].extra_ns, 42);
    assert_int_equal(t.count, PATHS_MAX);
    assert_int_equal(path_address_parse("10.0.0", address, &err), STATUS_USAGE);
    assert_int_equal(path_address_parse("localhost", address, &err), STATUS_USAGE);
}

static void offer_from(struct direction *d, uint32_t id, const char *src, const char *dst,
                       uint64_t now_ns)
{
    struct packet *p = trace_packet(&d->pool, 100, ECN_NOT_ECT, id);
    uint8_t address[16];

    assert_int_equal(path_address_parse(src, address, NULL), STATUS_OK);
    memcpy(p->data + 12, address + 12, 4);
    assert_int_equal(path_address_parse(dst, address, NULL), STATUS_OK);
    memcpy(p->data + 16, address + 12, 4);
    direction_offer(d, p, now_ns);
}

static void test_path_delay(void **state)
{
    static const struct {
        uint64_t due_ms;
        uint32_t id;
    } expected[] = {{10, 2}, {15, 1}, {15, 4}, {30, 3}, {35, 5}};
    struct path_table paths = {.count = 0};
    struct direction d;
    struct packet *p;

    (void)state;
    set_path(&paths, "10.0.0.1", 5 * MS);
    set_path(&paths, "10.0.0.9", 20 * MS);
    open_line(&d, 10000);
    d.paths = &paths;
    offer_from(&d, 1, "10.0.0.1", "10.0.0.8", 0);
    offer_from(&d, 2, "10.0.0.2", "10.0.0.8", 0);
    offer_from(&d, 3, "10.0.0.2", "10.0.0.9", 0);
    offer_from(&d, 4, "10.0.0.8", "10.0.0.1", 0); /* back: the same */
    offer_from(&d, 5, "10.0.0.1", "10.0.0.9", 0); /* both ends add up */
    for (size_t i = 0; i < 5; i++) {
        direction_advance(&d, 0);
        assert_int_equal(direction_wake_ns(&d), expected[i].due_ms * MS);
        assert_null(take(&d, expected[i].due_ms * MS - 1));
        p = take(&d, expected[i].due_ms * MS);
        assert_int_equal(trace_packet_id(p), expected[i].id);
    }
    /* A path that becomes shorter keeps its order, and does not hold up the others. */
    offer_from(&d, 6, "10.0.0.1", "10.0.0.8", 100 * MS);
    direction_advance(&d, 100 * MS);
    set_path(&paths, "10.0.0.1", 0);
    offer_from(&d, 7, "10.0.0.1", "10.0.0.8", 101 * MS);
    offer_from(&d, 8, "10.0.0.2", "10.0.0.8", 101 * MS);
    assert_int_equal(trace_packet_id(take(&d, 111 * MS)), 8);
    assert_null(take(&d, 115 * MS - 1));
    assert_int_equal(trace_packet_id(take(&d, 115 * MS)), 6);
    assert_int_equal(trace_packet_id(take(&d, 115 * MS)), 7);
    direction_done(&d);
}

static void test_path_ipv6(void **state)
{
    struct path_table t = {.count = 0};
    struct rng r = {.state = 5};
    uint8_t data[60];
    unsigned src, dst;

    (void)state;
    set_path(&t, "2001:db8::1", 1);
    trace_ipv6(data, sizeof(data), ECN_ECT1, &r);
    assert_int_equal(path_address_parse("2001:db8::1", data + 24, NULL), STATUS_OK);
    path_table_ends(&t, data, &src, &dst);
    assert_int_equal(src, 0);
    assert_int_equal(dst, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heap_order), cmocka_unit_test(test_shorter_delay_keeps_the_order),
        cmocka_unit_test(test_jitter),     cmocka_unit_test(test_loss),
        cmocka_unit_test(test_path_table), cmocka_unit_test(test_path_delay),
        cmocka_unit_test(test_path_ipv6),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
