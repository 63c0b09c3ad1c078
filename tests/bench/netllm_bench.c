/* netllm's side of tests/bench/netllm.sh: the same commands as netllm_torch.py answers.
 *
 *   netllm_bench CONFIG.json RANK STEPS adapt|serve f32|bf16
 *
 * `adapt` answers train and forward, `serve` (LoRA merged into the weights) all but train.
 *
 *   train N      N windows forward and backward, an optimiser step every 32
 *   decide N     N decisions of one flow with a full context, everything recomputed
 *   cached N     N decisions of one flow by serve's cached contexts, after they were full once (not
 *                timed); all_s is with the new bases. N: a multiple of half a window
 *   flows N      the same for 32 flows at a time
 *   forward N    N windows forward; count in tokens
 *   memory       resident now, and at most so far */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "model/serve_context.h"

#define GROUP 32 /* windows of an optimiser step */
#define PASS  8  /* windows of a pass: as fast as more, in a quarter of the memory */

struct bench {
    struct policy *policy;
    size_t steps, windows;
    float *states, *actions, *returns, *out;
    int32_t *timesteps;
};

static _Noreturn void die(const struct error *err)
{
    error_print(stderr, err);
    exit(status_exit_code(err->status));
}

static float noise(void)
{
    static uint32_t state = 1;
    state = state * 1664525u + 1013904223u;
    return (float)(state >> 8) / (1 << 23) - 1;
}

static struct policy_batch batch(struct bench *b, size_t windows)
{
    for (size_t i = 0; i < windows * b->steps; i++) {
        for (int k = 0; k < POLICY_STATE_FEATURES; k++)
            b->states[i * POLICY_STATE_FEATURES + k] = noise();
        b->actions[i] = noise();
        b->returns[i] = noise();
        b->timesteps[i] = (int32_t)(i % b->steps);
    }
    return (struct policy_batch){.windows = windows,
                                 .steps = b->steps,
                                 .states = b->states,
                                 .actions = b->actions,
                                 .returns = b->returns,
                                 .timesteps = b->timesteps};
}

static void train(struct bench *b, size_t count)
{
    struct error err;
    const struct policy_step_opts step = {.lr = 1e-4, .weight_decay = 1e-4, .clip_norm = 0.25};
    double losses[GROUP], norm;
    for (size_t done = 0, n; done < count; done += n) {
        n = count - done < GROUP ? count - done : GROUP;
        struct policy_batch view = batch(b, n);
        if (policy_backward(b->policy, &view, b->actions, (double)n / GROUP, losses, &err))
            die(&err);
        b->windows += n;
        if (b->windows % GROUP == 0 && policy_step(b->policy, &step, &norm, &err))
            die(&err);
    }
}

struct times {
    double decided_s, all_s;
};

/* Whole rounds of `flows` decisions, at least `count`, from full contexts on: each has had its
 * share of new bases then. */
static struct times decide_cached(struct bench *b, size_t count, size_t flows)
{
    struct error err;
    struct serve_contexts *c;
    struct serve_step steps[GROUP];
    struct times t = {0};
    size_t done;
    if (serve_contexts_new(b->policy, SERVE_CACHED, b->steps, flows, &c, &err))
        die(&err);
    for (size_t i = 0; i < count + b->steps * flows; i += flows) {
        for (size_t k = 0; k < flows; k++) {
            steps[k] = (struct serve_step){.slot = k, .target = noise()};
            for (int f = 0; f < POLICY_STATE_FEATURES; f++)
                steps[k].state[f] = noise();
        }
        uint64_t start_ns = clock_mono_ns();
        if (serve_contexts_decide(c, steps, flows, &err))
            die(&err);
        uint64_t decided_ns = clock_mono_ns();
        if (serve_contexts_rebase(c, flows, &done, &err))
            die(&err);
        if (i >= b->steps * flows) {
            t.decided_s += (double)(decided_ns - start_ns) / 1e9;
            t.all_s += (double)(clock_mono_ns() - start_ns) / 1e9;
        }
    }
    serve_contexts_free(c);
    return t;
}

static void decide(struct bench *b, size_t count)
{
    struct error err;
    for (size_t i = 0; i < count; i++) {
        struct policy_batch view = batch(b, 1);
        if (policy_decide(b->policy, &view, b->out, &err))
            die(&err);
    }
}

