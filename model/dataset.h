/* From a pool to windows the policy can learn from: normalisation, returns, splits, baselines.
 *
 * Features are the standardised states; for the recipe lab, whose windows and rates span decades,
 * the standardised logarithms ln(rtt), ln(cwnd), ln(1 + throughput); for loop, standardised too,
 *
 *   0  ln(rtt / min_rtt), at least 0                   the queue, in round trips without one
 *   1  ln(cwnd)
 *   2  ln(8 cwnd / (throughput min_rtt)), -3 ... 3     the window, in what is on its way
 *   3  ln(min_rtt)
 *   4  sqrt(ce_share)
 *   5  sqrt(lost_share), of a share of at most 1
 *
 * A flow that is steered lives by single percents of queue and of window, which ln(rtt) and
 * ln(throughput) of many links drown: 0 and 2 are relative, so that one percent is as much on any
 * link. The roots keep one marked packet in a hundred apart from none.
 *
 * Actions are scaled by their range, for lab by their standard deviation; for loop it is that of
 * asinh(a / 0.02): linear for changes of the window of one percent, logarithmic for large ones, so
 * that its errors are not those of a few halvings alone.
 *
 * What a policy is to answer is the pool's advice, which is the action where nobody advised:
 * labels, scales, errors and baselines are of the advice. What it is told of the row before is the
 * action, what was done, and so are rewards and returns what came of that.
 *
 * Every episode is cut in order of time into training (70 %), validation (15 %) and test (15 %)
 * segments. A window is `steps` consecutive rows of one segment; none crosses an episode or a
 * segment. All constants are fitted on the training segments, and returns-to-go are summed to the
 * end of a row's own segment, so that nothing of the test rows reaches the training. Thread: any,
 * one at a time. */
#ifndef CCALAB_MODEL_DATASET_H
#define CCALAB_MODEL_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"
#include "model/pool.h"
#include "model/recipe.h"

enum dataset_split { DATASET_TRAIN, DATASET_VALID, DATASET_TEST, DATASET_SPLITS };

/* "train", "valid", "test". */
const char *dataset_split_name(enum dataset_split split);

/* Constants fitted on the training segments; a checkpoint keeps them. */
struct dataset_norm {
    /* Of the features before they are standardised; std 1 where nothing varies. */
    double state_mean[POOL_FEATURES], state_std[POOL_FEATURES];
    double action_offset, action_span; /* see dataset_scaled() */
    double action_mean; /* the constant baseline: its dataset_curve() is the advice's mean */
    double reward_min, reward_max;
    double max_return; /* largest training return, of loop the 90th percentile: what is aimed at */
    double return_std; /* of the training returns of loop before they are divided by it; else 1 */
};

struct dataset_opts {
    int steps;       /* w, rows of a window */
    int sample_step; /* distance of window starts; 0: `steps`, less where that gives < 32 windows */
    double gamma;    /* discount of the returns, see returns.h */
    double scale;    /* returns are divided by it */
    int horizon;     /* rows that a return counts, of loop ms; 0: to the end of the segment */
    bool is_published; /* as the published code has it, see below; horizon is 0 then */
};

/* `is_published`: the arithmetic of the published data set (docs/netllm.md). Raw states; action
 * inputs (a + 1) / 6; labels truncated to whole numbers; constants, returns and windows over the
 * whole pool, which is training and test split in one, with no validation split; timesteps counted
 * from the episode's start; windows may cross episodes. */

struct dataset_window {
    size_t episode;
    size_t row; /* first row in the pool */
};

struct dataset_windows {
    struct dataset_window *at;
    size_t count;
    int sample_step; /* the one used */
};

struct dataset {
    const struct pool *pool; /* borrowed */
    struct dataset_opts opts;
    struct dataset_norm norm;
    int features;   /* of a row, the pool's */
    float *states;  /* the features, standardised: [rows of the pool, features] */
    float *actions; /* scaled, as they enter the policy */
    float *labels;  /* what it shall answer: the advice, scaled the same; published: cut actions */
    float *returns; /* scaled returns-to-go */
    struct dataset_windows windows[DATASET_SPLITS];
};

/* Windows as dense arrays for the policy: [windows, steps], states [windows, steps, features]. */
struct dataset_batch {
    size_t windows, steps;
    float *states, *actions, *labels, *returns; /* labels of steps that do not count are NaN */
    int32_t *timesteps; /* place in the window, 0 ... steps - 1; published: in the episode */
};

