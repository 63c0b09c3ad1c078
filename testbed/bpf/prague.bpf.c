/* BPF Prague: a TCP congestion control for kernels that lack TCP Prague.
 *
 * It follows draft-briscoe-iccrg-prague-congestion-control: the moving average alpha, a reduction
 * by alpha/2, additive increase in between, a fractional window, RTT independence, pacing. What
 * differs and why is in docs/prague.md; the one thing to know here: ECT(1) is not set by this
 * program (no kernel before 7.0 lets a congestion control do so). It marks its sockets, and an nft
 * rule in the lab's hosts turns the marked sockets' ECT(0) into ECT(1).
 *
 * Registered under two names: bpf_prague_fb also falls back behind classic ECN queues (classic.h).
 *
 * Compiled twice, see CONG_CONTROL_ARGS. */
#include "classic.h"
#include "scalable.h"

#define RTT_VIRT_US  25000 /* flows below this RTT behave as if they had it */
#define INITIAL_CWND 4     /* RFC 3390 */
#define PROBE_PARTS  8     /* the second phase of the start grows by 1/8 a round trip */

/* How the window grows. */
enum phase {
    PHASE_START,     /* doubles every round trip, until the first mark or loss */
    PHASE_PROBE,     /* by 1/PROBE_PARTS every round trip, until the second */
    PHASE_AVOIDANCE, /* by one packet every virtual round trip */
};

struct prague {
    struct alpha alpha;
    struct echo echo;
    __u64 window;        /* 2^-20 packets; tp->snd_cwnd is this, rounded up */
    __u64 alpha_us;      /* time of the last update of alpha */
    __u64 reduced_us;    /* time of the last reduction by a mark */
    __u32 cwnd;          /* the tp->snd_cwnd that we set last */
    __u32 seen_ce;       /* tp->delivered_ce at the last ACK */
    __u32 reduced_until; /* no second reduction before snd_una passes it */
    __u32 prior_cwnd;    /* before a reduction by loss, for undo_cwnd() */
    struct classic classic;
    __u8 phase;
    __u8 is_reducing;   /* reduced_until is valid */
    __u8 has_fallback;  /* bpf_prague_fb */
    __u8 is_marked;     /* a mark waits for its answer: it comes once a virtual round */
    __u8 is_recovering; /* after a loss, until all sent before it is acknowledged: no growth */
};

_Static_assert(sizeof(struct prague) <= sizeof(((struct inet_connection_sock *)0)->icsk_ca_priv),
               "no room in the socket");

static __always_inline struct prague *prague_of(struct sock *sk)
{
    return (struct prague *)((struct inet_connection_sock *)sk)->icsk_ca_priv;
}

static __always_inline __u32 rtt_us(const struct tcp_sock *tp)
{
    return tp->srtt_us >> 3;
}

static __always_inline void set_window(struct tcp_sock *tp, struct prague *p, __u64 window)
{
    __u32 cwnd = (window + ONE_PACKET - 1) >> WINDOW_SHIFT;

    if (cwnd < CWND_MIN) {
        cwnd = CWND_MIN;
        window = CWND_MIN * ONE_PACKET;
    } else if (cwnd > tp->snd_cwnd_clamp) {
        cwnd = tp->snd_cwnd_clamp;
        window = cwnd * ONE_PACKET;
    }
    p->window = window;
    p->cwnd = tp->snd_cwnd = cwnd;
}

/* The kernel sets snd_cwnd too: after time-outs, idle times, spurious losses. */
static __always_inline void adopt_window(struct tcp_sock *tp, struct prague *p)
{
    if (tp->snd_cwnd != p->cwnd)
        set_window(tp, p, (__u64)tp->snd_cwnd << WINDOW_SHIFT);
}

static __always_inline void pace(struct sock *sk, struct tcp_sock *tp, const struct prague *p)
{
    __u64 rate = pacing_rate(tp, p->window, tp->snd_cwnd < tp->snd_ssthresh);

    if (rate > 0)
        sk->sk_pacing_rate = rate;
}

