/* TCP congestion control `netllm`: the window is what a program in user space has decided
 * (testbed/agent.c; docs/drive.md).
 *
 * It tells that program of each flow's open, close and, once an interval, its counters, through a
 * ring buffer, and takes windows and pacing rates from a memory-mapped array at the next ACK.
 * Nothing that stands there can harm: a window is at least 2 packets and at most what the socket
 * allows, a pacing rate at least two packets a round trip. Where the last decision is older than
 * max(200 ms, 4 RTT), where there is none yet, or nobody decides any more, additive increase and
 * multiplicative decrease take over, until decisions come again.
 *
 * ECT(1) is set as for BPF Prague, by a mark on the socket. Both ends of a flow must run it: the
 * receiver's half is DCTCP's echo.
 *
 * Compiled twice, see CONG_CONTROL_ARGS. */
#include "scalable.h"

#include "agent_abi.h"

#define SLOT_TRIES 64 /* for a free slot, from where the last one was found */
#define AF_INET6   10
/* SYN and FIN count as a byte each: who has more acknowledged is a sender. */
#define HANDSHAKE_BYTES 2

struct netllm {
    struct alpha alpha;
    struct echo echo;
    __u64 sampled_ns;
    __u32 slot;          /* + 1; 0: none, nobody drives this flow */
    __u32 generation;    /* of the slot */
    __u32 seq;           /* of the last decision */
    __u32 age_us;        /* of it */
    __u32 takeovers;     /* by the watchdog */
    __u32 growth;        /* packets acknowledged since the window grew */
    __u32 rtt_us;        /* the last that was measured */
    __u32 seen_ce;       /* tp->delivered_ce at the last ACK */
    __u32 reduced_until; /* no second reduction by marks before snd_una passes it */
    __u32 prior_cwnd;    /* before a reduction by loss, for undo_cwnd() */
    __u8 ca_state;
    __u8 is_init; /* ACKs come before init() too: that of the SYN */
    __u8 has_asked;
    __u8 is_driven;
    __u8 is_clamped;
    __u8 is_reducing; /* reduced_until is valid */
};

_Static_assert(sizeof(struct netllm) <= sizeof(((struct inet_connection_sock *)0)->icsk_ca_priv),
               "no room in the socket");

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, AGENT_RING_BYTES);
} events SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, AGENT_SLOTS);
    __type(key, __u32);
    __type(value, struct agent_decision);
} decisions SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, AGENT_SLOTS);
    __type(key, __u32);
    __type(value, __u32); /* generation of the flow that has it; 0: free */
} slots SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct agent_settings);
} settings SEC(".maps");

/* Records that found no room in the ring buffer. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u64);
} dropped SEC(".maps");

__u32 next_slot, next_generation;

static __always_inline struct netllm *netllm_of(struct sock *sk)
{
    return (struct netllm *)((struct inet_connection_sock *)sk)->icsk_ca_priv;
}

static __always_inline __u32 ect(void)
{
    __u32 zero = 0;
    struct agent_settings *s = bpf_map_lookup_elem(&settings, &zero);
    return s ? s->ect : AGENT_NOT_ECT;
}

SEC("struct_ops/netllm_init")
void BPF_PROG(netllm_init, struct sock *sk)
{
    struct tcp_sock *tp = (struct tcp_sock *)sk;
    struct netllm *n = netllm_of(sk);
    __u32 mark = SOCKET_MARK;

    alpha_init(&n->alpha, tp, ALPHA_ONE);
    n->echo.prior_rcv_nxt = tp->rcv_nxt;
    n->echo.is_ce = 0;
    n->sampled_ns = 0;
    n->slot = n->generation = n->seq = n->age_us = n->takeovers = 0;
    n->growth = n->rtt_us = 0;
    n->seen_ce = tp->delivered_ce;
    n->reduced_until = n->prior_cwnd = 0;
    n->ca_state = 0;
    n->has_asked = n->is_driven = n->is_clamped = n->is_reducing = 0;
    n->is_init = 1;
    sk->sk_pacing_status = SK_PACING_NEEDED;
    if (ect() == AGENT_ECT1)
        bpf_setsockopt(sk, SOL_SOCKET, SO_MARK, &mark, sizeof mark);
}

/* --- what is told ----------------------------------------------------------------------------- */

static __always_inline void fill_header(struct agent_header *h, const struct tcp_sock *tp,
                                        const struct netllm *n, __u32 kind, __u64 now_ns)
{
    h->kind = kind;
    h->slot = n->slot - 1;
    h->generation = n->generation;
    h->mss = tp->mss_cache;
    h->t_ns = now_ns;
}

