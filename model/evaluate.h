/* How good a policy is on rows it was not trained on. */
#ifndef CCALAB_MODEL_EVALUATE_H
#define CCALAB_MODEL_EVALUATE_H

#include <signal.h>

#include "model/dataset.h"
#include "model/netllm.h"
#include "model/publish.h"
#include "model/score.h"

/* Teacher-forced: the policy's answer at every position of every window of a split, [windows,
 * steps], in the action's unit. `return_factor` NaN: the recorded returns-to-go; otherwise what is
 * asked for: that part of the largest training return (with a horizon), or of each recorded return.
 * `logs` (may be NULL) gets a step for each window. `stop` (may be NULL): a signal number ends it
 * with STATUS_INTERRUPTED. */
CCALAB_MUST_USE enum status evaluate_answers(struct policy *p, const struct dataset *d,
                                             enum dataset_split split, size_t batch_size,
                                             double return_factor, struct publish *logs,
                                             const volatile sig_atomic_t *stop, double *answers,
                                             struct error *err);

/* Mean squared error of those with the recorded returns, in the action's unit squared. */
CCALAB_MUST_USE enum status evaluate_windows(struct policy *p, const struct dataset *d,
                                             enum dataset_split split, size_t batch_size,
                                             const volatile sig_atomic_t *stop, double *loss,
                                             struct error *err);

struct evaluate_rollout {
    struct score score;    /* of the decisions; score.count of them */
    double p50_ms, p99_ms; /* of one decision */
};

/* Autoregressive: walk through every segment of the split that has a window, row by row. The
 * policy sees the recorded states but its own actions, and a return-to-go that starts at
 * `return_scale` times the largest training return and falls by each recorded reward. The context
 * is empty at the start of a segment and keeps the last w - 1 steps. */
CCALAB_MUST_USE enum status evaluate_rollout(struct policy *p, const struct dataset *d,
                                             enum dataset_split split, double return_scale,
                                             const volatile sig_atomic_t *stop,
                                             struct evaluate_rollout *out, struct error *err);

#endif
