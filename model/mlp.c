#include "model/mlp.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/safetensors.h"

#define FORMAT        "ccalab-mlp"
#define CONSTANTS_MAX (2 * POOL_FEATURES + 6)
#define OPTIONS       4
#define TENSORS       8

size_t mlp_count(const struct mlp *m)
{
    return m->hidden * (m->inputs + 1) + m->hidden * (m->hidden + 1) + m->hidden + 1;
}

/* Mean and deviation of each feature, and six more. */
static size_t constants_of(const struct mlp *m)
{
    return 2 * m->features + 6;
}

enum status mlp_new(const char *recipe, size_t rows, size_t hidden, struct mlp **out,
                    struct error *err)
{
    *out = NULL;
    if (!rows || rows > MLP_ROWS_MAX || !hidden || hidden > MLP_HIDDEN_MAX)
        return error_set(err, STATUS_INPUT, "mlp",
                         "a network of %zu rows and %zu hidden units: at most %d and %d", rows,
                         hidden, MLP_ROWS_MAX, MLP_HIDDEN_MAX);
    size_t features = (size_t)recipe_features(recipe_of(recipe));
    struct mlp *m = calloc(1, sizeof *m);
    if (m) {
        *m = (struct mlp){.features = features,
                          .row = features + 2,
                          .rows = rows,
                          .inputs = rows * (features + 2),
                          .hidden = hidden};
        snprintf(m->recipe, sizeof m->recipe, "%s", recipe);
        m->values = calloc(mlp_count(m), sizeof *m->values);
    }
    if (!m || !m->values) {
        mlp_free(m);
        return error_set(err, STATUS_NOMEM, "mlp", "no memory for the network");
    }
    *out = m;
    return STATUS_OK;
}

void mlp_free(struct mlp *m)
{
    if (!m)
        return;
    free(m->values);
    free(m);
}

/* out = tanh(weights in + bias), the bias standing behind the weights. Returns what follows. */
static const float *layer(const float *weights, const float *in, size_t inputs, float *out,
                          size_t outputs)
{
    const float *bias = weights + outputs * inputs;

    for (size_t o = 0; o < outputs; o++) {
        float v = bias[o];
        for (size_t i = 0; i < inputs; i++)
            v += weights[o * inputs + i] * in[i];
        out[o] = tanhf(v);
    }
    return bias + outputs;
}

float mlp_answer(const struct mlp *m, const float *x)
{
    float first[MLP_HIDDEN_MAX], second[MLP_HIDDEN_MAX];
    const float *at = layer(m->values, x, m->inputs, first, m->hidden);

    at = layer(at, first, m->hidden, second, m->hidden);
    float y = at[m->hidden];
    for (size_t h = 0; h < m->hidden; h++)
        y += at[h] * second[h];
    return y;
}

/* --- files ------------------------------------------------------------------------------------ */

static void put_constants(const struct mlp *m, double constants[CONSTANTS_MAX],
                          double options[OPTIONS])
{
    size_t features = m->features;
    const struct dataset_norm *n = &m->norm;
    const double rest[] = {n->action_offset, n->action_span, n->action_mean,
                           n->reward_min,    n->reward_max,  n->max_return};

    memcpy(constants, n->state_mean, features * sizeof *constants);
    memcpy(constants + features, n->state_std, features * sizeof *constants);
    memcpy(constants + 2 * features, rest, sizeof rest);
    options[0] = m->data.steps;
    options[1] = m->data.gamma;
    options[2] = m->data.scale;
    options[3] = m->data.horizon;
}

static void take_constants(struct mlp *m, const double constants[CONSTANTS_MAX],
                           const double options[OPTIONS])
{
    struct dataset_norm *n = &m->norm;
    const double *rest = constants + 2 * m->features;

    memcpy(n->state_mean, constants, m->features * sizeof *constants);
    memcpy(n->state_std, constants + m->features, m->features * sizeof *constants);
    n->action_offset = rest[0];
    n->action_span = rest[1];
    n->action_mean = rest[2];
    n->reward_min = rest[3];
    n->reward_max = rest[4];
    n->max_return = rest[5];
    m->data = (struct dataset_opts){.steps = (int)options[0],
                                    .gamma = options[1],
                                    .scale = options[2],
                                    .horizon = (int)options[3]};
}

/* What the file has, with the place in the values of each layer. */
static void list_tensors(const struct mlp *m, const double *constants, const double *options,
                         struct safetensors_tensor t[TENSORS])
{
    int64_t h = (int64_t)m->hidden, in = (int64_t)m->inputs;
    const float *v = m->values;
    const struct {
        const char *name;
        int rank;
        int64_t shape[2];
    } layers[] = {{"0.weight", 2, {h, in}}, {"0.bias", 1, {h}},      {"1.weight", 2, {h, h}},
                  {"1.bias", 1, {h}},       {"2.weight", 2, {1, h}}, {"2.bias", 1, {1}}};
    for (size_t i = 0; i < TENSORS - 2; i++) {
        size_t n = (size_t)(layers[i].shape[0] * (layers[i].rank == 2 ? layers[i].shape[1] : 1));
        t[i] = (struct safetensors_tensor){.name = layers[i].name,
                                           .dtype = SAFETENSORS_F32,
                                           .rank = layers[i].rank,
                                           .data = v,
                                           .len_bytes = n * sizeof *v};
        memcpy(t[i].shape, layers[i].shape, sizeof layers[i].shape);
        v += n;
    }
    t[6] = (struct safetensors_tensor){.name = "constants",
                                       .dtype = SAFETENSORS_F64,
                                       .rank = 1,
                                       .shape = {(int64_t)constants_of(m)},
                                       .data = constants,
                                       .len_bytes = constants_of(m) * sizeof *constants};
    t[7] = (struct safetensors_tensor){.name = "options",
                                       .dtype = SAFETENSORS_F64,
                                       .rank = 1,
                                       .shape = {OPTIONS},
                                       .data = options,
                                       .len_bytes = OPTIONS * sizeof *options};
}

