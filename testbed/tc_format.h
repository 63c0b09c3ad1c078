/* What tc(8) prints for a queueing discipline, made from what ccalab-link says of its AQM.
 *
 * Formats: iproute2 6.1 for pfifo, bfifo, codel, pie and fq_codel, and 6.17, the first with it, for
 * dualpi2. pi2 is in no iproute2; it is printed in the same manner. */
#ifndef CCALAB_TESTBED_TC_FORMAT_H
#define CCALAB_TESTBED_TC_FORMAT_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "core/buf.h"

struct tc_format {
    const char *handle;     /* "8001:" */
    const char *dev;        /* NULL: not printed, as for `show dev X` */
    const cJSON *direction; /* of the answer to {"cmd":"get"}: aqm, stats, out_bytes, ... */
    bool has_stats;         /* -s */
};

/* tc's kind for an AQM's canonical spec: "pfifo" or "bfifo" for a fifo, else the spec's first word.
 * `out` needs 32 bytes. */
void tc_format_kind(const char *spec, char *out, size_t size);
/* The lines for a terminal, the last with its line feed. */
void tc_format_text(const struct tc_format *f, struct buf *out);
/* The element of the list that `tc -j` prints. Caller deletes. */
cJSON *tc_format_json(const struct tc_format *f);

#endif
