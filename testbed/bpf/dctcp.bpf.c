/* BPF DCTCP: Data Center TCP (RFC 8257) for kernels without tcp_dctcp.
 *
 * Sent as ECT(0), as the RFC has it: it is no L4S traffic, and does not mark its sockets as
 * prague.bpf.c does. A DualPI2 queue treats it as classic; who wants to see it in the L queue sets
 * the socket mark 0x4c34 (docs/prague.md).
 *
 * All but the size of the reduction is the kernel's own Reno: slow start, one packet a round trip,
 * proportional rate reduction down to what ssthresh() returns. */
#include "scalable.h"

struct dctcp {
    struct alpha alpha;
    struct echo echo;
    __u32 prior_cwnd; /* before the last reduction, for undo_cwnd() */
};

extern void tcp_reno_cong_avoid(struct sock *sk, __u32 ack, __u32 acked) __ksym;

static __always_inline struct dctcp *dctcp_of(struct sock *sk)
{
    return (struct dctcp *)((struct inet_connection_sock *)sk)->icsk_ca_priv;
}

SEC("struct_ops/dctcp_init")
void BPF_PROG(dctcp_init, struct sock *sk)
{
    struct tcp_sock *tp = (struct tcp_sock *)sk;
    struct dctcp *d = dctcp_of(sk);

    alpha_init(&d->alpha, tp, ALPHA_ONE); /* section 3.3: 1, so that the first mark halves */
    d->echo.prior_rcv_nxt = tp->rcv_nxt;
    d->echo.is_ce = 0;
    d->prior_cwnd = tp->snd_cwnd;
}

/* Asked on entering CWR, Recovery and Loss: the answer is what the window goes down to. Loss is
 * answered as marks are; set_state() then corrects it for losses (section 3.5). */
SEC("struct_ops/dctcp_ssthresh")
__u32 BPF_PROG(dctcp_ssthresh, struct sock *sk)
{
    struct tcp_sock *tp = (struct tcp_sock *)sk;
    struct dctcp *d = dctcp_of(sk);

    d->prior_cwnd = tp->snd_cwnd;
    return alpha_reduced(tp->snd_cwnd, alpha_get(&d->alpha));
}

/* Section 3.5: packet loss is answered as any TCP does. */
SEC("struct_ops/dctcp_set_state")
void BPF_PROG(dctcp_set_state, struct sock *sk, __u8 new_state)
{
    struct tcp_sock *tp = (struct tcp_sock *)sk;
    struct dctcp *d = dctcp_of(sk);

    if (new_state == TCP_CA_RECOVERY || new_state == TCP_CA_LOSS)
        tp->snd_ssthresh = at_least(d->prior_cwnd / 2, CWND_MIN);
}

SEC("struct_ops/dctcp_undo_cwnd")
__u32 BPF_PROG(dctcp_undo_cwnd, struct sock *sk)
{
    return at_least(((struct tcp_sock *)sk)->snd_cwnd, dctcp_of(sk)->prior_cwnd);
}

SEC("struct_ops/dctcp_in_ack_event")
void BPF_PROG(dctcp_in_ack_event, struct sock *sk, __u32 flags)
{
    struct tcp_sock *tp = (struct tcp_sock *)sk;
    struct dctcp *d = dctcp_of(sk);

    if (alpha_is_round_over(&d->alpha, tp))
        alpha_update(&d->alpha, tp);
}

SEC("struct_ops/dctcp_cong_avoid")
void BPF_PROG(dctcp_cong_avoid, struct sock *sk, __u32 ack, __u32 acked)
{
    tcp_reno_cong_avoid(sk, ack, acked);
}

SEC("struct_ops/dctcp_cwnd_event")
void BPF_PROG(dctcp_cwnd_event, struct sock *sk, int event)
{
    echo_on_event(&dctcp_of(sk)->echo, (struct tcp_sock *)sk, event);
}

SEC(".struct_ops")
struct tcp_congestion_ops bpf_dctcp = {
    .flags = TCP_CONG_NON_RESTRICTED | TCP_CONG_NEEDS_ECN,
    .init = (void *)dctcp_init,
    .ssthresh = (void *)dctcp_ssthresh,
    .set_state = (void *)dctcp_set_state,
    .cwnd_event = (void *)dctcp_cwnd_event,
    .in_ack_event = (void *)dctcp_in_ack_event,
    .undo_cwnd = (void *)dctcp_undo_cwnd,
    .cong_avoid = (void *)dctcp_cong_avoid,
    .name = "bpf_dctcp",
};

char _license[] SEC("license") = "Dual MIT/GPL";
