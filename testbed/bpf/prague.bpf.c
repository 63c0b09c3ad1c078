/* BPF Prague: a TCP congestion control for kernels that lack TCP Prague.
 *
 * It follows draft-briscoe-iccrg-prague-congestion-control in its response to marks (section 2.3),
 * its RTT independence and its pacing. It differs in its feedback: stock kernels have no AccECN,
 * so it uses DCTCP's echo (RFC 8257 section 3.2) over RFC 3168 ECN, and both ends must run it.
 * ECT(1) is not set here either (no kernel before 7.0 lets a congestion control do so): the socket
 * is marked, and an nft rule in the lab's hosts turns the marked socket's ECT(0) into ECT(1).
 *
 * Compiled twice: cong_control() takes (sk, ack, flag, rs) since kernel 6.10, (sk, rs) before;
 * -DPRAGUE_OLD_CONG_CONTROL makes the old one. */
#include "kernel.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define SOCKET_MARK 0x4c34 /* "L4"; testbed/topology.c has the rule that looks for it */

#define ALPHA_ONE    (1u << 20) /* alpha and fractions are in units of 2^-20 */
#define ALPHA_SHIFT  4          /* EWMA gain g = 1/16 */
#define FRAC_SHIFT   16         /* cwnd has a fractional part of 16 bits */
#define RTT_REF_US   25000      /* flows below this RTT grow as if they had it */
#define CWND_MIN     2
#define INITIAL_CWND 4 /* RFC 3390 */

struct prague {
    __u32 alpha;
    __u32 cwnd_frac;       /* 2^-16 packets */
    __u32 round_end;       /* the round is over when snd_una passes it */
    __u32 round_delivered; /* tp->delivered at the round's start */
    __u32 round_ce;        /* tp->delivered_ce at the round's start */
    __u32 seen_ce;         /* tp->delivered_ce at the last ACK */
    __u32 reduced_until;   /* no second reduction before snd_una passes it */
    __u32 prior_cwnd;      /* before a reduction by loss, for undo_cwnd() */
    __u32 prior_rcv_nxt;   /* receiver: rcv_nxt before the last packet */
    __u8 is_ce;            /* receiver: the last packet carried CE */
    __u8 has_left_startup; /* the first mark or loss was seen */
    __u8 is_reducing;      /* reduced_until is valid */
    __u8 has_ecn;          /* ECN was negotiated */
};

static __always_inline struct prague *prague_of(struct sock *sk)
{
    return (struct prague *)((struct inet_connection_sock *)sk)->icsk_ca_priv;
}

static __always_inline bool is_after(__u32 a, __u32 b)
{
    return (__s32)(a - b) > 0;
}

static __always_inline __u32 at_least(__u32 a, __u32 b)
{
    return a > b ? a : b;
}

/* cwnd/srtt, twice that in slow start. */
static __always_inline void pace(struct sock *sk, struct tcp_sock *tp)
{
    __u64 srtt = tp->srtt_us;

    if (srtt == 0)
        return;
    __u64 rate = (__u64)tp->snd_cwnd * tp->mss_cache * (8 * 1000000ull) / srtt;
    if (tp->snd_cwnd < tp->snd_ssthresh)
        rate *= 2;
    sk->sk_pacing_rate = rate;
}

SEC("struct_ops/prague_init")
void BPF_PROG(prague_init, struct sock *sk)
{
    struct tcp_sock *tp = (struct tcp_sock *)sk;
    struct prague *p = prague_of(sk);
    __u32 mark = SOCKET_MARK;

    p->alpha = 0;
    p->cwnd_frac = 0;
    p->round_end = tp->snd_nxt;
    p->round_delivered = tp->delivered;
    p->round_ce = p->seen_ce = tp->delivered_ce;
    p->reduced_until = 0;
    p->prior_cwnd = 0;
    p->prior_rcv_nxt = tp->rcv_nxt;
    p->is_ce = 0;
    p->has_left_startup = 0;
    p->is_reducing = 0;
    p->has_ecn = tp->ecn_flags & TCP_ECN_OK;
    sk->sk_pacing_status = SK_PACING_NEEDED; /* TCP's own pacing: no fq qdisc needed */
    /* The kernel does not pace a connection's first ten segments: an initial window of that size
     * would be a burst that earns the first mark and ends slow start before it began. */
    if (tp->snd_cwnd > INITIAL_CWND)
        tp->snd_cwnd = INITIAL_CWND;
    pace(sk, tp);
    bpf_setsockopt(sk, SOL_SOCKET, SO_MARK, &mark, sizeof mark);
}

