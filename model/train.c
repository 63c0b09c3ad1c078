#include "model/train.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/event.h"
#include "core/json.h"
#include "model/checkpoint.h"
#include "model/evaluate.h"

#define PROGRESS_NS 200000000u

struct trainer {
    const struct train_opts *opts;
    const struct dataset *d;
    struct policy *policy;
    struct dataset_batch batch;
    size_t *order;         /* windows of the epoch, shuffled */
    double *window_losses; /* of one batch */
    uint64_t random;       /* state of the shuffling */
    double loss_unit;      /* scaled loss -> the action's unit squared */
    size_t windows;        /* of an epoch */
    int steps_per_epoch, warmup_steps;
    int step, epoch; /* optimiser steps done; epoch from 1 */
    uint64_t progress_ns;
    int best_epoch; /* 0: none yet */
    double best_loss, train_loss;
};

/* SplitMix64. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t x = *state += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static void shuffle(struct trainer *t)
{
    for (size_t i = t->windows; i > 1; i--) {
        size_t j = (size_t)(next_random(&t->random) % i), swap = t->order[i - 1];
        t->order[i - 1] = t->order[j];
        t->order[j] = swap;
    }
}

static double learning_rate(const struct trainer *t)
{
    double warmed = (double)(t->step + 1) / t->warmup_steps;
    return t->opts->lr * fmin(warmed, 1);
}

static enum status interrupted(const struct trainer *t, struct error *err)
{
    if (!t->opts->stop || !*t->opts->stop)
        return STATUS_OK;
    error_set(err, STATUS_INTERRUPTED, "adapt", "stopped by %s in epoch %d after step %d",
              strsignal(*t->opts->stop), t->epoch, t->step);
    if (t->best_epoch)
        error_hint(err, "the checkpoint of epoch %d is in %s", t->best_epoch, t->opts->model_dir);
    return STATUS_INTERRUPTED;
}

static enum status not_finite(const struct trainer *t, size_t window, double loss,
                              struct error *err)
{
    const struct dataset_window *w = &t->d->windows[DATASET_TRAIN].at[window];
    error_set(err, STATUS_FAIL, "adapt",
              "the loss is %s in epoch %d, window %zu (episode %zu, rows %zu to %zu)",
              isnan(loss) ? "NaN" : "infinite", t->epoch, window, w->episode, w->row,
              w->row + (size_t)t->d->opts.steps - 1);
    error_hint(err, "try a smaller --lr than %g", t->opts->lr);
    return STATUS_FAIL;
}

/* Accumulate the gradient of windows order[at ... at + count) and add their losses to *sum. */
static enum status accumulate(struct trainer *t, size_t at, size_t count, size_t group, double *sum,
                              struct error *err)
{
    dataset_batch_fill(t->d, DATASET_TRAIN, t->order + at, count, &t->batch);
    const struct policy_batch view = {.windows = count,
                                      .steps = t->batch.steps,
                                      .states = t->batch.states,
                                      .actions = t->batch.actions,
                                      .returns = t->batch.returns,
                                      .timesteps = t->batch.timesteps};
    /* A group is divided by its own size, also the last, shorter one of an epoch. */
    enum status st = policy_backward(t->policy, &view, t->batch.actions,
                                     (double)count / (double)group, t->window_losses, err);
    for (size_t i = 0; i < count && !st; i++) {
        if (!isfinite(t->window_losses[i]))
            st = not_finite(t, t->order[at + i], t->window_losses[i], err);
        *sum += t->window_losses[i] * t->loss_unit;
    }
    return st;
}

static void report_progress(struct trainer *t, size_t windows_done)
{
    uint64_t now = clock_mono_ns();
    if (t->progress_ns && now - t->progress_ns < PROGRESS_NS && windows_done < t->windows)
        return;
    t->progress_ns = now;
    event_write_progress(t->opts->events,
                         (double)((size_t)(t->epoch - 1) * t->windows + windows_done),
                         (double)((size_t)t->opts->epochs * t->windows), "epoch %d of %d", t->epoch,
                         t->opts->epochs);
}

