/* What is counted while flows are driven: latencies, staleness, refusals. Thread: one. */
#ifndef CCALAB_DRIVE_ACCOUNT_H
#define CCALAB_DRIVE_ACCOUNT_H

#include <cjson/cJSON.h>

#include "model/serve_latency.h"
#include "testbed/agent_flows.h"

struct drive_account {
    uint64_t intervals, decisions, refused, clamped, batches, largest_batch;
    uint64_t driven, undriven;  /* intervals after a flow's first decision, by who had the window */
    struct serve_latency event; /* from the kernel's sample to the decision in its array */
    struct serve_latency decide; /* of a batch in the policy */
    struct serve_latency stale;  /* age of the decision in force when an interval ends */
};

/* An interval has ended. */
void drive_account_interval(struct drive_account *a, const struct agent_sample *s);
/* Counts, and percentiles in microseconds (null where there was nothing), as of docs/events.md.
 * Caller deletes. */
cJSON *drive_account_json(const struct drive_account *a);

#endif