static __always_inline void init(struct sock *sk, bool has_fallback)
{
    struct tcp_sock *tp = (struct tcp_sock *)sk;
    struct prague *p = prague_of(sk);
    __u32 mark = SOCKET_MARK;

    alpha_init(&p->alpha, tp, 0);
    p->echo.prior_rcv_nxt = tp->rcv_nxt;
    p->echo.is_ce = 0;
    p->alpha_us = p->reduced_us = tp->tcp_mstamp;
    p->seen_ce = tp->delivered_ce;
    p->reduced_until = 0;
    p->prior_cwnd = 0;
    p->phase = PHASE_START;
    p->is_reducing = 0;
    p->is_marked = 0;
    p->is_recovering = 0;
    p->has_fallback = has_fallback;
    p->classic.mean_us = p->classic.deviation_us = 0;
    p->classic.score = 0;
    sk->sk_pacing_status = SK_PACING_NEEDED; /* TCP's own pacing: no fq qdisc needed */
    /* The kernel does not pace a connection's first ten segments: an initial window of that size
     * would be a burst that earns the first mark and ends slow start before it began. */
    __u32 cwnd = tp->snd_cwnd;
    set_window(tp, p, (__u64)(cwnd > INITIAL_CWND ? INITIAL_CWND : cwnd) << WINDOW_SHIFT);
    pace(sk, tp, p);
    bpf_setsockopt(sk, SOL_SOCKET, SO_MARK, &mark, sizeof mark);
}

SEC("struct_ops/prague_init")
void BPF_PROG(prague_init, struct sock *sk)
{
    init(sk, 0);
}

