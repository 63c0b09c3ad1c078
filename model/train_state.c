#include "model/train_state.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/json.h"
#include "core/paths.h"
#include "model/checkpoint.h"
#include "model/policy_state.h"
#include "model/safetensors.h"

#define FORMAT    "ccalab-training-2"
#define NAME_MAX_ 512

enum counter { EPOCH, WINDOWS_DONE, STEP, BEST_EPOCH, STEPS_TAKEN, RANDOM, WINDOWS_SEEN, COUNTERS };
enum loss { BEST_LOSS, TRAIN_LOSS, EPOCH_SUM, SECONDS, LOSSES };

static const char *const kinds[] = {"value", "first", "second"};
#define KINDS 3

static enum status path_of(const char *dir, char path[CCALAB_PATH_MAX], struct error *err)
{
    if (path_join(path, CCALAB_PATH_MAX, dir, CHECKPOINT_STATE))
        return STATUS_OK;
    return error_set(err, STATUS_IO, "adapt", "path too long: %s/%s", dir, CHECKPOINT_STATE);
}

static enum status no_memory(struct error *err)
{
    return error_set(err, STATUS_NOMEM, "adapt", "no memory for the state of the training");
}

bool train_state_exists(const char *dir)
{
    char path[CCALAB_PATH_MAX];
    return !path_of(dir, path, NULL) && access(path, F_OK) == 0;
}

void train_state_remove(const char *dir)
{
    char path[CCALAB_PATH_MAX];
    if (!path_of(dir, path, NULL))
        unlink(path);
}

/* --- writing ---------------------------------------------------------------------------------- */

/* Tensors to write; names and data of those of parameters are ours to free. */
struct writer {
    struct safetensors_tensor *tensors;
    size_t count, owned; /* the first `owned` ones */
};

static void writer_done(struct writer *w)
{
    for (size_t i = 0; i < w->owned; i++) {
        free((void *)w->tensors[i].name);
        free((void *)w->tensors[i].data);
    }
    free(w->tensors);
}

static enum status write_param(struct writer *w, const struct policy *p, size_t index,
                               const struct policy_param *info, struct error *err)
{
    float *data[KINDS] = {0};
    for (int k = 0; k < KINDS; k++) {
        struct safetensors_tensor *t = &w->tensors[w->count++];
        char name[NAME_MAX_];
        snprintf(name, sizeof name, "%s/%s", kinds[k], info->name);
        data[k] = malloc(info->numel * sizeof(float) + 1);
        *t = (struct safetensors_tensor){.name = strdup(name),
                                         .dtype = SAFETENSORS_F32,
                                         .rank = info->rank,
                                         .shape = {info->shape[0], info->shape[1]},
                                         .data = data[k],
                                         .len_bytes = info->numel * sizeof(float)};
        w->owned = w->count;
        if (!t->name || !data[k])
            return no_memory(err);
    }
    enum status st = policy_param_read(p, index, data[0], err);
    return st ? st : policy_moments_read(p, index, data[1], data[2], err);
}

static void add(struct writer *w, const char *name, enum safetensors_dtype dtype, size_t count,
                const void *data)
{
    w->tensors[w->count++] =
        (struct safetensors_tensor){.name = name,
                                    .dtype = dtype,
                                    .rank = 1,
                                    .shape = {(int64_t)count},
                                    .data = data,
                                    .len_bytes = count * safetensors_dtype_bytes(dtype)};
}

static cJSON *metadata_of(const cJSON *options, const cJSON *arguments)
{
    cJSON *o = cJSON_CreateObject();
    char *text = cJSON_PrintUnformatted(options);
    char *line = arguments ? cJSON_PrintUnformatted(arguments) : NULL;
    if (!text || (arguments && !line) || !cJSON_AddStringToObject(o, "format", FORMAT) ||
        !cJSON_AddStringToObject(o, "options", text) ||
        !cJSON_AddStringToObject(o, "arguments", line ? line : "[]")) {
        cJSON_Delete(o);
        o = NULL;
    }
    cJSON_free(text);
    cJSON_free(line);
    return o;
}

