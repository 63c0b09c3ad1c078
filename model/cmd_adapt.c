#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/event.h"
#include "core/paths.h"
#include "model/bins.h"
#include "model/blas.h"
#include "model/checkpoint.h"
#include "model/cmd.h"
#include "model/train.h"
#include "model/train_lock.h"
#include "model/train_state.h"

#define NOT_GIVEN (-1)

static const char help[] =
    "usage: netllm adapt --exp-pool-path POOL --model-dir DIR [OPTIONS]\n\n"
    "  --exp-pool-path FILE    pool to train on\n"
    "  --model-dir DIR         checkpoint to write: the epoch with the best validation loss, and\n"
    "                          where the training stands\n"
    "  --resume                go on with the training in --model-dir, with its options\n"
    "  --start-from DIR        begin with the weights of another checkpoint of the same shape, "
    "and\n"
    "                          with its constants\n"
    "  --recipe NAME           published: the arithmetic of the published code, with its defects\n"
    "  --plm-type T --plm-size S\n"
    "                          --plm-path ../downloaded_plms/T/S, as published\n"
    "  --plm-config FILE       shape of the backbone, a Hugging Face config.json\n"
    "                          (without it: a tiny Llama, hidden 64, 2 layers)\n"
    "  --plm-path DIR          backbone with its weights, a Hugging Face folder: config.json and\n"
    "                          model.safetensors or pytorch_model.bin, whole or in shards\n"
    "  --base-dtype T          of its matrices in memory: fp32 (default), or bf16 where the\n"
    "                          device multiplies it\n"
    "  --random-init SEED      seed of the backbone's random weights (default: --seed)\n"
    "  --which-layer N         stop the backbone after layer N; -1: the last (default)\n"
    "  --rank N                rank of LoRA (8)\n"
    "  --lora-targets A,B,...  linear layers that LoRA adapts (q_proj,v_proj; GPT-2: c_attn)\n"
    "  --state-feature-dim N   width of the state encoder (256)\n"
    "  --w N                   steps of a window (20; recipe loop: 12)\n"
    "  --sample-step N         distance of window starts (w, less for a short pool)\n"
    "  --gamma X               discount of the returns (1)\n"
    "  --scale X               the returns are divided by it (1000; recipe lab: 1)\n"
    "  --horizon N             rows that a return counts; 0: to the end (recipe lab: w)\n"
    "  --num-epochs N          (20)\n"
    "  --eval-per-epoch N      validate every N epochs (1)\n"
    "  --save-checkpoint-per-epoch N  keep the state every N epochs (1)\n"
    "  --save-per-steps N      and every N optimiser steps (0: not)\n"
    "  --patience N            stop after N epochs without a better one (0: do not)\n"
    "  --lr X                  (1e-4)\n"
    "  --weight-decay X        (1e-4)\n"
    "  --warmup-fraction X     linear warm-up, as a fraction of all optimiser steps (0.1)\n"
    "  --warmup-steps N        the same in optimiser steps\n"
    "  --grad-accum-steps N    windows of one optimiser step (32)\n"
    "  --batch-size N          windows in one pass; no change of the arithmetic (2 to 8, by the\n"
    "                          shape of the backbone; 32 on CUDA)\n"
    "  --workers N             passes side by side, each on one thread (--threads, else one per\n"
    "                          core; on the CPU)\n"
    "  --loss mse|ce           squared error (default), or the cross-entropy of bins of actions\n"
    "  --bins N                of --loss ce, fitted on the training rows (32)\n"
    "  --decision mean|mode    of --loss ce: the mean of the bins by probability (default), or "
    "the\n"
    "                          most probable one\n"
    "  --label-clip X          cut the labels of the training to +- X of their scale (0: not)\n"
    "  --published-logs DIR    write the published code's JSON logs and train_losses.txt there\n"
    "  --seed N                (100003)\n" CMD_DEVICE_HELP
    "  --threads N             (one per core; 1 for a backbone narrower than 256)\n"
    "taken and without effect here: --adapt, --test, --target-return-scale (both are of netllm\n"
    "test), --trace, --trace-num, --video, --fixed-order (of a video simulator)\n";

