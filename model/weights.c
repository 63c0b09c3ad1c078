#include "model/weights.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/json.h"
#include "core/paths.h"
#include "model/torch_zip.h"

#define INDEX_MAX_BYTES (16u << 20)
#define SHARDS_MAX      1000

/* One file, of either kind. */
struct shard {
    char *name;
    struct safetensors *safetensors;
    struct torch_zip *zip;
};

struct entry {
    const struct safetensors_tensor *tensor;
    const struct shard *shard;
};

struct weights {
    char dir[CCALAB_PATH_MAX];
    struct shard *shards;
    size_t shard_count;
    struct entry *entries; /* by name */
    size_t entry_count;
};

static enum status no_memory(const struct weights *w, struct error *err)
{
    return error_set(err, STATUS_NOMEM, "weights", "no memory to read %s", w->dir);
}

/* --- files ------------------------------------------------------------------------------------ */

static enum status open_shard(struct weights *w, const char *name, bool is_zip, struct error *err)
{
    char path[CCALAB_PATH_MAX];
    struct shard *s = &w->shards[w->shard_count];
    if (!path_join(path, sizeof path, w->dir, name))
        return error_set(err, STATUS_IO, "weights", "path too long: %s/%s", w->dir, name);
    if (!(s->name = strdup(name)))
        return no_memory(w, err);
    w->shard_count++;
    return is_zip ? torch_zip_open(path, &s->zip, err)
                  : safetensors_open(path, &s->safetensors, err);
}

static bool is_listed(const struct weights *w, const char *name)
{
    for (size_t i = 0; i < w->shard_count; i++)
        if (strcmp(w->shards[i].name, name) == 0)
            return true;
    return false;
}

/* weight_map of an index: {"tensor": "file"}. */
static enum status open_index(struct weights *w, const char *path, bool is_zip, struct error *err)
{
    enum status st = STATUS_OK;
    cJSON *root = json_read_file(path, INDEX_MAX_BYTES, err);
    if (!root)
        return err->status;
    const cJSON *map = json_get(root, "weight_map"), *v;
    if (!cJSON_IsObject(map))
        st = error_set(err, STATUS_INPUT, "weights", "%s: 'weight_map' is missing", path);
    cJSON_ArrayForEach(v, map)
    {
        const char *name = cJSON_IsString(v) ? v->valuestring : "";
        if (!*name || strchr(name, '/') || *name == '.')
            st = error_set(err, STATUS_INPUT, "weights",
                           "%s: 'weight_map': the file of '%.100s' is no name in this folder", path,
                           v->string);
        else if (is_listed(w, name))
            continue;
        else if (w->shard_count == SHARDS_MAX)
            st = error_set(err, STATUS_INPUT, "weights", "%s: 'weight_map' names over %d files",
                           path, SHARDS_MAX);
        else
            st = open_shard(w, name, is_zip, err);
        if (st)
            break;
    }
    cJSON_Delete(root);
    return st;
}

static enum status open_files(struct weights *w, struct error *err)
{
    static const struct {
        const char *name;
        bool is_zip, is_index;
    } known[] = {
        {"model.safetensors", false, false},
        {"model.safetensors.index.json", false, true},
        {"pytorch_model.bin", true, false},
        {"pytorch_model.bin.index.json", true, true},
    };
    char path[CCALAB_PATH_MAX];
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (!path_join(path, sizeof path, w->dir, known[i].name))
            return error_set(err, STATUS_IO, "weights", "path too long: %s", w->dir);
        if (access(path, F_OK) != 0)
            continue;
        return known[i].is_index ? open_index(w, path, known[i].is_zip, err)
                                 : open_shard(w, known[i].name, known[i].is_zip, err);
    }
    error_set(err, STATUS_IO, "weights", "%s holds no weights", w->dir);
    return error_hint(err, "wanted there: model.safetensors or pytorch_model.bin, or an index "
                           "(*.index.json) with its shards");
}

static size_t shard_size(const struct shard *s)
{
    return s->zip ? torch_zip_count(s->zip) : safetensors_count(s->safetensors);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->tensor->name, ((const struct entry *)b)->tensor->name);
}

static enum status list_tensors(struct weights *w, struct error *err)
{
    size_t count = 0;
    for (size_t i = 0; i < w->shard_count; i++)
        count += shard_size(&w->shards[i]);
    w->entries = calloc(count + 1, sizeof *w->entries);
    if (!w->entries)
        return no_memory(w, err);
    for (size_t i = 0; i < w->shard_count; i++) {
        const struct shard *s = &w->shards[i];
        for (size_t k = 0; k < shard_size(s); k++)
            w->entries[w->entry_count++] = (struct entry){
                s->zip ? torch_zip_at(s->zip, k) : safetensors_at(s->safetensors, k), s};
    }
    qsort(w->entries, w->entry_count, sizeof *w->entries, by_name);
    for (size_t i = 1; i < w->entry_count; i++)
        if (by_name(&w->entries[i - 1], &w->entries[i]) == 0)
            return error_set(err, STATUS_INPUT, "weights", "%s: tensor '%.100s' is there twice",
                             w->dir, w->entries[i].tensor->name);
    return STATUS_OK;
}

