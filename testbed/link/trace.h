/* Mahimahi packet-delivery traces: a link whose rate is a list of moments.
 *
 * Each line of the file is a millisecond since the start at which 1504 bytes may leave; several
 * equal lines are several such opportunities. The list repeats after its last line. A packet takes
 * as many bytes as it has, from one opportunity or several, and several packets can share one. What
 * finds nobody waiting is lost, as in mm-link(1). */
#ifndef CCALAB_TESTBED_LINK_TRACE_H
#define CCALAB_TESTBED_LINK_TRACE_H

#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

#define TRACE_OPPORTUNITY_BYTES 1504
#define TRACE_LINES_MAX         10000000u

struct trace {
    uint32_t *at_ms; /* never falling; the last is the period, above 0 */
    size_t count;
};

/* The file is checked line by line: one decimal number, none below the one before, at most
 * TRACE_LINES_MAX of them, not all 0. The caller calls trace_done(), also after an error.
 * Errors: STATUS_IO, STATUS_INPUT (with the number of the line), STATUS_NOMEM. */
CCALAB_MUST_USE enum status trace_load(const char *path, struct trace *out, struct error *err);
void trace_done(struct trace *t);

/* Opportunities up to and with `age_ns` after the start. */
uint64_t trace_count(const struct trace *t, uint64_t age_ns);

/* A serializer that follows a trace. */
struct trace_cursor {
    const struct trace *trace; /* borrowed; NULL: there is none */
    uint64_t origin_ns;        /* when the trace began */
    uint64_t index;            /* of the current opportunity, over all repetitions */
    uint32_t credit_bytes;     /* what is left of it */
};

void trace_start(struct trace_cursor *c, const struct trace *t, uint64_t origin_ns);
/* The first moment from now_ns on at which a byte can leave. now_ns never falls. */
uint64_t trace_ready_ns(struct trace_cursor *c, uint64_t now_ns);
/* Spend len_bytes from the moment given by trace_ready_ns(); when the last byte has left. */
uint64_t trace_spend(struct trace_cursor *c, uint32_t len_bytes);

#endif
