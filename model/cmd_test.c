#include <getopt.h>
#include <math.h>
#include <string.h>

#include "core/event.h"
#include "core/json.h"
#include "model/checkpoint.h"
#include "model/cmd.h"
#include "model/evaluate.h"

#define BATCH 32

static const char help[] =
    "usage: netllm test --exp-pool-path POOL --model-dir DIR [--threads N]\n\n"
    "  --exp-pool-path FILE   pool whose test rows (the last 15 % of each episode) are scored\n"
    "  --model-dir DIR        checkpoint of netllm adapt\n"
    "  --threads N            (one per core; 1 for a backbone narrower than 256)\n";

#define COPY_NOTE                                                                                  \
    "recipe tutorial: the action is a function of the same row's cwnd, which the state token "     \
    "holds; copying that input (baselines.copy_input) is perfect, so a low loss here is no "       \
    "forecast"

static cJSON *result_of(const char *dir, const struct checkpoint *c, const struct dataset *d,
                        double loss, const struct evaluate_rollout *rollout)
{
    const struct dataset_windows *w = &d->windows[DATASET_TEST];
    struct dataset_baselines base = dataset_baselines(d, DATASET_TEST);
    cJSON *o = cJSON_CreateObject(), *sub;
    json_add_num(o, "test_loss", loss);
    sub = cJSON_AddObjectToObject(o, "baselines");
    cJSON_AddNumberToObject(sub, "constant", base.constant);
    cJSON_AddNumberToObject(sub, "persistence", base.persistence);
    json_add_num(sub, "copy_input", base.copy_input);
    json_add_num(sub, "no_op", base.no_op);
    cJSON_AddNumberToObject(o, "windows", (double)w->count);
    cJSON_AddNumberToObject(o, "sample_step", w->sample_step);
    cJSON_AddStringToObject(o, "checkpoint", dir);
    cJSON_AddNumberToObject(o, "best_epoch", c->best_epoch);
    sub = cJSON_AddObjectToObject(o, "rollout");
    json_add_num(sub, "loss", rollout->loss);
    cJSON_AddNumberToObject(sub, "decisions", (double)rollout->decisions);
    sub = cJSON_AddObjectToObject(o, "decision_ms");
    cJSON_AddNumberToObject(sub, "p50", rollout->p50_ms);
    cJSON_AddNumberToObject(sub, "p99", rollout->p99_ms);
    if (isfinite(base.copy_input))
        cJSON_AddStringToObject(o, "note", COPY_NOTE);
    return o;
}

static enum status run(const char *pool_path, const char *dir, int threads,
                       const volatile sig_atomic_t *stop, struct error *err)
{
    enum status st;
    static struct checkpoint c;
    struct pool *pool = NULL;
    struct dataset *d = NULL;
    struct policy *p = NULL;
    struct evaluate_rollout rollout;
    double loss;
    if ((st = pool_load(pool_path, &pool, err)) || (st = checkpoint_load(dir, &c, &p, err)))
        goto out;
    if (strcmp(c.recipe, pool->recipe) != 0) {
        st =
            error_set(err, STATUS_INPUT, "test", "%s has the recipe %s, the policy learned from %s",
                      pool_path, pool->recipe, c.recipe);
        error_hint(err, "netllm pool build --recipe %s -o POOL.safetensors %s", c.recipe,
                   pool_path);
        goto out;
    }
    if (c.pool_rows != pool->rows)
        event_write_log(stdout, LOG_LEVEL_WARN,
                        "%s is not the pool of the training (%s): its scale may differ", pool_path,
                        c.pool);
    if ((st = policy_engine_start(threads, &c.policy.backbone, err)) ||
        (st = dataset_new(pool, &c.data, &c.norm, &d, err)))
        goto out;
    event_write_progress(stdout, 0, 2, "teacher-forced on %zu windows",
                         d->windows[DATASET_TEST].count);
    if ((st = evaluate_windows(p, d, DATASET_TEST, BATCH, stop, &loss, err)))
        goto out;
    event_write_progress(stdout, 1, 2, "roll-out");
    if ((st = evaluate_rollout(p, d, DATASET_TEST, stop, &rollout, err)))
        goto out;
    event_write_progress(stdout, 2, 2, "done");
    event_write_result(stdout, result_of(dir, &c, d, loss, &rollout));
out:
    dataset_free(d);
    policy_free(p);
    pool_free(pool);
    return st;
}

enum status cmd_test(int argc, char *argv[], const volatile sig_atomic_t *stop, struct error *err)
{
    static const struct option options[] = {{"exp-pool-path", required_argument, NULL, 'p'},
                                            {"model-dir", required_argument, NULL, 'd'},
                                            {"threads", required_argument, NULL, 't'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    enum status st;
    const char *pool_path = NULL, *dir = NULL;
    long long threads = 0;
    int c;
    while ((c = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        switch (c) {
        case 'p':
            pool_path = optarg;
            break;
        case 'd':
            dir = optarg;
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
    if (pool_path && dir && optind == argc)
        return run(pool_path, dir, (int)threads, stop, err);
    error_set(err, STATUS_USAGE, "test", "--exp-pool-path and --model-dir are needed, and no more");
    error_hint(err, "see: netllm test --help");
    return STATUS_USAGE;
}