static void forward(struct bench *b, size_t count, size_t size)
{
    struct error err;
    for (size_t done = 0, n; done < count; done += n) {
        n = count - done < size ? count - done : size;
        struct policy_batch view = batch(b, n);
        if (policy_forward(b->policy, &view, b->out, &err))
            die(&err);
    }
}

static void print_memory(void)
{
    char line[256];
    unsigned long long rss_kib = 0, peak_kib = 0;
    FILE *f = fopen("/proc/self/status", "re");
    while (f && fgets(line, sizeof line, f)) {
        sscanf(line, "VmRSS: %llu", &rss_kib);
        sscanf(line, "VmHWM: %llu", &peak_kib);
    }
    if (f)
        fclose(f);
    printf("{\"rss_bytes\": %llu, \"peak_bytes\": %llu}\n", rss_kib * 1024, peak_kib * 1024);
}

int main(int argc, char *argv[])
{
    struct error err;
    struct policy_engine engine;
    struct policy_config config = policy_config_default();
    const char *threads = getenv("OMP_NUM_THREADS");
    if (argc != 6 || !threads) {
        fprintf(stderr, "usage: OMP_NUM_THREADS=N netllm_bench CONFIG.json RANK STEPS "
                        "adapt|serve f32|bf16\n");
        return 2;
    }
    config.base_dtype = strcmp(argv[5], "bf16") == 0 ? POLICY_BF16 : POLICY_FP32;
    config.rank = atoi(argv[2]);
    config.timestep_rows = atoi(argv[3]);
    if (backbone_config_read(argv[1], &config.backbone, &err) ||
        policy_engine_start(atoi(threads), &config.backbone, &err) ||
        policy_engine_info(&engine, &err))
        die(&err);
    struct bench b = {.steps = (size_t)config.timestep_rows};
    if (policy_new(&config, &b.policy, &err) ||
        (strcmp(argv[4], "serve") == 0 && policy_merge(b.policy, &err)))
        die(&err);
    if (strcmp(argv[4], "adapt") == 0 &&
        policy_set_passes(b.policy, atoi(threads), policy_pass_windows(&config, b.steps), &err))
        die(&err);
    size_t rows = GROUP * b.steps;
    b.states = calloc(rows, POLICY_STATE_FEATURES * sizeof *b.states);
    b.actions = calloc(rows, sizeof *b.actions);
    b.returns = calloc(rows, sizeof *b.returns);
    b.out = calloc(rows, sizeof *b.out);
    b.timesteps = calloc(rows, sizeof *b.timesteps);
    if (!b.states || !b.actions || !b.returns || !b.out || !b.timesteps)
        return status_exit_code(STATUS_NOMEM);

    printf("{\"torch\": \"%s\"}\n", engine.torch_version);
    fflush(stdout);
    char line[64], command[32];
    while (fgets(line, sizeof line, stdin)) {
        size_t count = 0;
        if (sscanf(line, "%31s %zu", command, &count) < 1)
            continue;
        uint64_t start_ns = clock_mono_ns();
        if (strcmp(command, "memory") == 0) {
            print_memory();
        } else {
            struct times t = {0};
            if (strcmp(command, "train") == 0)
                train(&b, count);
            else if (strcmp(command, "cached") == 0)
                t = decide_cached(&b, count, 1);
            else if (strcmp(command, "flows") == 0)
                t = decide_cached(&b, count, GROUP);
            else if (strcmp(command, "decide") == 0)
                decide(&b, count);
            else
                forward(&b, count, PASS);
            double s = (double)(clock_mono_ns() - start_ns) / 1e9;
            if (!t.all_s)
                t = (struct times){s, s};
            if (strcmp(command, "forward") == 0)
                count *= 3 * b.steps;
            printf("{\"s\": %.6f, \"all_s\": %.6f, \"count\": %zu}\n", t.decided_s, t.all_s, count);
        }
        fflush(stdout);
    }
    free(b.states);
    free(b.actions);
    free(b.returns);
    free(b.out);
    free(b.timesteps);
    policy_free(b.policy);
    return 0;
}
