/* Training: fit a policy to a pool, keep the weights that are best on the validation rows, and
 * where the training stands (train_state.h), so that it can go on after whatever stopped it. */
#ifndef CCALAB_MODEL_TRAIN_H
#define CCALAB_MODEL_TRAIN_H

#include <cjson/cJSON.h>
#include <signal.h>
#include <stdio.h>

#include "model/dataset.h"
#include "model/netllm.h"
#include "model/publish.h"

struct train_opts {
    const char *pool_path; /* as recorded in the checkpoint */
    const char *model_dir;
    const char *start_dir; /* checkpoint whose weights it begins with; NULL: new ones */
    struct policy_config policy;
    int epochs;
    int batch_size;       /* windows in one forward pass: memory and speed, not arithmetic */
    int workers;          /* such passes side by side; 0: 1 */
    int grad_accum_steps; /* windows of one optimiser step */
    double lr, weight_decay;
    double clip_norm;
    double label_clip;       /* scaled labels are cut to +- this in training; 0: not */
    int warmup_steps;        /* optimiser steps of linear warm-up; -1: by fraction */
    double warmup_fraction;  /* of all optimiser steps */
    int eval_per_epoch;      /* validate after every so many epochs (1 or more), and the last */
    int save_per_epoch;      /* keep the state after every so many epochs (1 or more) */
    int save_per_steps;      /* and after every so many optimiser steps; 0: not */
    int patience;            /* stop after as many epochs without a better one; 0: do not */
    bool is_resumed;         /* go on from the state in model_dir, if there is one */
    const cJSON *arguments;  /* the command line, kept in the state; borrowed, may be NULL */
    struct publish *publish; /* the published logs; NULL: none */
    const volatile sig_atomic_t *stop; /* a signal number ends the training after its step */
    FILE *events;                      /* progress, samples and logs go here (docs/events.md) */
};

/* Train a policy on `d`. *result (caller deletes) is the data of the result event. Its head starts
 * at 0, so that the first answer is the mean action.
 *
 * A data set with `is_published` is trained as the published code does: one window at a time, its
 * gradient divided by grad_accum_steps also in a short last group, the sum clipped after every
 * window, nothing validated, the last epoch's weights kept as the best.
 *
 * Errors: STATUS_FAIL (a loss or gradient is not finite: epoch and window are named),
 * STATUS_INTERRUPTED (the state is kept), and those of policy_new(), checkpoint_save() and
 * train_state_load(). A checkpoint already saved stays. */
CCALAB_MUST_USE enum status train_run(const struct train_opts *opts, const struct dataset *d,
                                      cJSON **result, struct error *err);

#endif
