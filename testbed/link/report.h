/* What the link says of itself: the events of docs/events.md, "ccalab-link". */
#ifndef CCALAB_TESTBED_LINK_REPORT_H
#define CCALAB_TESTBED_LINK_REPORT_H

#include <cjson/cJSON.h>
#include <stdio.h>

#include "testbed/link/engine.h"

/* A link whose p99 of lateness passes this was no link of that rate and delay. */
#define REPORT_LATE_US 1000

extern const char *const report_src[LINK_DIRECTIONS]; /* "link/down", "link/up" */

/* What there is to say of the queue of a direction, ours or the kernel's. What it does not tell is
 * NAN. Counters are since the start. */
struct report_queue {
    double rate_bps; /* NAN: unlimited, or a trace */
    double backlog_bytes, backlog_pkts;
    double prob, pkts_l, pkts_c, maxq_pkts, ecn_mark, step_mark, ce_set;
    double drop; /* all packets that were not passed on */
    double drop_aqm, drop_overlimit;
    bool is_kernel;
    struct qdisc_stats kernel; /* if it is */
};
void report_queue(const struct link *l, int dir, uint64_t now_ns, struct report_queue *out);
/* The spec as it is in force. */
void report_spec(const struct link *l, int dir, struct buf *out);
/* Add `late_us` with p50, p99 and max, each null if there was no packet. */
void report_add_late(cJSON *obj, const struct hist *late);
/* `result` with state "up". "down" and "up" in it name the device where that direction begins. */
void report_up(FILE *f, const struct engine *e);
/* One `sample` of a direction, at now_ns, whose interval took `span_ns`. */
void report_sample(FILE *f, const struct engine *e, int dir, uint64_t now_ns, uint64_t span_ns);
/* `result` with state "down": totals, lateness, and whether the run is to be believed. */
void report_down(FILE *f, const struct engine *e, uint64_t now_ns);

#endif