/* One optimiser step over the windows order[at ... at + group). */
static enum status train_group(struct trainer *t, size_t at, size_t group, double *epoch_sum,
                               struct error *err)
{
    enum status st;
    size_t batch = (size_t)t->opts->batch_size;
    double sum = 0, norm;
    for (size_t done = 0; done < group; done += batch) {
        size_t count = group - done < batch ? group - done : batch;
        if ((st = accumulate(t, at + done, count, group, &sum, err)))
            return st;
    }
    const struct policy_step_opts step = {.lr = learning_rate(t),
                                          .weight_decay = t->opts->weight_decay,
                                          .clip_norm = t->opts->clip_norm};
    if ((st = policy_step(t->policy, &step, &norm, err)))
        return st;
    t->step++;
    *epoch_sum += sum;

    cJSON *values = cJSON_CreateObject();
    cJSON_AddNumberToObject(values, "loss", sum / (double)group);
    cJSON_AddNumberToObject(values, "lr", step.lr);
    cJSON_AddNumberToObject(values, "grad_norm", norm);
    cJSON_AddNumberToObject(values, "step", t->step);
    cJSON_AddNumberToObject(values, "epoch", t->epoch);
    event_write_sample(t->opts->events, -1, "train", values);
    report_progress(t, at + group);
    return interrupted(t, err);
}

static enum status save(struct trainer *t, struct error *err)
{
    struct checkpoint c = {.policy = t->opts->policy,
                           .data = t->d->opts,
                           .norm = t->d->norm,
                           .pool_rows = t->d->pool->rows,
                           .best_epoch = t->epoch,
                           .epochs = t->opts->epochs,
                           .train_loss = t->train_loss,
                           .valid_loss = t->best_loss};
    snprintf(c.pool, sizeof c.pool, "%s", t->opts->pool_path);
    snprintf(c.recipe, sizeof c.recipe, "%s", t->d->pool->recipe);
    return checkpoint_save(t->opts->model_dir, &c, t->policy, err);
}

static enum status train_epoch(struct trainer *t, struct error *err)
{
    enum status st;
    size_t accum = (size_t)t->opts->grad_accum_steps;
    double sum = 0, valid;
    shuffle(t);
    for (size_t at = 0; at < t->windows; at += accum) {
        size_t group = t->windows - at < accum ? t->windows - at : accum;
        if ((st = train_group(t, at, group, &sum, err)))
            return st;
    }
    t->train_loss = sum / (double)t->windows;

    if ((st = evaluate_windows(t->policy, t->d, DATASET_VALID, (size_t)t->opts->batch_size,
                               t->opts->stop, &valid, err)))
        return st == STATUS_INTERRUPTED ? interrupted(t, err) : st;
    cJSON *values = cJSON_CreateObject();
    cJSON_AddNumberToObject(values, "loss", valid);
    cJSON_AddNumberToObject(values, "epoch", t->epoch);
    event_write_sample(t->opts->events, -1, "valid", values);
    if (!isfinite(valid))
        return error_set(err, STATUS_FAIL, "adapt", "the validation loss is not finite in epoch %d",
                         t->epoch);
    if (t->best_epoch && valid >= t->best_loss)
        return STATUS_OK;
    t->best_loss = valid;
    if ((st = save(t, err)))
        return st;
    t->best_epoch = t->epoch;
    return STATUS_OK;
}

