/* What the link says of itself: the events of docs/events.md, "ccalab-link". */
#ifndef CCALAB_TESTBED_LINK_REPORT_H
#define CCALAB_TESTBED_LINK_REPORT_H

#include <cjson/cJSON.h>
#include <stdio.h>

#include "testbed/link/engine.h"

/* A link whose p99 of lateness passes this was no link of that rate and delay. */
#define REPORT_LATE_US 1000

extern const char *const report_src[LINK_DIRECTIONS]; /* "link/down", "link/up" */

/* All packets that a direction did not pass on, of these counters of it. */
double report_drops(const struct direction *d, const struct aqm_stats *s);
/* NAN where there is none: unlimited, or a trace. */
double report_rate_bps(const struct direction *d);
/* Add `late_us` with p50, p99 and max, each null if there was no packet. */
void report_add_late(cJSON *obj, const struct hist *late);
/* `result` with state "up". "down" and "up" in it name the device where that direction begins. */
void report_up(FILE *f, const struct engine *e);
/* One `sample` of a direction, at now_ns, whose interval took `span_ns`. */
void report_sample(FILE *f, const struct engine *e, int dir, uint64_t now_ns, uint64_t span_ns);
/* `result` with state "down": totals, lateness, and whether the run is to be believed. */
void report_down(FILE *f, const struct engine *e, uint64_t now_ns);

#endif
