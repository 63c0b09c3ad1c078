/* ECN accounting: who sent which codepoint, told apart by flow, direction, and data against pure
 * ACK, because CE on the ACKs of the reverse path says nothing about the bottleneck of the data.
 *
 * One call a packet, no allocation a packet: memory grows with flows and is bounded.
 * Thread: one at a time. */
#ifndef CCALAB_CAPTURE_ECN_H
#define CCALAB_CAPTURE_ECN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture/dissect.h"
#include "core/error.h"

/* Flows told apart; packets of later ones are counted in `other`. 240 MB when all are there. */
#define ECN_FLOWS_MAX 1000000u

struct ecn_counts {
    uint64_t n[ECN_COUNT]; /* by enum ecn_codepoint, in frames */
};

struct ecn_dir {
    struct ecn_counts data;  /* TCP with payload, every UDP packet */
    struct ecn_counts ack;   /* TCP without payload: pure ACKs, SYN, FIN, RST */
    uint64_t bytes;          /* TCP or UDP payload */
    uint64_t first_ce_frame; /* 0: none yet */
    int64_t first_ce_ns;     /* since the epoch */
};

/* Index 0 is the direction of the flow's first packet ("fwd"), 1 the other ("rev"). */
struct ecn_flow {
    uint8_t ip_version;
    uint8_t proto;
    uint32_t stream;     /* Wireshark's tcp.stream or udp.stream */
    uint8_t addr[2][16]; /* [0] is the source in fwd */
    uint16_t port[2];
    struct ecn_dir dir[2];
    uint32_t base_seq[2]; /* initial sequence numbers, where has_base_seq */
    bool has_base_seq[2];
};

struct ecn {
    uint64_t frames;
    uint64_t not_ip;              /* frames with another protocol */
    uint64_t cut;                 /* a header lay beyond the snap length */
    uint64_t malformed;           /* a header that lies */
    int64_t first_ns;             /* time of frame 1 */
    struct ecn_counts ipv4, ipv6; /* outermost header, every IP packet whose ECN field was there */
    struct ecn_dir other;         /* of flows beyond the limit */
    uint32_t flow_count, max_flows;

    uint32_t tcp_streams, udp_streams;
    struct ecn_flow **chunks;
    struct ecn_slot *slots;
    uint32_t nslots; /* a power of two */
    uint64_t seed[2];
};

/* `max_flows` is at most ECN_FLOWS_MAX, which 0 means too. Errors: STATUS_NOMEM. */
CCALAB_MUST_USE enum status ecn_init(struct ecn *e, uint32_t max_flows, struct error *err);
void ecn_done(struct ecn *e);
/* Count one dissected packet; its `frame` and `t_ns` are set. A TCP stream ends where Wireshark
 * (4.0) ends it: at a SYN without ACK whose sequence number is not the one the sender began with.
 */
void ecn_add(struct ecn *e, const struct packet *p);
/* Flows in order of appearance, 0 <= index < flow_count. */
const struct ecn_flow *ecn_flow_at(const struct ecn *e, uint32_t index);
/* CE / (ECT(1) + ECT(0) + CE), or -1 where nothing was ECN-capable. */
double ecn_mark_ratio(const struct ecn_counts *c);
uint64_t ecn_counts_sum(const struct ecn_counts *c);

#endif