/* Asked on entering CWR, Recovery and Loss. Only the last takes its answer from here (slow start up
 * to half of the old window); marks and fast recovery set snd_ssthresh themselves. */
SEC("struct_ops/prague_ssthresh")
__u32 BPF_PROG(prague_ssthresh, struct sock *sk)
{
    return at_least(((struct tcp_sock *)sk)->snd_cwnd / 2, CWND_MIN);
}

SEC("struct_ops/prague_undo_cwnd")
__u32 BPF_PROG(prague_undo_cwnd, struct sock *sk)
{
    return at_least(((struct tcp_sock *)sk)->snd_cwnd, prague_of(sk)->prior_cwnd);
}

/* One packet a burst: a window that leaves as one is a queue at the bottleneck. */
SEC("struct_ops/prague_min_tso_segs")
__u32 BPF_PROG(prague_min_tso_segs, struct sock *sk)
{
    return 1;
}

/* Loss is answered as Reno does, halving once a recovery (a kernel with cong_control() leaves the
 * window alone there). After a time-out the kernel itself sets it to 1. */
SEC("struct_ops/prague_set_state")
void BPF_PROG(prague_set_state, struct sock *sk, __u8 new_state)
{
    struct tcp_sock *tp = (struct tcp_sock *)sk;
    struct prague *p = prague_of(sk);

    if (new_state == TCP_CA_RECOVERY) {
        __u32 half = at_least(tp->snd_cwnd / 2, CWND_MIN);
        p->prior_cwnd = tp->snd_cwnd;
        tp->snd_cwnd = half;
        tp->snd_ssthresh = half;
        p->cwnd_frac = 0;
        p->has_left_startup = 1;
        p->reduced_until = tp->snd_nxt;
        p->is_reducing = 1;
    } else if (new_state == TCP_CA_LOSS) {
        p->prior_cwnd = tp->snd_cwnd;
        p->cwnd_frac = 0;
        p->has_left_startup = 1;
    }
}

static __always_inline void set_echo(struct tcp_sock *tp, __u8 is_ce)
{
    if (is_ce)
        tp->ecn_flags |= TCP_ECN_DEMAND_CWR;
    else
        tp->ecn_flags &= ~TCP_ECN_DEMAND_CWR;
}

/* The receiver's half (RFC 8257 section 3.2): ECE follows CE packet by packet. Where the mark
 * changes while an ACK is being delayed, that ACK goes out first with the old state. */
SEC("struct_ops/prague_cwnd_event")
void BPF_PROG(prague_cwnd_event, struct sock *sk, int ev)
{
    struct tcp_sock *tp = (struct tcp_sock *)sk;
    struct inet_connection_sock *icsk = (struct inet_connection_sock *)sk;
    struct prague *p = prague_of(sk);

    if (ev != CA_EVENT_ECN_IS_CE && ev != CA_EVENT_ECN_NO_CE)
        return;
    __u8 is_ce = ev == CA_EVENT_ECN_IS_CE;
    if (p->is_ce != is_ce) {
        if (icsk->icsk_ack.pending & ICSK_ACK_TIMER) {
            set_echo(tp, p->is_ce);
            bpf_tcp_send_ack(tp, p->prior_rcv_nxt);
        }
        icsk->icsk_ack.pending |= ICSK_ACK_NOW;
    }
    p->prior_rcv_nxt = tp->rcv_nxt;
    p->is_ce = is_ce;
    set_echo(tp, is_ce);
}

/* Once a round trip: alpha += (F - alpha) / 16, F being the share of marked packets. */
static __always_inline void update_alpha(struct tcp_sock *tp, struct prague *p)
{
    if (is_after(p->round_end, tp->snd_una))
        return;
    __u32 delivered = tp->delivered - p->round_delivered;
    __u32 ce = tp->delivered_ce - p->round_ce;
    if (delivered > 0) {
        __u64 f = (__u64)ce * ALPHA_ONE / delivered;
        if (f > ALPHA_ONE)
            f = ALPHA_ONE;
        p->alpha = p->alpha - (p->alpha >> ALPHA_SHIFT) + (__u32)(f >> ALPHA_SHIFT);
    }
    p->round_end = tp->snd_nxt;
    p->round_delivered = tp->delivered;
    p->round_ce = tp->delivered_ce;
}

