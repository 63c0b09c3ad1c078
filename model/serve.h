/* Decisions for many flows: states in as JSON lines, actions out as events (docs/netllm.md,
 * "netllm serve"). Whatever waits when a decision ends is decided together, one state a flow. */
#ifndef CCALAB_MODEL_SERVE_H
#define CCALAB_MODEL_SERVE_H

#include <signal.h>
#include <stdio.h>

#include "model/checkpoint.h"
#include "model/serve_context.h"

#define SERVE_FLOWS_MAX 1024

struct serve_opts {
    struct policy *policy;
    const struct checkpoint *checkpoint; /* its constants and recipe */
    enum serve_mode mode;
    size_t flows;        /* at most so many at a time */
    double target_scale; /* of the largest training return, where a flow starts */
    /* Constants of the recipes published and tutorial, whose actions say where between these the
     * window is to be; NaN: unknown, and cwnd_bytes is null. */
    double cwnd_min, cwnd_max;
    int input_fd;
    FILE *events;
    const volatile sig_atomic_t *stop; /* a signal number ends it with STATUS_INTERRUPTED */
};

/* Serve until the input ends. Bad lines are reported and passed over.
 * Errors: STATUS_NOMEM, STATUS_INTERRUPTED, STATUS_IO (the input cannot be read), those of the
 * policy. */
CCALAB_MUST_USE enum status serve_run(const struct serve_opts *opts, struct error *err);

/* The window that an action asks for, in bytes; NaN where that cannot be told. */
double serve_cwnd(const struct serve_opts *opts, double cwnd_bytes, double action);
/* The return-to-go once the reward of a step has come; of `scales` only norm and opts count. */
double serve_next_target(const struct dataset *scales, double target, double reward);

#endif
