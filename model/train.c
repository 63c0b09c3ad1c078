#include "model/train.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/event.h"
#include "core/json.h"
#include "core/rng.h"
#include "model/bins.h"
#include "model/checkpoint.h"
#include "model/evaluate.h"
#include "model/policy_state.h"
#include "model/train_state.h"

#define PROGRESS_NS 200000000u

struct trainer {
    const struct train_opts *opts;
    const struct dataset *d;
    bool is_published;
    struct policy *policy;
    struct checkpoint record; /* what netllm.json says */
    cJSON *options;           /* what must be the same in a resumed training */
    struct dataset_batch batch;
    size_t batch_windows; /* room in it: the passes that run side by side */
    struct train_state s;
    double *window_losses; /* of one batch */
    double loss_unit;      /* scaled loss -> that of dataset_curve(); with bins: nats */
    int steps_per_epoch, warmup_steps;
    double seconds_before; /* trained before this process */
    uint64_t start_ns, step_ns, progress_ns;
    size_t windows_here; /* trained by this process */
    bool is_early;       /* stopped by patience */
};

static void shuffle(struct train_state *s)
{
    struct rng r = {s->random};

    for (size_t i = s->windows; i > 1; i--) {
        size_t j = (size_t)(rng_next_u64(&r) % i), swap = s->order[i - 1];
        s->order[i - 1] = s->order[j];
        s->order[j] = swap;
    }
    s->random = r.state;
}

static double learning_rate(const struct trainer *t)
{
    double warmed = (double)(t->s.step + 1) / t->warmup_steps;
    return t->opts->lr * fmin(warmed, 1);
}

static double seconds(const struct trainer *t)
{
    return t->seconds_before + (double)(clock_mono_ns() - t->start_ns) / 1e9;
}

static enum status save_state(struct trainer *t, struct error *err)
{
    t->s.seconds = seconds(t);
    return train_state_save(t->opts->model_dir, &t->s, t->policy, t->options, t->opts->arguments,
                            err);
}

static enum status interrupted(struct trainer *t, struct error *err)
{
    if (!t->opts->stop || !*t->opts->stop)
        return STATUS_OK;
    enum status st = save_state(t, err);
    if (st)
        return st;
    error_set(err, STATUS_INTERRUPTED, "adapt", "stopped by %s in epoch %d after step %d",
              strsignal(*t->opts->stop), t->s.epoch, t->s.step);
    if (t->s.best_epoch)
        error_hint(err, "the checkpoint of epoch %d is in %s; --resume goes on", t->s.best_epoch,
                   t->opts->model_dir);
    else
        error_hint(err, "netllm adapt --resume --model-dir %s goes on", t->opts->model_dir);
    return STATUS_INTERRUPTED;
}

static enum status not_finite(const struct trainer *t, size_t window, double loss,
                              struct error *err)
{
    const struct dataset_window *w = &t->d->windows[DATASET_TRAIN].at[window];
    error_set(err, STATUS_FAIL, "adapt",
              "the loss is %s in epoch %d, window %zu (episode %zu, rows %zu to %zu)",
              isnan(loss) ? "NaN" : "infinite", t->s.epoch, window, w->episode, w->row,
              w->row + (size_t)t->d->opts.steps - 1);
    error_hint(err, "try a smaller --lr than %g", t->opts->lr);
    return STATUS_FAIL;
}

/* Accumulate the gradient of windows order[at ... at + count), each with `weight`, and add their
 * losses to *sum. */
static enum status accumulate(struct trainer *t, size_t at, size_t count, double weight,
                              double *sum, struct error *err)
{
    dataset_batch_fill(t->d, DATASET_TRAIN, t->s.order + at, count, &t->batch);
    if (t->opts->label_clip > 0)
        for (size_t i = 0; i < count * t->batch.steps; i++)
            if (!isnan(t->batch.labels[i]))
                t->batch.labels[i] = (float)fmin(fmax(t->batch.labels[i], -t->opts->label_clip),
                                                 t->opts->label_clip);
    const struct policy_batch view = {.windows = count,
                                      .steps = t->batch.steps,
                                      .states = t->batch.states,
                                      .actions = t->batch.actions,
                                      .returns = t->batch.returns,
                                      .timesteps = t->batch.timesteps};
    enum status st = policy_backward(t->policy, &view, t->batch.labels, (double)count * weight,
                                     t->window_losses, err);
    for (size_t i = 0; i < count && !st; i++) {
        if (!isfinite(t->window_losses[i]))
            st = not_finite(t, t->s.order[at + i], t->window_losses[i], err);
        *sum += t->window_losses[i] * t->loss_unit;
    }
    if (!st && t->opts->publish)
        st = publish_train(t->opts->publish, &t->batch, t->window_losses, t->opts->grad_accum_steps,
                           err);
    return st;
}