enum option_id {
    OPT_POOL = 256,
    OPT_DIR,
    OPT_CONFIG,
    OPT_PLM_PATH,
    OPT_BASE_DTYPE,
    OPT_RANDOM_INIT,
    OPT_LAYER,
    OPT_RANK,
    OPT_TARGETS,
    OPT_STATE_DIM,
    OPT_W,
    OPT_SAMPLE_STEP,
    OPT_GAMMA,
    OPT_SCALE,
    OPT_HORIZON,
    OPT_EPOCHS,
    OPT_LR,
    OPT_DECAY,
    OPT_WARMUP_FRACTION,
    OPT_WARMUP_STEPS,
    OPT_ACCUM,
    OPT_BATCH,
    OPT_SEED,
    OPT_THREADS,
    OPT_WORKERS,
    OPT_LABEL_CLIP,
    OPT_LOSS,
    OPT_BINS,
    OPT_DECISION,
    OPT_RESUME,
    OPT_START,
    OPT_RECIPE,
    OPT_PLM_TYPE,
    OPT_PLM_SIZE,
    OPT_EVAL,
    OPT_SAVE_EPOCH,
    OPT_SAVE_STEPS,
    OPT_PATIENCE,
    OPT_LOGS,
    OPT_DEVICE,
    OPT_ELSEWHERE, /* of netllm test */
    OPT_VIDEO,     /* of the video simulator */
    OPT_ADAPT,
};

