#include "model/baseline.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "model/adam.h"

#define PER_ROW_MAX  (POOL_FEATURES + 2) /* state, return, action */
#define FEATURES_MAX (BASELINE_ROWS * PER_ROW_MAX)
#define STRENGTHS    10 /* of ridge: 1e-3 ... 1e6 */

#define HIDDEN        32
#define EPOCHS        60
#define PATIENCE      8
#define BATCH         32
#define ROWS_AN_EPOCH 8192 /* of a long pool, so that a test takes seconds */
#define RATE          3e-3

const char *baseline_name(enum baseline which)
{
    static const char *const names[] = {"constant", "persistence", "copy_input",
                                        "no_op",    "ridge",       "mlp"};
    return names[which];
}

/* --- those that need no training -------------------------------------------------------------- */

static double plain(enum baseline which, const struct dataset *d, size_t row)
{
    const struct pool *p = d->pool;
    const struct pool_episode *e = &p->episodes[dataset_episode_of(d, row)];
    enum recipe recipe = recipe_of(p->recipe);
    switch (which) {
    case BASELINE_PERSISTENCE:
        return row > e->begin ? p->actions[row - 1] : d->norm.action_mean;
    case BASELINE_COPY_INPUT:
        return recipe_copy(recipe, p->states[row][POOL_CWND_BYTES], e);
    case BASELINE_NO_OP:
        return recipe_is_ratio(recipe) ? 0 : NAN;
    default:
        return d->norm.action_mean;
    }
}

/* --- what the trained ones see ---------------------------------------------------------------- */

/* All on the policy's scales, so of about the same size. Rows before the episode are 0. */
struct sight {
    const struct dataset *d;
    size_t rows, per_row; /* of context; numbers of each */
    size_t count;         /* of all, with a 1 at the end */
};

static struct sight sight_of(const struct dataset *d)
{
    struct sight s = {.d = d, .rows = (size_t)d->opts.steps, .per_row = (size_t)d->features + 2};
    if (s.rows > BASELINE_ROWS)
        s.rows = BASELINE_ROWS;
    s.count = s.rows * s.per_row; /* the 1 stands where this row's action would */
    return s;
}

/* The published data set has raw states: standardise them here, or nothing can be learnt. */
static double feature(const struct dataset *d, size_t row, int k)
{
    double v = dataset_state(d, row)[k];
    return d->opts.is_published ? log1p(fabs(v)) / 10 : v;
}

static void look(const struct sight *s, size_t row, double *out)
{
    const struct dataset *d = s->d;
    size_t begin = d->pool->episodes[dataset_episode_of(d, row)].begin;
    memset(out, 0, s->count * sizeof *out);
    for (size_t j = 0; j < s->rows && begin + j <= row; j++) {
        double *at = out + j * s->per_row;
        for (int k = 0; k < d->features; k++)
            *at++ = feature(d, row - j, k);
        *at++ = d->returns[row - j];
        *at = j ? d->actions[row - j] : 1;
    }
}

static double label(const struct dataset *d, size_t row)
{
    return d->labels[row];
}

/* Call visit(user, row) for every row of a split. */
static void each_row(const struct dataset *d, enum dataset_split split,
                     void (*visit)(void *, size_t), void *user)
{
    for (size_t e = 0; e < d->pool->episode_count; e++) {
        size_t begin, end;
        dataset_part(d, e, split, &begin, &end);
        for (size_t row = begin; row < end; row++)
            visit(user, row);
    }
}

static enum dataset_split chosen_on(const struct dataset *d)
{
    return d->opts.is_published ? DATASET_TRAIN : DATASET_VALID;
}

/* --- ridge ------------------------------------------------------------------------------------ */

struct ridge {
    struct sight sight;
    double gram[FEATURES_MAX][FEATURES_MAX], moment[FEATURES_MAX]; /* X'X, X'y */
    double factor[FEATURES_MAX][FEATURES_MAX];
    double weights[FEATURES_MAX], x[FEATURES_MAX];
    double sum; /* of squared errors */
};

