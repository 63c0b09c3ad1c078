#include "model/serve_replay.h"

#include <string.h>

#include "core/clock.h"
#include "core/json.h"
#include "model/serve_latency.h"

struct replay {
    const struct serve_opts *opts;
    const struct dataset *d;
    struct serve_contexts *contexts;
    double squares;
    size_t decisions, rebased;
    struct serve_latency latency;
};

static enum status walk(struct replay *r, size_t begin, size_t end, struct error *err)
{
    const struct dataset *d = r->d;
    enum recipe recipe = recipe_of(d->pool->recipe);
    double target = r->opts->target_scale * d->norm.max_return;
    serve_contexts_reset(r->contexts, 0);
    for (size_t row = begin; row < end; row++) {
        enum status st;
        size_t rebased;
        struct serve_step step = {.target = (float)target};
        memcpy(step.state, dataset_state(d, row), (size_t)d->features * sizeof *step.state);
        if (r->opts->stop && *r->opts->stop)
            return error_set(err, STATUS_INTERRUPTED, "serve", "stopped by %s",
                             strsignal(*r->opts->stop));
        uint64_t start_ns = clock_mono_ns();
        if ((st = serve_contexts_decide(r->contexts, &step, 1, err)))
            return st;
        serve_latency_add(&r->latency, clock_mono_ns() - start_ns);
        if ((st = serve_contexts_rebase(r->contexts, 1, &rebased, err)))
            return st;
        r->rebased += rebased;
        r->decisions++;
        double answer = dataset_action(d, (double)step.action);
        double difference =
            dataset_curve(recipe, answer) - dataset_curve(recipe, d->pool->advice[row]);
        r->squares += difference * difference;
        target = serve_next_target(d, target, d->pool->rewards[row]);
    }
    return STATUS_OK;
}

static enum status run_mode(const struct serve_opts *opts, const struct dataset *d,
                            enum serve_mode mode, cJSON *result, struct error *err)
{
    struct replay r = {.opts = opts, .d = d};
    size_t w = (size_t)d->opts.steps, begin, end;
    enum status st = serve_contexts_new(opts->policy, mode, w, 1, &r.contexts, err);
    /* The first pass through the library is no decision time: tables, thread start. */
    const struct dataset_window *first = &d->windows[DATASET_TEST].at[0];
    if (!st && !(st = walk(&r, first->row, first->row + w, err)))
        r = (struct replay){.opts = opts, .d = d, .contexts = r.contexts};
    for (size_t e = 0; e < d->pool->episode_count && !st; e++) {
        dataset_segment(&d->pool->episodes[e], DATASET_TEST, &begin, &end);
        if (end - begin >= w)
            st = walk(&r, begin, end, err);
    }
    serve_contexts_free(r.contexts);
    if (st)
        return st;
    cJSON *o = cJSON_AddObjectToObject(result, serve_mode_name(mode)), *ms;
    json_add_num(o, "loss", r.squares / (double)r.decisions);
    cJSON_AddNumberToObject(o, "rebased", (double)r.rebased);
    ms = cJSON_AddObjectToObject(o, "decision_ms");
    json_add_num(ms, "p50", serve_latency_ms(&r.latency, 0.5));
    json_add_num(ms, "p99", serve_latency_ms(&r.latency, 0.99));
    cJSON_DeleteItemFromObject(result, "decisions");
    cJSON_AddNumberToObject(result, "decisions", (double)r.decisions);
    return STATUS_OK;
}

enum status serve_replay(const struct serve_opts *opts, const struct dataset *d, cJSON **result,
                         struct error *err)
{
    enum status st;
    *result = cJSON_CreateObject();
    if ((st = run_mode(opts, d, SERVE_EXACT, *result, err)) ||
        (st = run_mode(opts, d, SERVE_CACHED, *result, err))) {
        cJSON_Delete(*result);
        *result = NULL;
    }
    return st;
}
