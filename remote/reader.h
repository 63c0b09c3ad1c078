/* Readers make events of what programs print that do not speak them, so that the plots and the run
 * record get iperf3's intervals and the sockets of ss(8) live like everything else. A job with a
 * reader hands it its standard output as it comes. Thread: any, one at a time. */
#ifndef CCALAB_REMOTE_READER_H
#define CCALAB_REMOTE_READER_H

#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"

struct reader {
    /* Append to *events a line of the event protocol for everything that is complete now. */
    void (*feed)(struct reader *r, const char *data, size_t len, struct buf *events);
    /* The output is over: what was still open, and the result if there is one. */
    void (*end)(struct reader *r, struct buf *events);
    void (*free)(struct reader *r);
};

/* What a reader is to look for. Strings are copied. */
struct reader_opts {
    const char *kind;      /* "ss" or "iperf3" */
    const char *label;     /* src of the samples, at most 64 bytes */
    const char *peer;      /* ss: only sockets whose other end is there, or NULL */
    uint16_t dport, sport; /* ss: one of them is 0 */
};

/* NULL: no such kind, or out of memory. */
struct reader *reader_new(const struct reader_opts *opts);

#endif
