/* How far answers are from what was advised (pool.h): in the action's unit, in bytes of the window,
 * as the logarithm of the windows' ratio. Thread: any, one at a time. */
#ifndef CCALAB_MODEL_SCORE_H
#define CCALAB_MODEL_SCORE_H

#include <cjson/cJSON.h>

#include "model/dataset.h"

struct score {
    size_t count;
    double loss;                 /* as trained: mean squared error of dataset_curve() */
    double mse, mae;             /* in the action's unit; published: against the cut labels */
    double mse_bytes, mae_bytes; /* of the window that the action asks for */
    double mse_log, mae_log;     /* ln(window answered / window advised) */
    double within_5_percent;     /* share of the answered windows that are so near the advised */
};

/* The window in bytes that an action of this row asks for; NaN where the recipe does not say. */
double score_window_bytes(const struct dataset *d, size_t row, double action);
/* Add the answer for a row of the pool, in the action's unit. */
void score_add(struct score *s, const struct dataset *d, size_t row, double answer);
/* Sums to means. What a recipe does not define is NaN. */
void score_finish(struct score *s);
/* answers: [windows, steps] of a split, in the action's unit. */
struct score score_windows(const struct dataset *d, enum dataset_split split,
                           const double *answers);
/* An object with one field for each of the above; null for NaN. NULL without memory. */
cJSON *score_to_json(const struct score *s);

#endif
