#include "model/returns.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/moments.h"

#define BIN_S    0.5
#define AIM_RANK 0.9 /* of the training returns of loop, that driving aims at */

/* Rows [begin, end) of an episode that lie in one bin of time. */
struct stretch {
    const char *scenario;
    double bin;
    size_t episode, begin, end;
    double mean;
};

double returns_reward(const struct dataset_norm *norm, double reward)
{
    double span = norm->reward_max - norm->reward_min;
    double r = span > 0 ? (reward - norm->reward_min) / span : 0;
    return fmin(fmax(r, 0), 1);
}

/* Backwards: all rewards to the segment's end. */
static void sum_to_end(struct dataset *d, size_t begin, size_t end)
{
    double sum = 0;

    for (size_t i = end; i-- > begin;) {
        sum = returns_reward(&d->norm, d->pool->rewards[i]) + d->opts.gamma * sum;
        d->returns[i] = (float)(sum / d->opts.scale);
    }
}

/* Of fewer rows at the segment's end. */
static void mean_of_rows(struct dataset *d, size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++) {
        double sum = 0, weights = 0, weight = 1;
        for (size_t k = i; k < end && k < i + (size_t)d->opts.horizon; k++) {
            sum += weight * returns_reward(&d->norm, d->pool->rewards[k]);
            weights += weight;
            weight *= d->opts.gamma;
        }
        d->returns[i] = (float)(sum / weights / d->opts.scale);
    }
}

/* --- loop ------------------------------------------------------------------------------------- */

static double mean_of(const double *values, size_t begin, size_t end)
{
    double sum = 0;

    for (size_t i = begin; i < end; i++)
        sum += values[i];
    return sum / (double)(end - begin);
}

/* Of a reward so much later. By time alone, so that rows of the same time count the same. */
static double weight_after(double ln_gamma, double later_s)
{
    return later_s > 0 ? exp(ln_gamma * later_s) : 1;
}

/* The weighted mean of what follows each row within the horizon. In linear time, however many rows
 * lie in it, and without taking sums from sums: `out` and `weights` hold the sums of [k, middle) as
 * seen from k, for every k from the row on, and `sum` and `weight` those of [middle, next) as seen
 * from `middle`. Where the row has come to `middle`, that becomes the end of what is seen. */
static void mean_of_time(const struct dataset *d, size_t begin, size_t end, double *out,
                         double *weights)
{
    const double *t = d->pool->t_s, *rewards = d->pool->rewards;
    double horizon_s = d->opts.horizon / 1e3, ln_gamma = log(d->opts.gamma), sum = 0, weight = 0;
    size_t middle = begin, next = begin;

    for (size_t i = begin; i < end; i++) {
        for (; next < end && (next == i || t[next] - t[i] < horizon_s); next++) {
            double w = weight_after(ln_gamma, t[next] - t[middle]);
            sum += w * rewards[next];
            weight += w;
        }
        if (i == middle) {
            out[next - 1] = rewards[next - 1];
            weights[next - 1] = 1;
            for (size_t k = next - 1; k-- > i;) {
                double w = weight_after(ln_gamma, t[k + 1] - t[k]);
                out[k] = rewards[k] + w * out[k + 1];
                weights[k] = 1 + w * weights[k + 1];
            }
            middle = next;
            sum = weight = 0;
        }
        double w = next > middle ? weight_after(ln_gamma, t[middle] - t[i]) : 0;
        out[i] = (out[i] + w * sum) / (weights[i] + w * weight);
    }
}

static int by_place(const void *a, const void *b)
{
    const struct stretch *x = a, *y = b;
    int order = strcmp(x->scenario, y->scenario);

    if (order)
        return order;
    if (x->bin != y->bin)
        return x->bin < y->bin ? -1 : 1;
    return x->episode < y->episode ? -1 : x->episode > y->episode;
}

static bool is_same_place(const struct stretch *a, const struct stretch *b)
{
    return !strcmp(a->scenario, b->scenario) && a->bin == b->bin;
}

/* The stretches of a split into `out`, which has room for as many as there are rows. */
static size_t find_stretches(const struct dataset *d, enum dataset_split split,
                             const double *values, struct stretch *out)
{
    const struct pool *p = d->pool;
    size_t count = 0;

    for (size_t e = 0; e < p->episode_count; e++) {
        size_t begin, end;
        dataset_part(d, e, split, &begin, &end);
        for (size_t i = begin; i < end; i = out[count - 1].end) {
            double bin = floor(p->t_s[i] / BIN_S);
            size_t k = i + 1;
            while (k < end && floor(p->t_s[k] / BIN_S) == bin)
                k++;
            out[count++] = (struct stretch){.scenario = p->episodes[e].scenario,
                                            .bin = bin,
                                            .episode = e,
                                            .begin = i,
                                            .end = k,
                                            .mean = mean_of(values, i, k)};
        }
    }
    return count;
}

