#include "model/pool.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/json.h"
#include "model/moments.h"
#include "model/recipe.h"
#include "model/safetensors.h"

#define POOL_FORMAT  "ccalab-pool"
#define POOL_VERSION "1"
#define SAME_ADVICE  1e-6 /* nearer to the action it is that, but for rounding */

const char *pool_feature_name(enum pool_feature feature)
{
    static const char *const names[] = {"rtt_s",     "cwnd_bytes", "throughput_bps",
                                        "min_rtt_s", "ce_share",   "lost_share"};
    return names[feature];
}

struct pool *pool_new(const char *recipe)
{
    struct pool *p = calloc(1, sizeof *p);
    if (p) {
        p->features = recipe_features(recipe_of(recipe));
        snprintf(p->recipe, sizeof p->recipe, "%s", recipe);
        p->reward_mean = p->reward_std = NAN;
    }
    return p;
}

void pool_free(struct pool *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->episode_count; i++)
        free(p->episodes[i].source);
    free(p->episodes);
    free(p->states);
    free(p->actions);
    free(p->rewards);
    free(p->t_s);
    free(p->advice);
    free(p);
}

static enum status out_of_memory(struct error *err)
{
    return error_set(err, STATUS_NOMEM, "pool", "no memory for the pool");
}

static enum status reserve(struct pool *p, size_t rows, struct error *err)
{
    if (rows > POOL_ROWS_MAX)
        return error_set(err, STATUS_NOMEM, "pool", "more than %u rows", POOL_ROWS_MAX);
    if (rows <= p->cap)
        return STATUS_OK;
    size_t cap = p->cap ? p->cap * 2 : 256;
    while (cap < rows)
        cap *= 2;
    void *states = realloc(p->states, cap * sizeof *p->states);
    if (states)
        p->states = states;
    void *actions = realloc(p->actions, cap * sizeof *p->actions);
    if (actions)
        p->actions = actions;
    void *rewards = realloc(p->rewards, cap * sizeof *p->rewards);
    if (rewards)
        p->rewards = rewards;
    void *t_s = realloc(p->t_s, cap * sizeof *p->t_s);
    if (t_s)
        p->t_s = t_s;
    void *advice = realloc(p->advice, cap * sizeof *p->advice);
    if (advice)
        p->advice = advice;
    if (!states || !actions || !rewards || !t_s || !advice)
        return out_of_memory(err);
    p->cap = cap;
    return STATUS_OK;
}

enum status pool_add(struct pool *p, const float *state, double action, double reward,
                     struct error *err)
{
    enum status st = reserve(p, p->rows + 1, err);
    if (st)
        return st;
    memset(p->states[p->rows], 0, sizeof *p->states);
    memcpy(p->states[p->rows], state, (size_t)p->features * sizeof *state);
    p->actions[p->rows] = p->advice[p->rows] = action;
    p->rewards[p->rows] = reward;
    size_t begin = p->episode_count ? p->episodes[p->episode_count - 1].end : 0;
    p->t_s[p->rows] = POOL_ROW_S * (double)(p->rows - begin);
    p->rows++;
    return STATUS_OK;
}

enum status pool_end_episode(struct pool *p, const struct pool_episode *info, struct error *err)
{
    size_t begin = p->episode_count ? p->episodes[p->episode_count - 1].end : 0;
    if (begin == p->rows)
        return STATUS_OK;
    /* Doubling at the powers of two, so that a pool of one-row episodes stays linear. */
    if ((p->episode_count & (p->episode_count - 1)) == 0) {
        size_t cap = p->episode_count ? p->episode_count * 2 : 1;
        void *episodes = realloc(p->episodes, cap * sizeof *p->episodes);
        if (!episodes)
            return out_of_memory(err);
        p->episodes = episodes;
    }
    struct pool_episode e = *info;
    e.begin = begin;
    e.end = p->rows;
    e.source = strdup(info->source ? info->source : "");
    if (!e.source)
        return out_of_memory(err);
    p->episodes[p->episode_count++] = e;
    return STATUS_OK;
}

/* --- file ------------------------------------------------------------------------------------- */

static bool has_times_and_advice(const struct pool *p)
{
    return recipe_of(p->recipe) == RECIPE_LOOP;
}

