#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "capture/ecn.h"
#include "capture/verdict.h"
#include "frames.h"

enum { MSS = 1000 };

/* One connection, from client 10.0.0.1:1000 to server 10.0.0.2:2000. */
struct talk {
    struct ecn ecn;
    struct frame f;
    uint64_t frames;
    uint32_t seq;        /* the client's next */
    uint32_t e0, ce, e1; /* the server's counters */
    unsigned ace;
    bool has_no_option;
};

static void begin(struct talk *t)
{
    *t = (struct talk){.seq = 0xfffffff0, .e0 = 1, .e1 = 1, .ace = 5};
    assert_int_equal(ecn_init(&t->ecn, 0, NULL), STATUS_OK);
}

static void say(struct talk *t, bool is_server, unsigned ecn, unsigned flags, uint32_t seq,
                uint32_t ack, uint32_t len, const uint8_t *options, uint32_t options_len)
{
    struct packet p;
    struct frame *f = &t->f;
    f->len = 0;
    put_ipv4(f, &(struct ipv4_opts){.ecn = ecn,
                                    .proto = PROTO_TCP,
                                    .total_len = 40 + options_len + len,
                                    .src = is_server ? 0x0a000002 : 0x0a000001,
                                    .dst = is_server ? 0x0a000001 : 0x0a000002});
    put_tcp(f, &(struct tcp_opts){.sport = is_server ? 2000 : 1000,
                                  .dport = is_server ? 1000 : 2000,
                                  .flags = flags,
                                  .seq = seq,
                                  .ack = ack,
                                  .option_words = options_len / 4});
    if (options_len)
        memcpy(f->data + 40, options, options_len);
    p.frame = ++t->frames;
    p.t_ns = INT64_C(1700000000000000000) + (int64_t)t->frames * 10000000;
    dissect(LINK_TYPE_RAW, f->data, f->len, 40 + options_len + len, &p);
    ecn_add(&t->ecn, &p);
}

static void handshake(struct talk *t, unsigned syn, unsigned synack, unsigned third)
{
    static const uint8_t mss[4] = {2, 4, MSS >> 8, MSS & 0xff};
    say(t, false, 0, TCP_SYN | syn << 6, t->seq - 1, 0, 0, mss, 4);
    say(t, true, 0, TCP_SYN | TCP_ACK | synack << 6, 99, t->seq, 0, mss, 4);
    say(t, false, 0, TCP_ACK | third << 6, t->seq, 100, 0, NULL, 0);
}

/* `n` full segments with the codepoint, and an ACK of them. */
static void transfer(struct talk *t, unsigned ecn, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        say(t, false, ecn == ECN_CE ? ECN_ECT1 : ecn, TCP_ACK | 5u << 6, t->seq, 100, MSS, NULL, 0);
        t->seq += MSS;
    }
    *(ecn == ECN_CE ? &t->ce : ecn == ECN_ECT0 ? &t->e0 : &t->e1) += n * MSS;
    t->ace += ecn == ECN_CE ? n : 0;
    uint8_t option[12] = {172,
                          11,
                          (uint8_t)(t->e0 >> 16),
                          (uint8_t)(t->e0 >> 8),
                          (uint8_t)t->e0,
                          (uint8_t)(t->ce >> 16),
                          (uint8_t)(t->ce >> 8),
                          (uint8_t)t->ce,
                          (uint8_t)(t->e1 >> 16),
                          (uint8_t)(t->e1 >> 8),
                          (uint8_t)t->e1,
                          1};
    say(t, true, 0, TCP_ACK | (t->ace & 7) << 6, 100, t->seq, 0, option, t->has_no_option ? 0 : 12);
}

static const struct ecn_flow *flow_of(const struct talk *t)
{
    assert_int_equal(ecn_flow_count(&t->ecn), 1);
    return ecn_flow_at(&t->ecn, 0);
}

/* RFC 9768 table 2, the rows of an AccECN client, and RFC 3168. */
static void test_negotiation(void **state)
{
    (void)state;
    static const enum ecn_negotiation accurate[8] = {ECN_NONE,     ECN_CLASSIC,  ECN_ACCURATE,
                                                     ECN_ACCURATE, ECN_ACCURATE, ECN_CLASSIC,
                                                     ECN_ACCURATE, ECN_NONE};
    for (unsigned synack = 0; synack < 8; synack++) {
        struct talk t;
        begin(&t);
        handshake(&t, 7, synack, 2);
        assert_int_equal(flow_of(&t)->negotiation, accurate[synack]);
        ecn_done(&t.ecn);
        begin(&t);
        handshake(&t, 3, synack, 0);
        assert_int_equal(flow_of(&t)->negotiation, (synack & 3) == 1 ? ECN_CLASSIC : ECN_NONE);
        ecn_done(&t.ecn);
    }
    struct talk t;
    begin(&t);
    handshake(&t, 0, 0, 0);
    assert_int_equal(flow_of(&t)->negotiation, ECN_NONE);
    ecn_done(&t.ecn);
}

