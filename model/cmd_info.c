#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/log.h"
#include "core/version.h"
#include "model/blas.h"
#include "model/cmd.h"
#include "model/pool.h"
#ifdef CCALAB_HAVE_TORCH
#include "model/checkpoint.h"
#include "model/netllm.h"
#endif

static const char help[] = "usage: netllm info [--json] [--model-dir DIR | POOL.safetensors]\n\n"
                           "Without an argument: versions, BLAS, threads, CUDA.\n";

static void print_json(const cJSON *o)
{
    char *text = cJSON_Print(o);
    puts(text ? text : "");
    cJSON_free(text);
}

/* --- this build ------------------------------------------------------------------------------- */

static cJSON *describe_engine(void)
{
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "netllm", CCALAB_VERSION);
#ifdef CCALAB_HAVE_TORCH
    struct policy_engine engine;
    struct blas blas;
    struct error err;
    blas_detect(&blas);
    if (policy_engine_start(0, NULL, &err) == STATUS_OK &&
        policy_engine_info(&engine, &err) == STATUS_OK) {
        cJSON_AddStringToObject(o, "libtorch", engine.torch_version);
        cJSON_AddNumberToObject(o, "threads", engine.threads);
        cJSON_AddBoolToObject(o, "cuda", engine.cuda_devices > 0);
        cJSON_AddNumberToObject(o, "cuda_devices", engine.cuda_devices);
    }
    cJSON *b = cJSON_AddObjectToObject(o, "blas");
    cJSON_AddStringToObject(b, "name", blas.name);
    cJSON_AddStringToObject(b, "path", blas.path);
    cJSON_AddStringToObject(b, "advice", blas.advice ? blas.advice : "");
#else
    cmd_become_torch(); /* the engine is what that has loaded */
    cJSON_AddNullToObject(o, "libtorch");
    cJSON_AddStringToObject(o, "hint", CMD_TORCH_HINT);
#endif
    return o;
}

void cmd_print_engine(FILE *f)
{
    cJSON *o = describe_engine();
    fprintf(f, "netllm %s\n", json_str(o, "netllm", ""));
    const cJSON *blas = json_get(o, "blas");
    if (blas) {
        fprintf(f, "libtorch %s, %g threads, %g CUDA devices\n", json_str(o, "libtorch", "?"),
                json_num(o, "threads", 0), json_num(o, "cuda_devices", 0));
        fprintf(f, "BLAS %s (%s)\n", json_str(blas, "name", ""), json_str(blas, "path", ""));
        if (*json_str(blas, "advice", ""))
            fprintf(f, "  hint: %s\n", json_str(blas, "advice", ""));
    } else {
        fprintf(f, "libtorch: not built in, no adapt and test\n  hint: %s\n",
                json_str(o, "hint", ""));
    }
    cJSON_Delete(o);
}

/* --- a pool ----------------------------------------------------------------------------------- */

static enum status info_pool(const char *path, bool is_json, struct error *err)
{
    struct pool *p;
    enum status st = pool_load(path, &p, err);
    if (st)
        return st;
    cJSON *o = pool_describe(p);
    pool_free(p);
    if (is_json) {
        print_json(o);
    } else {
        printf("%s: pool of %g rows in %g episodes, recipe %s\n", path, json_num(o, "rows", 0),
               json_num(o, "episodes", 0), json_str(o, "recipe", ""));
        printf("  %-15s %14s %14s %14s\n", "", "min", "mean", "max");
        const cJSON *v;
        cJSON_ArrayForEach(v, json_get(o, "columns"))
        {
            printf("  %-15s %14.6g %14.6g %14.6g\n", v->string, json_num(v, "min", 0),
                   json_num(v, "mean", 0), json_num(v, "max", 0));
        }
        const cJSON *advice = json_get(o, "advice");
        double share = json_num(advice, "share", 0);
        if (share > 0)
            printf("  advice: another than the action in %.3g %% of the rows, mean %.6g, deviation "
                   "%.6g\n",
                   100 * share, json_num(advice, "mean", 0), json_num(advice, "std", 0));
        else if (advice)
            puts("  advice: the action in all rows");
        cJSON_ArrayForEach(v, json_get(o, "flows"))
        {
            char name[256], cc[64];
            double cwnd_min = json_num(v, "cwnd_min", NAN); /* of the recipes that have it */
            printf("  episode: %g rows, %s, %s", json_num(v, "rows", 0),
                   log_escape(json_str(v, "source", ""), name, sizeof name),
                   log_escape(json_str(v, "cc", ""), cc, sizeof cc));
            if (!isnan(cwnd_min))
                printf(", cwnd %g to %g bytes", cwnd_min, json_num(v, "cwnd_max", 0));
            puts("");
        }
    }
    cJSON_Delete(o);
    return STATUS_OK;
}

