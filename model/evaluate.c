#include "model/evaluate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"

static enum status interrupted(const volatile sig_atomic_t *stop, struct error *err)
{
    if (!stop || !*stop)
        return STATUS_OK;
    return error_set(err, STATUS_INTERRUPTED, "netllm", "stopped by %s", strsignal(*stop));
}

static struct policy_batch borrow(const struct dataset_batch *b)
{
    return (struct policy_batch){.windows = b->windows,
                                 .steps = b->steps,
                                 .states = b->states,
                                 .actions = b->actions,
                                 .returns = b->returns,
                                 .timesteps = b->timesteps};
}

/* Ask for another return than the recorded one. */
static void set_returns(const struct dataset *d, struct dataset_batch *b, double factor)
{
    for (size_t i = 0; i < b->windows * b->steps; i++)
        b->returns[i] = d->opts.horizon ? (float)(factor * d->norm.max_return)
                                        : (float)(factor * b->returns[i]);
}

enum status evaluate_answers(struct policy *p, const struct dataset *d, enum dataset_split split,
                             size_t batch_size, double return_factor, struct publish *logs,
                             const volatile sig_atomic_t *stop, double *answers, struct error *err)
{
    enum status st;
    size_t steps = (size_t)d->opts.steps, total = d->windows[split].count;
    size_t *order = malloc(batch_size * sizeof *order);
    float *predictions = malloc(batch_size * steps * sizeof *predictions);
    struct dataset_batch batch;
    if ((st = dataset_batch_init(&batch, batch_size, steps, err)))
        goto out;
    if (!order || !predictions) {
        st = error_set(err, STATUS_NOMEM, "evaluate", "no memory for %zu windows", batch_size);
        goto out;
    }
    for (size_t at = 0; at < total; at += batch_size) {
        size_t count = total - at < batch_size ? total - at : batch_size;
        for (size_t i = 0; i < count; i++)
            order[i] = at + i;
        dataset_batch_fill(d, split, order, count, &batch);
        if (!isnan(return_factor))
            set_returns(d, &batch, return_factor);
        struct policy_batch view = borrow(&batch);
        if ((st = interrupted(stop, err)) || (st = policy_forward(p, &view, predictions, err)) ||
            (logs && (st = publish_test(logs, &batch, predictions, err))))
            goto out;
        for (size_t i = 0; i < count * steps; i++)
            answers[at * steps + i] = dataset_action(d, predictions[i]);
    }
out:
    dataset_batch_done(&batch);
    free(order);
    free(predictions);
    return st;
}

enum status evaluate_windows(struct policy *p, const struct dataset *d, enum dataset_split split,
                             size_t batch_size, const volatile sig_atomic_t *stop, double *loss,
                             struct error *err)
{
    size_t count = d->windows[split].count * (size_t)d->opts.steps;
    double *answers = malloc((count + 1) * sizeof *answers);
    if (!answers)
        return error_set(err, STATUS_NOMEM, "evaluate", "no memory for %zu answers", count);
    enum status st = evaluate_answers(p, d, split, batch_size, NAN, NULL, stop, answers, err);
    if (!st)
        *loss = score_windows(d, split, answers).loss;
    free(answers);
    return st;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Everything a roll-out keeps: by row of the pool, so that a context is a slice. */
struct rollout {
    float *actions, *returns;
    int32_t *timesteps;
    float *predictions;
    double *ms;
};

static enum status decide(struct policy *p, const struct dataset *d, struct rollout *r,
                          size_t begin, size_t row, float *action, struct error *err)
{
    size_t steps = row - begin + 1, w = (size_t)d->opts.steps;
    if (steps > w)
        steps = w;
    size_t first = row + 1 - steps;
    const struct policy_batch batch = {.windows = 1,
                                       .steps = steps,
                                       .states = dataset_state(d, first),
                                       .actions = r->actions + first,
                                       .returns = r->returns + first,
                                       .timesteps = r->timesteps +
                                                    (d->opts.is_published ? first - begin : 0)};
    enum status st = policy_forward(p, &batch, r->predictions, err);
    *action = r->predictions[steps - 1];
    return st;
}

static enum status walk(struct policy *p, const struct dataset *d, struct rollout *r, size_t begin,
                        size_t end, double target, const volatile sig_atomic_t *stop,
                        struct score *score, struct error *err)
{
    enum status st;
    for (size_t row = begin; row < end; row++) {
        r->returns[row] = (float)target;
        uint64_t start_ns = clock_mono_ns();
        if ((st = interrupted(stop, err)) ||
            (st = decide(p, d, r, begin, row, &r->actions[row], err)))
            return st;
        r->ms[score->count] = (double)(clock_mono_ns() - start_ns) / 1e6;
        double answer = dataset_action(d, r->actions[row]);
        score_add(score, d, row, answer);
        if (d->opts.is_published) /* its input is on another scale than its answer */
            r->actions[row] = (float)((answer - d->norm.action_offset) / d->norm.action_span);
        if (d->opts.horizon)
            continue; /* a mean over the next rows: what is wanted stays wanted */
        target -= dataset_reward(d, d->pool->rewards[row]);
        if (d->opts.gamma > 0)
            target /= d->opts.gamma;
    }
    return STATUS_OK;
}

enum status evaluate_rollout(struct policy *p, const struct dataset *d, enum dataset_split split,
                             double return_scale, const volatile sig_atomic_t *stop,
                             struct evaluate_rollout *out, struct error *err)
{
    enum status st = STATUS_OK;
    size_t rows = d->pool->rows, w = (size_t)d->opts.steps;
    *out = (struct evaluate_rollout){.p50_ms = NAN, .p99_ms = NAN};
    struct rollout r = {.actions = calloc(rows, sizeof *r.actions),
                        .returns = calloc(rows, sizeof *r.returns),
                        .timesteps = calloc(rows + w, sizeof *r.timesteps),
                        .predictions = calloc(w, sizeof *r.predictions),
                        .ms = calloc(rows, sizeof *r.ms)};
    if (!r.actions || !r.returns || !r.timesteps || !r.predictions || !r.ms) {
        st = error_set(err, STATUS_NOMEM, "evaluate", "no memory for %zu rows", rows);
        goto out;
    }
    for (size_t i = 0; i < rows + w; i++)
        r.timesteps[i] = (int32_t)i;

    /* The first pass through the library is no decision time: tables, thread start. */
    float unused;
    size_t warm = d->windows[split].at[0].row;
    if ((st = decide(p, d, &r, warm, warm + w - 1, &unused, err)))
        goto out;
    for (size_t e = 0; e < d->pool->episode_count && !st; e++) {
        size_t begin, end;
        dataset_part(d, e, split, &begin, &end);
        if (end - begin >= w)
            st = walk(p, d, &r, begin, end, return_scale * d->norm.max_return, stop, &out->score,
                      err);
    }
    if (st)
        goto out;
    if (!out->score.count)
        goto out; /* published: a window may fit where no single episode is long enough */
    qsort(r.ms, out->score.count, sizeof *r.ms, by_value);
    out->p50_ms = r.ms[(out->score.count - 1) / 2];
    out->p99_ms = r.ms[(out->score.count - 1) * 99 / 100];
    score_finish(&out->score);
out:
    free(r.actions);
    free(r.returns);
    free(r.timesteps);
    free(r.predictions);
    free(r.ms);
    return st;
}
