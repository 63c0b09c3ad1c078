#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "capture/ecn.h"
#include "frames.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Frames live as long as the packets that point into them. */
static struct packet packet_of(const struct frame *f, enum link_type link)
{
    static struct frame kept[4];
    static int next;
    struct packet p;
    struct frame *copy = &kept[next++ % 4];
    *copy = *f;
    p.frame = 1;
    p.t_ns = 0;
    dissect(link, copy->data, copy->len, copy->len, &p);
    assert_int_equal(p.fault, PACKET_OK);
    return p;
}

/* A TCP segment between A (10.0.0.1, port 1000) and B (10.0.0.2, port 2000). */
static struct packet segment(bool is_from_b, uint32_t seq, uint32_t ack, unsigned flags,
                             uint32_t payload_len)
{
    struct frame f = {.len = 0};
    put_ipv4(&f, &(struct ipv4_opts){.proto = PROTO_TCP,
                                     .total_len = 40 + payload_len,
                                     .src = is_from_b ? 0x0a000002 : 0x0a000001,
                                     .dst = is_from_b ? 0x0a000001 : 0x0a000002});
    put_tcp(&f, &(struct tcp_opts){.sport = is_from_b ? 2000 : 1000,
                                   .dport = is_from_b ? 1000 : 2000,
                                   .flags = flags,
                                   .seq = seq,
                                   .ack = ack});
    put_fill(&f, 'x', payload_len);
    return packet_of(&f, LINK_TYPE_RAW);
}

static struct packet with_ecn(struct packet p, unsigned ecn)
{
    p.ecn = p.flow_ecn = (uint8_t)ecn;
    return p;
}

static void test_split(void **state)
{
    (void)state;
    struct ecn e;
    assert_int_equal(ecn_init(&e, 0, NULL), STATUS_OK);
    for (unsigned ecn = 0; ecn < 4; ecn++)
        for (unsigned n = 0; n <= ecn; n++) {
            struct packet data = with_ecn(segment(false, 100, 0, TCP_ACK, 900), ecn);
            data.frame = e.frames + 1;
            data.t_ns = (int64_t)data.frame * 1000;
            ecn_add(&e, &data);
            struct packet ack = with_ecn(segment(true, 5, 1000, TCP_ACK, 0), 3 - ecn);
            ack.frame = e.frames + 1;
            ack.t_ns = (int64_t)ack.frame * 1000;
            ecn_add(&e, &ack);
        }
    assert_int_equal(ecn_flow_count(&e), 1);
    const struct ecn_flow *f = ecn_flow_at(&e, 0);
    const struct ecn_dir *fwd = &f->dir[0], *rev = &f->dir[1];
    assert_int_equal(f->flow->port[0], 1000);
    for (unsigned ecn = 0; ecn < 4; ecn++) {
        assert_int_equal(fwd->data.n[ecn], ecn + 1);
        assert_int_equal(fwd->ack.n[ecn], 0);
        assert_int_equal(rev->data.n[ecn], 0);
        assert_int_equal(rev->ack.n[ecn], 4 - ecn);
        assert_int_equal(e.ipv4.n[ecn], 5);
        assert_int_equal(e.ipv6.n[ecn], 0);
    }
    assert_int_equal(ecn_dir_bytes(fwd), 9000);
    assert_int_equal(ecn_dir_bytes(rev), 0);
    assert_int_equal(fwd->first_ce_frame, 13);
    assert_int_equal(fwd->first_ce_ns, 13000);
    assert_int_equal(rev->first_ce_frame, 2);
    assert_true(fabs(ecn_mark_ratio(&fwd->data) - 4.0 / 9) < 1e-15);
    assert_true(ecn_mark_ratio(&rev->data) == -1);
    assert_int_equal(e.first_ns, 1000);
    ecn_done(&e);
}