/* Gradients of a group of windows, summed up. */
static enum status gradients(struct trainer *t, size_t at, size_t group, double *sum,
                             struct error *err)
{
    enum status st;
    /* As published, a window at a time is divided by what a full group has, and the sum so far is
     * clipped every time. Otherwise a group is divided by its own size, also a shorter last one. */
    size_t batch = t->is_published ? 1 : t->batch_windows;
    double weight = 1.0 / (t->is_published ? (double)t->opts->grad_accum_steps : (double)group);
    for (size_t done = 0; done < group; done += batch) {
        size_t count = group - done < batch ? group - done : batch;
        if ((st = accumulate(t, at + done, count, weight, sum, err)))
            return st;
        if (t->is_published && (st = policy_clip(t->policy, t->opts->clip_norm, NULL, err)))
            return st;
    }
    return STATUS_OK;
}

static double resident_mib(void)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f)
        return NAN;
    if (fscanf(f, "%*u %lu", &pages) != 1)
        pages = 0;
    fclose(f);
    return pages ? (double)pages * (double)sysconf(_SC_PAGESIZE) / 1048576 : NAN;
}

static double eta_seconds(const struct trainer *t)
{
    double all = (double)t->s.windows * t->opts->epochs;
    double done = (double)t->s.windows * (t->s.epoch - 1) + (double)t->s.windows_done;
    double here = (double)(clock_mono_ns() - t->start_ns) / 1e9;
    return (all - done) * here / (double)t->windows_here;
}

static void report_step(struct trainer *t, double loss, double lr, double norm, size_t group)
{
    uint64_t now = clock_mono_ns();
    double tokens = 3.0 * (double)group * t->d->opts.steps;
    cJSON *values = cJSON_CreateObject();
    json_add_num(values, "loss", loss);
    cJSON_AddNumberToObject(values, "lr", lr);
    json_add_num(values, "grad_norm", norm);
    cJSON_AddNumberToObject(values, "step", t->s.step);
    cJSON_AddNumberToObject(values, "epoch", t->s.epoch);
    json_add_num(values, "tokens_s", tokens * 1e9 / (double)(now - t->step_ns));
    json_add_num(values, "rss_mib", resident_mib());
    json_add_num(values, "eta_s", eta_seconds(t));
    event_write_sample(t->opts->events, -1, "train", values);
    t->step_ns = now;

    if (t->progress_ns && now - t->progress_ns < PROGRESS_NS && t->s.windows_done < t->s.windows)
        return;
    t->progress_ns = now;
    event_write_progress(t->opts->events,
                         (double)((size_t)(t->s.epoch - 1) * t->s.windows + t->s.windows_done),
                         (double)((size_t)t->opts->epochs * t->s.windows), "epoch %d of %d",
                         t->s.epoch, t->opts->epochs);
}

/* One optimiser step over the next group of windows. */
static enum status train_group(struct trainer *t, struct error *err)
{
    enum status st;
    size_t at = t->s.windows_done, accum = (size_t)t->opts->grad_accum_steps;
    size_t group = t->s.windows - at < accum ? t->s.windows - at : accum;
    double sum = 0, norm;
    if ((st = gradients(t, at, group, &sum, err)))
        return st;
    const struct policy_step_opts step = {.lr = learning_rate(t),
                                          .weight_decay = t->opts->weight_decay,
                                          .clip_norm = t->is_published ? 0 : t->opts->clip_norm};
    if ((st = policy_step(t->policy, &step, &norm, err))) {
        if (st == STATUS_FAIL)
            error_set(err, st, "adapt",
                      "the gradient is not finite in epoch %d, windows %zu to %zu of its order",
                      t->s.epoch, at, at + group - 1);
        return st;
    }
    t->s.step++;
    t->s.epoch_sum += sum;
    t->s.windows_done += group;
    t->windows_here += group;
    report_step(t, sum / (double)group, step.lr, norm, group);
    if (t->opts->save_per_steps && t->s.step % t->opts->save_per_steps == 0 &&
        (st = save_state(t, err)))
        return st;
    return interrupted(t, err);
}

