/* An experience pool: what a flow saw, did and got, row by row.
 *
 * A row is a state, the action that was taken, its reward, and whether the episode ends there. A
 * state has the first `features` of enum pool_feature: three, of the recipe loop all six. Rows of
 * an episode are in order of time. On disk it is a safetensors file (docs/netllm.md, "Pool"):
 * states F32 [n,features], actions F64 [n], rewards F64 [n], dones BOOL [n], of the recipe loop t
 * and advice F64 [n]; recipe, constants and sources in the metadata. Thread: any, one at a time. */
#ifndef CCALAB_MODEL_POOL_H
#define CCALAB_MODEL_POOL_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"

#define POOL_ROWS_MAX 50000000u
#define POOL_ROW_S    0.01 /* between rows of which nobody said when they were */

enum pool_feature {
    POOL_RTT_S,
    POOL_CWND_BYTES,
    POOL_THROUGHPUT_BPS,
    POOL_MIN_RTT_S,  /* least of the flow so far */
    POOL_CE_SHARE,   /* of the packets delivered in the interval, those that carried CE: 0 ... 1 */
    POOL_LOST_SHARE, /* packets lost by packets delivered in the interval: 0 ... */
    POOL_FEATURES    /* room for all of them */
};

/* "rtt_s", "cwnd_bytes", ... */
const char *pool_feature_name(enum pool_feature feature);

struct pool_episode {
    size_t begin, end;         /* rows [begin, end) */
    char *source;              /* file it came from; "" if unknown */
    char cc[32];               /* congestion control of the flow; "" if unknown */
    int stream;                /* index of the stream in its file */
    char scenario[64];         /* in which it was collected; "" if unknown */
    double seed;               /* of that scenario's run; where it is known */
    double cwnd_min, cwnd_max; /* constants of the recipe, bytes; NaN if unknown */
};

struct pool {
    size_t rows, cap;
    int features;                   /* of a state, by the recipe */
    float (*states)[POOL_FEATURES]; /* beyond `features` 0 */
    double *actions;
    double *rewards;
    /* What was advised in place of the action (netllm drive --explore, --advisor), in its unit:
     * what a policy is to learn. The action where nobody was asked, and of all recipes but loop,
     * which keeps it in its file. */
    double *advice;
    double *t_s; /* when the row ended, since its run began. Of the recipe loop, which keeps it in
                    its file: POOL_ROW_S a row until it is set */
    char recipe[32];                /* of recipe.h, or what the file says */
    double reward_mean, reward_std; /* constants of the recipe `published`; NaN elsewhere */
    struct pool_episode *episodes;
    size_t episode_count;
};

/* NULL when out of memory. `recipe` is copied. */
struct pool *pool_new(const char *recipe);
/* NULL is allowed. */
void pool_free(struct pool *p);

/* Append a row to the episode being built; `state` has p->features numbers. Errors: STATUS_NOMEM
 * (memory, POOL_ROWS_MAX). */
CCALAB_MUST_USE enum status pool_add(struct pool *p, const float *state, double action,
                                     double reward, struct error *err);
/* End the episode being built: all rows since the last one. Its begin and end are set here,
 * `info`'s other members are copied (source too). Without new rows it does nothing. */
CCALAB_MUST_USE enum status pool_end_episode(struct pool *p, const struct pool_episode *info,
                                             struct error *err);

/* Read a pool that the published code pickled: ExperiencePool with its lists states, actions,
 * rewards and dones. A reader of our own (model/pickle.h): nothing in the file is executed. The
 * recipe is recognised where it is one of ours (recipe.h), else it is "imported".
 * Errors: STATUS_INPUT naming the list and row, or what was not allowed; STATUS_NOMEM. */
CCALAB_MUST_USE enum status pool_from_pickle(const void *data, size_t len, const char *name,
                                             struct pool **out, struct error *err);

/* Write as safetensors, atomically. Errors: STATUS_INPUT (no rows), STATUS_IO, STATUS_NOMEM. */
CCALAB_MUST_USE enum status pool_save(const struct pool *p, const char *path, struct error *err);
/* Read a pool; *out is for pool_free(). A last episode without `done` ends at the last row.
 * Errors: STATUS_IO; STATUS_INPUT naming the tensor or the row at fault (NaN, infinite, no rows,
 * states with more or less columns than its recipe has). */
CCALAB_MUST_USE enum status pool_load(const char *path, struct pool **out, struct error *err);

/* Write the features by their names, then action,reward,done, with all their digits; of the recipe
 * loop the advice after the action. Errors: STATUS_IO. */
CCALAB_MUST_USE enum status pool_export_csv(const struct pool *p, const char *path,
                                            struct error *err);
/* Row `i` being the last one, and its episode not ended. Errors: STATUS_INPUT naming `path` and the
 * column that is not finite, a share below 0, a min_rtt_s that is not positive, or a time before
 * that of the row above in the episode. */
CCALAB_MUST_USE enum status pool_check_row(const struct pool *p, size_t i, const char *path,
                                           struct error *err);

/* What it is, as JSON: rows, episodes, recipe, flows[] and the range of each column; of the recipe
 * loop advice: share of the rows in which it is another than the action (by more than a millionth),
 * mean and std of it in those, null where there are none. Caller deletes. */
cJSON *pool_describe(const struct pool *p);

#endif
