#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/event.h"
#include "core/json.h"
#include "core/rng.h"
#include "model/checkpoint.h"
#include "model/cmd.h"
#include "model/mlp.h"
#include "model/serve_latency.h"

#define BATCH        32    /* windows that the teacher answers in a pass */
#define WINDOWS_MAX  8000  /* of a split, evenly chosen from more */
#define TIMED        20000 /* answers of the student */
#define WANTED_LEAST 0.25  /* returns that are asked for, as shares of the largest */
#define WANTED_MOST  1.25

static const char help[] =
    "usage: netllm distill --model-dir DIR --exp-pool-path POOL -o FILE [OPTIONS]\n\n"
    "A small network that answers as the policy does, for netllm drive distilled:FILE.\n\n"
    "  --model-dir DIR        checkpoint of netllm adapt, of recipe lab or loop: the teacher\n"
    "  --exp-pool-path POOL   whose states it answers for, the student's lessons\n"
    "  -o, --output FILE      the student, safetensors\n"
    "  --rows N               rows of a flow that it sees (8)\n"
    "  --hidden N             units of each of its two hidden layers (64)\n"
    "  --num-epochs N         at most (60), ended after 8 without a better one\n"
    "  --lr X                 of Adam (1e-3)\n"
    "  --seed N               (100003)\n"
    "  --threads N            of libtorch (one per core; 1 for a backbone narrower than 256)\n"
    "  --dry-run              check these numbers, and teach nothing; without files\n";

struct distill {
    const char *dir, *pool_path, *out_path;
    long long rows, hidden, epochs, seed, threads;
    double rate;
    const volatile sig_atomic_t *stop;
    struct checkpoint checkpoint;
    struct pool *pool;
    struct dataset *d;
    struct policy *teacher;
    struct mlp *student;
    struct mlp_rows lessons[DATASET_SPLITS];
    struct rng random;
};

/* --- lessons ---------------------------------------------------------------------------------- */

/* What the student sees at step `step` of a window, and what the teacher answered. */
static void add_lesson(struct distill *t, struct mlp_rows *out, const struct dataset_batch *b,
                       size_t window, size_t step, float answer)
{
    size_t features = t->student->features;
    float *x = out->x + out->count * t->student->inputs;
    size_t at = window * b->steps + step;

    memset(x, 0, t->student->inputs * sizeof *x);
    for (size_t j = 0; j < t->student->rows && j <= step; j++) {
        float *row = x + j * t->student->row;
        memcpy(row, b->states + (at - j) * features, features * sizeof *x);
        row[features] = b->returns[at - j];
        row[features + 1] = j ? b->actions[at - j] : 0;
    }
    out->y[out->count++] = answer;
}

/* Ask for one return throughout each window, as driving does: the pool's own never reach the
 * largest. */
static void want_returns(struct distill *t, struct dataset_batch *b)
{
    for (size_t i = 0; i < b->windows; i++) {
        double share = (WANTED_MOST + WANTED_LEAST) / 2 +
                       rng_uniform(&t->random, (WANTED_MOST - WANTED_LEAST) / 2);
        for (size_t k = 0; k < b->steps; k++)
            b->returns[i * b->steps + k] = (float)(share * t->d->norm.max_return);
    }
}

/* Do teacher and student know all that they will know here when they drive? Rows before a window
 * are zero for the student, which shall mean that the flow is young, and nothing else. */
static bool is_whole(const struct distill *t, const struct dataset_window *window, size_t step)
{
    size_t rows = t->student->rows, steps = (size_t)t->d->opts.steps;

    return dataset_counts(t->d, window, step) &&
           (step + 1 >= (rows < steps ? rows : steps) ||
            window->row == t->pool->episodes[window->episode].begin);
}

/* The batch is filled with the windows `order`. */
static enum status ask_teacher(struct distill *t, enum dataset_split split, const size_t *order,
                               const struct dataset_batch *b, float *predictions, struct error *err)
{
    const struct policy_batch batch = {.windows = b->windows,
                                       .steps = b->steps,
                                       .states = b->states,
                                       .actions = b->actions,
                                       .returns = b->returns,
                                       .timesteps = b->timesteps};
    enum status st = policy_forward(t->teacher, &batch, predictions, err);

    for (size_t i = 0; i < b->windows && !st; i++)
        for (size_t k = 0; k < b->steps; k++)
            if (is_whole(t, &t->d->windows[split].at[order[i]], k))
                add_lesson(t, &t->lessons[split], b, i, k, predictions[i * b->steps + k]);
    return st;
}

