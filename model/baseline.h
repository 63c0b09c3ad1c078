/* What the policy is measured against: answers that need no language model.
 *
 * Constant, persistence, copying the input and leaving the window alone need no training. Ridge
 * regression (Hoerl and Kennard, 1970) and a small perceptron are trained on the training rows with
 * what the policy is given: states, returns-to-go and earlier actions of up to w rows, at most
 * BASELINE_ROWS, back to the episode's start. Unlike the policy, which at a window's first steps
 * has little context, they always see that many recorded rows: ridge is meant as the ceiling of
 * what a straight line can do. Strength and epoch are chosen on the validation rows; published,
 * which has none, on the training rows. Thread: any, one at a time. */
#ifndef CCALAB_MODEL_BASELINE_H
#define CCALAB_MODEL_BASELINE_H

#include <signal.h>

#include "model/dataset.h"

#define BASELINE_ROWS 20 /* rows of context at most */

enum baseline {
    BASELINE_CONSTANT,    /* the mean of the training actions */
    BASELINE_PERSISTENCE, /* the action of the row before; the mean where an episode starts */
    BASELINE_COPY_INPUT,  /* what the same row's window gives, recipe_copy(); may be NaN */
    BASELINE_NO_OP,       /* leave the window as it is; NaN where actions are no changes */
    BASELINE_RIDGE,
    BASELINE_MLP,
    BASELINES
};

/* "constant", "persistence", "copy_input", "no_op", "ridge", "mlp". */
const char *baseline_name(enum baseline which);
/* Answers for the windows of a split, [windows, steps], in the action's unit. The perceptron is
 * trained from `seed`; the same seed gives the same answers. `stop` (may be NULL) ends it with
 * STATUS_INTERRUPTED. Errors: STATUS_NOMEM. */
CCALAB_MUST_USE enum status baseline_answers(enum baseline which, const struct dataset *d,
                                             enum dataset_split split, uint64_t seed,
                                             const volatile sig_atomic_t *stop, double *answers,
                                             struct error *err);

#endif
