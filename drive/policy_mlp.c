/* The distilled policy: a small network over a flow's last rows (model/mlp.h). No libtorch. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "drive/policy.h"
#include "model/mlp.h"

struct memory_of_flow {
    double cwnd_bytes;                   /* of the newest row; 0: there is none */
    float x[MLP_ROWS_MAX * MLP_ROW_MAX]; /* the newest row first, as mlp_answer() takes it */
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

static double decide_one(const struct mlp_policy *p, struct memory_of_flow *f,
                         const struct drive_seen *seen)
{
    float *x = f->x;
    const struct dataset_norm *norm = &p->net->norm;
    enum recipe recipe = recipe_of(p->net->recipe);
    float state[POOL_FEATURES], *wanted = x + p->net->features, *taken = wanted + 1;
    double cwnd = seen->row.cwnd_bytes;

    memmove(x + p->net->row, x, (p->net->inputs - p->net->row) * sizeof *x);
    recipe_state(&seen->row, state);
    dataset_features(recipe, norm, state, x);
    *wanted = (float)(p->target * norm->max_return);
    *taken = 0;
    /* What became of the row before is what the window did, whoever decided it, as in training. */
    if (f->cwnd_bytes > 0)
        taken[p->net->row] = (float)dataset_scaled(recipe, norm, log(cwnd / f->cwnd_bytes));
    f->cwnd_bytes = cwnd;
    double action = dataset_unscaled(recipe, norm, (double)mlp_answer(p->net, x));
    return recipe_cwnd(recipe, action, cwnd, NAN, NAN) / seen->sample.h.mss;
}

static enum status mlp_decide(struct drive_policy *base, const struct drive_seen *seen,
                              struct drive_answer *answers, size_t count, struct error *err)
{
    struct mlp_policy *p = (struct mlp_policy *)base;

    (void)err;
    for (size_t i = 0; i < count; i++) {
        struct memory_of_flow *f = p->flows[seen[i].flow->slot];
        answers[i].is_none = !f || !recipe_is_whole(recipe_of(p->net->recipe), &seen[i].row);
        if (answers[i].is_none)
            continue;
        answers[i].cwnd = decide_one(p, f, &seen[i]);
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
    if (st == STATUS_IO || st == STATUS_INPUT)
        error_hint(err, "distilled:FILE is a file that `netllm distill` wrote");
    if (!st && !recipe_is_ratio(recipe_of(p->net->recipe)))
        st = error_set(err, STATUS_INPUT, "drive", "%s is of recipe %s, not of lab or loop",
                       argument, p->net->recipe);
    if (st)
        mlp_policy_free(&p->base);
    else
        *out = &p->base;
    return st;
}
