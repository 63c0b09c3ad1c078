#include "model/adapt_options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "core/event.h"
#include "model/cmd.h"

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
    "  --dry-run               make a policy of these options, and train nothing; without a pool\n"
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
    OPT_DRY_RUN,
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
    {"dry-run", no_argument, NULL, OPT_DRY_RUN},
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

static enum status set_recipe(struct adapt_options *a, const char *name, struct error *err)
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
static enum status set_option(struct adapt_options *a, const struct option *o, const char *text,
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
    case OPT_DRY_RUN:
        a->is_dry = true;
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

struct adapt_options adapt_options_default(const volatile sig_atomic_t *stop)
{
    return (struct adapt_options){
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
        .data = {.gamma = ADAPT_NOT_GIVEN, .scale = ADAPT_NOT_GIVEN, .horizon = ADAPT_NOT_GIVEN}};
}

enum status adapt_options_parse(int argc, char *argv[], struct adapt_options *a, struct error *err)
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
