/* ECN accounting: who sent which codepoint, told apart by flow, direction, and data against pure
 * ACK, because CE on the ACKs of the reverse path says nothing about the bottleneck of the data;
 * and what the receiver says of the marks on the data, which is true wherever one captures.
 *
 * One call a packet, in the order of the capture. Memory grows with flows and is bounded.
 * Thread: one at a time. */
#ifndef CCALAB_CAPTURE_ECN_H
#define CCALAB_CAPTURE_ECN_H

#include "capture/accecn.h"
#include "capture/analysis.h"
#include "capture/marks.h"

struct ecn_counts {
    uint64_t n[ECN_COUNT]; /* by enum ecn_codepoint */
};

/* Round-trip times between the capture point and the other side. */
struct ecn_rtt {
    uint64_t count;
    int64_t min_ns, max_ns;
    double sum_ns;
};

/* What every packet touches comes first, so that it is few cache lines. */
struct ecn_dir {
    struct ecn_counts data;         /* frames: TCP with payload, every UDP and SCTP packet */
    struct ecn_counts data_packets; /* super-frames (GSO, GRO, BIG TCP) taken apart by the MSS */
    struct ecn_counts data_bytes;   /* TCP, UDP or SCTP payload */
    struct ecn_counts ack;          /* frames: TCP without payload: pure ACKs, SYN, FIN, RST */
    struct marks marks;             /* data frames that are ECN-capable */
    uint32_t tsval;                 /* the time stamp that an echo is awaited of */
    bool has_tsval, is_tsval_awaited, has_fin, is_in_ece;
    int64_t tsval_ns;
    uint32_t segment_len;   /* of a full one, the last time there was data; 0: none yet */
    uint32_t fin_end;       /* behind the FIN, with has_fin */
    uint32_t max_in_flight; /* bytes */
    uint16_t mss;           /* announced by this side; 0: not seen */

    struct accecn accecn;      /* what the other side says of this direction's data */
    struct ecn_rtt rtt;        /* from a segment of this direction to the ACK that ends with it */
    struct ecn_rtt rtt_stamps; /* to the echo of its time stamp, once a round trip */

    uint64_t super_frames;   /* frames of more than one segment */
    uint64_t tunnel_ce;      /* frames with CE in a header around that of the flow */
    uint64_t first_ce_frame; /* 0: none yet */
    int64_t first_ce_ns;     /* since the epoch */
    /* TCP, as Wireshark counts them: of the segments sent in this direction. */
    uint64_t retransmissions, out_of_order, duplicate_acks, lost_segments;
    uint64_t ece, ece_episodes; /* segments with ECE; runs of them (not with accurate ECN) */
    uint64_t cwr;
};

/* Index 0 is the direction of the flow's first packet ("fwd"), 1 the other ("rev"). */
struct ecn_flow {
    const struct flow *flow;
    struct ecn_dir dir[2];
    enum ecn_negotiation negotiation;
    uint16_t syn_flags; /* with has_syn */
    uint8_t syn_direction;
    bool has_syn, has_synack;
};

struct ecn {
    struct flows flows;
    struct analysis analysis; /* of the last packet */
    uint64_t frames;
    uint64_t not_ip;              /* frames with another protocol */
    uint64_t cut;                 /* a header lay beyond the snap length */
    uint64_t malformed;           /* a header that lies */
    int64_t first_ns;             /* time of frame 1 */
    struct ecn_counts ipv4, ipv6; /* outermost header, every IP packet whose ECN field was there */
    struct ecn_dir other;         /* of flows beyond the limit */
    struct ecn_flow **chunks;
    uint32_t nchunks;
    uint32_t marks_bins;
};

/* `max_flows` is at most FLOWS_MAX, which 0 means too. Errors: STATUS_NOMEM. */
CCALAB_MUST_USE enum status ecn_init(struct ecn *e, uint32_t max_flows, struct error *err);
void ecn_done(struct ecn *e);
/* Count one dissected packet; its `frame` and `t_ns` are set. It goes through the stream analysis
 * too, whose word on it is e->analysis then. */
void ecn_add(struct ecn *e, const struct packet *p);
/* Number of flows, and the flows in order of appearance, 0 <= index < ecn_flow_count(). One without
 * packets is known by an ICMP error's quotation only. */
uint32_t ecn_flow_count(const struct ecn *e);
const struct ecn_flow *ecn_flow_at(const struct ecn *e, uint32_t index);
/* CE / (ECT(1) + ECT(0) + CE), or -1 where nothing was ECN-capable. */
double ecn_mark_ratio(const struct ecn_counts *c);
uint64_t ecn_counts_sum(const struct ecn_counts *c);
/* Payload bytes. */
uint64_t ecn_dir_bytes(const struct ecn_dir *d);
/* Frames, data and ACKs. */
uint64_t ecn_dir_frames(const struct ecn_dir *d);

#endif
