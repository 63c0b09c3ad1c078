/* What `iperf3 --json` or --json-stream prints, as numbers. Written against iperf3 3.12 and the
 * source of 3.17 to 3.21; fields that other versions lack, or that a direction does not have, are
 * NaN.
 *
 * iperf3 reports rates of socket writes: the sender's rows run ahead of the network by its socket
 * buffer, so compare flows by received_bps, and take series from `ccalab tcp-info`. */
#ifndef CCALAB_REMOTE_IPERF3_H
#define CCALAB_REMOTE_IPERF3_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"

#define IPERF3_TEXT_MAX    (64u << 20)
#define IPERF3_ROWS_MAX    (1u << 20)
#define IPERF3_STREAMS_MAX 256 /* 128 of -P, twice with --bidir */

/* One stream in one interval. Numbers may be NaN. */
struct iperf3_row {
    int stream;            /* 0, 1, ... in the order iperf3 opened them */
    double start_s, end_s; /* since the start of the test; omitted intervals count from 0 too */
    double bits_per_second;
    double retransmits;    /* in this interval */
    double snd_cwnd_bytes; /* Linux: cwnd times MSS */
    double rtt_us, rttvar_us;
    bool is_sender; /* this side sent; false with -R */
    bool is_omitted;
};

struct iperf3_result {
    char protocol[8];                    /* "TCP", "UDP", "SCTP"; "" if unknown */
    char sender_cc[32], receiver_cc[32]; /* "" if unknown (UDP) */
    bool is_reverse;
    bool has_clock_jump; /* the host's clock was set in mid-run: times of the rows are mended, the
                          * row of the jump and the whole test have no rates */
    double start_time_s; /* epoch, whole seconds: rows lie on the wall clock to +-1 s */
    double duration_s;   /* asked for */
    double interval_s;   /* of the rows, by the first one */
    int streams;
    double sent_bps, received_bps, retransmits; /* of the whole test, all streams */
    double mean_rtt_us, max_cwnd_bytes;         /* mean and maximum over streams sent from here */
    struct iperf3_row *rows;
    size_t nrows;
};

/* Parse what an iperf3 client printed to standard output (iperf3_text.h). *out is set up in any
 * case and of a failed run holds the rows that came before its end; call iperf3_done(). Errors:
 * STATUS_HOST if the run failed (iperf3's own message, and a hint where we know one), or its output
 * breaks off or is missing; STATUS_INPUT if this is JSON of something else; STATUS_NOMEM over the
 * limits above. */
CCALAB_MUST_USE enum status iperf3_parse(const char *text, size_t len, struct iperf3_result *out,
                                         struct error *err);
void iperf3_done(struct iperf3_result *r);
/* {protocol, cc, receiver_cc, is_reverse, has_clock_jump, start_time_s, duration_s, interval_s,
 * streams, sent_bps, received_bps, retransmits, mean_rtt_us, max_cwnd_bytes, rows: [{stream,
 * start_s, end_s, bits_per_second, retransmits, snd_cwnd_bytes, rtt_us, rttvar_us, is_sender,
 * is_omitted}]}, with null for what was not measured. Caller deletes; NULL when out of memory. */
cJSON *iperf3_summary(const struct iperf3_result *r);

#endif
