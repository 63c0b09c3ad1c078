/* The packets of an index that pass a display filter, found by a thread of its own while others go
 * on: into a list, or into a new capture file. Thread: any, but for packet_scan_stop(). */
#ifndef CCALAB_CAPTURE_PACKET_SCAN_H
#define CCALAB_CAPTURE_PACKET_SCAN_H

#include "capture/packet_index.h"

struct packet_scan;

struct packet_scan_opts {
    struct packet_index *index; /* borrowed; it must have packets */
    const char *filter;         /* display filter; "" passes everything */
    const char *save;           /* NULL, or the file to write; there must be none yet */
    void (*on_news)(void *user);
    void *user;
};

struct packet_scan_state {
    uint64_t seen, hits; /* packets looked at, and those that passed */
    bool is_done;        /* a list never is before its index; a file takes what there is */
    struct error error;  /* it broke off */
};

/* A list follows the index: packets that come later are looked at too. A file holds the packets
 * that there are when it is started, as pcapng, and is kept as far as it goes when
 * something fails. Where the filter is wrong, *at (may be NULL) is where. Errors: those of
 * filter_compile(), STATUS_IO (the file cannot be made), STATUS_INTERNAL. */
CCALAB_MUST_USE enum status packet_scan_start(const struct packet_scan_opts *opts,
                                              struct packet_scan **out, size_t *at,
                                              struct error *err);
/* Stop and free. NULL is allowed. */
void packet_scan_stop(struct packet_scan *s);
void packet_scan_state(struct packet_scan *s, struct packet_scan_state *out);
/* Numbers of the hits [first, first + n), as far as there are so many; returns how many. */
size_t packet_scan_hits(struct packet_scan *s, uint64_t first, size_t n, uint64_t *out);
/* Index of the first hit at or after packet `number`; the number of hits if there is none. */
uint64_t packet_scan_find(struct packet_scan *s, uint64_t number);

#endif
