/* The packet log: one row for each packet that left the queue, written by a thread of its own.
 *
 * The link only copies a few words into a ring; where the thread cannot keep up, rows are lost and
 * counted, and no packet ever waits. CSV with a heading:
 *   t_s,dir,queue,len,sojourn_us,event
 * t_s: wall clock of the moment the packet left the queue in virtual time (or was dropped), so that
 * t_s - sojourn_us is when it came; dir: down, up; queue: L, C; len: IP bytes; event: sent, marked
 * (CE was set here), dropped (by the AQM or its limit). A packet of the random loss has two rows:
 * it left the queue, and was dropped when it left the link.
 *
 * Thread: one that adds; open and close from the same. */
#ifndef CCALAB_TESTBED_LINK_PACKET_LOG_H
#define CCALAB_TESTBED_LINK_PACKET_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"

enum packet_log_event { PACKET_LOG_SENT, PACKET_LOG_MARKED, PACKET_LOG_DROPPED };

struct packet_log_row {
    uint64_t mono_ns;
    uint64_t sojourn_ns;
    uint16_t len_bytes;
    uint8_t dir; /* 0 down, 1 up */
    bool is_l;
    uint8_t event; /* enum packet_log_event */
};

struct packet_log;

/* Create or empty the file and start the thread. `wall_offset_ns` is CLOCK_REALTIME less
 * CLOCK_MONOTONIC. Errors: STATUS_IO, STATUS_NOMEM. */
CCALAB_MUST_USE enum status packet_log_open(const char *path, int64_t wall_offset_ns,
                                            struct packet_log **out, struct error *err);
/* The offset from now on: the wall clock may be disciplined while the link runs. */
void packet_log_set_clock(struct packet_log *log, int64_t wall_offset_ns);
/* Never waits. */
void packet_log_add(struct packet_log *log, const struct packet_log_row *row);
/* Write what is there and end the thread. After it only packet_log_counts() and packet_log_free().
 * Errors: STATUS_IO: the file lacks rows, which are counted as lost. */
CCALAB_MUST_USE enum status packet_log_close(struct packet_log *log, struct error *err);
/* Rows written and lost so far. */
void packet_log_counts(const struct packet_log *log, uint64_t *rows, uint64_t *lost);
/* Close it if need be. NULL is allowed. */
void packet_log_free(struct packet_log *log);

#endif