enum status weights_open(const char *dir, struct weights **out, struct error *err)
{
    struct error local;
    err = err ? err : &local;
    *out = NULL;
    struct weights *w = calloc(1, sizeof *w);
    if (!w || !(w->shards = calloc(SHARDS_MAX, sizeof *w->shards))) {
        free(w);
        return error_set(err, STATUS_NOMEM, "weights", "no memory to read %s", dir);
    }
    snprintf(w->dir, sizeof w->dir, "%s", dir);
    enum status st = open_files(w, err);
    if (!st)
        st = list_tensors(w, err);
    if (st)
        weights_close(w);
    else
        *out = w;
    return st;
}

void weights_close(struct weights *w)
{
    if (!w)
        return;
    for (size_t i = 0; i < w->shard_count; i++) {
        safetensors_close(w->shards[i].safetensors);
        torch_zip_close(w->shards[i].zip);
        free(w->shards[i].name);
    }
    free(w->shards);
    free(w->entries);
    free(w);
}

/* --- values ----------------------------------------------------------------------------------- */

static float of_bits(uint32_t bits)
{
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

/* IEEE 754 binary16. */
static float from_half(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, fraction = h & 0x3ff;
    if (exponent == 31)
        return of_bits(sign | 0x7f800000u | fraction << 13);
    if (exponent)
        return of_bits(sign | (exponent + 112) << 23 | fraction << 13);
    float v = (float)fraction * 0x1p-24f;
    return sign ? -v : v;
}

static uint16_t to_bfloat(float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16); /* to nearest even; v is finite */
}

static float value_at(const struct safetensors_tensor *t, size_t index)
{
    uint16_t narrow;
    float wide;
    if (t->dtype == SAFETENSORS_F32) {
        memcpy(&wide, (const uint8_t *)t->data + 4 * index, sizeof wide);
        return wide;
    }
    memcpy(&narrow, (const uint8_t *)t->data + 2 * index, sizeof narrow);
    return t->dtype == SAFETENSORS_F16 ? from_half(narrow) : of_bits((uint32_t)narrow << 16);
}

static bool convert(const struct safetensors_tensor *t, enum safetensors_dtype want, size_t numel,
                    void *out)
{
    bool is_finite = true;
    for (size_t i = 0; i < numel; i++) {
        float v = value_at(t, i);
        is_finite &= (bool)isfinite(v);
        if (want == SAFETENSORS_BF16)
            ((uint16_t *)out)[i] = to_bfloat(v);
        else
            ((float *)out)[i] = v;
    }
    return is_finite;
}

static const struct entry *find(const struct weights *w, const char *name)
{
    const struct safetensors_tensor tensor = {.name = name};
    const struct entry key = {.tensor = &tensor};
    return bsearch(&key, w->entries, w->entry_count, sizeof *w->entries, by_name);
}

enum status weights_read(const struct weights *w, const char *name, int rank, const int64_t *shape,
                         enum safetensors_dtype want, void *out, struct error *err)
{
    const char *dot = strchr(name, '.');
    const struct entry *e = find(w, name);
    if (!e && dot)
        e = find(w, dot + 1);
    if (!e)
        return error_set(err, STATUS_INPUT, "weights", "%s: tensor '%s' is missing (of %zu)",
                         w->dir, name, w->entry_count);
    const struct safetensors_tensor *t = e->tensor;
    const char *file = e->shard->name, *dtype = safetensors_dtype_name(t->dtype);
    if (t->dtype != SAFETENSORS_F32 && t->dtype != SAFETENSORS_F16 && t->dtype != SAFETENSORS_BF16)
        return error_set(err, STATUS_INPUT, "weights",
                         "%s/%s: tensor '%s' is %s, wanted F32, F16 or BF16", w->dir, file, t->name,
                         dtype);
    bool is_match = t->rank == rank;
    size_t numel = 1;
    for (int i = 0; is_match && i < rank; i++) {
        is_match = shape[i] == t->shape[i];
        numel *= (size_t)shape[i];
    }
    if (!is_match)
        return error_set(err, STATUS_INPUT, "weights",
                         "%s/%s: tensor '%s' has another shape than config.json gives it "
                         "([%lld, %lld], wanted [%lld, %lld])",
                         w->dir, file, t->name, (long long)t->shape[0], (long long)t->shape[1],
                         (long long)shape[0], rank > 1 ? (long long)shape[1] : 0LL);
    if (!convert(t, want, numel, out))
        return error_set(err, STATUS_INPUT, "weights",
                         "%s/%s: tensor '%s' holds a value that is not finite", w->dir, file,
                         t->name);
    return STATUS_OK;
}
