/* The closed loop: flows of this machine that ask for the congestion control `netllm` get their
 * windows from a policy in this process, until a signal comes (docs/drive.md). */
#ifndef CCALAB_DRIVE_DRIVE_H
#define CCALAB_DRIVE_DRIVE_H

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>

#include "drive/policy.h"
#include "testbed/agent.h"

struct drive_opts {
    struct agent_opts agent;
    struct drive_policy *policy;
    const char *policy_name;      /* for the events */
    double target_scale;          /* that it was made with */
    struct drive_policy *advisor; /* asked what it would do once the decisions stand, and not
                                     obeyed; its errors end its advice alone. NULL: nobody */
    uint32_t report_us;           /* between two samples of a flow; 0: every interval */
    double explore;   /* decisions are up to so much more or less, in ln(window), by chance */
    uint64_t seed;    /* of that chance */
    bool is_realtime; /* SCHED_FIFO, where that is permitted */
    bool is_awake;    /* no processor sleeps while flows are open, where that is permitted */
    int control_fd;   /* lines of JSON, docs/drive.md; -1: none */
    FILE *events;
    const volatile sig_atomic_t *stop; /* a signal number ends it, and that is no error */
};

/* Errors: those of agent_start() and of the policy; STATUS_NOMEM. */
CCALAB_MUST_USE enum status drive_run(const struct drive_opts *opts, struct error *err);

#endif
