/* What a policy sees of a driven flow at the end of an interval, out of the counters that the
 * kernel tells (testbed/agent.h). No kernel is needed here. Thread: any, one at a time. */
#ifndef CCALAB_DRIVE_SEEN_H
#define CCALAB_DRIVE_SEEN_H

#include "model/trace.h"
#include "testbed/agent_flows.h"

/* Counts are packets in the interval; what was not measured is NaN. */
struct drive_seen {
    const struct agent_flow *flow;
    struct agent_sample sample; /* at the interval's end */
    /* As a trace has it, srtt and bytes acknowledged over time, so that recipe_state() makes the
     * state of it that the training saw. The throughput of a flow's first row is NaN. Its window
     * has the fraction of a packet that the decision in force had and the kernel's has not: else
     * steps of less than a packet would never add up. */
    struct trace_row row;
    double interval_s, delivered, ce, lost;
};

/* Where the last interval of a flow ended; zeroed: there was none. */
struct drive_mark {
    bool is_set;
    struct agent_sample at;
    double wanted; /* packets, the last decision; 0 or NaN: none */
};

/* The interval from the mark to this sample, and the mark moved to it. */
void drive_see(struct drive_mark *mark, const struct agent_flow *flow, const struct agent_sample *s,
               struct drive_seen *out);

#endif