static cJSON *flows_json(const struct pool *p)
{
    cJSON *flows = cJSON_CreateArray();
    for (size_t i = 0; i < p->episode_count; i++) {
        const struct pool_episode *e = &p->episodes[i];
        cJSON *o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "source", e->source);
        cJSON_AddStringToObject(o, "cc", e->cc);
        cJSON_AddNumberToObject(o, "stream", e->stream);
        cJSON_AddNumberToObject(o, "rows", (double)(e->end - e->begin));
        json_add_num(o, "cwnd_min", e->cwnd_min);
        json_add_num(o, "cwnd_max", e->cwnd_max);
        if (e->scenario[0]) {
            cJSON_AddStringToObject(o, "scenario", e->scenario);
            json_add_num(o, "seed", e->seed);
        }
        cJSON_AddItemToArray(flows, o);
    }
    return flows;
}

/* The names of the features with commas between and after them. */
static void put_feature_names(const struct pool *p, struct buf *out)
{
    for (int k = 0; k < p->features; k++)
        buf_printf(out, "%s,", pool_feature_name((enum pool_feature)k));
}

/* The states as they lie in a file, [rows, features]. NULL without memory; caller frees. */
static float *dense_states(const struct pool *p)
{
    size_t features = (size_t)p->features;
    float *states = calloc(p->rows, features * sizeof *states);
    for (size_t i = 0; states && i < p->rows; i++)
        memcpy(states + i * features, p->states[i], features * sizeof *states);
    return states;
}

/* Metadata of safetensors are strings. */
static void add_digits(cJSON *metadata, const char *key, double v)
{
    char text[32];
    snprintf(text, sizeof text, "%.17g", v);
    cJSON_AddStringToObject(metadata, key, text);
}

static double digits(const struct safetensors *f, const char *key)
{
    const char *text = safetensors_metadata(f, key);
    return text ? strtod(text, NULL) : NAN;
}

enum status pool_save(const struct pool *p, const char *path, struct error *err)
{
    if (!p->rows)
        return error_set(err, STATUS_INPUT, "pool", "the pool has no rows");
    uint8_t *dones = calloc(p->rows, 1);
    float *states = dense_states(p);
    struct buf columns;
    buf_init(&columns, 256);
    put_feature_names(p, &columns);
    if (!dones || !states || columns.is_failed) {
        free(dones);
        free(states);
        buf_done(&columns);
        return out_of_memory(err);
    }
    columns.data[columns.len - 1] = '\0'; /* the last comma */
    for (size_t i = 0; i < p->episode_count; i++)
        dones[p->episodes[i].end - 1] = 1;

    int64_t n = (int64_t)p->rows;
    size_t without = has_times_and_advice(p) ? 0 : 2;
    struct safetensors_tensor tensors[] = {
        {"t", SAFETENSORS_F64, 1, {n}, p->t_s, p->rows * sizeof *p->t_s},
        {"advice", SAFETENSORS_F64, 1, {n}, p->advice, p->rows * sizeof *p->advice},
        {"actions", SAFETENSORS_F64, 1, {n}, p->actions, p->rows * sizeof *p->actions},
        {"rewards", SAFETENSORS_F64, 1, {n}, p->rewards, p->rows * sizeof *p->rewards},
        {"states",
         SAFETENSORS_F32,
         2,
         {n, p->features},
         states,
         p->rows * (size_t)p->features * sizeof *states},
        {"dones", SAFETENSORS_BOOL, 1, {n}, dones, p->rows},
    };
    cJSON *metadata = cJSON_CreateObject();
    cJSON_AddStringToObject(metadata, "format", POOL_FORMAT);
    cJSON_AddStringToObject(metadata, "format_version", POOL_VERSION);
    cJSON_AddStringToObject(metadata, "recipe", p->recipe);
    cJSON_AddStringToObject(metadata, "columns", (const char *)columns.data);
    cJSON *flows = flows_json(p);
    char *text = cJSON_PrintUnformatted(flows);
    cJSON_AddStringToObject(metadata, "flows", text ? text : "[]");
    if (isfinite(p->reward_mean))
        add_digits(metadata, "reward_mean", p->reward_mean);
    if (isfinite(p->reward_std))
        add_digits(metadata, "reward_std", p->reward_std);
    enum status st = safetensors_write(path, tensors + without,
                                       sizeof tensors / sizeof *tensors - without, metadata, err);
    cJSON_free(text);
    cJSON_Delete(flows);
    cJSON_Delete(metadata);
    buf_done(&columns);
    free(states);
    free(dones);
    return st;
}

