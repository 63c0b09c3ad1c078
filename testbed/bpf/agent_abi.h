/* What the congestion control `netllm` (netllm.bpf.c) and its agent (testbed/agent.c) say to each
 * other. Included by both: the program's own kernel.h or <linux/types.h> comes first.
 *
 * Times are nanoseconds of CLOCK_MONOTONIC, windows are packets of `mss` bytes. */
#ifndef CCALAB_BPF_AGENT_ABI_H
#define CCALAB_BPF_AGENT_ABI_H

#define AGENT_SLOTS      1024u /* flows at a time; a power of two */
#define AGENT_RING_BYTES (1u << 20)
#define AGENT_CWND_MIN   2u
#define AGENT_CWND_MAX   (1u << 17)   /* 10 Gbit/s over 150 ms */
#define AGENT_STALE_NS   200000000ull /* and 4 round trips: older decisions do not count */
#define AGENT_STALE_RTTS 4u
#define AGENT_SKEW_NS    1000000ull /* what a decision may be younger than the ACK that takes it */

enum agent_ect { AGENT_NOT_ECT, AGENT_ECT0, AGENT_ECT1 };

/* The only element of the map `settings`, written before the program is registered. */
struct agent_settings {
    __u32 interval_us; /* between samples of a flow, at least a round trip; 0: one for every ACK */
    __u32 ect;         /* enum agent_ect */
};

enum agent_kind { AGENT_OPEN = 1, AGENT_SAMPLE, AGENT_CLOSE };

/* How every record of the ring buffer begins. */
struct agent_header {
    __u32 kind;
    __u32 slot;       /* of the flow, below AGENT_SLOTS */
    __u32 generation; /* of the slot: no two flows have both in common. Never 0 */
    __u32 mss;        /* bytes */
    __u64 t_ns;
};

/* The first data of a flow is acknowledged: who only receives is never heard of. */
struct agent_open {
    struct agent_header h;
    __u32 netns; /* inode number of its network namespace */
    __u16 family;
    __u16 local_port, remote_port;
    __u16 reserved;
    __u8 local[16], remote[16]; /* network order; of IPv4 the first four bytes */
};

/* Totals are since the flow began. */
struct agent_sample {
    struct agent_header h;
    __u64 bytes_acked;
    __u64 delivery_rate; /* bytes/s, as tcp_info has it; 0: not known */
    __u64 pacing_rate;   /* bytes/s */
    __u32 rtt_us, srtt_us, min_rtt_us;
    __u32 cwnd, in_flight;
    __u32 delivered, delivered_ce, lost;
    __u32 seq;       /* of the decision in force, or last in force; 0: there was none */
    __u32 age_us;    /* of that decision, when this ACK came */
    __u32 takeovers; /* how often the watchdog took over from decisions */
    __u8 is_app_limited;
    __u8 is_driven;  /* the window is the decision's, not the watchdog's */
    __u8 is_clamped; /* the decision asked for more or less than it got */
    __u8 ca_state;   /* TCP_CA_* */
};

/* An element of the memory-mapped array `decisions`. Whoever writes it writes `stamp` last. */
struct agent_decision {
    __u64 stamp;       /* generation << 32 | seq */
    __u64 t_ns;        /* when it was made */
    __u64 pacing_rate; /* bytes/s; 0: the window in a round trip, and a little more */
    __u32 cwnd;
    __u32 reserved;
};

#endif
