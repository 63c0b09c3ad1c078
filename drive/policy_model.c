/* The trained policy, in this process: a context a flow, as in `netllm serve`, and what waits is
 * decided in one pass. States, rewards and windows are those of the recipe it learned from. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/event.h"
#include "drive/policy.h"
#include "model/blas.h"
#include "model/serve.h"

#define REBASE_BATCH 4 /* contexts a piece of idle work: what a new sample may have to wait for */
#define NO_CONTEXT   SIZE_MAX

struct context { /* its index is its slot among the contexts */
    bool is_open, has_decided;
    double target;
    double cwnd_bytes; /* when it decided last */
};

struct model_policy {
    struct drive_policy base;
    struct drive_policy_opts opts;
    struct checkpoint checkpoint;
    enum recipe recipe;
    struct policy *policy;
    struct dataset scales; /* norm and opts only */
    struct serve_contexts *contexts;
    struct context *flows;
    size_t of_slot[AGENT_SLOTS]; /* the kernel's slots */
    struct serve_step *steps;
    size_t *asked; /* of each step, which of the intervals it is for */
};

static double first_target(const struct model_policy *p)
{
    return p->opts.target_scale * p->checkpoint.norm.max_return;
}

static void model_open(struct drive_policy *base, const struct agent_flow *flow)
{
    struct model_policy *p = (struct model_policy *)base;

    p->of_slot[flow->slot] = NO_CONTEXT;
    for (size_t i = 0; i < p->opts.flows; i++) {
        if (p->flows[i].is_open)
            continue;
        p->flows[i] = (struct context){.is_open = true, .target = first_target(p)};
        p->of_slot[flow->slot] = i;
        return;
    }
    event_write_log(stdout, LOG_LEVEL_WARN, "flow %s is one too many, %s: give --max-flows",
                    flow->local, p->opts.is_advisor ? "it gets no advice" : "the watchdog has it");
}

static void model_close(struct drive_policy *base, const struct agent_flow *flow)
{
    struct model_policy *p = (struct model_policy *)base;
    size_t i = p->of_slot[flow->slot];

    if (i == NO_CONTEXT)
        return;
    serve_contexts_reset(p->contexts, i);
    p->flows[i].is_open = false;
    p->of_slot[flow->slot] = NO_CONTEXT;
}

/* What the policy sees of an interval: as recipe_build() and dataset_new() have it. */
static void fill_step(struct model_policy *p, size_t context, const struct drive_seen *seen,
                      struct serve_step *step)
{
    struct context *f = &p->flows[context];
    float state[POOL_FEATURES];

    if (f->has_decided)
        f->target = serve_next_target(&p->scales, f->target, recipe_reward(p->recipe, &seen->row));
    *step = (struct serve_step){.slot = context, .target = (float)f->target};
    recipe_state(&seen->row, state);
    dataset_features(p->recipe, &p->checkpoint.norm, state, step->state);
    /* What became of the step before is what the window did, whoever decided it, as in training. */
    if (f->has_decided && recipe_is_ratio(p->recipe)) {
        step->has_taken = true;
        step->taken = (float)dataset_scaled(p->recipe, &p->checkpoint.norm,
                                            log(seen->row.cwnd_bytes / f->cwnd_bytes));
    }
    f->cwnd_bytes = seen->row.cwnd_bytes;
}

static enum status model_decide(struct drive_policy *base, const struct drive_seen *seen,
                                struct drive_answer *answers, size_t count, struct error *err)
{
    struct model_policy *p = (struct model_policy *)base;
    const struct dataset_norm *norm = &p->checkpoint.norm;
    size_t steps = 0;
    enum status st;

    for (size_t i = 0; i < count; i++) {
        size_t context = p->of_slot[seen[i].flow->slot];
        answers[i].is_none = context == NO_CONTEXT || !recipe_is_whole(p->recipe, &seen[i].row);
        if (answers[i].is_none)
            continue;
        fill_step(p, context, &seen[i], &p->steps[steps]);
        p->asked[steps++] = i;
    }
    if (!steps)
        return STATUS_OK;
    if ((st = serve_contexts_decide(p->contexts, p->steps, steps, err)))
        return st;
    for (size_t k = 0; k < steps; k++) {
        const struct drive_seen *s = &seen[p->asked[k]];
        double action = dataset_unscaled(p->recipe, norm, (double)p->steps[k].action);
        double bytes =
            recipe_cwnd(p->recipe, action, s->row.cwnd_bytes, p->opts.cwnd_min, p->opts.cwnd_max);
        answers[p->asked[k]].cwnd = bytes / s->sample.h.mss; /* NaN counts as refused */
        answers[p->asked[k]].target_return = (double)p->steps[k].target;
        p->flows[p->steps[k].slot].has_decided = true;
        if (!isfinite(action))
            serve_contexts_reset(p->contexts, p->steps[k].slot);
    }
    return STATUS_OK;
}