enum status train_state_save(const char *dir, const struct train_state *s, const struct policy *p,
                             const cJSON *options, const cJSON *arguments, struct error *err)
{
    char path[CCALAB_PATH_MAX];
    enum status st;
    size_t params = policy_param_count(p);
    struct writer w = {.tensors = calloc(KINDS * params + 3, sizeof *w.tensors)};
    int64_t *order = malloc((s->windows + 1) * sizeof *order);
    cJSON *metadata = metadata_of(options, arguments);
    const int64_t counters[COUNTERS] = {[EPOCH] = s->epoch,
                                        [WINDOWS_DONE] = (int64_t)s->windows_done,
                                        [STEP] = s->step,
                                        [BEST_EPOCH] = s->best_epoch,
                                        [STEPS_TAKEN] = policy_steps_taken(p),
                                        [RANDOM] = (int64_t)s->random,
                                        [WINDOWS_SEEN] = policy_windows_seen(p)};
    const double losses[LOSSES] = {[BEST_LOSS] = s->best_loss,
                                   [TRAIN_LOSS] = s->train_loss,
                                   [EPOCH_SUM] = s->epoch_sum,
                                   [SECONDS] = s->seconds};
    if (!w.tensors || !order || !metadata) {
        st = no_memory(err);
        goto out;
    }
    if ((st = path_of(dir, path, err)) || (st = path_mkdirs(dir, err)))
        goto out;
    for (size_t i = 0; i < params && !st; i++) {
        struct policy_param info;
        policy_param_info(p, i, &info);
        if (info.is_trained)
            st = write_param(&w, p, i, &info, err);
    }
    if (st)
        goto out;
    for (size_t i = 0; i < s->windows; i++)
        order[i] = (int64_t)s->order[i];
    add(&w, "order", SAFETENSORS_I64, s->windows, order);
    add(&w, "counters", SAFETENSORS_I64, COUNTERS, counters);
    add(&w, "losses", SAFETENSORS_F64, LOSSES, losses);
    st = safetensors_write(path, w.tensors, w.count, metadata, err);
out:
    if (w.tensors)
        writer_done(&w);
    cJSON_Delete(metadata);
    free(order);
    return st;
}

/* --- reading ---------------------------------------------------------------------------------- */

/* Name of the first field of `now` that is not the same in `then`; NULL if all are. */
static const char *first_difference(const cJSON *now, const cJSON *then)
{
    for (const cJSON *v = now->child; v; v = v->next) {
        const cJSON *was = cJSON_GetObjectItemCaseSensitive(then, v->string);
        const char *inside =
            cJSON_IsObject(v) && cJSON_IsObject(was) ? first_difference(v, was) : NULL;
        if (inside)
            return inside;
        if (!cJSON_Compare(v, was, true))
            return v->string;
    }
    return NULL;
}

static enum status check_options(const char *path, const struct safetensors *f,
                                 const cJSON *options, struct error *err)
{
    const char *format = safetensors_metadata(f, "format");
    const char *text = safetensors_metadata(f, "options");
    if (!format || strcmp(format, FORMAT) != 0 || !text)
        return error_set(err, STATUS_INPUT, "adapt", "%s is no state of a training", path);
    cJSON *then = json_parse(text, strlen(text), path, err);
    if (!then)
        return STATUS_INPUT;
    enum status st = STATUS_OK;
    const char *name = first_difference(options, then);
    if (name) {
        error_set(err, STATUS_INPUT, "adapt",
                  "'%s' is not what it was when the training in %s began", name, path);
        st = error_hint(err, "resume with the same options and pool, or begin anew without "
                             "--resume");
    }
    cJSON_Delete(then);
    return st;
}

static enum status read_param(struct policy *p, size_t index, const struct policy_param *info,
                              const struct safetensors *f, const char *path, struct error *err)
{
    float *values[KINDS] = {0};
    enum status st = STATUS_OK;
    for (int k = 0; k < KINDS && !st; k++) {
        char name[NAME_MAX_];
        snprintf(name, sizeof name, "%s/%s", kinds[k], info->name);
        const struct safetensors_tensor *t =
            safetensors_expect(f, name, SAFETENSORS_F32, info->rank, info->shape, err);
        if (!t) {
            st = STATUS_INPUT;
            break;
        }
        values[k] = malloc(t->len_bytes + 1);
        if (!values[k]) {
            st = no_memory(err);
            break;
        }
        memcpy(values[k], t->data, t->len_bytes);
        for (size_t i = 0; i < info->numel && !st; i++)
            if (!isfinite(values[k][i]) || (k == 2 && values[k][i] < 0))
                st = error_set(err, STATUS_INPUT, "adapt", "%s: tensor '%s' holds an odd value",
                               path, name);
    }
    if (!st)
        st = policy_param_write(p, index, values[0], err);
    if (!st)
        st = policy_moments_write(p, index, values[1], values[2], err);
    for (int k = 0; k < KINDS; k++)
        free(values[k]);
    return st;
}

static enum status odd(const char *path, const char *what, struct error *err)
{
    return error_set(err, STATUS_INPUT, "adapt", "%s: '%s' is out of range", path, what);
}