/* Provenance of an episode from its object in the metadata; what is absent stays unknown. */
static struct pool_episode episode_info(const cJSON *o)
{
    struct pool_episode e = {
        .source = (char *)json_str(o, "source", ""),
        .stream = (int)json_num(o, "stream", 0),
        .cwnd_min = json_num(o, "cwnd_min", NAN),
        .cwnd_max = json_num(o, "cwnd_max", NAN),
        .seed = json_num(o, "seed", NAN),
    };
    snprintf(e.scenario, sizeof e.scenario, "%s", json_str(o, "scenario", ""));
    snprintf(e.cc, sizeof e.cc, "%s", json_str(o, "cc", ""));
    return e;
}

enum status pool_check_row(const struct pool *p, size_t i, const char *path, struct error *err)
{
    const float *state = p->states[i];
    const char *what = NULL, *why = "is not a finite number";
    for (int k = 0; k < p->features; k++)
        if (!isfinite(state[k]))
            what = pool_feature_name((enum pool_feature)k);
    if (!isfinite(p->advice[i]))
        what = "advice";
    if (!isfinite(p->actions[i])) /* which is the advice where nobody was asked */
        what = "action";
    if (!isfinite(p->rewards[i]))
        what = "reward";
    size_t begin = p->episode_count ? p->episodes[p->episode_count - 1].end : 0;
    if (!isfinite(p->t_s[i])) {
        what = "t";
    } else if (!what && i > begin && p->t_s[i] < p->t_s[i - 1]) {
        what = "t";
        why = "is before that of the row above";
    }
    for (int k = POOL_MIN_RTT_S; k < p->features && !what; k++) {
        if (k == POOL_MIN_RTT_S ? state[k] > 0 : state[k] >= 0)
            continue;
        what = pool_feature_name((enum pool_feature)k);
        why = k == POOL_MIN_RTT_S ? "is not positive" : "is negative";
    }
    if (!what)
        return STATUS_OK;
    return error_set(err, STATUS_INPUT, "pool", "%s: row %zu: %s %s", path, i, what, why);
}

enum status pool_load(const char *path, struct pool **out, struct error *err)
{
    enum status st;
    struct safetensors *f = NULL;
    struct pool *p = NULL;
    cJSON *flows = NULL;
    *out = NULL;
    if ((st = safetensors_open(path, &f, err)))
        goto out;
    const char *format = safetensors_metadata(f, "format");
    const char *version = safetensors_metadata(f, "format_version");
    if (!format || strcmp(format, POOL_FORMAT) != 0 || !version ||
        strcmp(version, POOL_VERSION) != 0) {
        st = error_set(err, STATUS_INPUT, "pool", "%s is no experience pool of version %s", path,
                       POOL_VERSION);
        error_hint(err, "build one with: netllm pool build -o FILE RUN-DIRECTORY");
        goto out;
    }

    const char *recipe = safetensors_metadata(f, "recipe");
    if (!(p = pool_new(recipe ? recipe : "unknown"))) {
        st = out_of_memory(err);
        goto out;
    }

    const struct safetensors_tensor *states, *actions, *rewards, *dones, *times = NULL,
                                                                         *advice = NULL;
    bool is_loop = has_times_and_advice(p);
    st = STATUS_INPUT;
    if (!(states = safetensors_expect(f, "states", SAFETENSORS_F32, 2, (int64_t[]){-1, -1}, err)))
        goto out;
    if (states->shape[1] != p->features) {
        error_set(err, STATUS_INPUT, "pool",
                  "%s: 'states' has %lld columns, those of recipe %s have %d", path,
                  (long long)states->shape[1], p->recipe, p->features);
        goto out;
    }
    int64_t n = states->shape[0];
    if (!(actions = safetensors_expect(f, "actions", SAFETENSORS_F64, 1, &n, err)) ||
        !(rewards = safetensors_expect(f, "rewards", SAFETENSORS_F64, 1, &n, err)) ||
        !(dones = safetensors_expect(f, "dones", SAFETENSORS_BOOL, 1, &n, err)) ||
        (is_loop && (!(times = safetensors_expect(f, "t", SAFETENSORS_F64, 1, &n, err)) ||
                     !(advice = safetensors_expect(f, "advice", SAFETENSORS_F64, 1, &n, err)))))
        goto out;
    if (n == 0) {
        error_set(err, STATUS_INPUT, "pool", "%s has no rows", path);
        goto out;
    }

    p->reward_mean = digits(f, "reward_mean");
    p->reward_std = digits(f, "reward_std");
    if ((st = reserve(p, (size_t)n, err)))
        goto out;
    memset(p->states, 0, (size_t)n * sizeof *p->states);
    for (size_t i = 0, row = states->len_bytes / (size_t)n; i < (size_t)n; i++)
        memcpy(p->states[i], (const uint8_t *)states->data + i * row, row);
    memcpy(p->actions, actions->data, actions->len_bytes);
    memcpy(p->advice, (advice ? advice : actions)->data, actions->len_bytes);
    memcpy(p->rewards, rewards->data, rewards->len_bytes);
    if (times)
        memcpy(p->t_s, times->data, times->len_bytes);
    else
        memset(p->t_s, 0, (size_t)n * sizeof *p->t_s);

