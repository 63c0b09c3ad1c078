/* The agent: the kernel's side of a congestion control that is decided in user space. It registers
 * `netllm` (bpf/netllm.bpf.c), hands out what that tells of its flows, and passes decisions on.
 *
 * The registration is machine-wide and goes with this process, however that ends. Flows live on
 * then, under the watchdog of the BPF program. Thread: one. */
#ifndef CCALAB_TESTBED_AGENT_H
#define CCALAB_TESTBED_AGENT_H

#include "testbed/agent_flows.h"

#define AGENT_CC "netllm" /* for TCP_CONGESTION */

struct agent_opts {
    uint32_t interval_us; /* between samples of a flow, at least a round trip; 0: for every ACK */
    enum agent_ect ect;
};

struct agent;

/* Load and register. *out is for agent_stop(). The handlers are borrowed.
 * Errors: STATUS_UNAVAILABLE with a hint (no root, not built, Linux before 6.4, another process has
 * registered it), STATUS_NOMEM. */
CCALAB_MUST_USE enum status agent_start(const struct agent_opts *opts,
                                        const struct agent_handlers *h, void *user,
                                        struct agent **out, struct error *err);
/* Take the registration back. NULL is allowed. */
void agent_stop(struct agent *a);

/* Becomes readable when there are records; for poll(2). */
int agent_fd(const struct agent *a);
/* Hand all records that are there to the handlers. Returns their number. */
size_t agent_take(struct agent *a);
/* Decide for an open flow: `cwnd` packets, `pacing_bps` bit/s (0: what suits the window). Any
 * number is allowed, see agent_decision_from(). False: it was no decision, nothing is written. No
 * system call; in force at the flow's next ACK. */
bool agent_decide(struct agent *a, uint32_t slot, double cwnd, double pacing_bps);

const struct agent_flows *agent_get_flows(const struct agent *a);
/* Records that found no room since the start: whoever takes too rarely loses samples. */
uint64_t agent_dropped(const struct agent *a);

#endif
