/* Frames as attackers and broken senders make them: lengths that lie, options of length zero,
 * headers that name themselves as the next. Each is read whole and cut at every byte, from a copy
 * of just that size, so that a sanitizer sees the first byte too many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "capture/ecn.h"
#include "frames.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

enum { PROTO_IPV4 = 4, PROTO_GRE = 47, PROTO_ICMP = 1, NEXT_FRAGMENT = 44, NEXT_AH = 51 };

/* The whole frame's result; its bytes are gone. The frame ends at each length too, and is cut
 * there. */
static struct packet read_everywhere(const struct frame *f)
{
    struct packet p = {0}, whole;
    struct ecn e;
    assert_int_equal(ecn_init(&e, 100, NULL), STATUS_OK);
    for (uint32_t n = 0; n <= f->len; n++)
        for (int is_cut = 0; is_cut < 2; is_cut++) {
            uint8_t *copy = malloc(n ? n : 1);
            assert_non_null(copy);
            memcpy(copy, f->data, n);
            p.frame = e.frames + 1;
            p.t_ns = 1;
            dissect(LINK_TYPE_RAW, copy, n, is_cut ? f->len : n, &p);
            assert_true(p.nlayers <= DISSECT_LAYERS_MAX);
            ecn_add(&e, &p);
            free(copy);
            if (n == f->len && !is_cut)
                whole = p;
        }
    assert_int_equal(e.frames, 2 * ((uint64_t)f->len + 1));
    ecn_done(&e);
    return whole;
}

struct seen {
    int count; /* options that were handed out */
    bool is_malformed, is_whole, has_accecn, has_timestamps;
};

static struct seen read_options(const uint8_t *options, uint32_t len)
{
    struct frame f = {.len = 0};
    put_ipv4(&f, &(struct ipv4_opts){.proto = PROTO_TCP, .total_len = 40 + len + 3});
    put_tcp(&f, &(struct tcp_opts){.sport = 1, .dport = 2, .option_words = len / 4});
    memcpy(f.data + 40, options, len);
    f.len = 40 + len;
    put_fill(&f, 0xff, 3); /* payload is no option */
    assert_int_equal(read_everywhere(&f).reach, PACKET_REACH_TRANSPORT);

    struct packet p = {0};
    struct tcp_options all;
    struct tcp_option o;
    struct seen seen = {0};
    dissect(LINK_TYPE_RAW, f.data, f.len, f.len, &p);
    struct tcp_option_walk w = tcp_option_walk(&p, &p.layers[p.flow_layer]);
    while (tcp_option_next(&w, &o)) {
        assert_true(o.at + o.len <= 40 + len && o.len >= 1 && o.cap_len == o.len);
        assert_true(++seen.count <= 40);
    }
    seen.is_malformed = w.is_malformed;
    seen.is_whole = tcp_options_read(&p, &p.layers[p.flow_layer], &all);
    seen.has_accecn = all.has_accecn;
    seen.has_timestamps = all.has_timestamps;
    return seen;
}