    const char *text = safetensors_metadata(f, "flows");
    flows = text ? cJSON_Parse(text) : NULL;
    const cJSON *flow = cJSON_IsArray(flows) ? flows->child : NULL;
    const uint8_t *done = dones->data;
    for (size_t i = 0; i < (size_t)n && !st; i++) {
        p->rows = i + 1;
        if ((st = pool_check_row(p, i, path, err)))
            goto out;
        if (done[i] || i + 1 == (size_t)n) {
            struct pool_episode info = episode_info(flow);
            flow = flow ? flow->next : NULL;
            st = pool_end_episode(p, &info, err);
        }
    }
out:
    cJSON_Delete(flows);
    safetensors_close(f);
    if (st)
        pool_free(p);
    else
        *out = p;
    return st;
}

enum status pool_export_csv(const struct pool *p, const char *path, struct error *err)
{
    struct buf text;
    enum status st;
    size_t episode = 0;
    bool has_advice = has_times_and_advice(p);

    buf_init(&text, SIZE_MAX / 2);
    put_feature_names(p, &text);
    buf_puts(&text, has_advice ? "action,advice,reward,done\n" : "action,reward,done\n");
    for (size_t i = 0; i < p->rows; i++) {
        bool is_done = episode < p->episode_count && i + 1 == p->episodes[episode].end;
        episode += is_done;
        for (int k = 0; k < p->features; k++) /* read as a double it is the same float32 */
            buf_printf(&text, "%.17g,", (double)p->states[i][k]);
        buf_printf(&text, "%.17g,", p->actions[i]);
        if (has_advice)
            buf_printf(&text, "%.17g,", p->advice[i]);
        buf_printf(&text, "%.17g,%d\n", p->rewards[i], is_done);
    }
    st = text.is_failed ? out_of_memory(err) : file_write_atomic(path, text.data, text.len, err);
    buf_done(&text);
    return st;
}

/* --- description ------------------------------------------------------------------------------ */

static double value_at(const struct pool *p, int column, size_t row)
{
    if (column < p->features)
        return p->states[row][column];
    return column == p->features ? p->actions[row] : p->rewards[row];
}

/* Of the rows whose advice is another than the action. */
static void add_advice(cJSON *o, const struct pool *p)
{
    struct moments m = {0};

    for (size_t i = 0; i < p->rows; i++)
        if (fabs(p->advice[i] - p->actions[i]) > SAME_ADVICE)
            moments_add(&m, p->advice[i]);
    cJSON *advice = cJSON_AddObjectToObject(o, "advice");
    json_add_num(advice, "share", m.n / (double)p->rows);
    json_add_num(advice, "mean", m.n > 0 ? m.mean : NAN);
    json_add_num(advice, "std", moments_std(&m));
}

cJSON *pool_describe(const struct pool *p)
{
    cJSON *o = cJSON_CreateObject();
    cJSON_AddNumberToObject(o, "rows", (double)p->rows);
    cJSON_AddNumberToObject(o, "episodes", (double)p->episode_count);
    cJSON_AddStringToObject(o, "recipe", p->recipe);
    cJSON *columns = cJSON_AddObjectToObject(o, "columns");
    for (int c = 0; c < p->features + 2; c++) {
        double min = INFINITY, max = -INFINITY, sum = 0;
        for (size_t i = 0; i < p->rows; i++) {
            double v = value_at(p, c, i);
            min = v < min ? v : min;
            max = v > max ? v : max;
            sum += v;
        }
        const char *name = c < p->features    ? pool_feature_name((enum pool_feature)c)
                           : c == p->features ? "action"
                                              : "reward";
        cJSON *range = cJSON_AddObjectToObject(columns, name);
        json_add_num(range, "min", min);
        json_add_num(range, "mean", sum / (double)p->rows);
        json_add_num(range, "max", max);
    }
    if (has_times_and_advice(p))
        add_advice(o, p);
    if (isfinite(p->reward_mean)) {
        json_add_num(o, "reward_mean", p->reward_mean);
        json_add_num(o, "reward_std", p->reward_std);
    }
    cJSON_AddItemToObject(o, "flows", flows_json(p));
    return o;
}