static __always_inline void count_dropped(void)
{
    __u32 zero = 0;
    __u64 *count = bpf_map_lookup_elem(&dropped, &zero);
    if (count)
        __sync_fetch_and_add(count, 1);
}

static __always_inline void find_slot(struct netllm *n)
{
    __u32 generation = __sync_fetch_and_add(&next_generation, 1) + 1;
    __u32 first = __sync_fetch_and_add(&next_slot, 1);

    if (generation == 0)
        generation = 1;
    for (__u32 i = 0; i < SLOT_TRIES; i++) {
        __u32 slot = (first + i) & (AGENT_SLOTS - 1);
        __u32 *owner = bpf_map_lookup_elem(&slots, &slot);
        if (owner && __sync_val_compare_and_swap(owner, 0, generation) == 0) {
            n->slot = slot + 1;
            n->generation = generation;
            return;
        }
    }
}

static __always_inline void tell_open(struct sock *sk, const struct netllm *n, __u64 now_ns)
{
    const struct sock_common *c = &sk->__sk_common;
    struct agent_open *o = bpf_ringbuf_reserve(&events, sizeof *o, 0);

    if (!o) {
        count_dropped();
        return;
    }
    fill_header(&o->h, (struct tcp_sock *)sk, n, AGENT_OPEN, now_ns);
    o->netns = c->skc_net.net->ns.inum;
    o->family = c->skc_family;
    o->local_port = c->skc_num;
    o->remote_port = __builtin_bswap16(c->skc_dport);
    o->reserved = 0;
    __builtin_memset(o->local, 0, sizeof o->local);
    __builtin_memset(o->remote, 0, sizeof o->remote);
    __u32 *local = (__u32 *)o->local, *remote = (__u32 *)o->remote;
    if (o->family == AF_INET6) {
        for (int i = 0; i < 4; i++) {
            local[i] = c->skc_v6_rcv_saddr.in6_u.u6_addr32[i];
            remote[i] = c->skc_v6_daddr.in6_u.u6_addr32[i];
        }
    } else {
        local[0] = c->skc_rcv_saddr;
        remote[0] = c->skc_daddr;
    }
    bpf_ringbuf_submit(o, 0);
}

static __always_inline void tell(struct sock *sk, const struct netllm *n, __u32 kind,
                                 bool is_app_limited, __u64 now_ns)
{
    struct tcp_sock *tp = (struct tcp_sock *)sk;
    struct agent_sample *s = bpf_ringbuf_reserve(&events, sizeof *s, 0);

    if (!s) {
        count_dropped();
        return;
    }
    fill_header(&s->h, tp, n, kind, now_ns);
    s->bytes_acked = tp->bytes_acked;
    __u32 rate_us = tp->rate_interval_us;
    s->delivery_rate =
        rate_us ? (__u64)tp->rate_delivered * tp->mss_cache * 1000000ull / rate_us : 0;
    s->pacing_rate = sk->sk_pacing_rate;
    s->rtt_us = n->rtt_us;
    s->srtt_us = tp->srtt_us >> 3;
    s->min_rtt_us = tp->rtt_min.s[0].v;
    s->cwnd = tp->snd_cwnd;
    s->in_flight = tp->packets_out - (tp->sacked_out + tp->lost_out) + tp->retrans_out;
    s->delivered = tp->delivered;
    s->delivered_ce = tp->delivered_ce;
    s->lost = tp->lost;
    s->seq = n->seq;
    s->age_us = n->age_us;
    s->takeovers = n->takeovers;
    s->is_app_limited = is_app_limited;
    s->is_driven = n->is_driven;
    s->is_clamped = n->is_clamped;
    s->ca_state = n->ca_state;
    bpf_ringbuf_submit(s, 0);
}

static __always_inline void tell_in_time(struct sock *sk, struct netllm *n, bool is_app_limited,
                                         __u64 now_ns)
{
    __u32 zero = 0, srtt_us = ((struct tcp_sock *)sk)->srtt_us >> 3;
    struct agent_settings *set = bpf_map_lookup_elem(&settings, &zero);

    if (!set)
        return;
    __u64 interval_us = set->interval_us ? at_least(set->interval_us, srtt_us) : 0;
    if (now_ns - n->sampled_ns < interval_us * 1000)
        return;
    n->sampled_ns = now_ns;
    tell(sk, n, AGENT_SAMPLE, is_app_limited, now_ns);
}

/* --- the window: as decided ------------------------------------------------------------------- */

static __always_inline __u32 window_max(const struct tcp_sock *tp)
{
    __u32 max = tp->snd_cwnd_clamp;
    return max < AGENT_CWND_MAX ? at_least(max, AGENT_CWND_MIN) : AGENT_CWND_MAX;
}

