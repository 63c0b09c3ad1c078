#include "model/score.h"

#include <math.h>

#include "core/json.h"

#define PACKET_BYTES 1448.0 /* no window is smaller: the floor of a logarithm */

double score_window_bytes(const struct dataset *d, size_t row, double action)
{
    const struct pool *p = d->pool;
    enum recipe recipe = recipe_of(p->recipe);
    if (recipe_is_ratio(recipe))
        return p->states[row][POOL_CWND_BYTES] * exp(action);
    const struct pool_episode *e = &p->episodes[dataset_episode_of(d, row)];
    if (recipe == RECIPE_PUBLISHED && e->cwnd_max > e->cwnd_min)
        return e->cwnd_min + action * (e->cwnd_max - e->cwnd_min);
    return NAN;
}

void score_add(struct score *s, const struct dataset *d, size_t row, double answer)
{
    double advised = d->pool->advice[row];
    double want = score_window_bytes(d, row, advised), got = score_window_bytes(d, row, answer);
    double label = d->opts.is_published ? d->labels[row] : advised;
    enum recipe recipe = recipe_of(d->pool->recipe);
    double difference = answer - label;
    double curved = dataset_curve(recipe, answer) - dataset_curve(recipe, label);
    double ratio = log(fmax(got, PACKET_BYTES) / fmax(want, PACKET_BYTES));
    if (isnan(want) || isnan(got))
        ratio = NAN; /* fmax() passes NaN over */
    s->count++;
    s->loss += curved * curved;
    s->mse += difference * difference;
    s->mae += fabs(difference);
    s->mse_bytes += (got - want) * (got - want);
    s->mae_bytes += fabs(got - want);
    s->mse_log += ratio * ratio;
    s->mae_log += fabs(ratio);
    s->within_5_percent += isnan(ratio) ? NAN : fabs(got - want) < 0.05 * want;
}

void score_finish(struct score *s)
{
    double n = (double)s->count;
    double *const sums[] = {&s->loss,      &s->mse,     &s->mae,     &s->mse_bytes,
                            &s->mae_bytes, &s->mse_log, &s->mae_log, &s->within_5_percent};
    for (size_t i = 0; i < sizeof sums / sizeof *sums; i++)
        *sums[i] /= n;
}

struct score score_windows(const struct dataset *d, enum dataset_split split, const double *answers)
{
    const struct dataset_windows *w = &d->windows[split];
    size_t steps = (size_t)d->opts.steps;
    struct score s = {0};
    for (size_t i = 0; i < w->count; i++)
        for (size_t k = 0; k < steps; k++)
            if (dataset_counts(d, &w->at[i], k))
                score_add(&s, d, w->at[i].row + k, answers[i * steps + k]);
    score_finish(&s);
    return s;
}

cJSON *score_to_json(const struct score *s)
{
    cJSON *o = cJSON_CreateObject();
    json_add_num(o, "loss", s->loss);
    json_add_num(o, "mse", s->mse);
    json_add_num(o, "mae", s->mae);
    json_add_num(o, "mse_bytes", s->mse_bytes);
    json_add_num(o, "mae_bytes", s->mae_bytes);
    json_add_num(o, "mse_log_ratio", s->mse_log);
    json_add_num(o, "mae_log_ratio", s->mae_log);
    json_add_num(o, "within_5_percent", s->within_5_percent);
    return o;
}
