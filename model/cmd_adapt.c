#include <getopt.h>
#include <string.h>

#include "core/event.h"
#include "model/blas.h"
#include "model/cmd.h"
#include "model/train.h"

#define NOT_GIVEN (-1)

static const char help[] =
    "usage: netllm adapt --exp-pool-path POOL --model-dir DIR [OPTIONS]\n\n"
    "  --exp-pool-path FILE    pool to train on\n"
    "  --model-dir DIR         checkpoint to write: the epoch with the best validation loss\n"
    "  --plm-config FILE       shape of the backbone, a Hugging Face config.json\n"
    "                          (without it: a tiny Llama, hidden 64, 2 layers)\n"
    "  --plm-path DIR          backbone with its weights, a Hugging Face folder: config.json and\n"
    "                          model.safetensors or pytorch_model.bin, whole or in shards\n"
    "  --base-dtype T          of its matrices in memory: fp32 (default), or bf16 where the\n"
    "                          processor multiplies it\n"
    "  --random-init SEED      seed of the backbone's random weights (default: --seed)\n"
    "  --which-layer N         stop the backbone after layer N; -1: the last (default)\n"
    "  --rank N                rank of LoRA (8)\n"
    "  --state-feature-dim N   width of the state encoder (256)\n"
    "  --w N                   steps of a window (20)\n"
    "  --sample-step N         distance of window starts (w, less for a short pool)\n"
    "  --gamma X               discount of the returns (1)\n"
    "  --scale X               the returns are divided by it (1000; recipe lab: 1)\n"
    "  --horizon N             rows that a return counts; 0: to the end (recipe lab: w)\n"
    "  --num-epochs N          (20)\n"
    "  --lr X                  (1e-4)\n"
    "  --weight-decay X        (1e-4)\n"
    "  --warmup-fraction X     linear warm-up, as a fraction of all optimiser steps (0.1)\n"
    "  --warmup-steps N        the same in optimiser steps\n"
    "  --grad-accum-steps N    windows of one optimiser step (32)\n"
    "  --batch-size N          windows in one forward pass; no change of the arithmetic (32)\n"
    "  --seed N                (100003)\n"
    "  --threads N             (one per core; 1 for a backbone narrower than 256)\n";

enum option_id {
    OPT_POOL = 256,
    OPT_DIR,
    OPT_CONFIG,
    OPT_PLM_PATH,
    OPT_BASE_DTYPE,
    OPT_RANDOM_INIT,
    OPT_LAYER,
    OPT_RANK,
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
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

struct arguments {
    struct train_opts train;
    struct dataset_opts data;
    const char *config_path, *plm_path;
    bool has_random_init;
    int threads;
    bool wants_help;
};

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
    case OPT_RANK:
        whole = &t->policy.rank;
        break;
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
    if (optind == argc && a->train.pool_path && a->train.model_dir)
        return STATUS_OK;
    if (optind < argc)
        error_set(err, STATUS_USAGE, "adapt", "'%s' is no option", argv[optind]);
    else
        error_set(err, STATUS_USAGE, "adapt", "--exp-pool-path and --model-dir are needed");
    error_hint(err, "see: netllm adapt --help");
    return STATUS_USAGE;
}

/* What the command line left open follows from the pool's recipe. */
static void fill_defaults(struct dataset_opts *o, enum recipe recipe)
{
    const struct dataset_opts usual = dataset_opts_default(recipe, o->steps);

    o->gamma = o->gamma == NOT_GIVEN ? usual.gamma : o->gamma;
    o->scale = o->scale == NOT_GIVEN ? usual.scale : o->scale;
    o->horizon = o->horizon == NOT_GIVEN ? usual.horizon : o->horizon;
}

static void log_engine(const struct arguments *a)
{
    struct blas blas;
    blas_detect("/proc/self/maps", &blas);
    if (blas.advice)
        event_write_log(stdout, LOG_LEVEL_WARN, "%s: %s", blas.name, blas.advice);
    if (a->config_path)
        event_write_log(stdout, LOG_LEVEL_WARN, "the backbone of %s has random weights (seed %llu)",
                        a->config_path, (unsigned long long)a->train.policy.backbone_seed);
}

enum status cmd_adapt(int argc, char *argv[], const volatile sig_atomic_t *stop, struct error *err)
{
    enum status st;
    struct pool *pool = NULL;
    struct dataset *d = NULL;
    cJSON *result = NULL;
    struct arguments a = {
        .train = {.policy = policy_config_default(),
                  .epochs = 20,
                  .batch_size = 32,
                  .grad_accum_steps = 32,
                  .lr = 1e-4,
                  .weight_decay = 1e-4,
                  .clip_norm = 0.25,
                  .warmup_steps = -1,
                  .warmup_fraction = 0.1,
                  .stop = stop,
                  .events = stdout},
        .data = {.steps = 20, .gamma = NOT_GIVEN, .scale = NOT_GIVEN, .horizon = NOT_GIVEN}};
    if ((st = parse(argc, argv, &a, err)) || a.wants_help)
        return st;
    a.train.policy.timestep_rows = a.data.steps;
    if (!a.has_random_init)
        a.train.policy.backbone_seed = a.train.policy.seed;
    if (a.config_path && (st = backbone_config_read(a.config_path, &a.train.policy.backbone, err)))
        goto out;
    if (a.plm_path && a.config_path) {
        st =
            error_set(err, STATUS_USAGE, "adapt", "--plm-path and --plm-config exclude each other");
        goto out;
    }
    if (a.plm_path && (st = policy_config_set_plm(&a.train.policy, a.plm_path, err)))
        goto out;
    if ((st = pool_load(a.train.pool_path, &pool, err)))
        goto out;
    fill_defaults(&a.data, recipe_of(pool->recipe));
    if ((st = dataset_new(pool, &a.data, NULL, &d, err)) ||
        (st = policy_engine_start(a.threads, &a.train.policy.backbone, err)))
        goto out;
    log_engine(&a);
    if ((st = train_run(&a.train, d, &result, err)))
        goto out;
    event_write_result(stdout, result);
out:
    dataset_free(d);
    pool_free(pool);
    return st;
}
