/* What the two scalable congestion controls share: alpha, the estimate of the share of marked
 * packets, and DCTCP's feedback (RFC 8257), which both use over RFC 3168 ECN, as stock kernels do
 * not negotiate AccECN. Both ends of a flow must run one of the two. */
#ifndef CCALAB_BPF_SCALABLE_H
#define CCALAB_BPF_SCALABLE_H

#include "kernel.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/* cong_control() got two arguments more in Linux 6.10: what has one is compiled twice, with
 * -DOLD_CONG_CONTROL for the kernels before. */
#ifdef OLD_CONG_CONTROL
#define CONG_CONTROL_ARGS struct sock *sk, const struct rate_sample *rs
#else
#define CONG_CONTROL_ARGS struct sock *sk, __u32 ack, int flag, const struct rate_sample *rs
#endif

#define ALPHA_ONE   (1u << 20) /* alpha and fractions are in units of 2^-20 */
#define ALPHA_SHIFT 4          /* EWMA gain g = 1/16 */
#define CWND_MIN    2

#define SOCKET_MARK 0x4c34 /* "L4"; testbed/build.c has the rule that makes it ECT(1) */

#define WINDOW_SHIFT 20 /* a window has a fractional part of 20 bits */
#define ONE_PACKET   (1ull << WINDOW_SHIFT)

/* Pacing, per cent of window/srtt. In steady state a little more than 100: what is lost by a late
 * timer is made up for, and the window limits, not the timer. In the first phase of the start 150,
 * not the usual 200: exponential growth alone makes 139 of it (2 ln 2); what is above only sends in
 * bursts, and earns the first mark at half of the path's capacity. */
#define PACE_START_PERCENT 150
#define PACE_PERCENT       103

/* The sender's estimate. Kept as alpha/g: what a shift by ALPHA_SHIFT would cut off at every update
 * is then not lost, and alpha can decay to 0. */
struct alpha {
    __u32 scaled;          /* alpha * 16 */
    __u32 round_end;       /* the round is over when snd_una passes it */
    __u32 round_delivered; /* tp->delivered at the round's start */
    __u32 round_ce;        /* tp->delivered_ce at the round's start */
};

/* The receiver's half. */
struct echo {
    __u32 prior_rcv_nxt; /* rcv_nxt before the last packet */
    __u8 is_ce;          /* the last packet carried CE */
};

static __always_inline bool is_after(__u32 a, __u32 b)
{
    return (__s32)(a - b) > 0;
}

static __always_inline __u32 at_least(__u32 a, __u32 b)
{
    return a > b ? a : b;
}

static __always_inline void alpha_start_round(struct alpha *a, const struct tcp_sock *tp)
{
    a->round_end = tp->snd_nxt;
    a->round_delivered = tp->delivered;
    a->round_ce = tp->delivered_ce;
}

static __always_inline void alpha_init(struct alpha *a, const struct tcp_sock *tp, __u32 alpha)
{
    a->scaled = alpha << ALPHA_SHIFT;
    alpha_start_round(a, tp);
}

static __always_inline __u32 alpha_get(const struct alpha *a)
{
    return a->scaled >> ALPHA_SHIFT;
}

/* Has all been acknowledged that was under way when the round began? */
static __always_inline bool alpha_is_round_over(const struct alpha *a, const struct tcp_sock *tp)
{
    return !is_after(a->round_end, tp->snd_una);
}

/* End of a round: alpha += (F - alpha) / 16, F being the share of packets that carried CE. */
static __always_inline void alpha_update(struct alpha *a, const struct tcp_sock *tp)
{
    __u32 delivered = tp->delivered - a->round_delivered;
    __u32 ce = tp->delivered_ce - a->round_ce;

    if (delivered > 0) {
        __u64 f = (__u64)ce * ALPHA_ONE / delivered;
        if (f > ALPHA_ONE)
            f = ALPHA_ONE;
        a->scaled = a->scaled - (a->scaled >> ALPHA_SHIFT) + (__u32)f;
    }
    alpha_start_round(a, tp);
}

/* RFC 8257 section 3.3, step 9: cwnd *= 1 - alpha/2. */
static __always_inline __u32 alpha_reduced(__u32 cwnd, __u32 alpha)
{
    return at_least(cwnd - (__u32)((__u64)cwnd * alpha >> 21), CWND_MIN);
}

/* Bytes a second at which a window leaves in one round trip; 0 before that is known. */
static __always_inline __u64 pacing_rate(const struct tcp_sock *tp, __u64 window, bool is_doubling)
{
    __u64 srtt = tp->srtt_us;

    if (srtt == 0)
        return 0;
    __u64 rate = (window * tp->mss_cache >> WINDOW_SHIFT) * (8 * 1000000ull) / srtt;
    return rate * (is_doubling ? PACE_START_PERCENT : PACE_PERCENT) / 100;
}

static __always_inline void echo_set(struct tcp_sock *tp, __u8 is_ce)
{
    if (is_ce)
        tp->ecn_flags |= TCP_ECN_DEMAND_CWR;
    else
        tp->ecn_flags &= ~TCP_ECN_DEMAND_CWR;
}

/* cwnd_event() of both (RFC 8257 section 3.2): ECE follows CE packet by packet. Where the mark
 * changes while an ACK is being delayed, that ACK goes out first with the old state. */
static __always_inline void echo_on_event(struct echo *e, struct tcp_sock *tp, int event)
{
    struct inet_connection_sock *icsk = (struct inet_connection_sock *)tp;

    if (event != CA_EVENT_ECN_IS_CE && event != CA_EVENT_ECN_NO_CE)
        return;
    __u8 is_ce = event == CA_EVENT_ECN_IS_CE;
    if (e->is_ce != is_ce) {
        if (icsk->icsk_ack.pending & ICSK_ACK_TIMER) {
            echo_set(tp, e->is_ce);
            bpf_tcp_send_ack(tp, e->prior_rcv_nxt);
        }
        icsk->icsk_ack.pending |= ICSK_ACK_NOW;
    }
    e->prior_rcv_nxt = tp->rcv_nxt;
    e->is_ce = is_ce;
    echo_set(tp, is_ce);
}

#endif