/* Answer to a mark, at most once a round trip: cwnd *= 1 - alpha/2. The first mark of all halves,
 * as alpha knows nothing yet; starting alpha at 1 instead would go on halving for many rounds. */
static __always_inline void reduce(struct tcp_sock *tp, struct prague *p)
{
    if (p->is_reducing && is_after(p->reduced_until, tp->snd_una))
        return;
    __u32 alpha = p->has_left_startup ? p->alpha : ALPHA_ONE;
    __u64 window = ((__u64)tp->snd_cwnd << FRAC_SHIFT) + p->cwnd_frac;
    window -= window * (alpha >> 4) >> 17; /* alpha/2 with 16 bits: no overflow below 2^31 */
    __u32 cwnd = window >> FRAC_SHIFT;
    p->cwnd_frac = window & ((1 << FRAC_SHIFT) - 1);
    if (cwnd < CWND_MIN) {
        cwnd = CWND_MIN;
        p->cwnd_frac = 0;
    }
    tp->snd_cwnd = cwnd;
    tp->snd_ssthresh = cwnd;
    p->has_left_startup = 1;
    p->reduced_until = tp->snd_nxt;
    p->is_reducing = 1;
}

/* Growth by `acked` unmarked packets. In congestion avoidance one packet a round trip, scaled by
 * (srtt/25 ms)^2 below that RTT, so that a short path has no advantage. */
static __always_inline void grow(struct tcp_sock *tp, struct prague *p, __u32 acked)
{
    __u32 cwnd = tp->snd_cwnd;

    if (cwnd < tp->snd_ssthresh) {
        cwnd += acked;
    } else {
        __u64 rtt_us = tp->srtt_us >> 3;
        __u64 gain = 1 << FRAC_SHIFT;
        if (p->has_ecn && rtt_us < RTT_REF_US)
            gain = (rtt_us * rtt_us << FRAC_SHIFT) / ((__u64)RTT_REF_US * RTT_REF_US);
        __u64 frac = p->cwnd_frac + acked * gain / at_least(cwnd, 1);
        cwnd += frac >> FRAC_SHIFT;
        p->cwnd_frac = frac & ((1 << FRAC_SHIFT) - 1);
    }
    if (cwnd > tp->snd_cwnd_clamp)
        cwnd = tp->snd_cwnd_clamp;
    tp->snd_cwnd = cwnd;
}

static __always_inline void on_ack(struct sock *sk, const struct rate_sample *rs)
{
    struct tcp_sock *tp = (struct tcp_sock *)sk;
    struct prague *p = prague_of(sk);
    __u32 acked = rs->acked_sacked > 0 ? rs->acked_sacked : 0;
    __u32 ce = tp->delivered_ce - p->seen_ce;

    p->seen_ce = tp->delivered_ce;
    update_alpha(tp, p);
    if (ce > 0)
        reduce(tp, p);
    if (acked > ce && !rs->is_app_limited && rs->losses == 0)
        grow(tp, p, acked - ce);
    pace(sk, tp);
}

#ifdef PRAGUE_OLD_CONG_CONTROL
SEC("struct_ops/prague_cong_control")
void BPF_PROG(prague_cong_control, struct sock *sk, const struct rate_sample *rs)
{
    on_ack(sk, rs);
}
#else
SEC("struct_ops/prague_cong_control")
void BPF_PROG(prague_cong_control, struct sock *sk, __u32 ack, int flag,
              const struct rate_sample *rs)
{
    on_ack(sk, rs);
}
#endif

SEC(".struct_ops")
struct tcp_congestion_ops bpf_prague = {
    .flags = TCP_CONG_NON_RESTRICTED | TCP_CONG_NEEDS_ECN,
    .init = (void *)prague_init,
    .ssthresh = (void *)prague_ssthresh,
    .set_state = (void *)prague_set_state,
    .cwnd_event = (void *)prague_cwnd_event,
    .undo_cwnd = (void *)prague_undo_cwnd,
    .min_tso_segs = (void *)prague_min_tso_segs,
    .cong_control = (void *)prague_cong_control,
    .name = "bpf_prague",
};

char _license[] SEC("license") = "Dual MIT/GPL";
