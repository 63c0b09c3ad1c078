/* Flows, told apart by addresses and ports, with Wireshark's stream numbers.
 *
 * One table for TCP, UDP and SCTP. Packets go in in the order of the capture. Memory grows with
 * flows and is bounded. Thread: one at a time. */
#ifndef CCALAB_CAPTURE_FLOW_H
#define CCALAB_CAPTURE_FLOW_H

#include "capture/dissect.h"
#include "core/error.h"

/* Flows told apart. */
#define FLOWS_MAX 1000000u
/* Segments remembered until they are acknowledged: of one direction (Wireshark's limit), and of
 * all flows together. */
#define FLOW_UNACKED_MAX  10000u
#define FLOWS_UNACKED_MAX 4000000u

/* Of one direction, what Wireshark's sequence analysis remembers (capture/analysis.h). */
struct tcp_side {
    uint32_t base_seq;
    uint32_t nextseq; /* 0: nothing yet */
    uint32_t max_seq_to_be_acked;
    uint32_t last_ack;
    uint32_t window; /* UINT32_MAX: none yet */
    uint32_t dup_acks;
    uint32_t last_flags; /* enum analysis_flag of the last segment */
    uint32_t sacked_bytes;
    uint64_t last_nondup_frame, nextseq_frame;
    int64_t last_time_ns, nextseq_time_ns;
    struct unacked *unacked; /* a ring */
    uint32_t unacked_head, unacked_count, unacked_cap;
    int16_t window_scale; /* -1: not known, -2: not used */
    bool has_base_seq;
    bool is_unacked_ordered; /* the ring is in the order of the sequence numbers */
    bool has_valid_bif;
    bool is_before_first_ack;
};

struct flow {
    uint8_t ip_version;
    uint8_t proto;
    uint8_t addr[2][16]; /* [0] is the source of the first packet */
    uint16_t port[2];
    uint32_t stream; /* Wireshark's tcp.stream or udp.stream; SCTP: our own count */
    uint32_t index;  /* in order of appearance */
    /* TCP only. */
    bool had_accecn_syn, had_accecn_synack, had_accecn_option;
    int64_t first_ns, last_ns, syn_ns, first_rtt_ns;
    struct tcp_side side[2];
};

struct flows {
    uint32_t count, max;
    uint32_t tcp_streams, udp_streams, sctp_streams;
    uint32_t unacked_total; /* ring places of all flows */
    struct flow **chunks;
    struct flow_slot *slots;
    uint32_t nslots; /* a power of two */
    uint64_t seed[2];
};

/* Who, for a look-up. */
struct flow_key {
    uint8_t ip_version, proto;
    const uint8_t *src, *dst; /* 16 bytes each */
    uint16_t sport, dport;
};

/* `max` is at most FLOWS_MAX, which 0 means too. Errors: STATUS_NOMEM. */
CCALAB_MUST_USE enum status flows_init(struct flows *t, uint32_t max, struct error *err);
void flows_done(struct flows *t);
/* A copy of its own, which tells the same flows apart and goes on from there; it takes at most
 * `max` flows (0: FLOWS_MAX; never fewer than `from` has). *bytes is about what it occupies.
 * Errors: STATUS_NOMEM. */
CCALAB_MUST_USE enum status flows_copy(const struct flows *from, uint32_t max, struct flows *to,
                                       size_t *bytes, struct error *err);
/* The latest flow between the two ends, whoever began it, made where there is none; *direction is
 * 0 where the packet goes the way of the flow's first one, else 1. NULL beyond the limit or without
 * memory. */
struct flow *flows_get(struct flows *t, const struct flow_key *key, int *direction, bool *is_new);
/* Another flow on the same ports, from now on found instead of the old one. */
struct flow *flows_replace(struct flows *t, const struct flow_key *key);
/* 0 <= index < count, in order of appearance. */
struct flow *flows_at(const struct flows *t, uint32_t index);

#endif
