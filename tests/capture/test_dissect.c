#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "capture/dissect.h"
#include "capture/ecn.h"
#include "frames.h"

static const struct tcp_opts some_tcp = {
    .sport = 5201, .dport = 40000, .flags = TCP_ACK | TCP_AE, .seq = 0x01020304, .ack = 0xfffefdfc};

static struct packet read_frame(enum link_type link, const struct frame *f)
{
    struct packet p = {0};
    dissect(link, f->data, f->len, f->len, &p);
    return p;
}

static void put_tcp_packet(struct frame *f, unsigned ecn, unsigned payload_len)
{
    put_ipv4(f, &(struct ipv4_opts){.ecn = ecn,
                                    .proto = PROTO_TCP,
                                    .total_len = 40 + payload_len,
                                    .src = 0x0a000001,
                                    .dst = 0x0a000002});
    put_tcp(f, &some_tcp);
    put_fill(f, 'x', payload_len);
}

static void put_udp6_packet(struct frame *f, unsigned ecn, unsigned payload_len)
{
    put_ipv6(f, ecn, PROTO_UDP, 8 + payload_len, 1, 2);
    put_udp(f, 53000, 53001, 8 + payload_len);
    put_fill(f, 'y', payload_len);
}

static void assert_some_tcp(const struct packet *p, unsigned ecn, unsigned payload_len)
{
    assert_int_equal(p->fault, PACKET_OK);
    assert_int_equal(p->reach, PACKET_REACH_TRANSPORT);
    assert_int_equal(p->ip_version, 4);
    assert_int_equal(p->ecn, ecn);
    assert_int_equal(p->proto, PROTO_TCP);
    assert_memory_equal(p->src, "\x0a\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0", 16);
    assert_memory_equal(p->dst, "\x0a\0\0\2\0\0\0\0\0\0\0\0\0\0\0\0", 16);
    assert_int_equal(p->sport, 5201);
    assert_int_equal(p->dport, 40000);
    assert_int_equal(p->seq, 0x01020304);
    assert_int_equal(p->ack, 0xfffefdfc);
    assert_int_equal(p->tcp_flags, TCP_ACK | TCP_AE);
    assert_int_equal(p->payload_len, payload_len);
}

static void test_link_types(void **state)
{
    (void)state;
    for (unsigned ecn = 0; ecn < 4; ecn++) {
        struct frame f = {.len = 0};
        put_eth(&f, 0x0800);
        put_tcp_packet(&f, ecn, 7);
        struct packet p = read_frame(LINK_TYPE_ETHERNET, &f);
        assert_some_tcp(&p, ecn, 7);

        f.len = 0;
        put_sll(&f, 0x0800);
        put_tcp_packet(&f, ecn, 8);
        p = read_frame(LINK_TYPE_SLL, &f);
        assert_some_tcp(&p, ecn, 8);

        f.len = 0;
        put_sll2(&f, 0x0800);
        put_tcp_packet(&f, ecn, 9);
        p = read_frame(LINK_TYPE_SLL2, &f);
        assert_some_tcp(&p, ecn, 9);

        f.len = 0;
        put_tcp_packet(&f, ecn, 10);
        p = read_frame(LINK_TYPE_RAW, &f);
        assert_some_tcp(&p, ecn, 10);
    }
    /* Families in both byte orders, and one that is not IP. */
    static const uint32_t families[] = {2, 0x02000000, 30, 0x1e000000, 24, 28, 10};
    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
        struct frame f = {.len = 0};
        put32(&f, families[i]);
        put_tcp_packet(&f, 3, 1);
        struct packet p = read_frame(LINK_TYPE_NULL, &f);
        assert_some_tcp(&p, 3, 1);
    }
    struct frame f = {.len = 0};
    put32(&f, 7);
    put_tcp_packet(&f, 3, 1);
    struct packet p = read_frame(LINK_TYPE_NULL, &f);
    assert_int_equal(p.reach, PACKET_REACH_LINK);
    assert_int_equal(p.fault, PACKET_OK);
}