static enum status save_best(struct trainer *t, struct error *err)
{
    t->record.best_epoch = t->s.epoch;
    t->record.train_loss = t->s.train_loss;
    t->record.valid_loss = t->is_published ? NAN : t->s.best_loss;
    enum status st = checkpoint_save(t->opts->model_dir, &t->record, t->policy, err);
    if (!st)
        t->s.best_epoch = t->s.epoch;
    return st;
}

static enum status validate(struct trainer *t, struct error *err)
{
    double loss;
    enum status st = evaluate_windows(t->policy, t->d, DATASET_VALID, (size_t)t->opts->batch_size,
                                      t->opts->stop, &loss, err);
    if (st)
        return st == STATUS_INTERRUPTED ? interrupted(t, err) : st;
    cJSON *values = cJSON_CreateObject();
    json_add_num(values, "loss", loss);
    cJSON_AddNumberToObject(values, "epoch", t->s.epoch);
    event_write_sample(t->opts->events, -1, "valid", values);
    if (!isfinite(loss))
        return error_set(err, STATUS_FAIL, "adapt", "the validation loss is not finite in epoch %d",
                         t->s.epoch);
    if (t->s.best_epoch && loss >= t->s.best_loss)
        return STATUS_OK;
    t->s.best_loss = loss;
    return save_best(t, err);
}

static bool is_due(const struct trainer *t, int every)
{
    return t->s.epoch % every == 0 || t->s.epoch == t->opts->epochs;
}

/* The epoch of the state, from where it stands. */
static enum status train_epoch(struct trainer *t, struct error *err)
{
    enum status st = STATUS_OK;
    if (t->s.windows_done == 0) {
        shuffle(&t->s);
        t->s.epoch_sum = 0;
    }
    t->step_ns = clock_mono_ns();
    while (t->s.windows_done < t->s.windows)
        if ((st = train_group(t, err)))
            return st;
    t->s.train_loss = t->s.epoch_sum / (double)t->s.windows;

    if (t->is_published)
        st = save_best(t, err); /* the published "best" is whatever came last */
    else if (is_due(t, t->opts->eval_per_epoch))
        st = validate(t, err);
    if (!st && t->opts->publish)
        st = publish_epoch(t->opts->publish, t->s.epoch - 1, t->s.windows, err);
    if (st)
        return st;
    bool is_kept = is_due(t, t->opts->save_per_epoch);
    t->is_early =
        t->opts->patience && t->s.best_epoch && t->s.epoch - t->s.best_epoch >= t->opts->patience;
    t->s.epoch++;
    t->s.windows_done = 0;
    return is_kept || t->is_early ? save_state(t, err) : STATUS_OK;
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
    const struct device_plan *devices = policy_get_devices(t->policy);
    char text[512];
    if (devices->count > 1 || devices->device[0] != DEVICE_CPU)
        event_write_log(f, LOG_LEVEL_INFO, "%s", device_plan_text(devices, text, sizeof text));
    event_write_log(f, LOG_LEVEL_INFO, "%d optimiser steps an epoch, %d of warm-up",
                    t->steps_per_epoch, t->warmup_steps);
    if (t->is_published && t->warmup_steps > t->steps_per_epoch * t->opts->epochs)
        event_write_log(f, LOG_LEVEL_WARN,
                        "as published: the training ends in the warm-up, at a learning rate of %g",
                        t->opts->lr * t->steps_per_epoch * t->opts->epochs / t->warmup_steps);
}

static cJSON *result_of(const struct trainer *t)
{
    uint64_t total = 0, trained = 0;
    for (size_t i = 0; i < policy_param_count(t->policy); i++) {
        struct policy_param info;
        policy_param_info(t->policy, i, &info);
        total += info.numel;
        trained += info.is_trained ? info.numel : 0;
    }
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "checkpoint", t->opts->model_dir);
    cJSON_AddNumberToObject(o, "train_loss", t->s.train_loss);
    json_add_num(o, "valid_loss", t->is_published ? NAN : t->s.best_loss);
    cJSON_AddNumberToObject(o, "best_epoch", t->s.best_epoch);
    cJSON_AddNumberToObject(o, "epochs", t->s.epoch - 1);
    cJSON_AddBoolToObject(o, "stopped_early", t->is_early);
    cJSON_AddNumberToObject(o, "steps", t->s.step);
    /* On the validation windows; published: on all of them. */
    struct dataset_baselines base =
        dataset_baselines(t->d, t->is_published ? DATASET_TRAIN : DATASET_VALID);
    cJSON *b = cJSON_AddObjectToObject(o, "baselines");
    json_add_num(b, "constant", base.constant);
    json_add_num(b, "persistence", base.persistence);
    json_add_num(b, "no_op", base.no_op);
    cJSON *parameters = cJSON_AddObjectToObject(o, "parameters");
    cJSON_AddNumberToObject(parameters, "total", (double)total);
    cJSON_AddNumberToObject(parameters, "trainable", (double)trained);
    cJSON_AddNumberToObject(o, "seconds", seconds(t));
    return o;
}