SEC("struct_ops/prague_fb_init")
void BPF_PROG(prague_fb_init, struct sock *sk)
{
    init(sk, 1);
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

/* One packet a burst where the pacing rate allows: a window that leaves as one is a queue at the
 * bottleneck. */
SEC("struct_ops/prague_min_tso_segs")
__u32 BPF_PROG(prague_min_tso_segs, struct sock *sk)
{
    return 1;
}

static __always_inline void start_reducing(struct tcp_sock *tp, struct prague *p)
{
    p->reduced_us = tp->tcp_mstamp;
    p->reduced_until = tp->snd_nxt;
    p->is_reducing = 1;
    p->is_marked = 0;
}

/* Loss is answered as Reno does, halving once a recovery (a kernel with cong_control() leaves the
 * window alone there). After a time-out the kernel itself sets it to 1. */
SEC("struct_ops/prague_set_state")
void BPF_PROG(prague_set_state, struct sock *sk, __u8 new_state)
{
    struct tcp_sock *tp = (struct tcp_sock *)sk;
    struct prague *p = prague_of(sk);

    p->is_recovering = new_state == TCP_CA_RECOVERY;
    if (new_state != TCP_CA_RECOVERY && new_state != TCP_CA_LOSS)
        return;
    p->prior_cwnd = tp->snd_cwnd;
    p->phase = PHASE_AVOIDANCE;
    if (new_state == TCP_CA_RECOVERY) {
        adopt_window(tp, p);
        set_window(tp, p, p->window / 2);
        tp->snd_ssthresh = tp->snd_cwnd;
        start_reducing(tp, p);
    }
}

SEC("struct_ops/prague_cwnd_event")
void BPF_PROG(prague_cwnd_event, struct sock *sk, int event)
{
    echo_on_event(&prague_of(sk)->echo, (struct tcp_sock *)sk, event);
}

/* Behind a classic queue marks halve, as losses do. */
static __always_inline bool is_classic(const struct prague *p)
{
    return classic_share(&p->classic) == SCORE_ONE;
}

/* RTT independence is for queues that mark as L4S queues do. Before the first mark, and for ever
 * without ECN, nothing but loss tells of congestion, and Prague is to be as Reno is. */
static __always_inline bool is_rtt_independent(const struct prague *p)
{
    return p->seen_ce > 0 && !is_classic(p);
}

/* RTT independence: alpha is updated, and marks are answered, once a round trip, but not more
 * often than every 25 ms. Flows of different RTT under the same marking then see the same alpha,
 * and answer it equally often: once for every such round in which a mark came, early or late.
 * Waiting for a mark that was sent after the last answer would make the rounds longer, by more the
 * nearer the RTT is to 25 ms, and the window by a fifth larger than the 2/p that the coupling of
 * RFC 9332 reckons with (docs/prague.md). */
static __always_inline bool is_virtual_round_over(const struct tcp_sock *tp, const struct prague *p,
                                                  __u64 since_us)
{
    return p->phase != PHASE_AVOIDANCE || !is_rtt_independent(p) ||
           tp->tcp_mstamp - since_us >= RTT_VIRT_US;
}

/* Is what is being acknowledged older than the last reduction? Its marks have been answered. */
static __always_inline bool is_reducing(const struct tcp_sock *tp, const struct prague *p)
{
    return p->is_reducing && !is_after(tp->snd_una, p->reduced_until);
}

/* Answer to marks. While the window grows fast, alpha knows nothing yet: the answer then is to take
 * one round trip's growth back, to the window that the marked packet was sent with. Halving alone
 * would leave up to half of the path to additive increase: seconds at one packet a round trip. */
static __always_inline void reduce(struct tcp_sock *tp, struct prague *p)
{
    __u64 window = p->window;

    if (!is_virtual_round_over(tp, p, p->reduced_us))
        return;
    if (p->phase == PHASE_START) {
        window /= 2;
        p->phase = PHASE_PROBE;
    } else if (p->phase == PHASE_PROBE) {
        window -= window / (PROBE_PARTS + 1);
        p->phase = PHASE_AVOIDANCE;
    } else {
        __u32 alpha = at_least(alpha_get(&p->alpha), classic_share(&p->classic) << 12);
        /* Half a unit of the result is added against a bias by truncation. */
        window -= ((window >> 5) * alpha + (1 << 15)) >> 16;
    }
    set_window(tp, p, window);
    tp->snd_ssthresh = tp->snd_cwnd;
    start_reducing(tp, p);
}

/* Growth by `acked` unmarked packets, also in the round trip after a reduction. */
static __always_inline void grow(struct tcp_sock *tp, struct prague *p, __u32 acked)
{
    __u64 window = p->window, gain = ONE_PACKET;
    __u32 rtt = rtt_us(tp);

    if (tp->snd_cwnd < tp->snd_ssthresh) {
        window += acked * ONE_PACKET;
    } else if (p->phase == PHASE_PROBE) {
        if (is_reducing(tp, p))
            return; /* first let go what slow start has queued */
        window += acked * ONE_PACKET / PROBE_PARTS;
    } else {
        /* One packet a round trip, at short RTT scaled by (RTT/25 ms)^2: one packet in 25 ms
         * would already be RTT/25 ms, and the window for the same rate is smaller by as much. */
        if (is_rtt_independent(p) && rtt < RTT_VIRT_US)
            gain = ((__u64)rtt * rtt << WINDOW_SHIFT) / ((__u64)RTT_VIRT_US * RTT_VIRT_US);
        window += (acked * gain << WINDOW_SHIFT) / window;
    }
    set_window(tp, p, window);
}

static __always_inline void on_ack(struct sock *sk, const struct rate_sample *rs)
{
    struct tcp_sock *tp = (struct tcp_sock *)sk;
    struct prague *p = prague_of(sk);
    __u32 acked = rs->acked_sacked > 0 ? rs->acked_sacked : 0;
    __u32 ce = tp->delivered_ce - p->seen_ce;

    p->seen_ce = tp->delivered_ce;
    adopt_window(tp, p);
    if (alpha_is_round_over(&p->alpha, tp) && is_virtual_round_over(tp, p, p->alpha_us)) {
        alpha_update(&p->alpha, tp);
        p->alpha_us = tp->tcp_mstamp;
        if (p->has_fallback && p->phase == PHASE_AVOIDANCE && p->seen_ce > 0)
            classic_update(&p->classic, rtt_us(tp), tp->rtt_min.s[0].v);
    }
    /* Where an answer is half of the window, marks of before it must not earn a second one. Else
     * every round that saw a mark ends with an answer: see is_virtual_round_over(). */
    bool is_halving = p->phase != PHASE_AVOIDANCE || is_classic(p);
    if (ce > 0 && !(is_halving && is_reducing(tp, p)))
        p->is_marked = 1;
    if (p->is_marked && !is_reducing(tp, p))
        reduce(tp, p);
    if (acked > ce && !rs->is_app_limited && !p->is_recovering)
        grow(tp, p, acked - ce);
    pace(sk, tp, p);
}

SEC("struct_ops/prague_cong_control")
void BPF_PROG(prague_cong_control, CONG_CONTROL_ARGS)
{
    on_ack(sk, rs);
}

#define PRAGUE_OPS(init_op, name_text)                                                             \
    {                                                                                              \
        .flags = TCP_CONG_NON_RESTRICTED | TCP_CONG_NEEDS_ECN, .init = (void *)(init_op),          \
        .ssthresh = (void *)prague_ssthresh, .set_state = (void *)prague_set_state,                \
        .cwnd_event = (void *)prague_cwnd_event, .undo_cwnd = (void *)prague_undo_cwnd,            \
        .min_tso_segs = (void *)prague_min_tso_segs, .cong_control = (void *)prague_cong_control,  \
        .name = name_text,                                                                         \
    }

SEC(".struct_ops")
struct tcp_congestion_ops bpf_prague = PRAGUE_OPS(prague_init, "bpf_prague");

SEC(".struct_ops")
struct tcp_congestion_ops bpf_prague_fb = PRAGUE_OPS(prague_fb_init, "bpf_prague_fb");

char _license[] SEC("license") = "Dual MIT/GPL";