/* The third segment's ACE is the SYN/ACK's codepoint, whatever its value. */
static void test_third_ack(void **state)
{
    (void)state;
    for (unsigned third = 0; third < 8; third++) {
        struct talk t;
        begin(&t);
        handshake(&t, 7, 2, third);
        transfer(&t, ECN_ECT1, 2);
        assert_int_equal(flow_of(&t)->dir[1].accecn.ce_segments, 0);
        assert_int_equal(flow_of(&t)->dir[0].accecn.ce_segments, 0);
        ecn_done(&t.ecn);
    }
}

static void test_wraps(void **state)
{
    (void)state;
    struct talk t;
    begin(&t);
    handshake(&t, 7, 3, 3);
    uint64_t marked = 0, plain = 0;
    for (unsigned i = 0; i < 6000; i++) { /* both counters pass 2^24 */
        unsigned n = 1 + i % 12;
        transfer(&t, i % 2 ? ECN_CE : ECN_ECT1, n);
        *(i % 2 ? &marked : &plain) += n;
    }
    const struct accecn *a = &flow_of(&t)->dir[0].accecn;
    /* The first option is that of the first ACK: what it counted before is not known. */
    assert_int_equal(a->eceb.sum, marked * MSS);
    assert_int_equal(a->ee1b.sum, plain * MSS - MSS);
    assert_int_equal(a->ce_segments, marked);
    assert_int_equal(a->acked_bytes, accecn_bytes(a));
    assert_int_equal(a->ambiguous, 0);
    assert_true(marked * MSS > 1 << 24 && plain * MSS > 1 << 24);
    char text[VERDICT_SIZE];
    flow_verdict(flow_of(&t), text, sizeof(text));
    assert_non_null(strstr(text, "sent ECT(1), 53.8 % of bytes CE according to AccECN, "
                                 "none seen at this capture point"));
    ecn_done(&t.ecn);
}

/* Without options, more than seven marks at once cannot be told from less. */
static void test_ambiguous(void **state)
{
    (void)state;
    struct talk t;
    begin(&t);
    t.has_no_option = true;
    handshake(&t, 7, 2, 2);
    transfer(&t, ECN_CE, 3);
    assert_int_equal(flow_of(&t)->dir[0].accecn.ce_segments, 3);
    assert_int_equal(flow_of(&t)->dir[0].accecn.ambiguous, 0);
    transfer(&t, ECN_CE, 20);
    assert_int_equal(flow_of(&t)->dir[0].accecn.ce_segments, 3 + 20 % 8);
    assert_int_equal(flow_of(&t)->dir[0].accecn.ambiguous, 1);
    ecn_done(&t.ecn);

    /* The next option says how many it were. */
    begin(&t);
    handshake(&t, 7, 2, 2);
    transfer(&t, ECN_ECT1, 1);
    t.has_no_option = true;
    transfer(&t, ECN_CE, 20);
    t.has_no_option = false;
    transfer(&t, ECN_CE, 2);
    assert_int_equal(flow_of(&t)->dir[0].accecn.ce_segments, 22);
    ecn_done(&t.ecn);
}

/* An ACK that was overtaken takes nothing back. */
static void test_reordered(void **state)
{
    (void)state;
    struct talk t;
    begin(&t);
    handshake(&t, 7, 2, 2);
    transfer(&t, ECN_ECT1, 1);
    uint32_t old_ack = t.seq;
    transfer(&t, ECN_CE, 3);
    static const uint8_t old_option[12] = {172, 11, 0, 0, 1, 0, 0, 0, 0, 3, 0xe9, 1};
    say(&t, true, 0, TCP_ACK | 5u << 6, 100, old_ack, 0, old_option, 12);
    transfer(&t, ECN_CE, 1);
    assert_int_equal(flow_of(&t)->dir[0].accecn.ce_segments, 4);
    assert_int_equal(flow_of(&t)->dir[0].accecn.eceb.sum, 4 * MSS);
    ecn_done(&t.ecn);
}

/* From the middle of a connection: options tell what it is, and everything counts from there. */
static void test_no_handshake(void **state)
{
    (void)state;
    struct talk t;
    begin(&t);
    t.ace = 2;
    t.ce = 0xfffff0;
    transfer(&t, ECN_ECT1, 1);
    transfer(&t, ECN_CE, 2);
    assert_int_equal(flow_of(&t)->negotiation, ECN_ACCURATE);
    assert_int_equal(flow_of(&t)->dir[0].accecn.ce_segments, 2);
    assert_int_equal(flow_of(&t)->dir[0].accecn.eceb.sum, 2 * MSS);
    ecn_done(&t.ecn);
}