/* --- start ------------------------------------------------------------------------------------ */

/* FNV-1a. */
static uint64_t hash_more(uint64_t hash, const void *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ ((const uint8_t *)data)[i]) * 0x100000001b3u;
    return hash;
}

/* Of all rows: a resumed training must have the same. */
static uint64_t pool_digest(const struct pool *p)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < p->rows; i++)
        hash = hash_more(hash, p->states[i], (size_t)p->features * sizeof **p->states);
    hash = hash_more(hash, p->actions, p->rows * sizeof *p->actions);
    hash = hash_more(hash, p->rewards, p->rows * sizeof *p->rewards);
    if (recipe_of(p->recipe) != RECIPE_LOOP)
        return hash; /* their advice is the action, and nothing depends on their times */
    hash = hash_more(hash, p->advice, p->rows * sizeof *p->advice);
    return hash_more(hash, p->t_s, p->rows * sizeof *p->t_s);
}

static cJSON *options_of(const struct trainer *t)
{
    const struct train_opts *opts = t->opts;
    char digest[32];
    cJSON *o = checkpoint_to_json(&t->record);
    cJSON_DeleteItemFromObject(cJSON_GetObjectItem(o, "data"), "pool"); /* it may have moved */
    cJSON_DeleteItemFromObject(o, "training");
    cJSON *training = cJSON_AddObjectToObject(o, "training");
    cJSON_AddNumberToObject(training, "lr", opts->lr);
    cJSON_AddNumberToObject(training, "weight_decay", opts->weight_decay);
    cJSON_AddNumberToObject(training, "clip_norm", opts->clip_norm);
    cJSON_AddNumberToObject(training, "label_clip", opts->label_clip);
    cJSON_AddNumberToObject(training, "warmup_steps", t->warmup_steps);
    cJSON_AddNumberToObject(training, "grad_accum_steps", opts->grad_accum_steps);
    cJSON_AddNumberToObject(training, "batch_size", opts->batch_size);
    cJSON_AddNumberToObject(training, "eval_per_epoch", opts->eval_per_epoch);
    cJSON_AddNumberToObject(training, "windows", (double)t->s.windows);
    snprintf(digest, sizeof digest, "%016llx", (unsigned long long)pool_digest(t->d->pool));
    cJSON_AddStringToObject(training, "rows of the pool", digest);
    return o;
}

/* A head of random weights answers at random, and where little can be known most of a training goes
 * into unlearning that. From 0 it starts as the best constant answer; with bins, from their shares.
 */
static enum status quiet_head(struct policy *p, const struct dataset *d, struct error *err)
{
    static const char *const names[] = {"6.weight", "6.bias"};
    const struct policy_bins *bins = &policy_get_config(p)->bins;
    double shares[POLICY_BINS_MAX];
    bins_shares(bins, d, shares);
    for (size_t i = 0; i < 2; i++) {
        struct policy_param info;
        size_t index = policy_param_find(p, names[i]);
        policy_param_info(p, index, &info);
        float *values = calloc(info.numel, sizeof *values);
        if (!values)
            return error_set(err, STATUS_NOMEM, "adapt", "no memory");
        /* Nearest to the means are not quite the rows that they are means of: no bin is empty. */
        for (int b = 0; i == 1 && b < bins->count; b++)
            values[b] = (float)log(shares[b] + 1e-6);
        enum status st = policy_param_write(p, index, values, err);
        free(values);
        if (st)
            return st;
    }
    return STATUS_OK;
}

/* Where to start: at the kept state, or anew. */
static enum status start(struct trainer *t, struct error *err)
{
    const char *dir = t->opts->model_dir;
    enum status st;
    if (!train_state_exists(dir)) {
        if (t->opts->is_resumed)
            event_write_log(t->opts->events, LOG_LEVEL_WARN,
                            "no training to resume in %s: it begins anew", dir);
        return STATUS_OK;
    }
    if (!t->opts->is_resumed) {
        event_write_log(t->opts->events, LOG_LEVEL_WARN,
                        "%s holds a training that --resume would go on with: it begins anew", dir);
        train_state_remove(dir);
        return STATUS_OK;
    }
    if ((st = train_state_load(dir, &t->s, t->policy, t->options, err)))
        return st;
    if (t->s.best_epoch) {
        static struct checkpoint best;
        if ((st = checkpoint_read(dir, &best, err)))
            return st;
    }
    t->seconds_before = t->s.seconds;
    t->is_early = t->opts->patience && t->s.windows_done == 0 && t->s.best_epoch &&
                  t->s.epoch - 1 - t->s.best_epoch >= t->opts->patience;
    event_write_log(t->opts->events, LOG_LEVEL_INFO, "resumed in epoch %d after step %d",
                    t->s.epoch, t->s.step);
    return STATUS_OK;
}