static __always_inline __u32 bounded(const struct tcp_sock *tp, __u32 cwnd)
{
    __u32 max = window_max(tp);
    return cwnd < AGENT_CWND_MIN ? AGENT_CWND_MIN : cwnd > max ? max : cwnd;
}

/* Take the decision, if there is one for this flow that is young enough. */
static __always_inline bool obey(struct sock *sk, struct netllm *n, __u32 acked, __u64 now_ns)
{
    struct tcp_sock *tp = (struct tcp_sock *)sk;
    __u32 slot = n->slot - 1, srtt_us = tp->srtt_us >> 3;
    struct agent_decision *d = n->slot ? bpf_map_lookup_elem(&decisions, &slot) : NULL;

    if (!d)
        return 0;
    __u64 stamp = *(volatile __u64 *)&d->stamp;
    if (stamp >> 32 != n->generation)
        return 0; /* none yet: what stands there is of the flow before */
    /* It may have been made since this ACK came. One from the future is as wrong as an old one, and
     * very old by this. */
    __u64 made_ns = d->t_ns, stale_ns = (__u64)srtt_us * (AGENT_STALE_RTTS * 1000);
    __u64 age_ns = made_ns - now_ns < AGENT_SKEW_NS ? 0 : now_ns - made_ns;
    if (age_ns > (stale_ns > AGENT_STALE_NS ? stale_ns : AGENT_STALE_NS))
        return 0;
    n->seq = (__u32)stamp;
    n->age_us = (__u32)(age_ns / 1000);

    __u32 wanted = d->cwnd, cwnd = bounded(tp, wanted);
    n->is_clamped = cwnd != wanted;
    /* After a time-out all is lost that was under way: it goes out again as ACKs come, and not at
     * once. */
    if (n->ca_state == TCP_CA_LOSS && cwnd > tp->snd_cwnd + acked)
        cwnd = bounded(tp, tp->snd_cwnd + acked);
    tp->snd_cwnd = cwnd;

    __u64 pacing = d->pacing_rate;
    __u64 least = srtt_us ? 1000000ull * AGENT_CWND_MIN * tp->mss_cache / srtt_us : 0;
    if (pacing == 0)
        pacing = pacing_rate(tp, (__u64)cwnd << WINDOW_SHIFT, 0);
    if (pacing > 0)
        sk->sk_pacing_rate = pacing > least ? pacing : least;
    return 1;
}

/* --- the window: AIMD ------------------------------------------------------------------------- */

/* What one congestion event takes. Behind the L queue marks come all the time, and are answered as
 * DCTCP does; ECT(0) is marked as rarely as others are dropped. */
static __always_inline __u32 answered(const struct tcp_sock *tp, const struct netllm *n)
{
    if (ect() == AGENT_ECT1)
        return alpha_reduced(tp->snd_cwnd, alpha_get(&n->alpha));
    return at_least(tp->snd_cwnd / 2, AGENT_CWND_MIN);
}

static __always_inline void reduce_to(struct tcp_sock *tp, struct netllm *n, __u32 cwnd)
{
    tp->snd_cwnd = tp->snd_ssthresh = bounded(tp, cwnd);
    n->reduced_until = tp->snd_nxt;
    n->is_reducing = 1;
    n->growth = 0;
}

static __always_inline void take_over(struct tcp_sock *tp, struct netllm *n)
{
    n->takeovers++;
    n->is_driven = n->is_clamped = 0;
    n->is_reducing = 0;
    n->growth = 0;
    tp->snd_ssthresh = tp->snd_cwnd; /* from here on a packet a round trip, and no doubling */
}

static __always_inline void aimd(struct sock *sk, struct netllm *n, __u32 acked, __u32 ce,
                                 bool is_app_limited)
{
    struct tcp_sock *tp = (struct tcp_sock *)sk;

    if (n->is_reducing && is_after(tp->snd_una, n->reduced_until))
        n->is_reducing = 0;
    if (ce > 0 && !n->is_reducing) {
        reduce_to(tp, n, answered(tp, n));
    } else if (!is_app_limited && n->ca_state != TCP_CA_RECOVERY && !n->is_reducing) {
        if (tp->snd_cwnd < tp->snd_ssthresh) {
            tp->snd_cwnd = bounded(tp, tp->snd_cwnd + acked);
        } else {
            n->growth += acked;
            if (n->growth >= tp->snd_cwnd) {
                n->growth = 0;
                tp->snd_cwnd = bounded(tp, tp->snd_cwnd + 1);
            }
        }
    }
    __u64 pacing =
        pacing_rate(tp, (__u64)tp->snd_cwnd << WINDOW_SHIFT, tp->snd_cwnd < tp->snd_ssthresh);
    if (pacing > 0)
        sk->sk_pacing_rate = pacing;
}

/* --- the kernel's calls ----------------------------------------------------------------------- */

