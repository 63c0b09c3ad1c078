#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/event.h"
#include "core/json.h"
#include "model/baseline.h"
#include "model/blas.h"
#include "model/checkpoint.h"
#include "model/cmd.h"
#include "model/evaluate.h"

#define BATCH 32

static const char help[] =
    "usage: netllm test --exp-pool-path POOL --model-dir DIR [OPTIONS]\n\n"
    "  --exp-pool-path FILE   pool whose test rows (the last 15 % of each episode) are scored\n"
    "  --model-dir DIR        checkpoint of netllm adapt\n"
    "  --target-return-scale X   the roll-out asks for X times the largest training return (1)\n"
    "  --published-logs DIR   write the published code's JSON log and test_losses.txt there\n"
    "  --untrained            score fresh weights instead of the checkpoint's, as the published\n"
    "                         test does, which never loads what was trained\n" CMD_DEVICE_HELP
    "  --threads N            (one per core; 1 for a backbone narrower than 256)\n";

#define COPY_NOTE                                                                                  \
    "recipe tutorial: the action is a function of the same row's cwnd, which the state token "     \
    "holds; copying that input (baselines.copy_input) is perfect, so a low loss here is no "       \
    "forecast"

struct arguments {
    const char *pool_path, *dir, *logs_dir;
    double return_scale;
    bool is_untrained;
    struct device_request devices;
    int threads;
};

/* Everything a test has at hand. */
struct test {
    const struct arguments *args;
    const volatile sig_atomic_t *stop;
    struct checkpoint checkpoint;
    struct pool *pool;
    struct dataset *d;
    struct policy *policy;
    struct publish *logs;
    double *answers;
    int done; /* stages */
};

#define STAGES 4

static void stage(struct test *t, const char *what)
{
    event_write_progress(stdout, t->done++, STAGES, "%s", what);
}

static enum status load(struct test *t, struct error *err)
{
    const struct arguments *a = t->args;
    struct checkpoint *c = &t->checkpoint;
    enum status st;
    if ((st = pool_load(a->pool_path, &t->pool, err)) ||
        (st = checkpoint_load(a->dir, &a->devices, c, &t->policy, err)))
        return st;
    if (a->is_untrained) {
        policy_free(t->policy);
        t->policy = NULL;
        if ((st = policy_new(&c->policy, &t->policy, err)))
            return st;
        event_write_log(stdout, LOG_LEVEL_WARN,
                        "as the published test, this one does not load %s: these are the scores of "
                        "a policy that was never trained",
                        a->dir);
    }
    if (strcmp(c->recipe, t->pool->recipe) != 0) {
        st =
            error_set(err, STATUS_INPUT, "test", "%s has the recipe %s, the policy learned from %s",
                      a->pool_path, t->pool->recipe, c->recipe);
        error_hint(err, "netllm pool build --recipe %s -o POOL.safetensors %s", c->recipe,
                   a->pool_path);
        return st;
    }
    if (c->pool_rows != t->pool->rows)
        event_write_log(stdout, LOG_LEVEL_WARN,
                        "%s is not the pool of the training (%s): its scale may differ",
                        a->pool_path, c->pool);
    if (c->data.is_published)
        event_write_log(stdout, LOG_LEVEL_WARN,
                        "as published, the test rows are the training rows, and the labels are "
                        "cut to whole numbers");
    blas_warn(stdout);
    if ((st = policy_engine_start(a->threads, &c->policy.backbone, err)) ||
        (st = dataset_new(t->pool, &c->data, &c->norm, &t->d, err)))
        return st;
    if (a->logs_dir && (st = publish_new(a->logs_dir, true, t->d->features, &t->logs, err)))
        return st;
    size_t count = t->d->windows[DATASET_TEST].count * (size_t)t->d->opts.steps;
    t->answers = malloc(count * sizeof *t->answers);
    if (!t->answers)
        return error_set(err, STATUS_NOMEM, "test", "no memory for %zu answers", count);
    return STATUS_OK;
}

/* Does the policy act otherwise when another return is asked of it? */
static enum status calibrate(struct test *t, cJSON *result, struct error *err)
{
    static const double factors[] = {0, 0.25, 0.5, 0.75, 1, 1.25};
    const struct dataset *d = t->d;
    size_t count = d->windows[DATASET_TEST].count * (size_t)d->opts.steps;
    cJSON *list = cJSON_AddArrayToObject(result, "calibration");
    enum status st;
    for (size_t i = 0; i < sizeof factors / sizeof *factors; i++) {
        if ((st = evaluate_answers(t->policy, d, DATASET_TEST, BATCH, factors[i], NULL, t->stop,
                                   t->answers, err)))
            return st;
        double sum = 0;
        for (size_t k = 0; k < count; k++)
            sum += t->answers[k];
        cJSON *o = cJSON_CreateObject();
        cJSON_AddNumberToObject(o, "target", factors[i]);
        json_add_num(o, "mean_action", sum / (double)count);
        json_add_num(o, "test_loss", score_windows(d, DATASET_TEST, t->answers).loss);
        cJSON_AddItemToArray(list, o);
    }
    return STATUS_OK;
}

static enum status teacher_forced(struct test *t, cJSON *result, cJSON *scores, struct error *err)
{
    enum status st = evaluate_answers(t->policy, t->d, DATASET_TEST, BATCH, NAN, t->logs, t->stop,
                                      t->answers, err);
    if (!st && t->logs)
        st = publish_epoch(t->logs, 0, t->d->windows[DATASET_TEST].count, err);
    if (st)
        return st;
    struct score score = score_windows(t->d, DATASET_TEST, t->answers);
    json_add_num(result, "test_loss", score.loss);
    cJSON_AddItemToObject(scores, "policy", score_to_json(&score));
    return STATUS_OK;
}