static enum status gather(struct distill *t, enum dataset_split split, struct error *err)
{
    const struct dataset_windows *w = &t->d->windows[split];
    size_t count = w->count < WINDOWS_MAX ? w->count : WINDOWS_MAX;
    size_t steps = (size_t)t->d->opts.steps, order[BATCH];
    struct mlp_rows *out = &t->lessons[split];
    struct dataset_batch b = {0};
    float *predictions = calloc(BATCH * steps, sizeof *predictions);
    enum status st = STATUS_OK;

    out->x = calloc(2 * count * steps * t->student->inputs, sizeof *out->x);
    out->y = calloc(2 * count * steps, sizeof *out->y);
    if (!predictions || !out->x || !out->y)
        st = error_set(err, STATUS_NOMEM, "distill", "no memory for %zu windows", count);
    if (!st)
        st = dataset_batch_init(&b, BATCH, steps, err);
    for (size_t from = 0; from < count && !st; from += BATCH) {
        size_t n = count - from < BATCH ? count - from : BATCH;
        for (size_t i = 0; i < n; i++)
            order[i] = (from + i) * w->count / count;
        dataset_batch_fill(t->d, split, order, n, &b);
        if ((st = ask_teacher(t, split, order, &b, predictions, err)))
            break;
        want_returns(t, &b);
        st = ask_teacher(t, split, order, &b, predictions, err);
        if (!st && *t->stop)
            st =
                error_set(err, STATUS_INTERRUPTED, "distill", "stopped by %s", strsignal(*t->stop));
        event_write_progress(stdout, (double)(from + n), (double)count, "the teacher answers (%s)",
                             dataset_split_name(split));
    }
    dataset_batch_done(&b);
    free(predictions);
    return st;
}

/* --- result ----------------------------------------------------------------------------------- */

static void time_answers(const struct distill *t, struct serve_latency *l)
{
    const struct mlp_rows *rows = &t->lessons[DATASET_VALID];
    volatile float sink = 0;

    for (size_t i = 0; i < TIMED; i++) {
        uint64_t began_ns = clock_mono_ns();
        sink = mlp_answer(t->student, rows->x + i % rows->count * t->student->inputs);
        serve_latency_add(l, clock_mono_ns() - began_ns);
    }
    (void)sink;
}

/* Mean squared distance of the teacher's answers from their mean: what a constant student gets. */
static double spread(const struct mlp_rows *rows)
{
    double mean = 0, sum = 0;
    for (size_t i = 0; i < rows->count; i++)
        mean += (double)rows->y[i] / (double)rows->count;
    for (size_t i = 0; i < rows->count; i++)
        sum += ((double)rows->y[i] - mean) * ((double)rows->y[i] - mean);
    return sum / (double)rows->count;
}

static void report(const struct distill *t, const struct mlp_fitted *fitted)
{
    double unit = t->d->norm.action_span * t->d->norm.action_span;
    struct serve_latency l = {0};
    cJSON *o = cJSON_CreateObject();

    time_answers(t, &l);
    cJSON_AddStringToObject(o, "path", t->out_path);
    cJSON_AddNumberToObject(o, "rows", (double)t->student->rows);
    cJSON_AddNumberToObject(o, "hidden", (double)t->student->hidden);
    cJSON_AddNumberToObject(o, "parameters", (double)mlp_count(t->student));
    cJSON_AddNumberToObject(o, "lessons", (double)t->lessons[DATASET_TRAIN].count);
    cJSON_AddNumberToObject(o, "epochs", fitted->epochs);
    cJSON_AddNumberToObject(o, "best_epoch", fitted->best_epoch);
    json_add_num(o, "train_loss", fitted->train_loss * unit);
    json_add_num(o, "valid_loss", fitted->valid_loss * unit);
    json_add_num(o, "valid_constant", spread(&t->lessons[DATASET_VALID]) * unit);
    json_add_num(o, "decision_p50_us", serve_latency_ms(&l, 0.5) * 1e3);
    json_add_num(o, "decision_p99_us", serve_latency_ms(&l, 0.99) * 1e3);
    event_write_result(stdout, o);
}

/* --- the command ------------------------------------------------------------------------------ */

static enum status load(struct distill *t, struct error *err)
{
    struct checkpoint *c = &t->checkpoint;
    enum status st;

