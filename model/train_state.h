/* Where a training stands: everything that decides how it goes on, in one file of the checkpoint's
 * directory, replaced as a whole. A training that is killed and resumed from it takes the same
 * steps as one that was not (same threads, same libtorch).
 *
 * training.safetensors: value/NAME, first/NAME and second/NAME F32 of each trained parameter (the
 * parameter and its moments), order I64 (windows), counters I64, losses F64;
 * metadata: format, options (JSON that must be the same), arguments (JSON array, the command line).
 * Thread: any, one at a time. */
#ifndef CCALAB_MODEL_TRAIN_STATE_H
#define CCALAB_MODEL_TRAIN_STATE_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "model/netllm.h"

struct train_state {
    int epoch;           /* the epoch that goes on, from 1 */
    size_t windows_done; /* of that epoch, always whole optimiser steps */
    int step;            /* optimiser steps done */
    int best_epoch;      /* 0: none yet */
    uint64_t random;     /* of the shuffling */
    double best_loss;    /* of best_epoch, on the validation windows */
    double train_loss;   /* mean of the last whole epoch */
    double epoch_sum;    /* of the window losses of this epoch so far */
    double seconds;      /* trained so far */
    size_t *order;       /* windows of the epoch, shuffled; caller's memory */
    size_t windows;      /* how many */
};

/* Is there a state in `dir`? */
bool train_state_exists(const char *dir);
/* Remove it: a training begins anew. */
void train_state_remove(const char *dir);
/* Write it, making the directory if it is missing; `arguments` may be NULL. Errors: STATUS_IO,
 * STATUS_NOMEM. */
CCALAB_MUST_USE enum status train_state_save(const char *dir, const struct train_state *s,
                                             const struct policy *p, const cJSON *options,
                                             const cJSON *arguments, struct error *err);
/* Bring state and policy to where the file stands; s->order and s->windows are set by the caller.
 * Errors: STATUS_IO; STATUS_INPUT naming the tensor, or the option that is not as it was. */
CCALAB_MUST_USE enum status train_state_load(const char *dir, struct train_state *s,
                                             struct policy *p, const cJSON *options,
                                             struct error *err);
/* The command line of the training, an array of strings; caller deletes. NULL with *err set. */
cJSON *train_state_arguments(const char *dir, struct error *err);

#endif