/* --- a checkpoint ----------------------------------------------------------------------------- */

#ifdef CCALAB_HAVE_TORCH
static cJSON *describe_policy(const struct checkpoint *c, const struct policy *p)
{
    static const char *const parts[] = {"backbone", "lora", "modules"};
    uint64_t counts[3] = {0};
    cJSON *o = cJSON_CreateObject();
    cJSON_AddItemToObject(o, "backbone", backbone_config_to_json(&c->policy.backbone));
    cJSON_AddStringToObject(o, "pool", c->pool);
    cJSON_AddStringToObject(o, "recipe", c->recipe);
    cJSON_AddNumberToObject(o, "w", c->data.steps);
    cJSON_AddNumberToObject(o, "rank", c->policy.rank);
    cJSON_AddNumberToObject(o, "epochs", c->epochs);
    cJSON_AddNumberToObject(o, "best_epoch", c->best_epoch);
    cJSON_AddNumberToObject(o, "train_loss", c->train_loss);
    cJSON_AddNumberToObject(o, "valid_loss", c->valid_loss);
    cJSON *shapes = cJSON_AddObjectToObject(o, "shapes");
    for (size_t i = 0; i < policy_param_count(p); i++) {
        struct policy_param info;
        policy_param_info(p, i, &info);
        counts[info.part] += info.numel;
        cJSON *shape = cJSON_AddArrayToObject(shapes, info.name);
        for (int k = 0; k < info.rank; k++)
            cJSON_AddItemToArray(shape, cJSON_CreateNumber((double)info.shape[k]));
    }
    cJSON *parameters = cJSON_AddObjectToObject(o, "parameters");
    for (int i = 0; i < 3; i++)
        cJSON_AddNumberToObject(parameters, parts[i], (double)counts[i]);
    cJSON_AddNumberToObject(parameters, "total", (double)(counts[0] + counts[1] + counts[2]));
    cJSON_AddNumberToObject(parameters, "trainable", (double)(counts[1] + counts[2]));
    return o;
}

static enum status info_model(const char *dir, bool is_json, struct error *err)
{
    static struct checkpoint c;
    struct policy *p;
    enum status st = checkpoint_load(dir, NULL, &c, &p, err);
    if (st)
        return st;
    cJSON *o = describe_policy(&c, p);
    policy_free(p);
    if (is_json) {
        print_json(o);
    } else {
        const cJSON *parameters = json_get(o, "parameters"), *shape, *size;
        char name[256];
        printf("%s: policy, epoch %d of %d\n", dir, c.best_epoch, c.epochs);
        printf("  pool       %s (recipe %s)\n", log_escape(c.pool, name, sizeof name), c.recipe);
        printf("  loss       train %.6g, validation %.6g\n", c.train_loss, c.valid_loss);
        printf("  window     %d steps, LoRA rank %d, alpha %g\n", c.data.steps, c.policy.rank,
               c.policy.lora_alpha);
        printf("  parameters %.0f, trained %.0f\n", json_num(parameters, "total", 0),
               json_num(parameters, "trainable", 0));
        cJSON_ArrayForEach(shape, json_get(o, "shapes"))
        {
            printf("  %-62s [", shape->string);
            cJSON_ArrayForEach(size, shape)
            {
                printf("%s%g", size == shape->child ? "" : ", ", size->valuedouble);
            }
            puts("]");
        }
    }
    cJSON_Delete(o);
    return STATUS_OK;
}
#endif

enum status cmd_info(int argc, char *argv[], const volatile sig_atomic_t *stop, struct error *err)
{
    static const struct option options[] = {{"json", no_argument, NULL, 'j'},
                                            {"model-dir", required_argument, NULL, 'd'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    (void)stop;
    const char *dir = NULL;
    bool is_json = false;
    int c;
    while ((c = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        switch (c) {
        case 'j':
            is_json = true;
            break;
        case 'd':
            dir = optarg;
            break;
        case 'h':
            fputs(help, stdout);
            return STATUS_OK;
        default:
            return cmd_bad_option(c, argv, err);
        }
    }
    if (argc - optind + (dir != NULL) > 1) {
        error_set(err, STATUS_USAGE, "info", "one pool or one checkpoint at a time");
        return STATUS_USAGE;
    }
    if (optind < argc)
        return info_pool(argv[optind], is_json, err);
    if (dir) {
#ifdef CCALAB_HAVE_TORCH
        return info_model(dir, is_json, err);
#else
        cmd_become_torch();
        return cmd_no_torch("info --model-dir", err);
#endif
    }
    if (!is_json) {
        cmd_print_engine(stdout);
        return STATUS_OK;
    }
    cJSON *o = describe_engine();
    print_json(o);
    cJSON_Delete(o);
    return STATUS_OK;
}
