/* How good a policy is on rows it was not trained on. */
#ifndef CCALAB_MODEL_EVALUATE_H
#define CCALAB_MODEL_EVALUATE_H

#include <signal.h>

#include "model/dataset.h"
#include "model/netllm.h"

/* Teacher-forced: mean squared error over every position of every window of a split, in the
 * action's unit squared. `stop` (may be NULL): a signal number ends it with STATUS_INTERRUPTED. */
CCALAB_MUST_USE enum status evaluate_windows(struct policy *p, const struct dataset *d,
                                             enum dataset_split split, size_t batch_size,
                                             const volatile sig_atomic_t *stop, double *loss,
                                             struct error *err);

struct evaluate_rollout {
    double loss; /* mean squared error of the decisions, in the action's unit squared */
    size_t decisions;
    double p50_ms, p99_ms; /* of one decision */
};

/* Autoregressive: walk through every segment of the split that has a window, row by row. The
 * policy sees the recorded states but its own actions, and a return-to-go that starts at the
 * largest training return and falls by each recorded reward. The context is empty at the start of
 * a segment and keeps the last w - 1 steps. */
CCALAB_MUST_USE enum status evaluate_rollout(struct policy *p, const struct dataset *d,
                                             enum dataset_split split,
                                             const volatile sig_atomic_t *stop,
                                             struct evaluate_rollout *out, struct error *err);

#endif