/* Take off what the others, and itself, had at the same place; `own` is the mean of each row's
 * segment. */
static void compare(struct stretch *all, size_t count, const double *own, double *values)
{
    qsort(all, count, sizeof *all, by_place);
    for (size_t first = 0, next; first < count; first = next) {
        double sum = 0;
        for (next = first; next < count && is_same_place(&all[first], &all[next]); next++)
            sum += all[next].mean;
        bool is_alone = !all[first].scenario[0] || all[first].episode == all[next - 1].episode;
        for (size_t i = first; i < next; i++)
            for (size_t row = all[i].begin; row < all[i].end; row++)
                values[row] -= is_alone ? own[row] : sum / (double)(next - first);
    }
}

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return x < y ? -1 : x > y;
}

/* The value that this share of the training rows does not exceed. */
static enum status training_rank(const struct dataset *d, double share, double *out,
                                 struct error *err)
{
    float *sorted = calloc(d->pool->rows, sizeof *sorted);
    size_t count = 0;

    if (!sorted)
        return error_set(err, STATUS_NOMEM, "dataset", "no memory for the returns");
    for (size_t e = 0; e < d->pool->episode_count; e++) {
        size_t begin, end;
        dataset_part(d, e, DATASET_TRAIN, &begin, &end);
        for (size_t i = begin; i < end; i++)
            sorted[count++] = d->returns[i];
    }
    qsort(sorted, count, sizeof *sorted, by_value);
    *out = count ? sorted[(size_t)(share * (double)(count - 1))] : 0;
    free(sorted);
    return STATUS_OK;
}

/* The standard deviation of the training rows' values; 1 where they do not vary. */
static double training_std(const struct dataset *d, const double *values)
{
    struct moments m = {0};

    for (size_t e = 0; e < d->pool->episode_count; e++) {
        size_t begin, end;
        dataset_part(d, e, DATASET_TRAIN, &begin, &end);
        for (size_t i = begin; i < end; i++)
            moments_add(&m, values[i]);
    }
    return moments_scale(&m);
}

static enum status fill_loop(struct dataset *d, bool is_fit, struct error *err)
{
    const struct pool *p = d->pool;
    double *values = calloc(p->rows, sizeof *values), *own = calloc(p->rows, sizeof *own);
    struct stretch *all = calloc(p->rows, sizeof *all);
    enum status st = STATUS_OK;

    if (!values || !own || !all) {
        st = error_set(err, STATUS_NOMEM, "dataset", "no memory for the returns");
        goto out;
    }
    for (int s = 0; s < DATASET_SPLITS; s++) {
        for (size_t e = 0; e < p->episode_count; e++) {
            size_t begin, end;
            dataset_part(d, e, s, &begin, &end);
            if (begin == end)
                continue;
            mean_of_time(d, begin, end, values, own);
            double mean = mean_of(values, begin, end);
            for (size_t i = begin; i < end; i++)
                own[i] = mean;
        }
        size_t count = find_stretches(d, s, values, all);
        compare(all, count, own, values);
    }
    if (is_fit)
        d->norm.return_std = training_std(d, values);
    for (size_t i = 0; i < p->rows; i++)
        d->returns[i] = (float)(values[i] / d->norm.return_std / d->opts.scale);
    if (is_fit && !(st = training_rank(d, AIM_RANK, &d->norm.max_return, err)))
        d->norm.max_return = fmax(d->norm.max_return, 0);
out:
    free(values);
    free(own);
    free(all);
    return st;
}

/* --- all -------------------------------------------------------------------------------------- */

enum status returns_fill(struct dataset *d, bool is_fit, struct error *err)
{
    const struct pool *p = d->pool;

    if (d->opts.horizon && recipe_of(p->recipe) == RECIPE_LOOP)
        return fill_loop(d, is_fit, err);
    double max = 0;
    for (size_t e = 0; e < p->episode_count; e++) {
        for (int s = 0; s < DATASET_SPLITS; s++) {
            size_t begin, end;
            dataset_part(d, e, s, &begin, &end);
            if (d->opts.horizon)
                mean_of_rows(d, begin, end);
            else
                sum_to_end(d, begin, end);
            for (size_t i = begin; i < end && s == DATASET_TRAIN; i++)
                max = fmax(max, d->returns[i]);
        }
    }
    if (is_fit) {
        d->norm.return_std = 1;
        d->norm.max_return = max;
    }
    return STATUS_OK;
}
