#include "model/dataset.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/moments.h"
#include "model/returns.h"

#define STEPS           20
#define LOOP_STEPS      12
#define LOOP_HORIZON_MS 1000
#define LOOP_GAMMA      0.25
#define WINDOWS_WANTED  32
/* Of loop: from here on changes of the window count by their logarithm. */
#define FINE_ACTION 0.02
/* Of its feature 2, either way: twenty times. */
#define BDP_RATIO_MAX 3.0

const char *dataset_split_name(enum dataset_split split)
{
    static const char *const names[] = {"train", "valid", "test"};
    return names[split];
}

void dataset_segment(const struct pool_episode *e, enum dataset_split split, size_t *begin,
                     size_t *end)
{
    static const size_t percent[] = {0, 70, 85, 100};
    size_t n = e->end - e->begin;
    *begin = e->begin + n * percent[split] / 100;
    *end = e->begin + n * percent[split + 1] / 100;
}

void dataset_part(const struct dataset *d, size_t episode, enum dataset_split split, size_t *begin,
                  size_t *end)
{
    const struct pool_episode *e = &d->pool->episodes[episode];
    dataset_segment(e, split, begin, end);
    if (!d->opts.is_published)
        return;
    *begin = e->begin;
    *end = split == DATASET_VALID ? e->begin : e->end;
}

int dataset_timestep_rows(const struct pool *pool, const struct dataset_opts *opts)
{
    size_t longest = 0;
    if (!opts->is_published)
        return opts->steps;
    for (size_t e = 0; e < pool->episode_count; e++) {
        size_t rows = pool->episodes[e].end - pool->episodes[e].begin;
        longest = rows > longest ? rows : longest;
    }
    return (int)longest + 1;
}

double dataset_curve(enum recipe recipe, double action)
{
    return recipe == RECIPE_LOOP ? asinh(action / FINE_ACTION) : action;
}

double dataset_scaled(enum recipe recipe, const struct dataset_norm *norm, double action)
{
    return (dataset_curve(recipe, action) - norm->action_offset) / norm->action_span;
}

double dataset_unscaled(enum recipe recipe, const struct dataset_norm *norm, double scaled)
{
    double x = norm->action_offset + norm->action_span * scaled;

    return recipe == RECIPE_LOOP ? FINE_ACTION * sinh(x) : x;
}

double dataset_action(const struct dataset *d, double predicted)
{
    return d->opts.is_published ? predicted
                                : dataset_unscaled(recipe_of(d->pool->recipe), &d->norm, predicted);
}

const float *dataset_state(const struct dataset *d, size_t row)
{
    return d->states + row * (size_t)d->features;
}

static bool fits_every_split(size_t rows, int steps)
{
    const struct pool_episode e = {.begin = 0, .end = rows};
    for (int s = 0; s < DATASET_SPLITS; s++) {
        size_t begin, end;
        dataset_segment(&e, s, &begin, &end);
        if (end - begin < (size_t)steps)
            return false;
    }
    return true;
}

size_t dataset_rows_needed(int steps)
{
    /* From above: rounding makes some lengths fit that lie below ones that do not. */
    size_t rows = (size_t)steps * 7 + 14;
    while (rows > 0 && fits_every_split(rows - 1, steps))
        rows--;
    return rows;
}

struct dataset_opts dataset_opts_default(enum recipe recipe, int steps)
{
    struct dataset_opts o = {.steps = steps, .gamma = 1, .scale = 1000};

    if (!steps)
        o.steps = recipe == RECIPE_LOOP ? LOOP_STEPS : STEPS;
    if (recipe_is_ratio(recipe))
        o.scale = 1;
    if (recipe == RECIPE_LAB)
        o.horizon = o.steps;
    if (recipe == RECIPE_LOOP) {
        o.horizon = LOOP_HORIZON_MS;
        o.gamma = LOOP_GAMMA;
    }
    return o;
}

double dataset_reward(const struct dataset *d, double reward)
{
    return returns_reward(&d->norm, reward) / d->opts.scale;
}

/* --- constants and rows ----------------------------------------------------------------------- */

static void loop_features(const float *state, double out[POOL_FEATURES])
{
    double ln_rtt = log(fmax(state[POOL_RTT_S], 1e-6));
    double ln_min_rtt = log(fmax(state[POOL_MIN_RTT_S], 1e-6));
    double ln_cwnd = log(fmax(state[POOL_CWND_BYTES], 1));
    double ln_bdp = log(fmax(state[POOL_THROUGHPUT_BPS], 1) / 8) + ln_min_rtt;

    out[0] = fmax(ln_rtt - ln_min_rtt, 0);
    out[1] = ln_cwnd;
    out[2] = fmin(fmax(ln_cwnd - ln_bdp, -BDP_RATIO_MAX), BDP_RATIO_MAX);
    out[3] = ln_min_rtt;
    out[4] = sqrt(fmax(state[POOL_CE_SHARE], 0));
    out[5] = sqrt(fmin(fmax(state[POOL_LOST_SHARE], 0), 1));
}