static void test_options(void **state)
{
    (void)state;
    static const struct {
        uint8_t bytes[12];
        int count;
        bool is_malformed, has_accecn, has_timestamps;
    } cases[] = {
        {{1, 1, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 2, true, false, false},   /* length 0 */
        {{8, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, 0, true, false, false},   /* length 1 */
        {{8, 13, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1}, 0, true, false, false},  /* beyond the header */
        {{8, 255, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1}, 0, true, false, false}, /* far beyond */
        {{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 8}, 11, true, false, false},  /* no length at all */
        {{8, 9, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1}, 4, false, false, false}, /* a byte short of stamps */
        {{8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 1, 1}, 3, false, false, true},
        {{172, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, 11, false, true, false},
        {{172, 4, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1}, 9, false, false, false}, /* 2/3 of a counter */
        {{174, 11, 0, 0, 1, 0, 0, 2, 0, 0, 3, 1}, 2, false, true, false},
        {{174, 12, 0, 0, 1, 0, 0, 2, 0, 0, 3, 0}, 1, false, false, false}, /* 3 1/3 counters */
        {{172, 0, 0, 0, 1, 0, 0, 2, 0, 0, 3, 1}, 0, true, false, false},
        {{254, 3, 0xac, 1, 1, 1, 1, 1, 1, 1, 1, 1}, 10, false, false, false}, /* half a number */
        {{254, 4, 0xac, 0xc0, 1, 1, 1, 1, 1, 1, 1, 1}, 9, false, true, false},
        {{253, 2, 0xac, 0xc1, 0, 0, 1, 1, 1, 1, 1, 1},
         1,
         true,
         false,
         false},                                                         /* 0xac is no length */
        {{5, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2}, 1, false, false, false}, /* SACK without a block */
    };
    for (size_t i = 0; i < LEN(cases); i++) {
        struct seen seen = read_options(cases[i].bytes, sizeof(cases[i].bytes));
        if (seen.count != cases[i].count || seen.is_malformed != cases[i].is_malformed)
            fail_msg("case %zu: %d options, %s", i, seen.count,
                     seen.is_malformed ? "malformed" : "well formed");
        assert_int_equal(seen.has_accecn, cases[i].has_accecn);
        assert_int_equal(seen.has_timestamps, cases[i].has_timestamps);
    }
}

/* 10 in 9 in 8 ... and none of them ever ends. */
static void test_nested_tunnels(void **state)
{
    (void)state;
    for (unsigned n = DISSECT_LAYERS_MAX - 1; n <= DISSECT_LAYERS_MAX + 2; n++) {
        struct frame f = {.len = 0};
        for (unsigned i = 0; i < n; i++)
            put_ipv4(&f, &(struct ipv4_opts){.ecn = i == 0 ? 3 : 1,
                                             .proto = PROTO_IPV4,
                                             .total_len = (n - i) * 20});
        struct packet p = read_everywhere(&f);
        assert_int_equal(p.fault, PACKET_MALFORMED); /* the innermost has nothing in it */
        assert_int_equal(p.nlayers, n < DISSECT_LAYERS_MAX ? n : DISSECT_LAYERS_MAX);
        assert_int_equal(p.ecn, ECN_CE);
        assert_int_equal(p.flow_layer, -1);
    }
}

static void test_extension_loops(void **state)
{
    (void)state;
    static const unsigned kinds[] = {0, 43, NEXT_FRAGMENT, NEXT_AH, 60, 140};
    for (size_t k = 0; k < LEN(kinds); k++) {
        enum { HEADERS = 60 };
        struct frame f = {.len = 0};
        put_ipv6(&f, 2, kinds[k], HEADERS * 8, 1, 2);
        for (unsigned i = 0; i < HEADERS; i++) { /* 8 bytes each: AH with its shortest length, 0 */
            put8(&f, kinds[k]);
            put_fill(&f, 0, 7);
        }
        struct packet p = read_everywhere(&f);
        assert_int_equal(p.fault, PACKET_MALFORMED);
        assert_int_equal(p.reach, PACKET_REACH_IP);
        assert_true(p.nlayers <= DISSECT_IPV6_EXT_MAX + 1);
        /* The longest length that there is, in a packet of 8 bytes. */
        f.len = 0;
        put_ipv6(&f, 2, kinds[k], 8, 1, 2);
        put8(&f, PROTO_TCP);
        put8(&f, 255);
        put_fill(&f, 0, 6);
        p = read_everywhere(&f);
        assert_int_equal(p.fault, PACKET_MALFORMED);
        assert_int_equal(p.flow_layer, -1);
    }
}

/* An error that quotes an error that quotes an error: no fault of the packet, and nobody's flow. */
static void test_nested_quotations(void **state)
{
    (void)state;
    enum { DEPTH = 30 };
    struct frame f = {.len = 0};
    for (unsigned i = 0; i < DEPTH; i++) {
        put_ipv4(&f, &(struct ipv4_opts){.ecn = i == 0 ? 1 : 3,
                                         .proto = PROTO_ICMP,
                                         .total_len = (DEPTH - i) * 28});
        put32(&f, 11u << 24);
        put32(&f, 0);
    }
    struct packet p = read_everywhere(&f);
    assert_int_equal(p.fault, PACKET_OK);
    assert_int_equal(p.ecn, ECN_ECT1);
    assert_int_equal(p.reach, PACKET_REACH_IP);
    assert_int_equal(p.flow_layer, -1);
}

static void test_short_headers(void **state)
{
    (void)state;
    static const struct {
        unsigned proto;
        uint8_t bytes[12];
        uint32_t len;
        enum packet_fault fault;
    } cases[] = {
        {PROTO_SCTP, {0, 1, 0, 2}, 11, PACKET_MALFORMED},
        {PROTO_SCTP, {0, 1, 0, 2}, 12, PACKET_OK},
        {PROTO_UDP, {0, 1, 0, 2, 0, 8}, 7, PACKET_MALFORMED},
        {PROTO_TCP, {0, 1, 0, 2}, 12, PACKET_MALFORMED},
        {PROTO_GRE, {0, 0, 8}, 3, PACKET_MALFORMED},
        {PROTO_GRE, {0xb0, 0, 8, 0}, 12, PACKET_MALFORMED}, /* checksum, key, number: 16 bytes */
        {PROTO_GRE, {0, 0, 8, 0}, 4, PACKET_OK},            /* nothing in it: a keep-alive */
        {PROTO_GRE, {0, 0, 8, 0, 0x45}, 12, PACKET_MALFORMED},
        {PROTO_GRE, {0, 0, 0x86, 0xdd, 0x60}, 12, PACKET_MALFORMED},
        {PROTO_GRE, {0, 0, 0x65, 0x58, 2}, 12, PACKET_MALFORMED}, /* an Ethernet frame of 8 bytes */
        {PROTO_IPV4, {0x4f}, 12, PACKET_MALFORMED},
        {PROTO_ICMP, {3, 1, 0, 0, 0, 255, 0, 0, 0x4f, 0, 0, 0}, 12, PACKET_OK}, /* quotes 4 bytes */
    };
    for (size_t i = 0; i < LEN(cases); i++) {
        struct frame f = {.len = 0};
        put_ipv4(&f, &(struct ipv4_opts){
                         .ecn = 1, .proto = cases[i].proto, .total_len = 20 + cases[i].len});
        memcpy(f.data + f.len, cases[i].bytes, sizeof(cases[i].bytes));
        f.len += cases[i].len;
        struct packet p = read_everywhere(&f);
        if (p.fault != cases[i].fault)
            fail_msg("case %zu: fault %d", i, p.fault);
        assert_int_equal(p.ecn, ECN_ECT1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options),         cmocka_unit_test(test_nested_tunnels),
        cmocka_unit_test(test_extension_loops), cmocka_unit_test(test_nested_quotations),
        cmocka_unit_test(test_short_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