/* Defaults for windows of `steps` rows of a recipe (0: 20 rows, of loop 12, so that 8 s of a flow
 * with a round trip of 80 ms have a window in each split). Gamma 1 and sums to the segment's end
 * over a scale of 1000 as published; lab: the mean over the next `steps` rows; loop: over the next
 * second, at whose end a reward counts a quarter. */
struct dataset_opts dataset_opts_default(enum recipe recipe, int steps);

/* The pool is borrowed and must outlive the data set. `norm` NULL: fit the constants; otherwise
 * use these (those of a checkpoint). *out is for dataset_free().
 * Errors: STATUS_INPUT when a split gets no window, saying how many rows an episode needs, or if
 * published for a pool whose states are not three numbers; STATUS_NOMEM. */
CCALAB_MUST_USE enum status dataset_new(const struct pool *pool, const struct dataset_opts *opts,
                                        const struct dataset_norm *norm, struct dataset **out,
                                        struct error *err);
/* NULL is allowed. */
void dataset_free(struct dataset *d);

/* Rows [*begin, *end) of an episode's segment. May be empty. */
void dataset_segment(const struct pool_episode *e, enum dataset_split split, size_t *begin,
                     size_t *end);
/* The same of an episode of this data set: all of it for training and test if published. */
void dataset_part(const struct dataset *d, size_t episode, enum dataset_split split, size_t *begin,
                  size_t *end);
/* The episode that a row of the pool is in. */
size_t dataset_episode_of(const struct dataset *d, size_t row);
/* Timesteps that occur: rows of the policy's table. Published: two more than the last timestep. */
int dataset_timestep_rows(const struct pool *pool, const struct dataset_opts *opts);
/* An action of the recipe as the policy has it, (x - offset) / span, and back. x is the action
 * itself; asinh(a / 0.02) for loop. Training, serving, distilling and driving share them. */
double dataset_scaled(enum recipe recipe, const struct dataset_norm *norm, double action);
double dataset_unscaled(enum recipe recipe, const struct dataset_norm *norm, double scaled);
/* That x, on which errors are squared: losses and baselines are in its unit. */
double dataset_curve(enum recipe recipe, double action);
/* An answer of the policy in the action's unit. */
double dataset_action(const struct dataset *d, double predicted);
/* The standardised features of a row of the pool. */
const float *dataset_state(const struct dataset *d, size_t row);
/* Does the policy know at this step of a window what it will know when it drives? A context has at
 * least half of the window's steps (serve_context.h), but where the flow is young. Of windows of
 * the recipe loop the other steps teach nothing and are not scored; of all others each step counts,
 * as published. */
bool dataset_counts(const struct dataset *d, const struct dataset_window *window, size_t step);
/* Rows from which on every episode gives each split a window of `steps` rows. */
size_t dataset_rows_needed(int steps);

/* A state as the policy sees it: its recipe_features() numbers, as told above. */
void dataset_features(enum recipe recipe, const struct dataset_norm *norm, const float *state,
                      float *out);

/* A reward as the returns count it: min-max normalised with clamping, divided by the scale. */
double dataset_reward(const struct dataset *d, double reward);

/* Room for `windows` windows of `steps` rows. Errors: STATUS_NOMEM. */
CCALAB_MUST_USE enum status dataset_batch_init(struct dataset_batch *b, size_t windows,
                                               size_t steps, struct error *err);
void dataset_batch_done(struct dataset_batch *b);
/* Fill with `count` windows (at most the room given), by `order` of window indices. */
void dataset_batch_fill(const struct dataset *d, enum dataset_split split, const size_t *order,
                        size_t count, struct dataset_batch *b);

/* Mean squared errors of dataset_curve(), for all recipes but loop in the action's own unit
 * squared, over every step of every window that counts. */
struct dataset_baselines {
    double constant;    /* always the mean of the training actions */
    double persistence; /* the previous row's action; the mean where an episode starts */
    double copy_input;  /* the action that the same row's cwnd gives: what the state token already
                           holds. NaN for recipes where it gives none */
    double no_op; /* leave the window as it is. NaN for recipes whose action is not a change */
};
struct dataset_baselines dataset_baselines(const struct dataset *d, enum dataset_split split);

#endif
