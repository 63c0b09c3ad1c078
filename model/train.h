/* Training: fit a policy to a pool and keep the checkpoint that is best on the validation rows. */
#ifndef CCALAB_MODEL_TRAIN_H
#define CCALAB_MODEL_TRAIN_H

#include <cjson/cJSON.h>
#include <signal.h>
#include <stdio.h>

#include "model/dataset.h"
#include "model/netllm.h"

struct train_opts {
    const char *pool_path; /* as recorded in the checkpoint */
    const char *model_dir;
    struct policy_config policy;
    int epochs;
    int batch_size;       /* windows in one forward pass: memory and speed, not arithmetic */
    int grad_accum_steps; /* windows of one optimiser step */
    double lr, weight_decay;
    double clip_norm;
    int warmup_steps;                  /* optimiser steps of linear warm-up; -1: by fraction */
    double warmup_fraction;            /* of all optimiser steps */
    const volatile sig_atomic_t *stop; /* a signal number ends the training after its step */
    FILE *events;                      /* progress, samples and logs go here (docs/events.md) */
};

/* Train a new policy on `d`. *result (caller deletes) is the data of the result event.
 * Errors: STATUS_FAIL (the loss is not finite: epoch and window are named), STATUS_INTERRUPTED,
 * and those of policy_new() and checkpoint_save(). A checkpoint already saved stays. */
CCALAB_MUST_USE enum status train_run(const struct train_opts *opts, const struct dataset *d,
                                      cJSON **result, struct error *err);

#endif
