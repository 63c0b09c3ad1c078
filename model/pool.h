/* An experience pool: what a flow saw, did and got, row by row.
 *
 * A row is a state (rtt_s, cwnd_bytes, throughput_bps), the action that was taken, its reward, and
 * whether the episode ends there. Rows of an episode are in order of time. On disk it is a
 * safetensors file (docs/netllm.md, "Pool"): states F32 [n,3], actions F64 [n], rewards F64 [n],
 * dones BOOL [n]; recipe, constants and sources in the metadata. Thread: any, one at a time. */
#ifndef CCALAB_MODEL_POOL_H
#define CCALAB_MODEL_POOL_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"

#define POOL_ROWS_MAX 50000000u

enum pool_feature { POOL_RTT_S, POOL_CWND_BYTES, POOL_THROUGHPUT_BPS, POOL_FEATURES };

struct pool_episode {
    size_t begin, end;         /* rows [begin, end) */
    char *source;              /* file it came from; "" if unknown */
    char cc[32];               /* congestion control of the flow; "" if unknown */
    int stream;                /* index of the stream in its file */
    double cwnd_min, cwnd_max; /* constants of the recipe, bytes; NaN if unknown */
};

struct pool {
    size_t rows, cap;
    float (*states)[POOL_FEATURES];
    double *actions;
    double *rewards;
    char recipe[32]; /* "tutorial", or what the file says */
    struct pool_episode *episodes;
    size_t episode_count;
};

/* NULL when out of memory. `recipe` is copied. */
struct pool *pool_new(const char *recipe);
/* NULL is allowed. */
void pool_free(struct pool *p);

/* Append a row to the episode being built. Errors: STATUS_NOMEM (memory, POOL_ROWS_MAX). */
CCALAB_MUST_USE enum status pool_add(struct pool *p, const float state[POOL_FEATURES],
                                     double action, double reward, struct error *err);
/* End the episode being built: all rows since the last one. Its begin and end are set here,
 * `info`'s other members are copied (source too). Without new rows it does nothing. */
CCALAB_MUST_USE enum status pool_end_episode(struct pool *p, const struct pool_episode *info,
                                             struct error *err);

/* Add every TCP stream of an iperf3 client's --json output as an episode, by the recipe `tutorial`
 * (policy of the published builder script): rows are the intervals that are not `omitted`, state =
 * (rtt / 1e6, snd_cwnd, bits_per_second) of the stream itself, action = trunc(2 (cwnd - min) /
 * (max - min)) + 1 with min and max over the stream (1 where cwnd never changes), reward =
 * log10(throughput / rtt), or 0.1 where either is not positive.
 * `name` is what messages and the metadata call the file.
 * Errors: STATUS_INPUT with iperf3's own message where the run failed, or saying what is missing.
 */
CCALAB_MUST_USE enum status pool_add_iperf3(struct pool *p, const char *text, size_t len,
                                            const char *name, struct error *err);
/* The tutorial's action: 1, 2, or 3 (only at the maximum). */
double pool_tutorial_action(double cwnd_bytes, double cwnd_min, double cwnd_max);
/* The tutorial's reward. Units: bit/s and s. */
double pool_tutorial_reward(double throughput_bps, double rtt_s);

/* Write as safetensors, atomically. Errors: STATUS_INPUT (no rows), STATUS_IO, STATUS_NOMEM. */
CCALAB_MUST_USE enum status pool_save(const struct pool *p, const char *path, struct error *err);
/* Read a pool; *out is for pool_free(). A last episode without `done` ends at the last row.
 * Errors: STATUS_IO; STATUS_INPUT naming the tensor or the row at fault (NaN, infinite, no rows).
 */
CCALAB_MUST_USE enum status pool_load(const char *path, struct pool **out, struct error *err);

/* What it is, as JSON: rows, episodes, recipe, flows[] and the range of each column. Caller
 * deletes. */
cJSON *pool_describe(const struct pool *p);

#endif
