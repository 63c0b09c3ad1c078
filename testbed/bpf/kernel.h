/* The few kernel types that a TCP congestion control touches, for CO-RE: with
 * preserve_access_index the loader looks every field up in the running kernel's BTF, so neither
 * vmlinux.h nor kernel headers are needed and offsets here mean nothing. */
#ifndef CCALAB_BPF_KERNEL_H
#define CCALAB_BPF_KERNEL_H

typedef unsigned char __u8;
typedef signed short __s16;
typedef unsigned short __u16;
typedef int __s32;
typedef unsigned int __u32;
typedef long long __s64;
typedef unsigned long long __u64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u64 __be64;
typedef __u32 __wsum;
typedef __u8 bool;

#define NULL ((void *)0)

/* Only those that we use. */
enum bpf_map_type { BPF_MAP_TYPE_UNSPEC, BPF_MAP_TYPE_ARRAY = 2, BPF_MAP_TYPE_RINGBUF = 27 };
#define BPF_F_MMAPABLE (1u << 10)

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct ns_common {
    unsigned int inum;
};

struct net {
    struct ns_common ns;
};

typedef struct {
    struct net *net;
} possible_net_t;

struct in6_addr {
    union {
        __be32 u6_addr32[4];
    } in6_u;
};

struct sock_common {
    __be32 skc_daddr, skc_rcv_saddr;
    __be16 skc_dport;
    __u16 skc_num; /* the local port, in the host's order */
    unsigned short skc_family;
    possible_net_t skc_net;
    struct in6_addr skc_v6_daddr, skc_v6_rcv_saddr;
};

struct sock {
    struct sock_common __sk_common;
    unsigned long sk_pacing_rate; /* bytes/s */
    __u32 sk_pacing_status;
};

struct inet_sock {
    struct sock sk;
};

struct inet_connection_sock {
    struct inet_sock icsk_inet;
    struct {
        __u8 pending;
    } icsk_ack;
    __u64 icsk_ca_priv[13];
};

struct minmax_sample {
    __u32 t, v;
};

struct minmax {
    struct minmax_sample s[3];
};

struct tcp_sock {
    struct inet_connection_sock inet_conn;
    __u32 rcv_nxt;
    __u32 snd_nxt;
    __u32 snd_una;
    __u32 snd_cwnd;
    __u32 snd_cwnd_clamp;
    __u32 snd_ssthresh;
    __u64 tcp_mstamp;      /* us: the time of the segment being processed */
    __u32 srtt_us;         /* smoothed RTT << 3 */
    struct minmax rtt_min; /* us: the least of some minutes */
    __u64 bytes_acked;
    __u32 mss_cache;
    __u32 packets_out, sacked_out, lost_out, retrans_out;
    __u32 lost; /* since the flow began */
    __u32 delivered;
    __u32 delivered_ce;
    __u32 rate_delivered, rate_interval_us; /* packets in us: what tcp_info calls delivery rate */
    __u8 ecn_flags;
};

struct rate_sample {
    int acked_sacked;
    int losses;
    long rtt_us; /* -1: this ACK told none */
    bool is_app_limited;
};

#pragma clang attribute pop

/* Not relocated: libbpf matches the members of this map value with the kernel's by name. */
struct tcp_congestion_ops {
    __u32 flags;
    void (*init)(struct sock *sk);
    __u32 (*ssthresh)(struct sock *sk);
    void (*set_state)(struct sock *sk, __u8 new_state);
    void (*cwnd_event)(struct sock *sk, int ev);
    void (*in_ack_event)(struct sock *sk, __u32 flags);
    __u32 (*undo_cwnd)(struct sock *sk);
    __u32 (*min_tso_segs)(struct sock *sk);
    void (*cong_avoid)(struct sock *sk, __u32 ack, __u32 acked);
    void (*cong_control)(struct sock *sk, __u32 ack, int flag, const struct rate_sample *rs);
    void (*release)(struct sock *sk);
    char name[16];
};

/* include/net/tcp.h, include/net/inet_connection_sock.h, include/net/sock.h */
#define TCP_CONG_NON_RESTRICTED 1
#define TCP_CONG_NEEDS_ECN      2
#define TCP_CA_RECOVERY         3
#define TCP_CA_LOSS             4
#define TCP_ECN_DEMAND_CWR      4
#define ICSK_ACK_TIMER          2
#define ICSK_ACK_NOW            16
#define SK_PACING_NEEDED        1
/* enum tcp_ca_event, include/net/tcp.h */
#define CA_EVENT_ECN_NO_CE 4
#define CA_EVENT_ECN_IS_CE 5
/* include/uapi/asm-generic/socket.h */
#define SOL_SOCKET 1
#define SO_MARK    36

#endif
