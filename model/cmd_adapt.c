#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/event.h"
#include "core/paths.h"
#include "model/adapt_options.h"
#include "model/bins.h"
#include "model/blas.h"
#include "model/checkpoint.h"
#include "model/cmd.h"
#include "model/train_lock.h"
#include "model/train_state.h"

/* The arguments of the training in `dir`, then those given now, which win. *argv is an array of
 * `*argc` strings in `stored` and `given`. */
static enum status join_arguments(const char *dir, int argc, char *given[], cJSON **stored,
                                  int *joined, char ***argv, struct error *err)
{
    *stored = train_state_arguments(dir, err);
    if (!*stored)
        return err->status;
    *argv = calloc((size_t)cJSON_GetArraySize(*stored) + (size_t)argc + 1, sizeof **argv);
    if (!*argv)
        return error_set(err, STATUS_NOMEM, "adapt", "no memory for the options");
    (*argv)[0] = given[0];
    *joined = 1;
    for (const cJSON *v = (*stored)->child; v; v = v->next)
        (*argv)[(*joined)++] = v->valuestring;
    for (int i = 1; i < argc; i++)
        (*argv)[(*joined)++] = given[i];
    return STATUS_OK;
}

/* What the command line left open follows from the pool's recipe. */
static void fill_defaults(struct dataset_opts *o, enum recipe recipe)
{
    const struct dataset_opts usual = dataset_opts_default(recipe, o->steps);

    o->steps = usual.steps;
    o->gamma = o->gamma == ADAPT_NOT_GIVEN ? usual.gamma : o->gamma;
    o->scale = o->scale == ADAPT_NOT_GIVEN ? usual.scale : o->scale;
    o->horizon = o->horizon == ADAPT_NOT_GIVEN ? usual.horizon : o->horizon;
}

static void log_engine(const struct adapt_options *a)
{
    blas_warn(stdout);
    if (a->config_path)
        event_write_log(stdout, LOG_LEVEL_WARN, "the backbone of %s has random weights (seed %llu)",
                        a->config_path, (unsigned long long)a->train.policy.backbone_seed);
}

/* The shape of the backbone, and where its weights are. */
static enum status find_plm(struct adapt_options *a, struct error *err)
{
    struct policy_config *policy = &a->train.policy;
    char path[CCALAB_PATH_MAX];
    if (a->plm_path && a->config_path)
        return error_set(err, STATUS_USAGE, "adapt",
                         "--plm-path and --plm-config exclude each other");
    if (a->plm_type && !a->plm_path && !a->config_path) {
        /* The published code reads its backbones from there. */
        snprintf(a->plm_dir, sizeof a->plm_dir, "../downloaded_plms/%.256s/%.256s", a->plm_type,
                 a->plm_size ? a->plm_size : "base");
        a->plm_path = a->plm_dir;
        if (!path_join(path, sizeof path, a->plm_dir, "config.json") || access(path, R_OK) != 0) {
            error_set(err, STATUS_IO, "adapt", "--plm-type %s: there is no %s", a->plm_type, path);
            return error_hint(err, "--plm-path DIR names a folder elsewhere; without both a tiny "
                                   "Llama is taken");
        }
    }
    if (a->config_path)
        return backbone_config_read(a->config_path, &policy->backbone, err);
    return a->plm_path ? policy_config_set_plm(policy, a->plm_path, err) : STATUS_OK;
}

/* How the windows of a step are computed, where the command line does not say. */
static enum status set_passes(struct adapt_options *a, struct error *err)
{
    struct train_opts *t = &a->train;
    struct policy_engine engine;
    enum status st = policy_engine_info(&engine, err);
    if (st)
        return st;
    if (!t->batch_size)
        t->batch_size = (int)policy_pass_windows(&t->policy, (size_t)a->data.steps);
    if (!t->workers)
        t->workers = a->threads ? a->threads : engine.cores;
    int passes = (t->grad_accum_steps + t->batch_size - 1) / t->batch_size;
    if (a->data.is_published)
        passes = 1; /* a window at a time */
    t->workers = t->workers < passes ? t->workers : passes;
    return STATUS_OK;
}

/* The checkpoint to begin with, into *c. Its weights mean something only with its backbone and on
 * its scales, so these are taken and not fitted anew. */
static enum status read_start(struct adapt_options *a, const char *recipe, struct checkpoint *c,
                              struct error *err)
{
    struct policy_config *policy = &a->train.policy;
    const char *dir = a->train.start_dir, *what = NULL;
    enum status st = checkpoint_read(dir, c, err);