static const struct option options[] = {
    {"exp-pool-path", required_argument, NULL, OPT_POOL},
    {"model-dir", required_argument, NULL, OPT_DIR},
    {"plm-config", required_argument, NULL, OPT_CONFIG},
    {"plm-path", required_argument, NULL, OPT_PLM_PATH},
    {"base-dtype", required_argument, NULL, OPT_BASE_DTYPE},
    {"random-init", required_argument, NULL, OPT_RANDOM_INIT},
    {"which-layer", required_argument, NULL, OPT_LAYER},
    {"rank", required_argument, NULL, OPT_RANK},
    {"lora-targets", required_argument, NULL, OPT_TARGETS},
    {"state-feature-dim", required_argument, NULL, OPT_STATE_DIM},
    {"w", required_argument, NULL, OPT_W},
    {"sample-step", required_argument, NULL, OPT_SAMPLE_STEP},
    {"gamma", required_argument, NULL, OPT_GAMMA},
    {"scale", required_argument, NULL, OPT_SCALE},
    {"horizon", required_argument, NULL, OPT_HORIZON},
    {"num-epochs", required_argument, NULL, OPT_EPOCHS},
    {"lr", required_argument, NULL, OPT_LR},
    {"weight-decay", required_argument, NULL, OPT_DECAY},
    {"warmup-fraction", required_argument, NULL, OPT_WARMUP_FRACTION},
    {"warmup-steps", required_argument, NULL, OPT_WARMUP_STEPS},
    {"grad-accum-steps", required_argument, NULL, OPT_ACCUM},
    {"batch-size", required_argument, NULL, OPT_BATCH},
    {"seed", required_argument, NULL, OPT_SEED},
    {"threads", required_argument, NULL, OPT_THREADS},
    {"workers", required_argument, NULL, OPT_WORKERS},
    {"loss", required_argument, NULL, OPT_LOSS},
    {"bins", required_argument, NULL, OPT_BINS},
    {"decision", required_argument, NULL, OPT_DECISION},
    {"label-clip", required_argument, NULL, OPT_LABEL_CLIP},
    {"resume", no_argument, NULL, OPT_RESUME},
    {"start-from", required_argument, NULL, OPT_START},
    {"recipe", required_argument, NULL, OPT_RECIPE},
    {"plm-type", required_argument, NULL, OPT_PLM_TYPE},
    {"plm-size", required_argument, NULL, OPT_PLM_SIZE},
    {"eval-per-epoch", required_argument, NULL, OPT_EVAL},
    {"save-checkpoint-per-epoch", required_argument, NULL, OPT_SAVE_EPOCH},
    {"save-per-steps", required_argument, NULL, OPT_SAVE_STEPS},
    {"patience", required_argument, NULL, OPT_PATIENCE},
    {"published-logs", required_argument, NULL, OPT_LOGS},
    CMD_DEVICE_OPTIONS(OPT_DEVICE),
    {"adapt", no_argument, NULL, OPT_ADAPT},
    {"test", no_argument, NULL, OPT_ELSEWHERE},
    {"target-return-scale", required_argument, NULL, OPT_ELSEWHERE},
    {"trace", required_argument, NULL, OPT_VIDEO},
    {"trace-num", required_argument, NULL, OPT_VIDEO},
    {"video", required_argument, NULL, OPT_VIDEO},
    {"fixed-order", no_argument, NULL, OPT_VIDEO},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

struct arguments {
    struct train_opts train;
    struct dataset_opts data;
    const char *config_path, *plm_path, *plm_type, *plm_size, *logs_dir;
    char plm_dir[CCALAB_PATH_MAX]; /* of --plm-type and --plm-size */
    bool has_random_init, is_ce;
    int threads, bins;
    bool wants_help;
};

static enum status set_recipe(struct arguments *a, const char *name, struct error *err)
{
    static const char *const names[] = {"default", "published"};
    if (strcmp(name, names[0]) == 0 || strcmp(name, names[1]) == 0) {
        a->data.is_published = strcmp(name, names[1]) == 0;
        return STATUS_OK;
    }
    error_set(err, STATUS_USAGE, "adapt", "--recipe '%s' is not known", name);
    return error_hint(err, "it is published or default; the recipe of the pool (lab, ...) is "
                           "chosen by netllm pool build");
}

/* One of two words. */
static enum status set_choice(const char *name, const char *text, const char *no, const char *yes,
                              bool *out, struct error *err)
{
    *out = strcmp(text, yes) == 0;
    if (*out || strcmp(text, no) == 0)
        return STATUS_OK;
    return error_set(err, STATUS_USAGE, "adapt", "--%s is neither %s nor %s", name, no, yes);
}

/* Store one option; `o` names it in messages. */
static enum status set_option(struct arguments *a, const struct option *o, const char *text,
                              struct error *err)
{
    enum status st = STATUS_OK;
    struct train_opts *t = &a->train;
    long long n = 0;
    int *whole = NULL;
    double *real = NULL, min = 0, max = 1e12;
    switch ((enum option_id)o->val) {
    case OPT_POOL:
        t->pool_path = text;
        return STATUS_OK;
    case OPT_DIR:
        t->model_dir = text;
        return STATUS_OK;
    case OPT_CONFIG:
        a->config_path = text;
        return STATUS_OK;
    case OPT_PLM_TYPE:
        a->plm_type = text;
        return STATUS_OK;
    case OPT_PLM_SIZE:
        a->plm_size = text;
        return STATUS_OK;
    case OPT_LOGS:
        a->logs_dir = text;
        return STATUS_OK;
    case OPT_RESUME:
        t->is_resumed = true;
        return STATUS_OK;
    case OPT_START:
        t->start_dir = text;
        return STATUS_OK;
    case OPT_RECIPE:
        return set_recipe(a, text, err);
    case OPT_DEVICE:
        return cmd_set_device(o->name, text, &t->policy.devices, err);
    case OPT_ADAPT:
        return STATUS_OK;
    case OPT_ELSEWHERE:
        event_write_log(stdout, LOG_LEVEL_INFO, "--%s is an option of netllm test", o->name);
        return STATUS_OK;
    case OPT_VIDEO:
        event_write_log(stdout, LOG_LEVEL_INFO,
                        "--%s belongs to the video simulator: without effect", o->name);
        return STATUS_OK;
    case OPT_SAVE_STEPS:
        st = cmd_parse_int(o->name, text, 0, 1 << 30, &n, err);
        t->save_per_steps = (int)n;
        return st;
    case OPT_PATIENCE:
        st = cmd_parse_int(o->name, text, 0, 1 << 30, &n, err);
        t->patience = (int)n;
        return st;
    case OPT_PLM_PATH:
        a->plm_path = text;
        return STATUS_OK;
    case OPT_BASE_DTYPE:
        if (strcmp(text, "fp32") != 0 && strcmp(text, "bf16") != 0)
            return error_set(err, STATUS_USAGE, "adapt", "--base-dtype is neither fp32 nor bf16");
        t->policy.base_dtype = *text == 'b' ? POLICY_BF16 : POLICY_FP32;
        return STATUS_OK;
    case OPT_RANDOM_INIT:
        st = cmd_parse_int(o->name, text, 0, INT64_MAX, &n, err);
        t->policy.backbone_seed = (uint64_t)n;
        a->has_random_init = true;
        return st;
    case OPT_SEED:
        st = cmd_parse_int(o->name, text, 0, INT64_MAX, &n, err);
        t->policy.seed = (uint64_t)n;
        return st;
    case OPT_LAYER:
        st = cmd_parse_int(o->name, text, -1000, 1000, &n, err);
        t->policy.which_layer = (int)n;
        return st;
    case OPT_HORIZON:
        st = cmd_parse_int(o->name, text, 0, 1 << 24, &n, err);
        a->data.horizon = (int)n;
        return st;
    case OPT_EVAL:
        whole = &t->eval_per_epoch;
        break;
    case OPT_SAVE_EPOCH:
        whole = &t->save_per_epoch;
        break;
    case OPT_RANK:
        whole = &t->policy.rank;
        break;
    case OPT_LOSS:
        return set_choice("loss", text, "mse", "ce", &a->is_ce, err);
    case OPT_DECISION:
        return set_choice("decision", text, "mean", "mode", &t->policy.bins.is_mode, err);
    case OPT_BINS:
        st = cmd_parse_int(o->name, text, 2, POLICY_BINS_MAX, &n, err);
        a->bins = (int)n;
        return st;
    case OPT_TARGETS:
        if ((size_t)snprintf(t->policy.lora_targets, sizeof t->policy.lora_targets, "%s", text) <
            sizeof t->policy.lora_targets)
            return STATUS_OK;
        return error_set(err, STATUS_USAGE, "adapt", "--lora-targets is too long");
    case OPT_STATE_DIM:
        whole = &t->policy.state_dim;
        break;
    case OPT_W:
        whole = &a->data.steps;
        break;
    case OPT_SAMPLE_STEP:
        whole = &a->data.sample_step;
        break;
    case OPT_EPOCHS:
        whole = &t->epochs;
        break;
    case OPT_ACCUM:
        whole = &t->grad_accum_steps;
        break;
    case OPT_BATCH:
        whole = &t->batch_size;
        break;
    case OPT_THREADS:
        whole = &a->threads;
        break;
    case OPT_WORKERS:
        st = cmd_parse_int(o->name, text, 1, 1024, &n, err);
        t->workers = (int)n;
        return st;
    case OPT_WARMUP_STEPS:
        whole = &t->warmup_steps;
        break;
    case OPT_GAMMA:
        real = &a->data.gamma;
        max = 1;
        break;
    case OPT_SCALE:
        real = &a->data.scale;
        min = 1e-9;
        break;
    case OPT_LABEL_CLIP:
        real = &t->label_clip;
        break;
    case OPT_LR:
        real = &t->lr;
        break;
    case OPT_DECAY:
        real = &t->weight_decay;
        break;
    case OPT_WARMUP_FRACTION:
        real = &t->warmup_fraction;
        max = 1;
        break;
    }
    if (real)
        return cmd_parse_num(o->name, text, min, max, real, err);
    st = cmd_parse_int(o->name, text, 1, 65536, &n, err);
    *whole = (int)n;
    return st;
}

static enum status parse(int argc, char *argv[], struct arguments *a, struct error *err)
{
    enum status st;
    int c, index = 0;
    optind = 0; /* from the beginning, also a second time: getopt_long(3) */
    while ((c = getopt_long(argc, argv, ":h", options, &index)) != -1) {
        if (c == 'h') {
            fputs(help, stdout);
            a->wants_help = true;
            return STATUS_OK;
        }
        if (c == '?' || c == ':')
            return cmd_bad_option(c, argv, err);
        if ((st = set_option(a, &options[index], optarg, err)))
            return st;
    }
    if (optind == argc)
        return STATUS_OK;
    error_set(err, STATUS_USAGE, "adapt", "'%s' is no option", argv[optind]);
    error_hint(err, "see: netllm adapt --help");
    return STATUS_USAGE;
}

static struct arguments usual(const volatile sig_atomic_t *stop)
{
    return (struct arguments){
        .train = {.policy = policy_config_default(),
                  .epochs = 20,
                  .grad_accum_steps = 32,
                  .lr = 1e-4,
                  .weight_decay = 1e-4,
                  .clip_norm = 0.25,
                  .warmup_steps = -1,
                  .warmup_fraction = 0.1,
                  .eval_per_epoch = 1,
                  .stop = stop,
                  .events = stdout},
        .data = {.gamma = NOT_GIVEN, .scale = NOT_GIVEN, .horizon = NOT_GIVEN}};
}

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
    o->gamma = o->gamma == NOT_GIVEN ? usual.gamma : o->gamma;
    o->scale = o->scale == NOT_GIVEN ? usual.scale : o->scale;
    o->horizon = o->horizon == NOT_GIVEN ? usual.horizon : o->horizon;
}