static void log_start(const struct trainer *t)
{
    FILE *f = t->opts->events;
    for (int s = 0; s < DATASET_SPLITS; s++) {
        const struct dataset_windows *w = &t->d->windows[s];
        bool is_closer = w->sample_step < t->d->opts.steps && !t->d->opts.sample_step;
        event_write_log(f, LOG_LEVEL_INFO, "%s: %zu windows of %d rows, a start every %d rows%s",
                        dataset_split_name(s), w->count, t->d->opts.steps, w->sample_step,
                        is_closer ? " (closer than w, the pool is short: windows overlap)" : "");
    }
    event_write_log(f, LOG_LEVEL_INFO, "%d optimiser steps an epoch, %d of warm-up",
                    t->steps_per_epoch, t->warmup_steps);
}

static cJSON *result_of(const struct trainer *t, double seconds)
{
    uint64_t total = 0, trained = 0;
    for (size_t i = 0; i < policy_param_count(t->policy); i++) {
        struct policy_param info;
        policy_param_info(t->policy, i, &info);
        total += info.numel;
        trained += info.is_trained ? info.numel : 0;
    }
    struct dataset_baselines base = dataset_baselines(t->d, DATASET_VALID);
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "checkpoint", t->opts->model_dir);
    cJSON_AddNumberToObject(o, "train_loss", t->train_loss);
    cJSON_AddNumberToObject(o, "valid_loss", t->best_loss);
    cJSON_AddNumberToObject(o, "best_epoch", t->best_epoch);
    cJSON_AddNumberToObject(o, "steps", t->step);
    cJSON *b = cJSON_AddObjectToObject(o, "baselines"); /* on the validation windows */
    cJSON_AddNumberToObject(b, "constant", base.constant);
    cJSON_AddNumberToObject(b, "persistence", base.persistence);
    json_add_num(b, "no_op", base.no_op);
    cJSON *parameters = cJSON_AddObjectToObject(o, "parameters");
    cJSON_AddNumberToObject(parameters, "total", (double)total);
    cJSON_AddNumberToObject(parameters, "trainable", (double)trained);
    cJSON_AddNumberToObject(o, "seconds", seconds);
    return o;
}

enum status train_run(const struct train_opts *opts, const struct dataset *d, cJSON **result,
                      struct error *err)
{
    enum status st;
    uint64_t start_ns = clock_mono_ns();
    size_t windows = d->windows[DATASET_TRAIN].count, accum = (size_t)opts->grad_accum_steps;
    double span = d->norm.action_span;
    struct trainer t = {.opts = opts,
                        .d = d,
                        .windows = windows,
                        .random = opts->policy.seed,
                        .loss_unit = span * span,
                        .steps_per_epoch = (int)((windows + accum - 1) / accum)};
    *result = NULL;
    double all_steps = (double)t.steps_per_epoch * opts->epochs;
    t.warmup_steps =
        opts->warmup_steps >= 0 ? opts->warmup_steps : (int)ceil(all_steps * opts->warmup_fraction);
    if (t.warmup_steps < 1)
        t.warmup_steps = 1;

    if ((st = checkpoint_check_target(opts->model_dir, err)) ||
        (st = dataset_batch_init(&t.batch, (size_t)opts->batch_size, (size_t)d->opts.steps, err)))
        goto out;
    t.order = malloc(windows * sizeof *t.order);
    t.window_losses = malloc((size_t)opts->batch_size * sizeof *t.window_losses);
    if (!t.order || !t.window_losses) {
        st = error_set(err, STATUS_NOMEM, "adapt", "no memory for %zu windows", windows);
        goto out;
    }
    for (size_t i = 0; i < windows; i++)
        t.order[i] = i;
    if ((st = policy_new(&opts->policy, &t.policy, err)))
        goto out;
    log_start(&t);
    for (t.epoch = 1; t.epoch <= opts->epochs && !st; t.epoch++)
        st = train_epoch(&t, err);
    if (!st)
        *result = result_of(&t, (double)(clock_mono_ns() - start_ns) / 1e9);
out:
    policy_free(t.policy);
    dataset_batch_done(&t.batch);
    free(t.order);
    free(t.window_losses);
    return st;
}