/* A state as the features see it before they are standardised. */
static void raw_features(enum recipe recipe, const float *state, double out[POOL_FEATURES])
{
    if (recipe == RECIPE_LOOP) {
        loop_features(state, out);
        return;
    }
    for (int k = 0; k < recipe_features(recipe); k++)
        out[k] = state[k];
    if (recipe != RECIPE_LAB)
        return;
    out[POOL_RTT_S] = log(fmax(out[POOL_RTT_S], 1e-6));
    out[POOL_CWND_BYTES] = log(fmax(out[POOL_CWND_BYTES], 1));
    out[POOL_THROUGHPUT_BPS] = log1p(out[POOL_THROUGHPUT_BPS]);
}

void dataset_features(enum recipe recipe, const struct dataset_norm *norm, const float *state,
                      float *out)
{
    double features[POOL_FEATURES];
    raw_features(recipe, state, features);
    for (int k = 0; k < recipe_features(recipe); k++)
        out[k] = (float)((features[k] - norm->state_mean[k]) / norm->state_std[k]);
}

/* Everything but return_std and max_return, which need the returns. */
static void fit(const struct dataset *d, struct dataset_norm *norm)
{
    const struct pool *p = d->pool;
    enum recipe recipe = recipe_of(p->recipe);
    struct moments states[POOL_FEATURES] = {{0}}, actions = {0};
    double min = INFINITY, max = -INFINITY;

    *norm = (struct dataset_norm){.reward_min = INFINITY, .reward_max = -INFINITY};
    for (size_t e = 0; e < p->episode_count; e++) {
        size_t begin, end;
        dataset_part(d, e, DATASET_TRAIN, &begin, &end);
        for (size_t i = begin; i < end; i++) {
            double features[POOL_FEATURES];
            raw_features(recipe, p->states[i], features);
            for (int k = 0; k < d->features; k++)
                moments_add(&states[k], features[k]);
            moments_add(&actions, dataset_curve(recipe, p->advice[i]));
            min = fmin(min, p->advice[i]);
            max = fmax(max, p->advice[i]);
            norm->reward_min = fmin(norm->reward_min, p->rewards[i]);
            norm->reward_max = fmax(norm->reward_max, p->rewards[i]);
        }
    }
    for (int k = 0; k < d->features; k++) {
        norm->state_mean[k] = states[k].mean;
        norm->state_std[k] = moments_scale(&states[k]);
    }
    norm->action_mean = recipe == RECIPE_LOOP ? FINE_ACTION * sinh(actions.mean) : actions.mean;
    if (d->opts.is_published) {
        for (int k = 0; k < d->features; k++) {
            norm->state_mean[k] = 0;
            norm->state_std[k] = 1;
        }
        norm->action_offset = -1; /* (a + 1) / 6: the six bitrates of the video task */
        norm->action_span = 6;
    } else if (recipe_is_ratio(recipe)) {
        norm->action_offset = actions.mean;
        norm->action_span = moments_scale(&actions);
    } else {
        norm->action_offset = min;
        norm->action_span = max > min ? max - min : 1;
    }
}

static void fill_rows(struct dataset *d)
{
    const struct pool *p = d->pool;
    enum recipe recipe = d->opts.is_published ? RECIPE_IMPORTED : recipe_of(p->recipe);

    for (size_t i = 0; i < p->rows; i++) {
        dataset_features(recipe, &d->norm, p->states[i], d->states + i * (size_t)d->features);
        d->actions[i] = (float)dataset_scaled(recipe, &d->norm, p->actions[i]);
        d->labels[i] = (float)dataset_scaled(recipe, &d->norm, p->advice[i]);
        if (d->opts.is_published) { /* in float32, as torch */
            d->actions[i] = ((float)p->actions[i] + 1.0f) / 6.0f;
            d->labels[i] = truncf((float)p->actions[i]);
        }
    }
}

/* --- windows ---------------------------------------------------------------------------------- */

static size_t count_windows(const struct dataset *d, enum dataset_split split, int sample_step)
{
    size_t steps = (size_t)d->opts.steps, count = 0;
    for (size_t e = 0; e < d->pool->episode_count; e++) {
        size_t begin, end;
        dataset_segment(&d->pool->episodes[e], split, &begin, &end);
        if (end - begin >= steps)
            count += (end - begin - steps) / (size_t)sample_step + 1;
    }
    return count;
}