static __always_inline void on_ack(struct sock *sk, const struct rate_sample *rs)
{
    struct tcp_sock *tp = (struct tcp_sock *)sk;
    struct netllm *n = netllm_of(sk);

    if (!n->is_init)
        return;
    __u64 now_ns = bpf_ktime_get_ns();
    __u32 acked = rs->acked_sacked > 0 ? rs->acked_sacked : 0;
    __u32 ce = tp->delivered_ce - n->seen_ce;
    n->seen_ce = tp->delivered_ce;
    if (rs->rtt_us > 0)
        n->rtt_us = (__u32)rs->rtt_us;
    if (alpha_is_round_over(&n->alpha, tp))
        alpha_update(&n->alpha, tp);

    if (!n->has_asked && tp->bytes_acked > HANDSHAKE_BYTES) {
        n->has_asked = 1;
        find_slot(n);
        if (n->slot)
            tell_open(sk, n, now_ns);
    }
    bool is_driven = obey(sk, n, acked, now_ns);
    if (!is_driven && n->is_driven)
        take_over(tp, n);
    n->is_driven = is_driven;
    if (!is_driven)
        aimd(sk, n, acked, ce, rs->is_app_limited);
    if (n->slot)
        tell_in_time(sk, n, rs->is_app_limited, now_ns);
}

SEC("struct_ops/netllm_cong_control")
void BPF_PROG(netllm_cong_control, CONG_CONTROL_ARGS)
{
    on_ack(sk, rs);
}

/* Asked on entering CWR, Recovery and Loss. Only the last takes its answer from here. */
SEC("struct_ops/netllm_ssthresh")
__u32 BPF_PROG(netllm_ssthresh, struct sock *sk)
{
    struct tcp_sock *tp = (struct tcp_sock *)sk;

    netllm_of(sk)->prior_cwnd = tp->snd_cwnd;
    return at_least(tp->snd_cwnd / 2, AGENT_CWND_MIN);
}

/* Who decides sees losses and answers them; the watchdog halves. */
SEC("struct_ops/netllm_set_state")
void BPF_PROG(netllm_set_state, struct sock *sk, __u8 new_state)
{
    struct tcp_sock *tp = (struct tcp_sock *)sk;
    struct netllm *n = netllm_of(sk);

    if (new_state == TCP_CA_RECOVERY && !n->is_driven && n->ca_state != TCP_CA_RECOVERY)
        reduce_to(tp, n, tp->snd_cwnd / 2);
    n->ca_state = new_state;
}

SEC("struct_ops/netllm_undo_cwnd")
__u32 BPF_PROG(netllm_undo_cwnd, struct sock *sk)
{
    return at_least(((struct tcp_sock *)sk)->snd_cwnd, netllm_of(sk)->prior_cwnd);
}

SEC("struct_ops/netllm_min_tso_segs")
__u32 BPF_PROG(netllm_min_tso_segs, struct sock *sk)
{
    return 1;
}

SEC("struct_ops/netllm_cwnd_event")
void BPF_PROG(netllm_cwnd_event, struct sock *sk, int event)
{
    echo_on_event(&netllm_of(sk)->echo, (struct tcp_sock *)sk, event);
}

SEC("struct_ops/netllm_release")
void BPF_PROG(netllm_release, struct sock *sk)
{
    struct netllm *n = netllm_of(sk);
    __u32 slot = n->slot - 1, *owner;

    if (!n->slot)
        return;
    tell(sk, n, AGENT_CLOSE, 0, bpf_ktime_get_ns());
    n->slot = 0;
    owner = bpf_map_lookup_elem(&slots, &slot);
    if (owner)
        *owner = 0;
}

#define NETLLM_OPS(flags_value)                                                                    \
    {                                                                                              \
        .flags = (flags_value), .init = (void *)netllm_init, .ssthresh = (void *)netllm_ssthresh,  \
        .set_state = (void *)netllm_set_state, .cwnd_event = (void *)netllm_cwnd_event,            \
        .undo_cwnd = (void *)netllm_undo_cwnd, .min_tso_segs = (void *)netllm_min_tso_segs,        \
        .cong_control = (void *)netllm_cong_control, .release = (void *)netllm_release,            \
        .name = "netllm",                                                                          \
    }

/* One of the two is registered. */
SEC(".struct_ops")
struct tcp_congestion_ops netllm_ecn = NETLLM_OPS(TCP_CONG_NON_RESTRICTED | TCP_CONG_NEEDS_ECN);

SEC(".struct_ops")
struct tcp_congestion_ops netllm_no_ecn = NETLLM_OPS(TCP_CONG_NON_RESTRICTED);

char _license[] SEC("license") = "Dual MIT/GPL";