    if (st)
        return st;
    if (strcmp(c->recipe, recipe) != 0 || c->data.is_published || a->data.is_published)
        what = "recipe";
    else if (c->policy.backbone_seed != policy->backbone_seed ||
             strcmp(c->policy.plm_path, policy->plm_path) != 0)
        what = "backbone";
    else if (c->data.steps != a->data.steps)
        what = "window (--w)";
    else if (c->data.gamma != a->data.gamma || c->data.scale != a->data.scale ||
             c->data.horizon != a->data.horizon)
        what = "counting of returns";
    else if (!c->policy.bins.count != !a->is_ce || (a->bins && a->bins != c->policy.bins.count))
        what = "loss (--loss, --bins)";
    if (what) {
        error_set(err, STATUS_USAGE, "adapt", "--start-from %s has another %s", dir, what);
        return error_hint(err, "give the options that it was trained with");
    }
    bool is_mode = policy->bins.is_mode;
    policy->bins = c->policy.bins;
    policy->bins.is_mode = is_mode;
    return STATUS_OK;
}

/* Would a training get as far as its pool? */
static enum status try_policy(const struct adapt_options *a, cJSON **result, struct error *err)
{
    struct policy *p = NULL;
    enum status st = policy_engine_start(a->threads, &a->train.policy.backbone, err);
    if (!st)
        st = policy_new(&a->train.policy, &p, err);
    policy_free(p);
    if (!st) {
        *result = cJSON_CreateObject();
        cJSON_AddBoolToObject(*result, "dry_run", true);
    }
    return st;
}

static enum status run(struct adapt_options *a, cJSON **result, struct error *err)
{
    static struct checkpoint first;
    enum status st;
    struct pool *pool = NULL;
    struct dataset *d = NULL;
    struct train_opts *t = &a->train;
    if (!a->is_dry && (!t->pool_path || !t->model_dir)) {
        error_set(err, STATUS_USAGE, "adapt", "--exp-pool-path and --model-dir are needed");
        return error_hint(err, "see: netllm adapt --help");
    }
    if (a->is_ce ? a->data.is_published : a->bins || t->policy.bins.is_mode)
        return error_set(err, STATUS_USAGE, "adapt",
                         a->is_ce ? "--recipe published has no --loss ce"
                                  : "--bins and --decision belong to --loss ce");
    if (!a->has_random_init)
        t->policy.backbone_seed = t->policy.seed;
    if (!t->save_per_epoch)
        t->save_per_epoch = t->eval_per_epoch;
    if (a->data.is_published && t->warmup_steps < 0)
        t->warmup_steps = 2000;
    if ((st = find_plm(a, err)))
        return st;
    if (a->is_dry)
        return try_policy(a, result, err);
    if ((st = pool_load(t->pool_path, &pool, err)))
        goto out;
    fill_defaults(&a->data, a->data.is_published ? RECIPE_PUBLISHED : recipe_of(pool->recipe));
    t->policy.timestep_rows = dataset_timestep_rows(pool, &a->data);
    t->policy.features = pool->features;
    if (t->start_dir && (st = read_start(a, pool->recipe, &first, err)))
        goto out;
    if ((st = dataset_new(pool, &a->data, t->start_dir ? &first.norm : NULL, &d, err)) ||
        (st = policy_engine_start(a->threads, &t->policy.backbone, err)) ||
        (a->logs_dir && (st = publish_new(a->logs_dir, false, d->features, &t->publish, err))))
        goto out;
    if ((st = set_passes(a, err)) ||
        (a->is_ce && !t->start_dir &&
         (st = bins_fit(d, a->bins ? a->bins : 32, &t->policy.bins, err))))
        goto out;
    log_engine(a);
    st = train_run(t, d, result, err);
out:
    publish_free(t->publish);
    dataset_free(d);
    pool_free(pool);
    return st;
}

enum status cmd_adapt(int argc, char *argv[], const volatile sig_atomic_t *stop, struct error *err)
{
    enum status st;
    char **joined = NULL;
    cJSON *result = NULL, *stored = NULL, *given = NULL;
    struct train_lock lock = {.fd = -1};
    struct adapt_options a = adapt_options_default(stop);
    if ((st = adapt_options_parse(argc, argv, &a, err)) || a.wants_help)
        return st;
    /* Before anything is read there that another training could be changing. */
    if (a.train.model_dir && !a.is_dry && (st = train_lock_take(&lock, a.train.model_dir, err)))
        return st;
    if (a.train.is_resumed && a.train.model_dir && train_state_exists(a.train.model_dir)) {
        if ((st = join_arguments(a.train.model_dir, argc, argv, &stored, &argc, &joined, err)))
            goto out;
        argv = joined;
        a = adapt_options_default(stop);
        if ((st = adapt_options_parse(argc, argv, &a, err)) || a.wants_help)
            goto out;
    }
    given = cJSON_CreateStringArray((const char *const *)argv + 1, argc - 1);
    if (!given) {
        st = error_set(err, STATUS_NOMEM, "adapt", "no memory for the options");
        goto out;
    }
    a.train.arguments = given;
    if (!(st = run(&a, &result, err)))
        event_write_result(stdout, result);
out:
    cJSON_Delete(given);
    cJSON_Delete(stored);
    free(joined);
    train_lock_release(&lock);
    return st;
}