static enum status baselines(struct test *t, cJSON *result, cJSON *scores, struct error *err)
{
    cJSON *losses = cJSON_AddObjectToObject(result, "baselines");
    for (int b = 0; b < BASELINES; b++) {
        enum status st = baseline_answers(b, t->d, DATASET_TEST, t->checkpoint.policy.seed, t->stop,
                                          t->answers, err);
        if (st)
            return st;
        struct score score = score_windows(t->d, DATASET_TEST, t->answers);
        json_add_num(losses, baseline_name(b), score.loss);
        cJSON_AddItemToObject(scores, baseline_name(b), score_to_json(&score));
        if (b == BASELINE_COPY_INPUT && isfinite(score.mse) && !t->d->opts.is_published)
            cJSON_AddStringToObject(result, "note", COPY_NOTE);
    }
    return STATUS_OK;
}

static enum status rollout(struct test *t, cJSON *result, struct error *err)
{
    struct evaluate_rollout r;
    enum status st =
        evaluate_rollout(t->policy, t->d, DATASET_TEST, t->args->return_scale, t->stop, &r, err);
    if (st)
        return st;
    cJSON *o = score_to_json(&r.score);
    json_add_num(o, "loss", r.score.loss);
    cJSON_AddNumberToObject(o, "decisions", (double)r.score.count);
    cJSON_AddItemToObject(result, "rollout", o);
    o = cJSON_AddObjectToObject(result, "decision_ms");
    json_add_num(o, "p50", r.p50_ms);
    json_add_num(o, "p99", r.p99_ms);
    return STATUS_OK;
}

static enum status measure(struct test *t, cJSON *result, struct error *err)
{
    enum status st;
    const struct dataset_windows *w = &t->d->windows[DATASET_TEST];
    cJSON *scores = cJSON_AddObjectToObject(result, "scores");
    cJSON_AddStringToObject(result, "checkpoint", t->args->dir);
    cJSON_AddBoolToObject(result, "untrained", t->args->is_untrained);
    cJSON_AddNumberToObject(result, "best_epoch", t->checkpoint.best_epoch);
    cJSON_AddNumberToObject(result, "windows", (double)w->count);
    cJSON_AddNumberToObject(result, "sample_step", w->sample_step);
    stage(t, "teacher-forced");
    if ((st = teacher_forced(t, result, scores, err)))
        return st;
    stage(t, "baselines");
    if ((st = baselines(t, result, scores, err)))
        return st;
    stage(t, "other target returns");
    if ((st = calibrate(t, result, err)))
        return st;
    stage(t, "roll-out");
    if ((st = rollout(t, result, err)))
        return st;
    stage(t, "done");
    return STATUS_OK;
}

static enum status run(const struct arguments *a, const volatile sig_atomic_t *stop,
                       struct error *err)
{
    struct test *t = calloc(1, sizeof *t);
    cJSON *result = cJSON_CreateObject();
    if (!t || !result) {
        free(t);
        cJSON_Delete(result);
        return error_set(err, STATUS_NOMEM, "test", "no memory");
    }
    t->args = a;
    t->stop = stop;
    enum status st = load(t, err);
    if (!st)
        st = measure(t, result, err);
    if (!st)
        event_write_result(stdout, result);
    else
        cJSON_Delete(result);
    publish_free(t->logs);
    free(t->answers);
    dataset_free(t->d);
    policy_free(t->policy);
    pool_free(t->pool);
    free(t);
    return st;
}

enum status cmd_test(int argc, char *argv[], const volatile sig_atomic_t *stop, struct error *err)
{
    static const struct option options[] = {{"exp-pool-path", required_argument, NULL, 'p'},
                                            {"model-dir", required_argument, NULL, 'd'},
                                            {"target-return-scale", required_argument, NULL, 's'},
                                            {"published-logs", required_argument, NULL, 'l'},
                                            {"untrained", no_argument, NULL, 'u'},
                                            CMD_DEVICE_OPTIONS('D'),
                                            {"threads", required_argument, NULL, 't'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    enum status st;
    struct arguments a = {.return_scale = 1};
    long long threads = 0;
    int c, index = 0;
    while ((c = getopt_long(argc, argv, ":h", options, &index)) != -1) {
        switch (c) {
        case 'p':
            a.pool_path = optarg;
            break;
        case 'd':
            a.dir = optarg;
            break;
        case 'l':
            a.logs_dir = optarg;
            break;
        case 'u':
            a.is_untrained = true;
            break;
        case 's':
            if ((st = cmd_parse_num("target-return-scale", optarg, 0, 1e6, &a.return_scale, err)))
                return st;
            break;
        case 'D':
            if ((st = cmd_set_device(options[index].name, optarg, &a.devices, err)))
                return st;
            break;
        case 't':
            if ((st = cmd_parse_int("threads", optarg, 1, 65536, &threads, err)))
                return st;
            break;
        case 'h':
            fputs(help, stdout);
            return STATUS_OK;
        default:
            return cmd_bad_option(c, argv, err);
        }
    }
    a.threads = (int)threads;
    if (a.pool_path && a.dir && optind == argc)
        return run(&a, stop, err);
    error_set(err, STATUS_USAGE, "test", "--exp-pool-path and --model-dir are needed, and no more");
    error_hint(err, "see: netllm test --help");
    return STATUS_USAGE;
}