static void test_udp_is_data(void **state)
{
    (void)state;
    struct ecn e;
    assert_int_equal(ecn_init(&e, 0, NULL), STATUS_OK);
    struct packet p = segment(false, 0, 0, 0, 0);
    ecn_add(&e, &p); /* the same ports in TCP: another flow, another numbering */
    struct frame f = {.len = 0};
    put_ipv6(&f, ECN_ECT1, PROTO_UDP, 8, 1, 2);
    put_udp(&f, 1000, 2000, 8);
    p = packet_of(&f, LINK_TYPE_RAW);
    ecn_add(&e, &p);
    assert_int_equal(ecn_flow_count(&e), 2);
    assert_int_equal(ecn_flow_at(&e, 1)->flow->stream, 0);
    assert_int_equal(ecn_flow_at(&e, 1)->dir[0].data.n[ECN_ECT1], 1);
    assert_int_equal(e.ipv6.n[ECN_ECT1], 1);
    assert_int_equal(e.ipv4.n[ECN_NOT_ECT], 1);
    ecn_done(&e);
}

static void test_what_is_no_flow(void **state)
{
    (void)state;
    struct ecn e;
    assert_int_equal(ecn_init(&e, 0, NULL), STATUS_OK);
    struct packet p = {.outer_layer = -1,
                       .ip_layer = -1,
                       .flow_layer = -1,
                       .quoted_layer = -1,
                       .reach = PACKET_REACH_IP,
                       .ip_version = 4,
                       .proto = 1,
                       .ecn = ECN_CE};
    ecn_add(&e, &p); /* ICMP counts in the totals */
    p = (struct packet){.flow_layer = -1, .quoted_layer = -1, .reach = PACKET_REACH_LINK};
    ecn_add(&e, &p);
    p = (struct packet){
        .flow_layer = -1, .quoted_layer = -1, .reach = PACKET_REACH_LINK, .fault = PACKET_CUT};
    ecn_add(&e, &p);
    p = (struct packet){.flow_layer = -1,
                        .quoted_layer = -1,
                        .reach = PACKET_REACH_NONE,
                        .fault = PACKET_MALFORMED};
    ecn_add(&e, &p);
    p = (struct packet){.flow_layer = -1,
                        .quoted_layer = -1,
                        .reach = PACKET_REACH_ECN,
                        .fault = PACKET_CUT,
                        .ip_version = 6};
    ecn_add(&e, &p);
    assert_int_equal(e.frames, 5);
    assert_int_equal(e.ipv4.n[ECN_CE], 1);
    assert_int_equal(e.ipv6.n[ECN_NOT_ECT], 1);
    assert_int_equal(e.not_ip, 1);
    assert_int_equal(e.cut, 2);
    assert_int_equal(e.malformed, 1);
    assert_int_equal(ecn_flow_count(&e), 0);
    ecn_done(&e);
}

struct step {
    bool is_from_b;
    uint32_t seq, ack;
    unsigned flags;
    uint32_t stream;
};