static void model_set_target(struct drive_policy *base, double scale)
{
    struct model_policy *p = (struct model_policy *)base;

    p->opts.target_scale = scale;
    for (size_t i = 0; i < p->opts.flows; i++)
        p->flows[i].target = first_target(p);
}

static enum status model_idle(struct drive_policy *base, bool *has_more, struct error *err)
{
    struct model_policy *p = (struct model_policy *)base;
    size_t done = 0;
    enum status st = serve_contexts_rebase(p->contexts, REBASE_BATCH, &done, err);

    *has_more = done > 0;
    return st;
}

static void model_free(struct drive_policy *base)
{
    struct model_policy *p = (struct model_policy *)base;

    serve_contexts_free(p->contexts);
    policy_free(p->policy);
    free(p->flows);
    free(p->steps);
    free(p->asked);
    free(p);
}

/* The first passes through the library are no decision times: tables, thread start. */
static enum status warm_up(struct model_policy *p, struct error *err)
{
    enum status st = STATUS_OK;

    for (int i = 0; i < p->checkpoint.data.steps && !st; i++) {
        struct serve_step step = {0};
        st = serve_contexts_decide(p->contexts, &step, 1, err);
    }
    serve_contexts_reset(p->contexts, 0);
    return st;
}

static enum status load(struct model_policy *p, const char *dir, struct error *err)
{
    struct checkpoint *c = &p->checkpoint;
    enum status st = checkpoint_read(dir, c, err);

    if (st)
        return st;
    p->recipe = recipe_of(c->recipe);
    if (c->data.is_published) {
        error_set(err, STATUS_INPUT, "drive",
                  "%s: as published its timesteps are places in an episode, which a live flow has "
                  "not",
                  dir);
        return error_hint(err, "train without --recipe published");
    }
    if (isnan(recipe_cwnd(p->recipe, 0, 1, p->opts.cwnd_min, p->opts.cwnd_max))) {
        error_set(err, STATUS_USAGE, "drive",
                  "%s: the actions of recipe %s lie between two windows that it does not know", dir,
                  c->recipe);
        return error_hint(err, "give --cwnd-min and --cwnd-max, or train by recipe lab");
    }
    p->flows = calloc(p->opts.flows, sizeof *p->flows);
    p->steps = calloc(p->opts.flows, sizeof *p->steps);
    p->asked = calloc(p->opts.flows, sizeof *p->asked);
    if (!p->flows || !p->steps || !p->asked)
        return error_set(err, STATUS_NOMEM, "drive", "no memory for %zu flows", p->opts.flows);
    p->scales.norm = c->norm;
    p->scales.opts = c->data;
    if ((st = checkpoint_load(dir, NULL, c, &p->policy, err)) ||
        (st = policy_engine_start(p->opts.threads, &c->policy.backbone, err)) ||
        (st = policy_merge(p->policy, err)) ||
        (st = serve_contexts_new(p->policy, SERVE_CACHED, (size_t)c->data.steps, p->opts.flows,
                                 &p->contexts, err)))
        return st;
    blas_warn(stdout);
    return warm_up(p, err);
}

enum status drive_model_new(const char *argument, const struct drive_policy_opts *opts,
                            struct drive_policy **out, struct error *err)
{
    static const struct drive_policy_ops ops = {.open = model_open,
                                                .close = model_close,
                                                .decide = model_decide,
                                                .set_target = model_set_target,
                                                .idle = model_idle,
                                                .free = model_free};
    struct model_policy *p = calloc(1, sizeof *p);

    if (!p)
        return error_set(err, STATUS_NOMEM, "drive", "no memory");
    p->base.ops = &ops;
    p->opts = *opts;
    enum status st = load(p, argument, err);
    if (st == STATUS_IO)
        error_hint(err, "model:DIR is a folder that `netllm adapt` wrote");
    if (st)
        model_free(&p->base);
    else
        *out = &p->base;
    return st;
}
