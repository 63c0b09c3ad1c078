/* What a receiver reports of the marks on the data that it got: Accurate ECN, RFC 9768.
 *
 * Counters on the wire wrap (3 bits of ACE, 24 bits of bytes in the options) and start where the
 * kernel likes, so all that is told is what they grew by. Thread: one at a time. */
#ifndef CCALAB_CAPTURE_ACCECN_H
#define CCALAB_CAPTURE_ACCECN_H

#include "capture/tcp_options.h"

/* Both sides' answer to the question of ECN, RFC 9768 section 3.1.1. */
enum ecn_negotiation {
    ECN_UNKNOWN,      /* the handshake was not seen */
    ECN_NONE,         /* refused, or not asked for */
    ECN_CLASSIC,      /* RFC 3168 */
    ECN_ACCURATE,     /* RFC 9768 */
    ECN_NEGOTIATIONS, /* their number */
};

/* "unknown", "none", "classic", "accurate". */
const char *ecn_negotiation_name(enum ecn_negotiation n);
/* What a SYN/ACK with `synack_flags` makes of a SYN with `syn_flags`. */
enum ecn_negotiation ecn_negotiate(uint16_t syn_flags, uint16_t synack_flags);

/* One of the three byte counters of the options. */
struct accecn_counter {
    bool is_known;
    uint32_t last;
    uint64_t sum; /* since it was first seen */
};

/* Feedback on the data of one direction: what the segments of the other one carry. */
struct accecn {
    struct accecn_counter ee0b, eceb, ee1b;
    uint64_t ce_segments; /* what ACE grew by; since its initial 5 where the handshake was seen */
    uint64_t options;     /* segments that carried an option */
    /* Segments where ACE may have passed through 8 more than we took it for: so much was
     * acknowledged at once, and no option says what it was. A later option makes up for it. */
    uint64_t ambiguous;
    uint64_t ce_since_option; /* of ce_segments, since the last option with ECEB */
    /* Bytes acknowledged between the first and the last option: what the counters should add up
     * to, but for segments behind a hole and those that arrived twice. */
    uint64_t acked_bytes;

    bool has_ace, has_ack;
    uint8_t ace;    /* the last one */
    uint8_t orders; /* 1: order 0 was seen, 2: order 1 */
    uint8_t kinds;  /* 1: 172 or 174 were seen, 2: the experimental 253 or 254 */
    uint32_t ack;   /* the highest */
    uint32_t tsval; /* of the segment that carried it */
    uint64_t acked; /* since the first segment */
    uint64_t acked_at_first_option, acked_at_last_option;
};

/* A segment that carries feedback. */
struct accecn_segment {
    uint16_t flags; /* enum tcp_flag */
    uint32_t ack;
    bool
        is_fin_acked; /* the acknowledgement number covers the FIN: one more than there are bytes */
    bool is_handshake;    /* the pure ACK of a SYN/ACK: its ACE tells the SYN/ACK's codepoint */
    bool is_ace_valid;    /* accurate ECN was negotiated, or options tell so */
    bool has_started;     /* the handshake was seen: ACE began at 5 (RFC 9768 section 3.2.1) */
    uint32_t segment_len; /* full size of a data segment, for byte counts as segments */
    const struct tcp_options *options;
};

void accecn_add(struct accecn *a, const struct accecn_segment *s);
/* Bytes that the options spoke of: the sum of the three counters. */
uint64_t accecn_bytes(const struct accecn *a);

#endif