/* What tshark 4.0.17 says of these sequences; tests/capture/judge_corpus.py asks it again. */
static void test_port_reuse(void **state)
{
    (void)state;
    enum { S = TCP_SYN, A = TCP_ACK, SA = TCP_SYN | TCP_ACK, FA = TCP_FIN | TCP_ACK, R = TCP_RST };
    static const struct step reuse[] = {
        {0, 100, 0, S, 0}, {1, 500, 101, SA, 0}, {0, 101, 501, FA, 0}, {1, 501, 102, FA, 0},
        {0, 900, 0, S, 1}, {1, 700, 901, SA, 1}, {0, 101, 501, A, 1},  {0, 100, 0, S, 2}};
    static const struct step same_isn[] = {
        {0, 100, 0, S, 0}, {1, 500, 101, R | A, 0}, {0, 100, 0, S, 0}, {1, 600, 101, SA, 0}};
    static const struct step other_side[] = {
        {0, 100, 0, S, 0}, {1, 500, 101, SA, 0}, {1, 3000, 0, S, 1}, {0, 9, 3001, SA, 1}};
    static const struct step simultaneous[] = {
        {0, 100, 0, S, 0}, {1, 500, 0, S, 0}, {0, 100, 501, SA, 0}};
    static const struct step middle[] = {
        {0, 100, 500, A, 0}, {0, 99, 0, S, 0}, {1, 499, 0, S, 0}, {1, 500, 0, S, 1}};
    static const struct step no_ack[] = {{0, 100, 0, R, 0}, {1, 499, 0, S, 0}, {0, 100, 0, S, 1}};
    static const struct {
        const struct step *steps;
        size_t n;
    } cases[] = {{reuse, LEN(reuse)},           {same_isn, LEN(same_isn)},
                 {other_side, LEN(other_side)}, {simultaneous, LEN(simultaneous)},
                 {middle, LEN(middle)},         {no_ack, LEN(no_ack)}};
    for (size_t i = 0; i < LEN(cases); i++) {
        struct ecn e;
        assert_int_equal(ecn_init(&e, 0, NULL), STATUS_OK);
        uint64_t expected[8] = {0};
        for (size_t s = 0; s < cases[i].n; s++) {
            const struct step *step = &cases[i].steps[s];
            struct packet p = segment(step->is_from_b, step->seq, step->ack, step->flags, 0);
            ecn_add(&e, &p);
            expected[step->stream]++;
        }
        for (uint32_t f = 0; f < ecn_flow_count(&e); f++) {
            const struct ecn_flow *flow = ecn_flow_at(&e, f);
            assert_int_equal(flow->flow->stream, f);
            assert_int_equal(ecn_counts_sum(&flow->dir[0].ack) + ecn_counts_sum(&flow->dir[1].ack),
                             expected[f]);
        }
        assert_int_equal(expected[ecn_flow_count(&e)], 0);
        ecn_done(&e);
    }
}

static struct packet udp_packet(uint32_t host, unsigned port)
{
    struct frame f = {.len = 0};
    put_ipv4(&f, &(struct ipv4_opts){
                     .ecn = ECN_ECT0, .proto = PROTO_UDP, .total_len = 38, .src = host, .dst = 9});
    put_udp(&f, port, 53, 18);
    put_fill(&f, 'x', 10);
    return packet_of(&f, LINK_TYPE_RAW);
}

static void test_many_flows(void **state)
{
    (void)state;
    enum { HOSTS = 300, PORTS = 100 };
    struct ecn e;
    assert_int_equal(ecn_init(&e, 0, NULL), STATUS_OK);
    for (int round = 0; round < 2; round++)
        for (uint32_t host = 0; host < HOSTS; host++)
            for (unsigned port = 0; port < PORTS; port++) {
                struct packet p = udp_packet(host, port);
                ecn_add(&e, &p);
            }
    assert_int_equal(ecn_flow_count(&e), HOSTS * PORTS);
    assert_int_equal(e.flows.udp_streams, HOSTS * PORTS);
    for (uint32_t i = 0; i < ecn_flow_count(&e); i++) {
        assert_int_equal(ecn_flow_at(&e, i)->flow->stream, i);
        assert_int_equal(ecn_flow_at(&e, i)->dir[0].data.n[ECN_ECT0], 2);
    }
    ecn_done(&e);
}

static void test_flow_limit(void **state)
{
    (void)state;
    struct ecn e;
    assert_int_equal(ecn_init(&e, 3, NULL), STATUS_OK);
    for (int round = 0; round < 2; round++)
        for (unsigned port = 1; port <= 5; port++) {
            struct packet p = with_ecn(udp_packet(7, port), ECN_CE);
            ecn_add(&e, &p);
        }
    assert_int_equal(ecn_flow_count(&e), 3);
    assert_int_equal(ecn_flow_at(&e, 2)->dir[0].data.n[ECN_CE], 2);
    assert_int_equal(e.other.data.n[ECN_CE], 4);
    assert_int_equal(ecn_dir_bytes(&e.other), 40);
    assert_int_equal(e.ipv4.n[ECN_CE], 10);
    ecn_done(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split),           cmocka_unit_test(test_udp_is_data),
        cmocka_unit_test(test_what_is_no_flow), cmocka_unit_test(test_port_reuse),
        cmocka_unit_test(test_many_flows),      cmocka_unit_test(test_flow_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