static void log_engine(const struct arguments *a)
{
    blas_warn(stdout);
    if (a->config_path)
        event_write_log(stdout, LOG_LEVEL_WARN, "the backbone of %s has random weights (seed %llu)",
                        a->config_path, (unsigned long long)a->train.policy.backbone_seed);
}

/* The shape of the backbone, and where its weights are. */
static enum status find_plm(struct arguments *a, struct error *err)
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
static enum status set_passes(struct arguments *a, struct error *err)
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
static enum status read_start(struct arguments *a, const char *recipe, struct checkpoint *c,
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

static enum status run(struct arguments *a, cJSON **result, struct error *err)
{
    static struct checkpoint first;
    enum status st;
    struct pool *pool = NULL;
    struct dataset *d = NULL;
    struct train_opts *t = &a->train;
    if (!t->pool_path || !t->model_dir) {
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
    if ((st = find_plm(a, err)) || (st = pool_load(t->pool_path, &pool, err)))
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
    struct arguments a = usual(stop);
    if ((st = parse(argc, argv, &a, err)) || a.wants_help)
        return st;
    /* Before anything is read there that another training could be changing. */
    if (a.train.model_dir && (st = train_lock_take(&lock, a.train.model_dir, err)))
        return st;
    if (a.train.is_resumed && a.train.model_dir && train_state_exists(a.train.model_dir)) {
        if ((st = join_arguments(a.train.model_dir, argc, argv, &stored, &argc, &joined, err)))
            goto out;
        argv = joined;
        a = usual(stop);
        if ((st = parse(argc, argv, &a, err)) || a.wants_help)
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