static enum status read_numbers(struct train_state *s, struct policy *p,
                                const struct safetensors *f, const char *path, struct error *err)
{
    int64_t counters[COUNTERS];
    double losses[LOSSES];
    const struct safetensors_tensor *c = safetensors_expect(f, "counters", SAFETENSORS_I64, 1,
                                                            (const int64_t[]){COUNTERS}, err),
                                    *l = safetensors_expect(f, "losses", SAFETENSORS_F64, 1,
                                                            (const int64_t[]){LOSSES}, err);
    if (!c || !l)
        return STATUS_INPUT;
    memcpy(counters, c->data, sizeof counters);
    memcpy(losses, l->data, sizeof losses);
    for (int i = 0; i < RANDOM; i++)
        if (counters[i] < 0 || counters[i] > INT32_MAX)
            return odd(path, "counters", err);
    if (counters[EPOCH] < 1 || counters[BEST_EPOCH] > counters[EPOCH] ||
        (uint64_t)counters[WINDOWS_DONE] > s->windows || counters[WINDOWS_SEEN] < 0)
        return odd(path, "counters", err);
    s->epoch = (int)counters[EPOCH];
    s->windows_done = (size_t)counters[WINDOWS_DONE];
    s->step = (int)counters[STEP];
    s->best_epoch = (int)counters[BEST_EPOCH];
    s->random = (uint64_t)counters[RANDOM];
    s->best_loss = losses[BEST_LOSS];
    s->train_loss = losses[TRAIN_LOSS];
    s->epoch_sum = losses[EPOCH_SUM];
    s->seconds = losses[SECONDS];
    policy_set_steps_taken(p, counters[STEPS_TAKEN]);
    policy_set_windows_seen(p, counters[WINDOWS_SEEN]);
    return STATUS_OK;
}

/* The order must be a permutation: an index outside the windows would be read. */
static enum status read_order(struct train_state *s, const struct safetensors *f, const char *path,
                              struct error *err)
{
    const int64_t shape[] = {(int64_t)s->windows};
    const struct safetensors_tensor *t =
        safetensors_expect(f, "order", SAFETENSORS_I64, 1, shape, err);
    if (!t)
        return STATUS_INPUT;
    bool *is_seen = calloc(s->windows + 1, sizeof *is_seen);
    if (!is_seen)
        return no_memory(err);
    enum status st = STATUS_OK;
    for (size_t i = 0; i < s->windows && !st; i++) {
        int64_t window;
        memcpy(&window, (const char *)t->data + i * sizeof window, sizeof window);
        if (window < 0 || (uint64_t)window >= s->windows || is_seen[window]) {
            st = odd(path, "order", err);
            break;
        }
        is_seen[window] = true;
        s->order[i] = (size_t)window;
    }
    free(is_seen);
    return st;
}

enum status train_state_load(const char *dir, struct train_state *s, struct policy *p,
                             const cJSON *options, struct error *err)
{
    char path[CCALAB_PATH_MAX];
    struct safetensors *f = NULL;
    enum status st = path_of(dir, path, err);
    if (st || (st = safetensors_open(path, &f, err)))
        return st;
    if ((st = check_options(path, f, options, err)) || (st = read_numbers(s, p, f, path, err)) ||
        (st = read_order(s, f, path, err)))
        goto out;
    for (size_t i = 0; i < policy_param_count(p) && !st; i++) {
        struct policy_param info;
        policy_param_info(p, i, &info);
        if (info.is_trained)
            st = read_param(p, i, &info, f, path, err);
    }
out:
    safetensors_close(f);
    return st;
}

cJSON *train_state_arguments(const char *dir, struct error *err)
{
    char path[CCALAB_PATH_MAX];
    struct safetensors *f = NULL;
    cJSON *list = NULL;
    if (path_of(dir, path, err) || safetensors_open(path, &f, err))
        return NULL;
    const char *format = safetensors_metadata(f, "format");
    const char *text = safetensors_metadata(f, "arguments");
    if (format && strcmp(format, FORMAT) == 0 && text)
        list = json_parse(text, strlen(text), path, err);
    else
        error_set(err, STATUS_INPUT, "adapt", "%s is no state of a training", path);
    for (const cJSON *v = list ? list->child : NULL; v; v = v->next)
        if (!cJSON_IsString(v)) {
            error_set(err, STATUS_INPUT, "adapt", "%s: 'arguments' is no list of strings", path);
            cJSON_Delete(list);
            list = NULL;
            break;
        }
    safetensors_close(f);
    return list;
}
