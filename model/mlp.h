/* A small network that answers as a trained policy does, in microseconds on one core: what `netllm
 * distill` makes and `netllm drive distilled:FILE` decides with. Two hidden layers of tanh over the
 * last rows of a flow, all on the scales of model/dataset.h, whose constants its file has too.
 * Thread: any number may ask one network. */
#ifndef CCALAB_MODEL_MLP_H
#define CCALAB_MODEL_MLP_H

#include <signal.h>

#include "model/dataset.h"

#define MLP_ROW_MAX    (POOL_FEATURES + 2)
#define MLP_ROWS_MAX   64
#define MLP_HIDDEN_MAX 256

struct mlp {
    size_t features;             /* of a state, by the recipe */
    size_t row;                  /* numbers a row: state, return, action */
    size_t rows, inputs, hidden; /* inputs = rows * row */
    /* Of its teacher; horizon is not 0: the return that is wanted stays wanted. */
    char recipe[32];
    struct dataset_opts data;
    struct dataset_norm norm;
    float *values; /* [hidden, inputs] [hidden] [hidden, hidden] [hidden] [hidden] [1] */
};

/* Errors: STATUS_NOMEM, STATUS_INPUT (rows or hidden beyond the above). *out is for mlp_free(). */
CCALAB_MUST_USE enum status mlp_new(const char *recipe, size_t rows, size_t hidden,
                                    struct mlp **out, struct error *err);
/* NULL is allowed. */
void mlp_free(struct mlp *m);
size_t mlp_count(const struct mlp *m);

/* The scaled action for `x`, the newest row first: standardised state, scaled return, scaled action
 * that was taken there (of the newest 0: that is asked for); zeros for rows before the flow. */
float mlp_answer(const struct mlp *m, const float *x);

/* safetensors: the values by layer, and the constants. Errors: STATUS_IO, STATUS_NOMEM. */
CCALAB_MUST_USE enum status mlp_save(const struct mlp *m, const char *path, struct error *err);
/* Errors: STATUS_IO; STATUS_INPUT naming what is wrong with the file. */
CCALAB_MUST_USE enum status mlp_load(const char *path, struct mlp **out, struct error *err);

/* Rows to learn from: x is [count, inputs], y [count]. */
struct mlp_rows {
    float *x, *y;
    size_t count;
};

struct mlp_fit {
    int epochs, patience;
    double rate;
    uint64_t seed;
};

struct mlp_fitted {
    double train_loss, valid_loss; /* mean squared errors on the action's scale */
    int epochs, best_epoch;
};

/* Train from fresh values by Adam; the values of the epoch with the least validation loss remain.
 * Errors: STATUS_NOMEM, STATUS_INPUT (no rows), STATUS_FAIL (a loss is not finite),
 * STATUS_INTERRUPTED. */
CCALAB_MUST_USE enum status mlp_train(struct mlp *m, const struct mlp_rows *train,
                                      const struct mlp_rows *valid, const struct mlp_fit *opts,
                                      const volatile sig_atomic_t *stop, struct mlp_fitted *out,
                                      struct error *err);

#endif
