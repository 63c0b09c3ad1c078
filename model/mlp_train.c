#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "model/adam.h"
#include "model/mlp.h"

#define BATCH 32

/* In double: the values of the network, their gradient and its moments. */
struct trainer {
    const struct mlp *m;
    size_t count;
    double *values, *gradient, *first, *second, *best;
    double *x, *one, *two, *back_one, *back_two; /* inputs, hidden units, errors that come back */
    size_t *order;
    struct rng random;
    int step;
};

struct layers { /* places in any of the arrays above */
    double *w1, *b1, *w2, *b2, *w3, *b3;
};

static struct layers layers_of(const struct mlp *m, double *values)
{
    struct layers l = {.w1 = values};
    l.b1 = l.w1 + m->hidden * m->inputs;
    l.w2 = l.b1 + m->hidden;
    l.b2 = l.w2 + m->hidden * m->hidden;
    l.w3 = l.b2 + m->hidden;
    l.b3 = l.w3 + m->hidden;
    return l;
}

static void forward_layer(const double *w, const double *b, const double *in, size_t inputs,
                          double *out, size_t outputs)
{
    for (size_t o = 0; o < outputs; o++) {
        double v = b[o];
        for (size_t i = 0; i < inputs; i++)
            v += w[o * inputs + i] * in[i];
        out[o] = tanh(v);
    }
}

static double answer(struct trainer *t, const float *x)
{
    struct layers l = layers_of(t->m, t->values);
    size_t h = t->m->hidden;

    for (size_t i = 0; i < t->m->inputs; i++)
        t->x[i] = x[i];
    forward_layer(l.w1, l.b1, t->x, t->m->inputs, t->one, h);
    forward_layer(l.w2, l.b2, t->one, h, t->two, h);
    double y = *l.b3;
    for (size_t i = 0; i < h; i++)
        y += l.w3[i] * t->two[i];
    return y;
}

/* Errors of a layer's outputs, before tanh, into its gradient and on to its inputs (NULL: none). */
static void backward_layer(const double *w, double *gw, double *gb, const double *in, size_t inputs,
                           const double *back, size_t outputs, double *back_in)
{
    if (back_in)
        memset(back_in, 0, inputs * sizeof *back_in);
    for (size_t o = 0; o < outputs; o++) {
        gb[o] += back[o];
        for (size_t i = 0; i < inputs; i++)
            gw[o * inputs + i] += back[o] * in[i];
        for (size_t i = 0; back_in && i < inputs; i++)
            back_in[i] += back[o] * w[o * inputs + i];
    }
}

static void add_gradient(struct trainer *t, const float *x, double y)
{
    struct layers l = layers_of(t->m, t->values), g = layers_of(t->m, t->gradient);
    size_t h = t->m->hidden;
    double error = 2 * (answer(t, x) - y) / BATCH;

    *g.b3 += error;
    for (size_t i = 0; i < h; i++) {
        g.w3[i] += error * t->two[i];
        t->back_two[i] = error * l.w3[i] * (1 - t->two[i] * t->two[i]);
    }
    backward_layer(l.w2, g.w2, g.b2, t->one, h, t->back_two, h, t->back_one);
    for (size_t i = 0; i < h; i++)
        t->back_one[i] *= 1 - t->one[i] * t->one[i];
    backward_layer(l.w1, g.w1, g.b1, t->x, t->m->inputs, t->back_one, h, NULL);
}

static double loss_of(struct trainer *t, const struct mlp_rows *rows)
{
    double sum = 0;
    for (size_t i = 0; i < rows->count; i++) {
        double off = answer(t, rows->x + i * t->m->inputs) - (double)rows->y[i];
        sum += off * off;
    }
    return sum / (double)rows->count;
}

static enum status trainer_init(struct trainer *t, const struct mlp *m, size_t rows, uint64_t seed,
                                struct error *err)
{
    size_t n = mlp_count(m), h = m->hidden;

    *t = (struct trainer){.m = m, .count = n, .random = {seed}};
    t->values = calloc(5 * n + m->inputs + 4 * h, sizeof *t->values);
    t->order = calloc(rows, sizeof *t->order);
    if (!t->values || !t->order)
        return error_set(err, STATUS_NOMEM, "mlp", "no memory for the training");
    t->gradient = t->values + n;
    t->first = t->gradient + n;
    t->second = t->first + n;
    t->best = t->second + n;
    t->x = t->best + n;
    t->one = t->x + m->inputs;
    t->two = t->one + h;
    t->back_one = t->two + h;
    t->back_two = t->back_one + h;
    for (size_t i = 0; i < rows; i++)
        t->order[i] = i;
    struct layers l = layers_of(m, t->values);
    for (double *v = l.w1; v < l.b1; v++)
        *v = rng_uniform(&t->random, sqrt(3 / (double)m->inputs));
    for (double *v = l.w2; v < l.b2; v++)
        *v = rng_uniform(&t->random, sqrt(3 / (double)h));
    return STATUS_OK; /* the last layer begins at 0 */
}

static void run_epoch(struct trainer *t, const struct mlp_rows *rows, double rate)
{
    for (size_t i = 0; i < rows->count; i++) {
        size_t j = i + (size_t)(rng_next_u64(&t->random) % (rows->count - i)), row = t->order[j];
        t->order[j] = t->order[i];
        t->order[i] = row;
        add_gradient(t, rows->x + row * t->m->inputs, rows->y[row]);
        if ((i + 1) % BATCH == 0 || i + 1 == rows->count)
            adam_step(t->values, t->gradient, t->first, t->second, t->count, ++t->step, rate);
    }
}

enum status mlp_train(struct mlp *m, const struct mlp_rows *train, const struct mlp_rows *valid,
                      const struct mlp_fit *opts, const volatile sig_atomic_t *stop,
                      struct mlp_fitted *out, struct error *err)
{
    struct trainer t = {0};
    enum status st;

    *out = (struct mlp_fitted){.valid_loss = INFINITY};
    if (!train->count || !valid->count)
        return error_set(err, STATUS_INPUT, "mlp", "there are no rows to learn from");
    if ((st = trainer_init(&t, m, train->count, opts->seed, err)))
        goto out;
    for (int since = 0; out->epochs < opts->epochs && since < opts->patience; since++) {
        run_epoch(&t, train, opts->rate);
        out->epochs++;
        double loss = loss_of(&t, valid);
        if (!isfinite(loss)) {
            st = error_set(err, STATUS_FAIL, "mlp", "the loss is not finite");
            goto out;
        }
        if (stop && *stop) {
            st = error_set(err, STATUS_INTERRUPTED, "mlp", "stopped by %s", strsignal(*stop));
            goto out;
        }
        if (loss < out->valid_loss) {
            out->valid_loss = loss;
            out->best_epoch = out->epochs;
            memcpy(t.best, t.values, t.count * sizeof *t.best);
            since = -1;
        }
    }
    memcpy(t.values, t.best, t.count * sizeof *t.best);
    out->train_loss = loss_of(&t, train);
    for (size_t i = 0; i < t.count; i++)
        m->values[i] = (float)t.values[i];
out:
    free(t.values);
    free(t.order);
    return st;
}
