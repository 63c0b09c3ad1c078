/* The ECN accounting as people and programs read it. Thread: as struct ecn. */
#ifndef CCALAB_CAPTURE_REPORT_H
#define CCALAB_CAPTURE_REPORT_H

#include <stdint.h>
#include <stdio.h>

#include "capture/ecn.h"

/* What the accounting does not know of itself. */
struct report {
    const struct ecn *ecn;
    const char *truncated; /* what cut the file short, or NULL */
    int64_t kernel_drops;  /* < 0: not a live capture */
    uint32_t max_flows;    /* list only so many, those with the most bytes; 0 means all */
    bool has_marks;        /* JSON: with the marks of every second */
};

/* A line of events is at most 4 MiB long, a flow without its marks at most 4100 bytes. */
#define REPORT_EVENT_FLOWS 1000

/* Aligned columns, one line a flow and direction, most bytes first, at most 1000 flows; totals
 * above, and below a sentence on each of the first flows. */
void report_table(FILE *f, const struct report *r);
/* One header line, then one line a flow and direction, in order of appearance, all of them.
 * Errors: STATUS_NOMEM. */
CCALAB_MUST_USE enum status report_csv(FILE *f, const struct report *r, struct error *err);
/* One JSON object on one line without a newline: the keys of docs/events.md in its order, then
 * those of docs/capture.md. Numbers are exact: counts as integers, times with nine decimals.
 * Errors: STATUS_NOMEM. */
CCALAB_MUST_USE enum status report_json(FILE *f, const struct report *r, struct error *err);

#endif