enum status mlp_save(const struct mlp *m, const char *path, struct error *err)
{
    double constants[CONSTANTS_MAX], options[OPTIONS];
    char features[32];
    struct safetensors_tensor t[TENSORS];
    cJSON *metadata = cJSON_CreateObject();

    cJSON_AddStringToObject(metadata, "format", FORMAT);
    cJSON_AddStringToObject(metadata, "format_version", "1");
    cJSON_AddStringToObject(metadata, "recipe", m->recipe);
    snprintf(features, sizeof features, "%zu", m->features); /* metadata are strings */
    cJSON_AddStringToObject(metadata, "features", features);
    put_constants(m, constants, options);
    list_tensors(m, constants, options, t);
    enum status st = safetensors_write(path, t, TENSORS, metadata, err);
    cJSON_Delete(metadata);
    return st;
}

static bool are_constants_sane(const struct mlp *m, const double *c, const double *options)
{
    for (size_t i = 0; i < constants_of(m); i++)
        if (!isfinite(c[i]))
            return false;
    for (size_t k = 0; k < m->features; k++)
        if (!(c[m->features + k] > 0))
            return false;
    for (size_t i = 0; i < OPTIONS; i++)
        if (!(options[i] >= 0 && options[i] <= 1e9))
            return false;
    return options[0] >= 1 && options[3] >= 1;
}

static enum status read_values(struct mlp *m, const struct safetensors *f, const char *path,
                               struct error *err)
{
    double constants[CONSTANTS_MAX] = {0}, options[OPTIONS] = {0};
    struct safetensors_tensor t[TENSORS];

    list_tensors(m, constants, options, t); /* the places to fill */
    for (size_t i = 0; i < TENSORS; i++) {
        const struct safetensors_tensor *found =
            safetensors_expect(f, t[i].name, t[i].dtype, t[i].rank, t[i].shape, err);
        if (!found)
            return STATUS_INPUT;
        memcpy((void *)t[i].data, found->data, t[i].len_bytes);
    }
    for (size_t i = 0; i < mlp_count(m); i++)
        if (!isfinite(m->values[i]))
            return error_set(err, STATUS_INPUT, "mlp", "%s: a value is not finite", path);
    if (!are_constants_sane(m, constants, options))
        return error_set(err, STATUS_INPUT, "mlp", "%s: its constants cannot be", path);
    take_constants(m, constants, options);
    return STATUS_OK;
}

enum status mlp_load(const char *path, struct mlp **out, struct error *err)
{
    static const int64_t any[] = {-1, -1};
    struct safetensors *f = NULL;
    struct mlp *m = NULL;
    enum status st = safetensors_open(path, &f, err);

    *out = NULL;
    if (st)
        return st;
    const char *format = safetensors_metadata(f, "format");
    const char *recipe = safetensors_metadata(f, "recipe");
    const char *features = safetensors_metadata(f, "features");
    if (!format || strcmp(format, FORMAT) != 0 || !recipe || strlen(recipe) >= sizeof m->recipe) {
        error_set(err, STATUS_INPUT, "mlp", "%s is no distilled policy", path);
        st = error_hint(err, "netllm distill makes one of a checkpoint");
        goto out;
    }
    const struct safetensors_tensor *w =
        safetensors_expect(f, "0.weight", SAFETENSORS_F32, 2, any, err);
    if (!w) {
        st = STATUS_INPUT;
        goto out;
    }
    int count = recipe_features(recipe_of(recipe));
    /* Of the files from before the recipe loop, all of three, none says so. */
    if (features ? strtol(features, NULL, 10) != count : count != POOL_THROUGHPUT_BPS + 1) {
        st = error_set(err, STATUS_INPUT, "mlp", "%s: its states are not those of recipe %s", path,
                       recipe);
        goto out;
    }
    if (w->shape[1] <= 0 || w->shape[1] % (count + 2)) {
        st = error_set(err, STATUS_INPUT, "mlp", "%s: 0.weight has %lld inputs", path,
                       (long long)w->shape[1]);
        goto out;
    }
    if ((st = mlp_new(recipe, (size_t)(w->shape[1] / (count + 2)), (size_t)w->shape[0], &m, err)))
        goto out;
    st = read_values(m, f, path, err);
out:
    safetensors_close(f);
    if (st)
        mlp_free(m);
    else
        *out = m;
    return st;
}
