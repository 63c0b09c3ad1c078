/* What a stream's past says of one packet: Wireshark 4.0's stream numbers, relative sequence
 * numbers and TCP analysis, value for value, with its default preferences and in one pass.
 *
 * Frames go in in the order of the capture, each once. Not followed: MPTCP's tolerance of
 * duplicate ACKs, and conversations that an upper protocol opens. Thread: as struct flows. */
#ifndef CCALAB_CAPTURE_ANALYSIS_H
#define CCALAB_CAPTURE_ANALYSIS_H

#include "capture/flow.h"
#include "capture/tcp_options.h"

/* As Wireshark's tcp.analysis.FLAG. Its tcp.analysis.retransmission holds for each of the three
 * kinds: ANALYSIS_ANY_RETRANSMISSION. */
enum analysis_flag {
    ANALYSIS_RETRANSMISSION = 1 << 0,
    ANALYSIS_FAST_RETRANSMISSION = 1 << 1,
    ANALYSIS_SPURIOUS_RETRANSMISSION = 1 << 2,
    ANALYSIS_OUT_OF_ORDER = 1 << 3,
    ANALYSIS_LOST_SEGMENT = 1 << 4,     /* tcp.analysis.lost_segment */
    ANALYSIS_ACK_LOST_SEGMENT = 1 << 5, /* tcp.analysis.ack_lost_segment */
    ANALYSIS_DUPLICATE_ACK = 1 << 6,
    ANALYSIS_KEEP_ALIVE = 1 << 7,
    ANALYSIS_KEEP_ALIVE_ACK = 1 << 8,
    ANALYSIS_ZERO_WINDOW = 1 << 9,
    ANALYSIS_ZERO_WINDOW_PROBE = 1 << 10,
    ANALYSIS_ZERO_WINDOW_PROBE_ACK = 1 << 11,
    ANALYSIS_WINDOW_UPDATE = 1 << 12,
    ANALYSIS_WINDOW_FULL = 1 << 13,
    ANALYSIS_REUSED_PORTS = 1 << 14,
};
#define ANALYSIS_ANY_RETRANSMISSION                                                                \
    (ANALYSIS_RETRANSMISSION | ANALYSIS_FAST_RETRANSMISSION | ANALYSIS_SPURIOUS_RETRANSMISSION)

struct analysis {
    /* The flow of the TCP, UDP or SCTP header, the quoted one of an ICMP error too; NULL if there
     * is none, or the limit of flows is reached: nothing else is set then. */
    struct flow *flow;
    const struct layer *layer; /* that header */
    uint8_t direction;         /* 0: as the flow's first packet */
    bool is_new;               /* the flow begins here */

    /* TCP only from here on. */
    bool has_len;      /* tcp.len is known: no fragment, not quoted, header within the datagram */
    bool has_ace;      /* tcp.flags.ace is shown, instead of ae, cwr and ece */
    uint8_t ace;       /* 0 to 7 */
    bool has_header;   /* all 20 bytes are there: tcp.time_relative and what follows is shown */
    bool has_analysis; /* Wireshark got as far as to show tcp.analysis.*: the options are whole */
    uint32_t seq, ack; /* tcp.seq, tcp.ack: relative, but raw where !has_len; an ACK number without
                          the ACK flag is raw too */
    uint32_t next_seq; /* tcp.nxtseq, with has_len */
    uint32_t window_size;     /* scaled */
    int16_t window_scale;     /* the shift; -1: not known, -2: not used */
    int64_t since_first_ns;   /* tcp.time_relative */
    int64_t since_last_ns;    /* tcp.time_delta */
    uint32_t flags;           /* enum analysis_flag */
    uint32_t dup_ack_num;     /* with ANALYSIS_DUPLICATE_ACK */
    uint64_t dup_ack_frame;   /* likewise: the first of the same ACKs */
    uint64_t acks_frame;      /* 0: none */
    int64_t ack_rtt_ns;       /* 0: not shown */
    int64_t rto_ns;           /* with ANALYSIS_RETRANSMISSION; 0: not shown */
    uint64_t rto_frame;       /* likewise */
    uint32_t bytes_in_flight; /* 0: not shown */
    int64_t initial_rtt_ns;   /* 0: not shown */
    struct tcp_options options;
};

/* Take the next packet of the capture into account. *out is set whatever the packet is. */
void analysis_add(struct flows *t, const struct packet *p, struct analysis *out);

#endif