    if ((st = checkpoint_read(t->dir, c, err)))
        return st;
    if (!recipe_is_ratio(recipe_of(c->recipe)) || !c->data.horizon || c->data.is_published) {
        error_set(err, STATUS_INPUT, "distill",
                  "%s learned by recipe %s, a student learns only from lab and loop", t->dir,
                  c->recipe);
        return error_hint(err, "netllm pool build --recipe lab, then netllm adapt");
    }
    if ((st = pool_load(t->pool_path, &t->pool, err)))
        return st;
    if (strcmp(c->recipe, t->pool->recipe) != 0)
        return error_set(err, STATUS_INPUT, "distill",
                         "%s has the recipe %s, the policy learned from %s", t->pool_path,
                         t->pool->recipe, c->recipe);
    if ((st = dataset_new(t->pool, &c->data, &c->norm, &t->d, err)) ||
        (st = mlp_new(c->recipe, (size_t)t->rows, (size_t)t->hidden, &t->student, err)) ||
        (st = checkpoint_load(t->dir, NULL, c, &t->teacher, err)) ||
        (st = policy_engine_start((int)t->threads, &c->policy.backbone, err)))
        return st;
    t->student->data = c->data;
    t->student->norm = c->norm;
    t->random.state = (uint64_t)t->seed;
    return policy_merge(t->teacher, err);
}

static enum status run(struct distill *t, struct error *err)
{
    const struct mlp_fit opts = {
        .epochs = (int)t->epochs, .patience = 8, .rate = t->rate, .seed = (uint64_t)t->seed};
    struct mlp_fitted fitted;
    enum status st;

    if ((st = load(t, err)) || (st = gather(t, DATASET_TRAIN, err)) ||
        (st = gather(t, DATASET_VALID, err)))
        goto out;
    event_write_progress(stdout, 0, 0, "the student learns from %zu answers",
                         t->lessons[DATASET_TRAIN].count);
    if ((st = mlp_train(t->student, &t->lessons[DATASET_TRAIN], &t->lessons[DATASET_VALID], &opts,
                        t->stop, &fitted, err)) ||
        (st = mlp_save(t->student, t->out_path, err)))
        goto out;
    report(t, &fitted);
out:
    for (int s = 0; s < DATASET_SPLITS; s++) {
        free(t->lessons[s].x);
        free(t->lessons[s].y);
    }
    mlp_free(t->student);
    policy_free(t->teacher);
    dataset_free(t->d);
    pool_free(t->pool);
    return st;
}

enum status cmd_distill(int argc, char *argv[], const volatile sig_atomic_t *stop,
                        struct error *err)
{
    static const struct option options[] = {{"model-dir", required_argument, NULL, 'd'},
                                            {"exp-pool-path", required_argument, NULL, 'p'},
                                            {"output", required_argument, NULL, 'o'},
                                            {"rows", required_argument, NULL, 'r'},
                                            {"hidden", required_argument, NULL, 'H'},
                                            {"num-epochs", required_argument, NULL, 'e'},
                                            {"lr", required_argument, NULL, 'l'},
                                            {"seed", required_argument, NULL, 's'},
                                            {"threads", required_argument, NULL, 't'},
                                            {"dry-run", no_argument, NULL, 'n'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    static struct distill t;
    enum status st = STATUS_OK;
    bool is_dry = false;
    int c;

    t = (struct distill){
        .rows = 8, .hidden = 64, .epochs = 60, .seed = 100003, .rate = 1e-3, .stop = stop};
    while (!st && (c = getopt_long(argc, argv, ":ho:", options, NULL)) != -1) {
        switch (c) {
        case 'd':
            t.dir = optarg;
            break;
        case 'p':
            t.pool_path = optarg;
            break;
        case 'o':
            t.out_path = optarg;
            break;
        case 'r':
            st = cmd_parse_int("rows", optarg, 1, MLP_ROWS_MAX, &t.rows, err);
            break;
        case 'H':
            st = cmd_parse_int("hidden", optarg, 1, MLP_HIDDEN_MAX, &t.hidden, err);
            break;
        case 'e':
            st = cmd_parse_int("num-epochs", optarg, 1, 100000, &t.epochs, err);
            break;
        case 'l':
            st = cmd_parse_num("lr", optarg, 1e-9, 1, &t.rate, err);
            break;
        case 's':
            st = cmd_parse_int("seed", optarg, 0, INT64_MAX, &t.seed, err);
            break;
        case 't':
            st = cmd_parse_int("threads", optarg, 1, 65536, &t.threads, err);
            break;
        case 'n':
            is_dry = true;
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
    if (is_dry && optind == argc) {
        cJSON *result = cJSON_CreateObject();
        cJSON_AddBoolToObject(result, "dry_run", true);
        event_write_result(stdout, result);
        return STATUS_OK;
    }
    if (!t.dir || !t.pool_path || !t.out_path || optind != argc) {
        error_set(err, STATUS_USAGE, "distill",
                  "--model-dir, --exp-pool-path and --output are needed, and no more");
        error_hint(err, "see: netllm distill --help");
        return STATUS_USAGE;
    }
    return run(&t, err);
}