static void fill_record(struct trainer *t)
{
    t->record = (struct checkpoint){.policy = t->opts->policy,
                                    .data = t->d->opts,
                                    .norm = t->d->norm,
                                    .pool_rows = t->d->pool->rows,
                                    .epochs = t->opts->epochs,
                                    .best_epoch = 1};
    snprintf(t->record.pool, sizeof t->record.pool, "%s", t->opts->pool_path);
    snprintf(t->record.recipe, sizeof t->record.recipe, "%s", t->d->pool->recipe);
}

static int warmup_steps(const struct train_opts *opts, int steps_per_epoch)
{
    double all = (double)steps_per_epoch * opts->epochs;
    int steps =
        opts->warmup_steps >= 0 ? opts->warmup_steps : (int)ceil(all * opts->warmup_fraction);
    return steps < 1 ? 1 : steps;
}

enum status train_run(const struct train_opts *opts, const struct dataset *d, cJSON **result,
                      struct error *err)
{
    enum status st;
    size_t windows = d->windows[DATASET_TRAIN].count, accum = (size_t)opts->grad_accum_steps;
    enum recipe recipe = recipe_of(d->pool->recipe);
    double span =
        dataset_curve(recipe, dataset_action(d, 1)) - dataset_curve(recipe, dataset_action(d, 0));
    bool is_new_dir = access(opts->model_dir, F_OK) != 0;
    struct trainer *t = calloc(1, sizeof *t);
    *result = NULL;
    if (!t)
        return error_set(err, STATUS_NOMEM, "adapt", "no memory");
    t->opts = opts;
    t->d = d;
    t->is_published = d->opts.is_published;
    t->s = (struct train_state){.epoch = 1, .random = opts->policy.seed, .windows = windows};
    t->loss_unit = opts->policy.bins.count ? 1 : span * span;
    t->start_ns = clock_mono_ns();
    t->steps_per_epoch = (int)((windows + accum - 1) / accum);
    t->warmup_steps = warmup_steps(opts, t->steps_per_epoch);

    int workers = opts->workers > 0 ? opts->workers : 1;
    t->batch_windows = (size_t)workers * (size_t)opts->batch_size;
    if (t->batch_windows > accum)
        t->batch_windows = accum;
    if ((st = checkpoint_prepare(opts->model_dir, err)) ||
        (st = dataset_batch_init(&t->batch, t->batch_windows, (size_t)d->opts.steps, err)))
        goto out;
    t->s.order = malloc(windows * sizeof *t->s.order);
    t->window_losses = malloc(t->batch_windows * sizeof *t->window_losses);
    if (!t->s.order || !t->window_losses) {
        st = error_set(err, STATUS_NOMEM, "adapt", "no memory for %zu windows", windows);
        goto out;
    }
    for (size_t i = 0; i < windows; i++)
        t->s.order[i] = i;
    if ((st = policy_new(&opts->policy, &t->policy, err)) ||
        (st = policy_set_passes(t->policy, workers, (size_t)opts->batch_size, err)) ||
        (!t->is_published && (st = quiet_head(t->policy, d, err))) ||
        (opts->start_dir && (st = checkpoint_load_weights(opts->start_dir, t->policy, err))))
        goto out;
    fill_record(t);
    t->options = options_of(t);
    if ((st = start(t, err)))
        goto out;
    log_start(t);
    while (t->s.epoch <= opts->epochs && !t->is_early && !st)
        st = train_epoch(t, err);
    if (!st && t->is_early)
        event_write_log(opts->events, LOG_LEVEL_INFO,
                        "no better validation loss in %d epochs: stopped", opts->patience);
    if (!st)
        *result = result_of(t);
out:
    if (is_new_dir)
        rmdir(opts->model_dir); /* if nothing came of it, it is empty */
    cJSON_Delete(t->options);
    policy_free(t->policy);
    dataset_batch_done(&t->batch);
    free(t->s.order);
    free(t->window_losses);
    free(t);
    return st;
}
