/* The flows that the congestion control `netllm` has told of, by the records of its ring buffer
 * (bpf/agent_abi.h). No kernel is needed here. Thread: any, one at a time. */
#ifndef CCALAB_TESTBED_AGENT_FLOWS_H
#define CCALAB_TESTBED_AGENT_FLOWS_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"
#include "testbed/bpf/agent_abi.h"

#define AGENT_ADDRESS_MAX 64

struct agent_flow {
    bool is_open;
    uint32_t slot, generation;
    uint32_t seq; /* of the last decision written for it */
    uint32_t netns;
    char local[AGENT_ADDRESS_MAX], remote[AGENT_ADDRESS_MAX]; /* "10.98.1.2:43210", "[::1]:80" */
};

/* Each may be NULL. `flow` is the table's; at `close` it is still as it was, and forgotten
 * afterwards; `last` (may be NULL: its record was lost) has the flow's final counters. */
struct agent_handlers {
    void (*open)(void *user, const struct agent_flow *flow);
    void (*sample)(void *user, const struct agent_flow *flow, const struct agent_sample *s);
    void (*close)(void *user, const struct agent_flow *flow, const struct agent_sample *last);
};

struct agent_flows {
    struct agent_flow at[AGENT_SLOTS]; /* by slot */
    size_t open;                       /* flows */
    uint64_t strange;                  /* records that were no such thing, or of no flow known */
};

/* Take one record of `len` bytes and call the handlers. A flow whose slot opens anew has closed. */
void agent_flows_take(struct agent_flows *t, const void *record, size_t len,
                      const struct agent_handlers *h, void *user);

/* What is written for a decision of `cwnd` packets and `pacing_bps` bit/s (0: what suits the
 * window), each any number at all. False: there is no decision in it (not a number). What is beyond
 * the array's numbers becomes their least or largest; to bounds of sense the BPF program keeps it.
 * Time and stamp are the caller's. */
bool agent_decision_from(double cwnd, double pacing_bps, struct agent_decision *out);

#endif
