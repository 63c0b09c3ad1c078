/* The options of a TCP header, one after the other, as Wireshark 4.0 walks them. Thread: any. */
#ifndef CCALAB_CAPTURE_TCP_OPTIONS_H
#define CCALAB_CAPTURE_TCP_OPTIONS_H

#include "capture/dissect.h"

/* https://www.iana.org/assignments/tcp-parameters */
enum tcp_option_kind {
    TCP_OPTION_EOL = 0,
    TCP_OPTION_NOP = 1,
    TCP_OPTION_MSS = 2,
    TCP_OPTION_WINDOW_SCALE = 3,
    TCP_OPTION_SACK_PERMITTED = 4,
    TCP_OPTION_SACK = 5,
    TCP_OPTION_TIMESTAMPS = 8,
    TCP_OPTION_ACCECN0 = 172, /* EE0B, ECEB, EE1B (RFC 9768 section 3.2.3) */
    TCP_OPTION_ACCECN1 = 174, /* EE1B, ECEB, EE0B */
    TCP_OPTION_EXP1 = 253,    /* RFC 4727; the next two bytes name the experiment (RFC 6994) */
    TCP_OPTION_EXP2 = 254,
};

#define TCP_EXID_ACCECN0 0xacc0
#define TCP_EXID_ACCECN1 0xacc1

struct tcp_option {
    uint8_t kind;
    uint8_t len;     /* with kind and length byte; 1 for EOL and NOP */
    uint8_t cap_len; /* bytes of it that were captured, at most len, at least 1 */
    uint32_t at;     /* offset in the frame */
    const uint8_t *data;
};

struct tcp_option_walk {
    const struct packet *packet;
    uint32_t at, end;
    bool has_eol;
    /* Out: it ended early, at an option of length 0 or 1, or one that reaches beyond the header. */
    bool is_malformed;
    bool is_cut; /* out: it ended at the snap length, or where Wireshark gives up */
};

/* `layer` is a TCP layer of `p`. */
struct tcp_option_walk tcp_option_walk(const struct packet *p, const struct layer *layer);
/* false: there is none left. */
bool tcp_option_next(struct tcp_option_walk *w, struct tcp_option *out);

enum accecn_order { ACCECN_ORDER_0, ACCECN_ORDER_1 };

/* An AccECN option, of whatever kind; fields that it does not carry are not set. */
struct accecn_option {
    enum accecn_order order;
    bool is_experimental; /* kind 253 or 254 */
    bool has_ee0b, has_eceb, has_ee1b;
    uint32_t ee0b, eceb, ee1b; /* 24 bits: what the sender counted of the other side's bytes */
    uint32_t at;               /* offset of the first counter in the frame */
};

/* Is it an AccECN option of a valid length (0 to 3 counters), and what does it say? */
bool accecn_option_read(const struct tcp_option *o, struct accecn_option *out);

/* What the accounting asks of every segment. */
struct tcp_options {
    bool has_mss, has_window_scale, has_timestamps, has_accecn;
    uint8_t window_scale; /* at most 14 (RFC 7323 section 2.3) */
    uint8_t sack_count;   /* blocks in sacked_bytes, at most 3: what Wireshark subtracts */
    uint16_t mss;
    uint32_t tsval, tsecr;
    uint32_t sacked_bytes;
    struct accecn_option accecn; /* the last one */
};

/* Read all options of the TCP layer; returns false if they were cut off at the snap length, with
 * what came before that in *out. Malformed ones end the list, and that is all. */
bool tcp_options_read(const struct packet *p, const struct layer *layer, struct tcp_options *out);

#endif
