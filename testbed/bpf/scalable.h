/* What the two scalable congestion controls share: alpha, the estimate of the share of marked
 * packets, and DCTCP's feedback (RFC 8257), which both use over RFC 3168 ECN, as stock kernels do
 * not negotiate AccECN. Both ends of a flow must run one of the two. */
#ifndef CCALAB_BPF_SCALABLE_H
#define CCALAB_BPF_SCALABLE_H

#include "kernel.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define ALPHA_ONE   (1u << 20) /* alpha and fractions are in units of 2^-20 */
#define ALPHA_SHIFT 4          /* EWMA gain g = 1/16 */
#define CWND_MIN    2

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
