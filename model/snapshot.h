/* Rows out of counters: what a flow's kernel counted at two moments becomes the row between them.
 * Training and driving share it, so that a policy is driven by what it was taught with.
 * Thread: any. */
#ifndef CCALAB_MODEL_SNAPSHOT_H
#define CCALAB_MODEL_SNAPSHOT_H

#include <stdbool.h>

#include "model/trace.h"

/* A flow at a moment; counters since it began. NaN: not known. */
struct snapshot {
    double t_s;
    double srtt_s, min_rtt_s, cwnd_bytes;
    double bytes_acked;
    double delivered, delivered_ce; /* packets */
    /* Packets held to be lost so far. struct tcp_info has no such counter: there it is the total of
     * retransmissions, which follows by up to a round trip and counts a packet that is sent three
     * times twice. */
    double lost;
};

/* Are all of them known, as for a row between two of these? */
bool snapshot_is_whole(const struct snapshot *s);
/* Does a row that began at `last` end at the sample `s`, or only at the `next` one (NULL: there is
 * none)? Driving decides at the first ACK that comes max(interval, srtt) after the decision before.
 * Samples lie on a grid: the one nearest to that time. The first behind it would make rows of 20 ms
 * out of round trips of 11, and teach nearly double steps. */
bool snapshot_is_due(const struct snapshot *last, const struct snapshot *s,
                     const struct snapshot *next, double interval_s);
/* How much a counter of 32 bits that may wrap has grown; NaN where it fell. */
double snapshot_growth(double from, double to);
/* The row that ends at `to`: times and window are those of its end, the rest is growth since
 * `from`. Shares are 0 where nothing was delivered, but that each packet lost without one that was
 * delivered counts as a whole. What needs growth is NaN where `from` is NULL or no time has passed.
 */
struct trace_row snapshot_row(const struct snapshot *from, const struct snapshot *to);

#endif
