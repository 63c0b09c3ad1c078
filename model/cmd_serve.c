#include <getopt.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "core/event.h"
#include "model/blas.h"
#include "model/cmd.h"
#include "model/serve_replay.h"

static const char help[] =
    "usage: netllm serve --model-dir DIR [OPTIONS] < STATES\n"
    "       netllm serve --model-dir DIR --replay POOL [OPTIONS]\n\n"
    "Reads a JSON object a line, {\"flow\":\"a\",\"rtt_s\":0.02,\"cwnd_bytes\":14480,\n"
    "\"throughput_bps\":5e6}, and answers each with a decision; a policy of recipe loop needs\n"
    "min_rtt_s, ce_share and lost_share too. {\"flow\":\"a\",\"done\":true} ends a flow.\n"
    "With --replay: loss and time of both modes on the pool's test rows.\n\n"
    "  --model-dir DIR          checkpoint of netllm adapt\n"
    "  --mode exact|cached      compute the last w steps anew for each decision, or keep the\n"
    "                           context's keys and values (cached)\n"
    "  --max-flows N            flows at a time (64)\n"
    "  --target-return-scale X  where the return-to-go of a flow starts, as a share of the\n"
    "                           largest training return (1)\n"
    "  --cwnd-min N, --cwnd-max N  bytes that the actions of the recipes published and tutorial\n"
    "                           lie between\n"
    "  --replay POOL            read no states but a pool's\n" CMD_DEVICE_HELP
    "  --threads N              (one per core; 1 for a backbone narrower than 256)\n";

static enum status replay(const char *path, const struct serve_opts *opts, struct error *err)
{
    enum status st;
    const struct checkpoint *c = opts->checkpoint;
    struct pool *pool = NULL;
    struct dataset *d = NULL;
    cJSON *result;
    if ((st = pool_load(path, &pool, err)))
        goto out;
    if (strcmp(c->recipe, pool->recipe) != 0) {
        st = error_set(err, STATUS_INPUT, "serve",
                       "%s has the recipe %s, the policy learned from %s", path, pool->recipe,
                       c->recipe);
        goto out;
    }
    if ((st = dataset_new(pool, &c->data, &c->norm, &d, err)) ||
        (st = serve_replay(opts, d, &result, err)))
        goto out;
    event_write_result(stdout, result);
out:
    dataset_free(d);
    pool_free(pool);
    return st;
}

static enum status run(const char *dir, const char *pool, struct serve_opts *opts,
                       const struct device_request *devices, int threads, struct error *err)
{
    static struct checkpoint c;
    struct policy *p = NULL;
    enum status st = checkpoint_read(dir, &c, err);
    if (!st && c.data.is_published) {
        error_set(err, STATUS_INPUT, "serve",
                  "%s: as published its timesteps are places in an episode, which a live flow "
                  "has not",
                  dir);
        return error_hint(err, "train without --recipe published");
    }
    if (st || (st = checkpoint_load(dir, devices, &c, &p, err)))
        return st;
    blas_warn(stdout);
    opts->policy = p;
    opts->checkpoint = &c;
    if (!pool && isnan(serve_cwnd(opts, 1, 0)))
        event_write_log(stdout, LOG_LEVEL_WARN,
                        "recipe %s: without --cwnd-min and --cwnd-max its actions are no windows, "
                        "cwnd_bytes is null",
                        c.recipe);
    if (!(st = policy_engine_start(threads, &c.policy.backbone, err)) &&
        !(st = policy_merge(p, err)))
        st = pool ? replay(pool, opts, err) : serve_run(opts, err);
    policy_free(p);
    return st;
}

static enum status parse_mode(const char *text, enum serve_mode *out, struct error *err)
{
    for (enum serve_mode m = SERVE_CACHED; m <= SERVE_EXACT; m++) {
        *out = m;
        if (strcmp(text, serve_mode_name(m)) == 0)
            return STATUS_OK;
    }
    return error_set(err, STATUS_USAGE, "serve", "--mode '%s' is neither exact nor cached", text);
}

enum status cmd_serve(int argc, char *argv[], const volatile sig_atomic_t *stop, struct error *err)
{
    static const struct option options[] = {{"model-dir", required_argument, NULL, 'd'},
                                            {"mode", required_argument, NULL, 'm'},
                                            {"max-flows", required_argument, NULL, 'f'},
                                            {"target-return-scale", required_argument, NULL, 'r'},
                                            {"cwnd-min", required_argument, NULL, 'l'},
                                            {"cwnd-max", required_argument, NULL, 'u'},
                                            {"replay", required_argument, NULL, 'p'},
                                            CMD_DEVICE_OPTIONS('D'),
                                            {"threads", required_argument, NULL, 't'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    const char *dir = NULL, *pool = NULL;
    long long threads = 0, flows = 64;
    struct serve_opts opts = {.target_scale = 1,
                              .cwnd_min = NAN,
                              .cwnd_max = NAN,
                              .input_fd = STDIN_FILENO,
                              .events = stdout,
                              .stop = stop};
    enum status st = STATUS_OK;
    struct device_request devices = {0};
    int c, index = 0;
    while (!st && (c = getopt_long(argc, argv, ":h", options, &index)) != -1) {
        switch (c) {
        case 'd':
            dir = optarg;
            break;
        case 'm':
            st = parse_mode(optarg, &opts.mode, err);
            break;
        case 'f':
            st = cmd_parse_int("max-flows", optarg, 1, SERVE_FLOWS_MAX, &flows, err);
            break;
        case 'r':
            st = cmd_parse_num("target-return-scale", optarg, -1e6, 1e6, &opts.target_scale, err);
            break;
        case 'l':
            st = cmd_parse_num("cwnd-min", optarg, 0, 1e12, &opts.cwnd_min, err);
            break;
        case 'u':
            st = cmd_parse_num("cwnd-max", optarg, 0, 1e12, &opts.cwnd_max, err);
            break;
        case 'p':
            pool = optarg;
            break;
        case 'D':
            st = cmd_set_device(options[index].name, optarg, &devices, err);
            break;
        case 't':
            st = cmd_parse_int("threads", optarg, 1, 65536, &threads, err);
            break;
        case 'h':
            fputs(help, stdout);
            return STATUS_OK;
        default:
            st = cmd_bad_option(c, argv, err);
        }
    }
    if (st)
        return st;
    if (!dir || optind != argc || isnan(opts.cwnd_min) != isnan(opts.cwnd_max) ||
        opts.cwnd_max <= opts.cwnd_min) {
        error_set(err, STATUS_USAGE, "serve",
                  "--model-dir is needed, --cwnd-min and a larger --cwnd-max go together, and no "
                  "more");
        error_hint(err, "see: netllm serve --help");
        return STATUS_USAGE;
    }
    opts.flows = (size_t)flows;
    return run(dir, pool, &opts, &devices, (int)threads, err);
}