size_t dataset_episode_of(const struct dataset *d, size_t row)
{
    const struct pool *p = d->pool;
    size_t low = 0, high = p->episode_count;
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (p->episodes[middle].begin <= row)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* The windows of the published code: over the whole pool, wherever episodes end. */
static enum status cut_published(struct dataset *d, enum dataset_split split, struct error *err)
{
    struct dataset_windows *w = &d->windows[split];
    size_t steps = (size_t)d->opts.steps, rows = d->pool->rows;
    w->sample_step = d->opts.sample_step ? d->opts.sample_step : d->opts.steps;
    if (w->sample_step > d->opts.steps)
        w->sample_step = d->opts.steps;
    if (split == DATASET_VALID)
        return STATUS_OK;
    if (rows < steps) {
        error_set(err, STATUS_INPUT, "dataset",
                  "the pool is too short: a window has %zu rows, "
                  "the pool %zu",
                  steps, rows);
        return error_hint(err, "make a longer run, or a smaller --w");
    }
    w->at = calloc((rows - steps) / (size_t)w->sample_step + 1, sizeof *w->at);
    if (!w->at)
        return error_set(err, STATUS_NOMEM, "dataset", "no memory for the windows");
    for (size_t row = 0; row + steps <= rows; row += (size_t)w->sample_step)
        w->at[w->count++] =
            (struct dataset_window){.episode = dataset_episode_of(d, row), .row = row};
    return STATUS_OK;
}

static enum status cut_windows(struct dataset *d, enum dataset_split split, struct error *err)
{
    if (d->opts.is_published)
        return cut_published(d, split, err);
    struct dataset_windows *w = &d->windows[split];
    size_t steps = (size_t)d->opts.steps;
    w->sample_step = d->opts.sample_step ? d->opts.sample_step : d->opts.steps;
    while (!d->opts.sample_step && w->sample_step > 1 &&
           count_windows(d, split, w->sample_step) < WINDOWS_WANTED)
        w->sample_step--;

    size_t count = count_windows(d, split, w->sample_step);
    if (!count) {
        error_set(err, STATUS_INPUT, "dataset",
                  "the pool is too short: no %s window of %zu rows in %zu rows and %zu episodes",
                  dataset_split_name(split), steps, d->pool->rows, d->pool->episode_count);
        return error_hint(err,
                          "an episode needs %zu rows for w = %zu: make a longer run, or a "
                          "smaller --w",
                          dataset_rows_needed(d->opts.steps), steps);
    }
    w->at = calloc(count, sizeof *w->at);
    if (!w->at)
        return error_set(err, STATUS_NOMEM, "dataset", "no memory for %zu windows", count);
    for (size_t e = 0; e < d->pool->episode_count; e++) {
        size_t begin, end;
        dataset_segment(&d->pool->episodes[e], split, &begin, &end);
        for (size_t row = begin; row + steps <= end; row += (size_t)w->sample_step)
            w->at[w->count++] = (struct dataset_window){.episode = e, .row = row};
    }
    return STATUS_OK;
}

enum status dataset_new(const struct pool *pool, const struct dataset_opts *opts,
                        const struct dataset_norm *norm, struct dataset **out, struct error *err)
{
    enum status st = STATUS_OK;
    *out = NULL;
    struct dataset *d = calloc(1, sizeof *d);
    if (!d)
        return error_set(err, STATUS_NOMEM, "dataset", "no memory");
    d->pool = pool;
    d->features = pool->features;
    d->opts = *opts;
    if (d->opts.is_published && pool->features != recipe_features(RECIPE_PUBLISHED)) {
        error_set(err, STATUS_INPUT, "dataset",
                  "the published arithmetic knows states of three numbers, those of recipe %s have "
                  "%d",
                  pool->recipe, pool->features);
        st = error_hint(err, "train without --recipe published");
    }
    for (int s = 0; s < DATASET_SPLITS && !st; s++)
        st = cut_windows(d, s, err);
    if (st)
        goto out;

    d->states = calloc(pool->rows, (size_t)d->features * sizeof *d->states);
    d->actions = calloc(pool->rows, sizeof *d->actions);
    d->labels = calloc(pool->rows, sizeof *d->labels);
    d->returns = calloc(pool->rows, sizeof *d->returns);
    if (!d->states || !d->actions || !d->labels || !d->returns) {
        st = error_set(err, STATUS_NOMEM, "dataset", "no memory for %zu rows", pool->rows);
        goto out;
    }
    if (norm)
        d->norm = *norm;
    else
        fit(d, &d->norm);
    fill_rows(d);
    st = returns_fill(d, !norm, err);
out:
    if (st)
        dataset_free(d);
    else
        *out = d;
    return st;
}

void dataset_free(struct dataset *d)
{
    if (!d)
        return;
    for (int s = 0; s < DATASET_SPLITS; s++)
        free(d->windows[s].at);
    free(d->states);
    free(d->actions);
    free(d->labels);
    free(d->returns);
    free(d);
}

/* --- batches ---------------------------------------------------------------------------------- */

enum status dataset_batch_init(struct dataset_batch *b, size_t windows, size_t steps,
                               struct error *err)
{
    *b = (struct dataset_batch){.windows = windows, .steps = steps};
    size_t n = windows * steps;
    b->states = calloc(n, POOL_FEATURES * sizeof *b->states);
    b->actions = calloc(n, sizeof *b->actions);
    b->labels = calloc(n, sizeof *b->labels);
    b->returns = calloc(n, sizeof *b->returns);
    b->timesteps = calloc(n, sizeof *b->timesteps);
    if (b->states && b->actions && b->labels && b->returns && b->timesteps)
        return STATUS_OK;
    dataset_batch_done(b);
    return error_set(err, STATUS_NOMEM, "dataset", "no memory for a batch of %zu windows", windows);
}

void dataset_batch_done(struct dataset_batch *b)
{
    free(b->states);
    free(b->actions);
    free(b->labels);
    free(b->returns);
    free(b->timesteps);
    *b = (struct dataset_batch){0};
}

bool dataset_counts(const struct dataset *d, const struct dataset_window *window, size_t step)
{
    return recipe_of(d->pool->recipe) != RECIPE_LOOP || 2 * step + 2 > (size_t)d->opts.steps ||
           window->row == d->pool->episodes[window->episode].begin;
}

/* Place of a row in its episode. */
static size_t timestep(const struct dataset *d, size_t row)
{
    return row - d->pool->episodes[dataset_episode_of(d, row)].begin;
}

void dataset_batch_fill(const struct dataset *d, enum dataset_split split, const size_t *order,
                        size_t count, struct dataset_batch *b)
{
    size_t steps = b->steps, features = (size_t)d->features;
    b->windows = count;
    for (size_t i = 0; i < count; i++) {
        size_t row = d->windows[split].at[order[i]].row;
        memcpy(b->states + i * steps * features, dataset_state(d, row),
               steps * features * sizeof *b->states);
        memcpy(b->actions + i * steps, d->actions + row, steps * sizeof *d->actions);
        memcpy(b->returns + i * steps, d->returns + row, steps * sizeof *d->returns);
        for (size_t k = 0; k < steps; k++) {
            b->labels[i * steps + k] =
                dataset_counts(d, &d->windows[split].at[order[i]], k) ? d->labels[row + k] : NAN;
            b->timesteps[i * steps + k] =
                (int32_t)(d->opts.is_published ? timestep(d, row + k) : k);
        }
    }
}

/* --- baselines -------------------------------------------------------------------------------- */

struct dataset_baselines dataset_baselines(const struct dataset *d, enum dataset_split split)
{
    const struct pool *p = d->pool;
    const struct dataset_windows *w = &d->windows[split];
    struct dataset_baselines sum = {0};
    enum recipe recipe = recipe_of(p->recipe);
    double mean = dataset_curve(recipe, d->norm.action_mean), n = 0;
    for (size_t i = 0; i < w->count; i++) {
        for (size_t k = 0; k < (size_t)d->opts.steps; k++) {
            size_t row = w->at[i].row + k;
            if (!dataset_counts(d, &w->at[i], k))
                continue;
            const struct pool_episode *e = &p->episodes[dataset_episode_of(d, row)];
            double label =
                d->opts.is_published ? d->labels[row] : dataset_curve(recipe, p->advice[row]);
            double last = row > e->begin ? dataset_curve(recipe, p->actions[row - 1]) : mean;
            double copy = recipe_copy(recipe, p->states[row][POOL_CWND_BYTES], e);
            sum.constant += (label - mean) * (label - mean);
            sum.persistence += (label - last) * (label - last);
            sum.copy_input += (label - copy) * (label - copy);
            sum.no_op += recipe_is_ratio(recipe) ? label * label : NAN;
            n++;
        }
    }
    sum.constant /= n;
    sum.persistence /= n;
    sum.copy_input /= n;
    sum.no_op /= n;
    return sum;
}