static void ridge_gather(void *user, size_t row)
{
    struct ridge *r = user;
    look(&r->sight, row, r->x);
    double y = label(r->sight.d, row);
    for (size_t i = 0; i < r->sight.count; i++) {
        for (size_t j = 0; j <= i; j++)
            r->gram[i][j] += r->x[i] * r->x[j];
        r->moment[i] += r->x[i] * y;
    }
}

static double ridge_answer(struct ridge *r, size_t row)
{
    double y = 0;
    look(&r->sight, row, r->x);
    for (size_t i = 0; i < r->sight.count; i++)
        y += r->weights[i] * r->x[i];
    return y;
}

static void ridge_error(void *user, size_t row)
{
    struct ridge *r = user;
    double difference = ridge_answer(r, row) - label(r->sight.d, row);
    r->sum += difference * difference;
}

/* (X'X + strength I) weights = X'y by Cholesky's factorisation; the strength makes it definite. */
static void ridge_solve(struct ridge *r, double strength)
{
    size_t n = r->sight.count;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j <= i; j++) {
            double v = r->gram[i][j] + (i == j ? strength : 0);
            for (size_t k = 0; k < j; k++)
                v -= r->factor[i][k] * r->factor[j][k];
            r->factor[i][j] = i == j ? sqrt(fmax(v, 1e-12)) : v / r->factor[j][j];
        }
        double v = r->moment[i];
        for (size_t k = 0; k < i; k++)
            v -= r->factor[i][k] * r->weights[k];
        r->weights[i] = v / r->factor[i][i];
    }
    for (size_t i = n; i-- > 0;) {
        double v = r->weights[i];
        for (size_t k = i + 1; k < n; k++)
            v -= r->factor[k][i] * r->weights[k];
        r->weights[i] = v / r->factor[i][i];
    }
}

static void ridge_fit(struct ridge *r)
{
    const struct dataset *d = r->sight.d;
    double best = INFINITY, strength = 1e-3, chosen = 1;
    each_row(d, DATASET_TRAIN, ridge_gather, r);
    for (int i = 0; i < STRENGTHS; i++, strength *= 10) {
        ridge_solve(r, strength);
        r->sum = 0;
        each_row(d, chosen_on(d), ridge_error, r);
        if (r->sum < best) {
            best = r->sum;
            chosen = strength;
        }
    }
    ridge_solve(r, chosen);
}

/* --- perceptron ------------------------------------------------------------------------------- */

/* One hidden layer of tanh, trained by Adam. */
struct weights {
    double in[HIDDEN][FEATURES_MAX], out[HIDDEN + 1]; /* out: with a constant at the end */
};

struct mlp {
    struct sight sight;
    struct weights now, best, gradient, first, second;
    size_t *rows, row_count, capacity;
    double x[FEATURES_MAX], hidden[HIDDEN], sum;
    struct rng random;
    int step;
};

static double mlp_answer(struct mlp *m, const struct weights *w, size_t row)
{
    double y = w->out[HIDDEN];
    look(&m->sight, row, m->x);
    for (int h = 0; h < HIDDEN; h++) {
        double v = 0;
        for (size_t i = 0; i < m->sight.count; i++)
            v += w->in[h][i] * m->x[i];
        m->hidden[h] = tanh(v);
        y += w->out[h] * m->hidden[h];
    }
    return y;
}

static void mlp_gather(void *user, size_t row)
{
    struct mlp *m = user;
    if (m->row_count < m->capacity)
        m->rows[m->row_count] = row;
    m->row_count++;
}

static void mlp_error(void *user, size_t row)
{
    struct mlp *m = user;
    double difference = mlp_answer(m, &m->now, row) - label(m->sight.d, row);
    m->sum += difference * difference;
}

static void mlp_gradient(struct mlp *m, size_t row, double weight)
{
    double error = 2 * weight * (mlp_answer(m, &m->now, row) - label(m->sight.d, row));
    m->gradient.out[HIDDEN] += error;
    for (int h = 0; h < HIDDEN; h++) {
        double back = error * m->now.out[h] * (1 - m->hidden[h] * m->hidden[h]);
        m->gradient.out[h] += error * m->hidden[h];
        for (size_t i = 0; i < m->sight.count; i++)
            m->gradient.in[h][i] += back * m->x[i];
    }
}

