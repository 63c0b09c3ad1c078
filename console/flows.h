/* The flows of a run as a table: what the samples of their sockets come to (docs/events.md, `ccalab
 * tcp-info`), live or from a record. Thread: main only. */
#ifndef CCALAB_CONSOLE_FLOWS_H
#define CCALAB_CONSOLE_FLOWS_H

#include <stdbool.h>
#include <stddef.h>

#define FLOWS_MAX 64 /* what comes later is not in the table */

struct flow {
    char name[48];
    double rate_bps, rate_sum; /* the newest, and of all */
    size_t rates;
    double cwnd_bytes, srtt_us;              /* the newest */
    double delivered, delivered_ce, retrans; /* since the flow began */
};

struct flow_table {
    struct flow of[FLOWS_MAX];
    size_t len;
};

void flow_table_clear(struct flow_table *t);
/* A value of a sample. A flow is what has a congestion window; false: this is of none. */
bool flow_table_add(struct flow_table *t, const char *src, const char *key, double value);
double flow_mean_bps(const struct flow *f);   /* NaN without samples */
double flow_mark_share(const struct flow *f); /* CE of what was delivered; NaN: unknown */

#endif