static void test_raw_ipv6(void **state)
{
    (void)state;
    struct frame f = {.len = 0};
    put_udp6_packet(&f, 2, 5);
    struct packet p = read_frame(LINK_TYPE_RAW, &f);
    assert_int_equal(p.fault, PACKET_OK);
    assert_int_equal(p.ip_version, 6);
    assert_int_equal(p.ecn, ECN_ECT0);
    assert_int_equal(p.proto, PROTO_UDP);
    assert_int_equal(p.sport, 53000);
    assert_int_equal(p.payload_len, 5);
    assert_memory_equal(p.src, "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16);
    assert_memory_equal(p.dst, "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2", 16);
}

static void test_vlan(void **state)
{
    (void)state;
    for (int tags = 1; tags <= DISSECT_VLAN_MAX + 1; tags++) {
        struct frame f = {.len = 0};
        put_eth(&f, tags > 1 ? 0x88a8 : 0x8100);
        for (int i = 1; i < tags; i++) {
            put16(&f, 100);
            put16(&f, i % 2 ? 0x8100 : 0x9100);
        }
        put16(&f, 200);
        put16(&f, 0x0800);
        put_tcp_packet(&f, 1, 3);
        struct packet p = read_frame(LINK_TYPE_ETHERNET, &f);
        if (tags <= DISSECT_VLAN_MAX)
            assert_some_tcp(&p, 1, 3);
        else
            assert_int_equal(p.fault, PACKET_MALFORMED);
    }
}

static void test_not_ip(void **state)
{
    (void)state;
    static const unsigned types[] = {0x0806, 0x0026, 0x88cc, 0};
    for (size_t i = 0; i < 4; i++) {
        struct frame f = {.len = 0};
        put_eth(&f, types[i]);
        put_fill(&f, 0x45, 60);
        struct packet p = read_frame(LINK_TYPE_ETHERNET, &f);
        assert_int_equal(p.fault, PACKET_OK);
        assert_int_equal(p.reach, PACKET_REACH_LINK);
        assert_int_equal(p.ip_version, 0);
    }
}

static void test_ipv4_lengths(void **state)
{
    (void)state;
    struct ipv4_opts o = {.ecn = 3, .proto = PROTO_TCP, .src = 1, .dst = 2};
    static const struct {
        unsigned total_len, option_words, is_malformed, payload_len;
    } cases[] = {
        {50, 0, 0, 10},   /* as it should be */
        {45, 0, 0, 5},    /* Ethernet padding behind it */
        {0, 0, 0, 16},    /* TSO: the rest of the frame, trailer and all */
        {1000, 0, 0, 16}, /* more than there is: what there is */
        {30, 0, 1, 0},    /* no room for TCP */
        {10, 0, 1, 0},    /* shorter than its own header */
        {50, 10, 1, 0},   /* header longer than the datagram */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct frame f = {.len = 0};
        put_eth(&f, 0x0800);
        o.total_len = cases[i].total_len;
        put_ipv4(&f, &o);
        f.data[14] = (uint8_t)(0x45 + cases[i].option_words);
        put_tcp(&f, &some_tcp);
        put_fill(&f, 0, 16);
        struct packet p = read_frame(LINK_TYPE_ETHERNET, &f);
        assert_int_equal(p.fault, cases[i].is_malformed ? PACKET_MALFORMED : PACKET_OK);
        assert_int_equal(p.ecn, 3);
        assert_true(p.reach >= PACKET_REACH_IP);
        assert_int_equal(p.reach == PACKET_REACH_TRANSPORT, !cases[i].is_malformed);
        assert_int_equal(p.payload_len, cases[i].payload_len);
    }
    /* Real options. */
    struct frame f = {.len = 0};
    put_eth(&f, 0x0800);
    put_ipv4(&f, &(struct ipv4_opts){
                     .ecn = 1, .proto = PROTO_TCP, .total_len = 60 + 20 + 4, .option_words = 10});
    put_tcp(&f, &some_tcp);
    put_fill(&f, 0, 4);
    struct packet p = read_frame(LINK_TYPE_ETHERNET, &f);
    assert_int_equal(p.fault, PACKET_OK);
    assert_int_equal(p.payload_len, 4);
    assert_int_equal(p.sport, 5201);
    /* IHL below 5 and foreign versions: no IP header at all. */
    f.data[14] = 0x44;
    assert_int_equal(read_frame(LINK_TYPE_ETHERNET, &f).reach, PACKET_REACH_LINK);
    f.data[14] = 0x55;
    p = read_frame(LINK_TYPE_ETHERNET, &f);
    assert_int_equal(p.reach, PACKET_REACH_LINK);
    assert_int_equal(p.fault, PACKET_MALFORMED);
}

static void test_ipv4_fragments(void **state)
{
    (void)state;
    static const struct {
        unsigned fragment, is_fragment, reach;
    } cases[] = {
        {0x0000, 0, PACKET_REACH_TRANSPORT}, {0x4000, 0, PACKET_REACH_TRANSPORT}, /* DF */
        {0x2000, 1, PACKET_REACH_TRANSPORT}, /* MF, offset 0: the first one */
        {0x2001, 1, PACKET_REACH_IP},        {0x0001, 1, PACKET_REACH_IP},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct frame f = {.len = 0};
        put_eth(&f, 0x0800);
        put_ipv4(&f,
                 &(struct ipv4_opts){
                     .ecn = 2, .proto = PROTO_UDP, .total_len = 48, .fragment = cases[i].fragment});
        put_udp(&f, 1, 2, cases[i].is_fragment ? 3000 : 28);
        put_fill(&f, 'z', 20);
        struct packet p = read_frame(LINK_TYPE_ETHERNET, &f);
        assert_int_equal(p.fault, PACKET_OK);
        assert_int_equal(p.ecn, 2);
        assert_int_equal(p.is_fragment, cases[i].is_fragment);
        assert_int_equal(p.reach, cases[i].reach);
        if (p.reach == PACKET_REACH_TRANSPORT)
            assert_int_equal(p.payload_len, 20); /* its own part of the datagram */
    }
}

static void put_extension(struct frame *f, unsigned next, unsigned units)
{
    put8(f, next);
    put8(f, units);
    put_fill(f, 0, units * 8 + 6);
}

static void test_ipv6_extensions(void **state)
{
    (void)state;
    struct frame f = {.len = 0};
    unsigned total = 8 + 16 + 8 + 12 + 8 + 20 + 9;
    put_eth(&f, 0x86dd);
    put_ipv6(&f, 3, 0, total, 1, 2);
    put_extension(&f, 43, 0); /* hop-by-hop */
    put_extension(&f, 44, 1); /* routing */
    put8(&f, 51);             /* fragment header of a whole packet (RFC 6946) */
    put8(&f, 0);
    put16(&f, 0);
    put32(&f, 7);
    put8(&f, 60); /* authentication, in 4-byte units, less 2 */
    put8(&f, 1);
    put_fill(&f, 0, 10);
    put_extension(&f, PROTO_TCP, 0); /* destination options */
    put_tcp(&f, &some_tcp);
    put_fill(&f, 'x', 9);
    struct packet p = read_frame(LINK_TYPE_ETHERNET, &f);
    assert_int_equal(p.fault, PACKET_OK);
    assert_int_equal(p.ecn, ECN_CE);
    assert_int_equal(p.proto, PROTO_TCP);
    assert_int_equal(p.dport, 40000);
    assert_int_equal(p.payload_len, 9);
    assert_false(p.is_fragment);

    /* A header that reaches beyond the packet. */
    f.data[14 + 40 + 1] = 200;
    p = read_frame(LINK_TYPE_ETHERNET, &f);
    assert_int_equal(p.fault, PACKET_MALFORMED);
    assert_int_equal(p.reach, PACKET_REACH_IP);
    assert_int_equal(p.ecn, ECN_CE);

    /* Upper layers that we know nothing of, and "no next header". */
    static const unsigned others[] = {58, 59, 50, 139, 253};
    for (size_t i = 0; i < 5; i++) {
        f.len = 0;
        put_eth(&f, 0x86dd);
        put_ipv6(&f, 1, others[i], 8, 1, 2);
        put_fill(&f, 0, 8);
        p = read_frame(LINK_TYPE_ETHERNET, &f);
        assert_int_equal(p.fault, PACKET_OK);
        assert_int_equal(p.reach, PACKET_REACH_IP);
        assert_int_equal(p.proto, others[i]);
    }
}

static void test_ipv6_fragments(void **state)
{
    (void)state;
    static const struct {
        unsigned fragment, reach;
    } cases[] = {
        {0x0001, PACKET_REACH_TRANSPORT}, {0x0009, PACKET_REACH_IP}, {0x0010, PACKET_REACH_IP}};
    for (size_t i = 0; i < 3; i++) {
        struct frame f = {.len = 0};
        put_eth(&f, 0x86dd);
        put_ipv6(&f, 3, 44, 8 + 8 + 4, 1, 2);
        put8(&f, PROTO_UDP);
        put8(&f, 0);
        put16(&f, cases[i].fragment);
        put32(&f, 9);
        put_udp(&f, 1, 2, 5000);
        put_fill(&f, 0, 4);
        struct packet p = read_frame(LINK_TYPE_ETHERNET, &f);
        assert_int_equal(p.fault, PACKET_OK);
        assert_true(p.is_fragment);
        assert_int_equal(p.proto, PROTO_UDP);
        assert_int_equal(p.reach, cases[i].reach);
    }
}

static void test_ipv6_extension_bound(void **state)
{
    (void)state;
    for (unsigned n = DISSECT_IPV6_EXT_MAX; n <= DISSECT_IPV6_EXT_MAX + 1; n++) {
        struct frame f = {.len = 0};
        put_eth(&f, 0x86dd);
        put_ipv6(&f, 1, 60, n * 8 + 20, 1, 2);
        for (unsigned i = 0; i < n; i++)
            put_extension(&f, i + 1 < n ? 60 : PROTO_TCP, 0);
        put_tcp(&f, &some_tcp);
        struct packet p = read_frame(LINK_TYPE_ETHERNET, &f);
        bool is_within = n == DISSECT_IPV6_EXT_MAX;
        assert_int_equal(p.fault, is_within ? PACKET_OK : PACKET_MALFORMED);
        assert_int_equal(p.reach, is_within ? PACKET_REACH_TRANSPORT : PACKET_REACH_IP);
    }
}

static void test_big_tcp(void **state)
{
    (void)state;
    struct frame f = {.len = 0};
    put_eth(&f, 0x86dd);
    put_ipv6(&f, 1, PROTO_TCP, 0, 1, 2);
    put_tcp(&f, &some_tcp);
    struct packet p = {0};
    dissect(LINK_TYPE_ETHERNET, f.data, f.len, 80054, &p);
    assert_int_equal(p.fault, PACKET_OK);
    assert_int_equal(p.payload_len, 80054 - 14 - 40 - 20);
    /* And lengths near the top of what a frame length can be. */
    dissect(LINK_TYPE_ETHERNET, f.data, f.len, UINT32_MAX, &p);
    assert_int_equal(p.payload_len, UINT32_MAX - 14 - 40 - 20);
}

static void test_tcp_header_lengths(void **state)
{
    (void)state;
    for (unsigned words = 0; words < 16; words++) {
        struct frame f = {.len = 0};
        put_eth(&f, 0x0800);
        put_ipv4(&f, &(struct ipv4_opts){.proto = PROTO_TCP, .total_len = 20 + 50});
        put_tcp(&f, &some_tcp);
        put_fill(&f, 0, 30); /* options of kind 0, or 30 bytes of options with length 0 */
        f.data[14 + 20 + 12] = (uint8_t)(words << 4);
        struct packet p = read_frame(LINK_TYPE_ETHERNET, &f);
        assert_int_equal(p.reach, PACKET_REACH_TRANSPORT);
        bool is_good = words >= 5 && words * 4 <= 50;
        assert_int_equal(p.fault, is_good ? PACKET_OK : PACKET_MALFORMED);
        assert_int_equal(p.payload_len, words * 4 <= 50 ? 50 - words * 4 : 0);
    }
}

static void test_udp_lengths(void **state)
{
    (void)state;
    static const struct {
        unsigned len, is_reached, is_malformed, payload_len;
    } cases[] = {{18, 1, 0, 10}, {12, 1, 0, 4}, {8, 1, 0, 0},
                 {7, 0, 1, 0},   {0, 0, 1, 0},  {100, 1, 1, 10}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct frame f = {.len = 0};
        put_eth(&f, 0x0800);
        put_ipv4(&f, &(struct ipv4_opts){.ecn = 1, .proto = PROTO_UDP, .total_len = 38});
        put_udp(&f, 1000, 2000, cases[i].len);
        put_fill(&f, 0, 10);
        struct packet p = read_frame(LINK_TYPE_ETHERNET, &f);
        assert_int_equal(p.reach, cases[i].is_reached ? PACKET_REACH_TRANSPORT : PACKET_REACH_IP);
        assert_int_equal(p.fault, cases[i].is_malformed ? PACKET_MALFORMED : PACKET_OK);
        assert_int_equal(p.payload_len, cases[i].payload_len);
    }
}

/* Layers follow each other within the frame. */
static void check_layers(const struct packet *p)
{
    uint32_t at = 0;
    assert_true(p->nlayers <= DISSECT_LAYERS_MAX);
    for (int i = 0; i < p->nlayers; i++) {
        const struct layer *l = &p->layers[i];
        assert_true(l->kind < LAYER_COUNT && l->at >= at);
        assert_true(l->at <= p->wire_len && l->header_len <= p->wire_len - l->at);
        assert_true(l->payload_len <= p->wire_len - l->at - l->header_len);
        at = l->at + (i + 1 < p->nlayers ? 1 : 0);
    }
    assert_true(p->flow_layer < p->nlayers && p->quoted_layer < p->nlayers);
    assert_int_equal(p->flow_layer >= 0, p->reach == PACKET_REACH_TRANSPORT);
    assert_int_equal(p->ip_layer >= 0, p->reach >= PACKET_REACH_IP);
}

/* Copies of exactly the captured length, so that ASan sees the first byte too many. */
static struct packet read_exact(enum link_type link, const uint8_t *data, uint32_t cap_len,
                                uint32_t wire_len)
{
    uint8_t *copy = malloc(cap_len ? cap_len : 1);
    assert_non_null(copy);
    memcpy(copy, data, cap_len);
    struct packet p;
    struct tcp_options options;
    p.frame = 5;
    p.t_ns = 6;
    dissect(link, cap_len ? copy : NULL, cap_len, wire_len, &p);
    check_layers(&p);
    if (p.flow_layer >= 0 && p.proto == PROTO_TCP)
        tcp_options_read(&p, &p.layers[p.flow_layer], &options);
    free(copy);
    p.data = data; /* the same bytes, for as long as the caller has them */
    assert_int_equal(p.frame, 5);
    assert_int_equal(p.t_ns, 6);
    assert_int_equal(p.wire_len, wire_len);
    assert_true(p.ecn < ECN_COUNT);
    assert_true(p.payload_len <= wire_len);
    assert_int_equal(p.reach >= PACKET_REACH_ECN, p.ip_version == 4 || p.ip_version == 6);
    if (p.reach == PACKET_REACH_TRANSPORT)
        assert_true(p.proto == PROTO_TCP || p.proto == PROTO_UDP || p.proto == PROTO_SCTP);
    return p;
}

/* Every frame, cut at every byte: by the snap length, then as a frame that really is so short. */
static void test_truncation(void **state)
{
    (void)state;
    struct {
        enum link_type link;
        struct frame f;
    } frames[7] = {{LINK_TYPE_ETHERNET}, {LINK_TYPE_ETHERNET}, {LINK_TYPE_SLL},
                   {LINK_TYPE_SLL2},     {LINK_TYPE_RAW},      {LINK_TYPE_NULL},
                   {LINK_TYPE_ETHERNET}};
    put_eth(&frames[0].f, 0x0800);
    put_tcp_packet(&frames[0].f, 3, 11);
    put_eth(&frames[1].f, 0x88a8);
    put32(&frames[1].f, 0x00018100);
    put32(&frames[1].f, 0x000286dd);
    put_udp6_packet(&frames[1].f, 3, 12);
    put_sll(&frames[2].f, 0x0800);
    put_tcp_packet(&frames[2].f, 3, 0);
    put_sll2(&frames[3].f, 0x86dd);
    put_udp6_packet(&frames[3].f, 3, 1);
    put_tcp_packet(&frames[4].f, 3, 2);
    put32(&frames[5].f, 2);
    put_tcp_packet(&frames[5].f, 3, 3);
    put_eth(&frames[6].f, 0x86dd);
    put_ipv6(&frames[6].f, 3, 0, 8 + 16 + 8 + 32, 1, 2);
    put_extension(&frames[6].f, 60, 0);
    put_extension(&frames[6].f, 44, 1);
    put32(&frames[6].f, PROTO_TCP << 24);
    put32(&frames[6].f, 1);
    put_tcp(&frames[6].f, &(struct tcp_opts){.sport = 1, .dport = 2, .option_words = 3});

    for (size_t i = 0; i < 7; i++) {
        const struct frame *f = &frames[i].f;
        struct packet whole = read_exact(frames[i].link, f->data, f->len, f->len);
        assert_int_equal(whole.fault, PACKET_OK);
        assert_int_equal(whole.reach, PACKET_REACH_TRANSPORT);
        enum packet_reach reach = PACKET_REACH_NONE;
        for (uint32_t n = 0; n < f->len; n++) {
            struct packet p = read_exact(frames[i].link, f->data, n, f->len);
            assert_int_not_equal(p.fault, PACKET_MALFORMED);
            assert_true(p.reach >= reach); /* more bytes never tell less */
            reach = p.reach;
            if (p.reach < PACKET_REACH_TRANSPORT)
                assert_int_equal(p.fault, PACKET_CUT);
            else
                assert_int_equal(p.payload_len, whole.payload_len);
            if (p.reach >= PACKET_REACH_ECN)
                assert_int_equal(p.ecn, 3);

            struct packet shorter = read_exact(frames[i].link, f->data, n, n);
            assert_int_not_equal(shorter.fault, PACKET_CUT);
            assert_true(shorter.reach <= p.reach);
        }
        assert_int_equal(reach, PACKET_REACH_TRANSPORT);
    }
}

static uint64_t random_next(uint64_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return *s;
}

/* 300000 frames of random bytes, half of them with a plausible beginning, through dissection and
 * accounting with a small flow table. Nothing may be lost on the way. */
static void test_random_bytes(void **state)
{
    (void)state;
    enum { RUNS = 300000, MAX_LEN = 160 };
    uint64_t seed = 0x9e3779b97f4a7c15, transport = 0, ip = 0;
    struct ecn e;
    assert_int_equal(ecn_init(&e, 5000, NULL), STATUS_OK);
    for (int run = 0; run < RUNS; run++) {
        uint8_t data[MAX_LEN];
        enum link_type link = (enum link_type)(random_next(&seed) % LINK_TYPE_COUNT);
        uint32_t len = (uint32_t)(random_next(&seed) % (MAX_LEN + 1));
        for (uint32_t i = 0; i < MAX_LEN; i++)
            data[i] = (uint8_t)random_next(&seed);
        if (run % 2) {
            struct frame f = {.len = 0};
            if (link == LINK_TYPE_ETHERNET)
                put_eth(&f, run % 4 == 1 ? 0x0800 : 0x86dd);
            else if (link == LINK_TYPE_SLL)
                put_sll(&f, run % 4 == 1 ? 0x0800 : 0x86dd);
            else if (link == LINK_TYPE_SLL2)
                put_sll2(&f, run % 4 == 1 ? 0x0800 : 0x86dd);
            else if (link == LINK_TYPE_NULL)
                put32(&f, 2);
            put8(&f, run % 4 == 1 ? 0x45 : 0x60);
            memcpy(data, f.data, f.len);
            if (run % 8 == 1) { /* as far as the ports */
                memset(data + f.len + 1, 0, 8);
                data[f.len + 8] = run % 16 == 1 ? PROTO_TCP : PROTO_UDP;
            } else if (run % 8 == 3) {
                memset(data + f.len + 3, 0, 3);
                data[f.len + 5] = (uint8_t)(random_next(&seed) % 64);
            }
        }
        uint32_t wire_len = run % 3 ? len : len + (uint32_t)(random_next(&seed) % 2000);
        struct packet p = read_exact(link, data, len, wire_len);
        p.frame = (uint64_t)run + 1;
        ecn_add(&e, &p);
        ip += p.reach >= PACKET_REACH_ECN;
        transport += p.reach == PACKET_REACH_TRANSPORT;
    }
    uint64_t counted = ecn_counts_sum(&e.other.data) + ecn_counts_sum(&e.other.ack);
    for (uint32_t i = 0; i < ecn_flow_count(&e); i++)
        for (int d = 0; d < 2; d++) {
            const struct ecn_dir *dir = &ecn_flow_at(&e, i)->dir[d];
            counted += ecn_counts_sum(&dir->data) + ecn_counts_sum(&dir->ack);
        }
    assert_int_equal(e.frames, RUNS);
    assert_int_equal(ecn_counts_sum(&e.ipv4) + ecn_counts_sum(&e.ipv6), ip);
    assert_int_equal(counted, transport);
    assert_int_equal(ecn_flow_count(&e),
                     5000); /* the limit was met, so the test reached the flows */
    assert_true(ecn_counts_sum(&e.other.data) > 0);
    ecn_done(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_link_types),
        cmocka_unit_test(test_raw_ipv6),
        cmocka_unit_test(test_vlan),
        cmocka_unit_test(test_not_ip),
        cmocka_unit_test(test_ipv4_lengths),
        cmocka_unit_test(test_ipv4_fragments),
        cmocka_unit_test(test_ipv6_extensions),
        cmocka_unit_test(test_ipv6_fragments),
        cmocka_unit_test(test_ipv6_extension_bound),
        cmocka_unit_test(test_big_tcp),
        cmocka_unit_test(test_tcp_header_lengths),
        cmocka_unit_test(test_udp_lengths),
        cmocka_unit_test(test_truncation),
        cmocka_unit_test(test_random_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