static void mlp_step(struct mlp *m)
{
    m->step++;
    for (int h = 0; h < HIDDEN; h++)
        adam_step(m->now.in[h], m->gradient.in[h], m->first.in[h], m->second.in[h], m->sight.count,
                  m->step, RATE);
    adam_step(m->now.out, m->gradient.out, m->first.out, m->second.out, HIDDEN + 1, m->step, RATE);
}

static enum status mlp_fit(struct mlp *m, const volatile sig_atomic_t *stop, struct error *err)
{
    const struct dataset *d = m->sight.d;
    double best = INFINITY, bound = 1 / sqrt((double)m->sight.count);
    each_row(d, DATASET_TRAIN, mlp_gather, m); /* counts */
    m->rows = calloc(m->row_count, sizeof *m->rows);
    if (!m->rows)
        return error_set(err, STATUS_NOMEM, "baseline", "no memory for %zu rows", m->row_count);
    m->capacity = m->row_count;
    m->row_count = 0;
    each_row(d, DATASET_TRAIN, mlp_gather, m);
    for (int h = 0; h < HIDDEN; h++)
        for (size_t i = 0; i < m->sight.count; i++)
            m->now.in[h][i] = rng_uniform(&m->random, bound);
    /* It starts as the constant answer. */
    if (!d->opts.is_published)
        m->now.out[HIDDEN] =
            dataset_scaled(recipe_of(d->pool->recipe), &d->norm, d->norm.action_mean);
    size_t n = m->row_count < ROWS_AN_EPOCH ? m->row_count : ROWS_AN_EPOCH;
    for (int epoch = 0, since = 0; epoch < EPOCHS && since < PATIENCE; epoch++) {
        for (size_t i = 0; i < n; i++) {
            size_t j = i + (size_t)(rng_next_u64(&m->random) % (m->row_count - i));
            size_t row = m->rows[j];
            m->rows[j] = m->rows[i];
            m->rows[i] = row;
            mlp_gradient(m, row, 1.0 / BATCH);
            if ((i + 1) % BATCH == 0 || i + 1 == n)
                mlp_step(m);
        }
        if (stop && *stop)
            return error_set(err, STATUS_INTERRUPTED, "netllm", "stopped by %s", strsignal(*stop));
        m->sum = 0;
        each_row(d, chosen_on(d), mlp_error, m);
        since++;
        if (m->sum < best) {
            best = m->sum;
            m->best = m->now;
            since = 0;
        }
    }
    return STATUS_OK;
}

/* --- answers ---------------------------------------------------------------------------------- */

enum status baseline_answers(enum baseline which, const struct dataset *d, enum dataset_split split,
                             uint64_t seed, const volatile sig_atomic_t *stop, double *answers,
                             struct error *err)
{
    const struct dataset_windows *w = &d->windows[split];
    size_t steps = (size_t)d->opts.steps;
    enum status st = STATUS_OK;
    struct ridge *ridge = NULL;
    struct mlp *mlp = NULL;
    if (which == BASELINE_RIDGE && (ridge = calloc(1, sizeof *ridge))) {
        ridge->sight = sight_of(d);
        ridge_fit(ridge);
    }
    if (which == BASELINE_MLP && (mlp = calloc(1, sizeof *mlp))) {
        mlp->sight = sight_of(d);
        mlp->random.state = seed;
        st = mlp_fit(mlp, stop, err);
    }
    if ((which == BASELINE_RIDGE && !ridge) || (which == BASELINE_MLP && !mlp))
        st = error_set(err, STATUS_NOMEM, "baseline", "no memory for %s", baseline_name(which));
    for (size_t i = 0; i < w->count * steps && !st; i++) {
        size_t row = w->at[i / steps].row + i % steps;
        if (ridge)
            answers[i] = dataset_action(d, ridge_answer(ridge, row));
        else if (mlp)
            answers[i] = dataset_action(d, mlp_answer(mlp, &mlp->best, row));
        else
            answers[i] = plain(which, d, row);
    }
    if (mlp)
        free(mlp->rows);
    free(mlp);
    free(ridge);
    return st;
}
