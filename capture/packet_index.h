/* Any packet of a capture file at once, stream analysis included, while the file is still read.
 *
 * A thread reads the file once and analyses it as walk.h does. Every so many packets it keeps a
 * copy of what the analysis remembers; a packet is then found by going on from the copy before it
 * (packet_cursor.h), which takes milliseconds. Memory: a bit a packet, and the copies, which grow
 * with the flows and are bounded: where they pass PACKET_INDEX_BYTES, every second one is dropped.
 *
 * What cannot be read at an offset (pcapng, packed files, pipes) is written to an unnamed file in
 * $TMPDIR (/var/tmp without it) on the way.
 * Thread: any, but for packet_index_close(). */
#ifndef CCALAB_CAPTURE_PACKET_INDEX_H
#define CCALAB_CAPTURE_PACKET_INDEX_H

#include "capture/walk.h"

#define PACKET_INDEX_BYTES (512u << 20)
/* ECN over time: after so many bins two become one. */
#define PACKET_INDEX_BINS 4096u

struct packet_index;

struct packet_index_opts {
    const char *path; /* "-": standard input */
    bool is_followed; /* at the end wait for more, as tail -f does */
    /* Called from the index's thread when there is something new. */
    void (*on_news)(void *user);
    void *user;
};

struct packet_index_state {
    uint64_t packets;    /* so many can be read now */
    double fraction;     /* of the file, 0 to 1; -1: nobody knows */
    bool is_done;        /* no more will come */
    bool is_waiting;     /* followed, and at the end of what is there */
    uint64_t bytes;      /* that the copies occupy */
    char truncated[256]; /* what cut the file short; "" if nothing did */
    struct error error;  /* the index broke off: no room for the unnamed file, no memory */
};

/* Packets of one span of time by the codepoint of the outermost header (enum ecn_codepoint). */
struct packet_index_bin {
    uint32_t count[ECN_COUNT];
};

/* Open the file and start the thread. `path` is borrowed. Errors: those of source_open_file(),
 * STATUS_IO (the unnamed file), STATUS_INTERNAL (no thread). */
CCALAB_MUST_USE enum status packet_index_open(const struct packet_index_opts *opts,
                                              struct packet_index **out, struct error *err);
/* Stop and free; every cursor and scan of it must be closed before. NULL is allowed. */
void packet_index_close(struct packet_index *ix);
void packet_index_state(struct packet_index *ix, struct packet_index_state *out);
/* The nearest packet after `number` (step 1) or before it (-1) with CE in its outermost IP header
 * or in the one that carries its flow; 0: there is none, or none yet. */
uint64_t packet_index_ce(struct packet_index *ix, uint64_t number, int step);
/* Copy the bins, at most PACKET_INDEX_BINS; returns their number. *step_s is their width; the first
 * one begins with the capture. */
size_t packet_index_bins(struct packet_index *ix, struct packet_index_bin *out, uint32_t *step_s);

/* For cursors: a source of its own on what can be read at an offset. Errors: those of
 * source_open_file(). */
CCALAB_MUST_USE enum status packet_index_source(struct packet_index *ix, struct source **out,
                                                struct error *err);
/* The state of the analysis at or before packet `number`, as late as there is: *w is ready for the
 * packet behind w->frames, which lies at *offset. The caller frees w->flows.
 * Errors: STATUS_NOMEM. */
CCALAB_MUST_USE enum status packet_index_restore(struct packet_index *ix, uint64_t number,
                                                 struct walk_state *w, uint64_t *offset,
                                                 struct error *err);

#endif
