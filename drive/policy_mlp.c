/* The distilled policy: a small network over a flow's last rows (model/mlp.h). No libtorch. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "drive/policy.h"
#include "model/mlp.h"

struct memory_of_flow {
    float x[MLP_ROWS_MAX * MLP_ROW]; /* the newest row first, as mlp_answer() takes it */
};

struct mlp_policy {
    struct drive_policy base;
    struct mlp *net;
    double target;
    struct memory_of_flow *flows[AGENT_SLOTS]; /* NULL: closed, or no memory */
};

static void mlp_open(struct drive_policy *base, const struct agent_flow *flow)
{
    ((struct mlp_policy *)base)->flows[flow->slot] = calloc(1, sizeof(struct memory_of_flow));
}

static void mlp_close(struct drive_policy *base, const struct agent_flow *flow)
{
    struct mlp_policy *p = (struct mlp_policy *)base;

    free(p->flows[flow->slot]);
    p->flows[flow->slot] = NULL;
}

static double decide_one(const struct mlp_policy *p, float *x, const struct drive_seen *seen)
{
    const struct dataset_norm *norm = &p->net->norm;
    enum recipe recipe = recipe_of(p->net->recipe);
    float state[POOL_FEATURES];

    memmove(x + MLP_ROW, x, (p->net->inputs - MLP_ROW) * sizeof *x);
    recipe_state(&seen->row, state);
    dataset_features(recipe, norm, state, x);
    x[POOL_FEATURES] = (float)(p->target * norm->max_return);
    x[POOL_FEATURES + 1] = 0;
    float answer = mlp_answer(p->net, x);
    /* The action of that row, from the next one on: what is no number would never leave again. */
    x[POOL_FEATURES + 1] = isfinite(answer) ? answer : 0;
    double action = norm->action_offset + norm->action_span * (double)answer;
    return recipe_cwnd(recipe, action, seen->row.cwnd_bytes, NAN, NAN) / seen->sample.h.mss;
}

static enum status mlp_decide(struct drive_policy *base, const struct drive_seen *seen,
                              struct drive_answer *answers, size_t count, struct error *err)
{
    struct mlp_policy *p = (struct mlp_policy *)base;

    (void)err;
    for (size_t i = 0; i < count; i++) {
        struct memory_of_flow *f = p->flows[seen[i].flow->slot];
        /* A flow's first row has no throughput, and no training had such a one. */
        answers[i].is_none = !f || isnan(seen[i].row.throughput_bps) || isnan(seen[i].row.rtt_s);
        if (answers[i].is_none)
            continue;
        answers[i].cwnd = decide_one(p, f->x, &seen[i]);
        answers[i].target_return = p->target * p->net->norm.max_return;
    }
    return STATUS_OK;
}

static void mlp_set_target(struct drive_policy *base, double scale)
{
    ((struct mlp_policy *)base)->target = scale;
}

static void mlp_policy_free(struct drive_policy *base)
{
    struct mlp_policy *p = (struct mlp_policy *)base;

    for (size_t i = 0; i < AGENT_SLOTS; i++)
        free(p->flows[i]);
    mlp_free(p->net);
    free(p);
}

enum status drive_mlp_new(const char *argument, const struct drive_policy_opts *opts,
                          struct drive_policy **out, struct error *err)
{
    static const struct drive_policy_ops ops = {.open = mlp_open,
                                                .close = mlp_close,
                                                .decide = mlp_decide,
                                                .set_target = mlp_set_target,
                                                .free = mlp_policy_free};
    struct mlp_policy *p = calloc(1, sizeof *p);
    enum status st;

    if (!p)
        return error_set(err, STATUS_NOMEM, "drive", "no memory");
    p->base.ops = &ops;
    p->target = opts->target_scale;
    st = mlp_load(argument, &p->net, err);
    if (!st && recipe_of(p->net->recipe) != RECIPE_LAB)
        st = error_set(err, STATUS_INPUT, "drive", "%s is of recipe %s, not of lab", argument,
                       p->net->recipe);
    if (st)
        mlp_policy_free(&p->base);
    else
        *out = &p->base;
    return st;
}