static void test_classic(void **state)
{
    (void)state;
    struct talk t;
    begin(&t);
    handshake(&t, 3, 1, 0);
    for (int i = 0; i < 9; i++) {
        say(&t, false, 2, TCP_ACK | (i % 3 == 2 ? TCP_CWR : 0), t.seq, 100, MSS, NULL, 0);
        t.seq += MSS;
        say(&t, true, 0, TCP_ACK | (i % 3 ? TCP_ECE : 0), 100, t.seq, 0, NULL, 0);
    }
    const struct ecn_flow *f = flow_of(&t);
    assert_int_equal(f->dir[1].ece, 6);
    assert_int_equal(f->dir[1].ece_episodes, 3);
    assert_int_equal(f->dir[0].cwr, 3);
    assert_int_equal(f->dir[0].accecn.ce_segments, 0);
    char text[VERDICT_SIZE];
    flow_verdict(f, text, sizeof(text));
    assert_non_null(strstr(text, "congestion echoed in 3 episodes"));
    assert_non_null(strstr(text, "not L4S"));
    ecn_done(&t.ecn);
}

static void test_super_frames(void **state)
{
    (void)state;
    struct talk t;
    begin(&t);
    handshake(&t, 7, 2, 2);
    say(&t, false, 1, TCP_ACK | 5u << 6, t.seq, 100, 64 * MSS - 500, NULL, 0);
    say(&t, false, 3, TCP_ACK | 5u << 6, t.seq + 64 * MSS - 500, 100, MSS, NULL, 0);
    const struct ecn_dir *d = &flow_of(&t)->dir[0];
    assert_int_equal(d->data_packets.n[ECN_ECT1], 64);
    assert_int_equal(d->data.n[ECN_ECT1], 1);
    assert_int_equal(d->data_packets.n[ECN_CE], 1);
    assert_int_equal(d->super_frames, 1);
    ecn_done(&t.ecn);
}

static void test_time_stamps(void **state)
{
    (void)state;
    struct talk t;
    begin(&t);
    uint8_t stamp[12] = {1, 1, 8, 10, 0, 0, 0, 7};
    say(&t, false, 1, TCP_ACK, t.seq, 100, MSS, stamp, 12); /* at 10 ms */
    stamp[7] = 9;
    say(&t, false, 1, TCP_ACK, t.seq + MSS, 100, MSS, stamp, 12); /* not waited for */
    uint8_t echo[12] = {1, 1, 8, 10, 0, 0, 1, 0, 0, 0, 0, 7};
    say(&t, true, 0, TCP_ACK, 100, t.seq + MSS, 0, echo, 12); /* at 30 ms */
    echo[11] = 9;
    say(&t, true, 0, TCP_ACK, 100, t.seq + 2 * MSS, 0, echo, 12);
    const struct ecn_dir *d = &flow_of(&t)->dir[0];
    assert_int_equal(d->rtt_stamps.count, 1);
    assert_int_equal(d->rtt_stamps.min_ns, 20000000);
    assert_int_equal(d->rtt.count, 2);
    assert_int_equal(d->rtt.max_ns, 20000000);
    ecn_done(&t.ecn);
}

static void test_marks(void **state)
{
    (void)state;
    struct marks m = {0};
    uint32_t total = 0;
    int64_t start = INT64_C(1700000000500000000);
    assert_true(marks_add(&m, &total, start, false));
    assert_true(marks_add(&m, &total, start + 400000000, true));
    assert_true(marks_add(&m, &total, start + 3600000000, true));
    assert_true(marks_add(&m, &total, start - 900000000, true)); /* a clock that went back */
    assert_int_equal(m.count, 5);
    assert_int_equal(m.bins[0].capable, 3);
    assert_int_equal(m.bins[0].ce, 2);
    assert_int_equal(m.bins[4].ce, 1);
    /* Two hours: bins of two seconds, and nothing lost. */
    for (int64_t s = 10; s < 7200; s++)
        assert_true(marks_add(&m, &total, start + s * 1000000000, true));
    uint64_t sum = 0;
    for (uint32_t i = 0; i < m.count; i++)
        sum += m.bins[i].capable;
    assert_int_equal(sum, 4 + 7190);
    assert_true(m.step_s >= 2 && m.count <= MARKS_BINS && m.cap >= m.count);
    /* The end of time. */
    assert_true(marks_add(&m, &total, INT64_MAX, true));
    assert_true(m.count <= MARKS_BINS);
    marks_done(&m);
    total = MARKS_BINS_TOTAL;
    assert_false(marks_add(&m, &total, start, true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_negotiation), cmocka_unit_test(test_third_ack),
        cmocka_unit_test(test_wraps),       cmocka_unit_test(test_ambiguous),
        cmocka_unit_test(test_reordered),   cmocka_unit_test(test_no_handshake),
        cmocka_unit_test(test_classic),     cmocka_unit_test(test_super_frames),
        cmocka_unit_test(test_time_stamps), cmocka_unit_test(test_marks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
