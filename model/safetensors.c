#include "model/safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/json.h"

static const struct {
    const char *name;
    size_t bytes;
} dtypes[] = {
    [SAFETENSORS_BOOL] = {"BOOL", 1}, [SAFETENSORS_U8] = {"U8", 1},
    [SAFETENSORS_I8] = {"I8", 1},     [SAFETENSORS_I16] = {"I16", 2},
    [SAFETENSORS_F16] = {"F16", 2},   [SAFETENSORS_BF16] = {"BF16", 2},
    [SAFETENSORS_I32] = {"I32", 4},   [SAFETENSORS_F32] = {"F32", 4},
    [SAFETENSORS_I64] = {"I64", 8},   [SAFETENSORS_F64] = {"F64", 8},
};

struct safetensors {
    char *path;
    void *map;
    size_t map_len;
    cJSON *header; /* owns the names */
    struct safetensors_tensor *tensors;
    size_t count;
};

const char *safetensors_dtype_name(enum safetensors_dtype dtype)
{
    return dtypes[dtype].name;
}

size_t safetensors_dtype_bytes(enum safetensors_dtype dtype)
{
    return dtypes[dtype].bytes;
}

/* --- reading ---------------------------------------------------------------------------------- */

static enum status bad(const struct safetensors *f, const char *name, const char *what,
                       struct error *err)
{
    if (!name)
        return error_set(err, STATUS_INPUT, "safetensors", "%s: %s", f->path, what);
    return error_set(err, STATUS_INPUT, "safetensors", "%s: tensor '%.100s': %s", f->path, name,
                     what);
}

/* A count or offset: cJSON holds doubles, exact up to 2^53. */
static bool to_size(const cJSON *v, uint64_t *out)
{
    if (!cJSON_IsNumber(v) || !(v->valuedouble >= 0) || v->valuedouble > 9007199254740992.0)
        return false;
    *out = (uint64_t)v->valuedouble;
    return (double)*out == v->valuedouble;
}

static enum status read_entry(struct safetensors *f, const cJSON *entry, const uint8_t *data,
                              size_t data_len, struct safetensors_tensor *t, struct error *err)
{
    t->name = entry->string;
    if (!cJSON_IsObject(entry))
        return bad(f, t->name, "the entry is no object", err);

    const char *dtype = json_str(entry, "dtype", NULL);
    size_t d = 0;
    while (d < SAFETENSORS_DTYPE_COUNT && (!dtype || strcmp(dtypes[d].name, dtype) != 0))
        d++;
    if (d == SAFETENSORS_DTYPE_COUNT)
        return bad(f, t->name, dtype ? "unknown dtype" : "no dtype", err);
    t->dtype = (enum safetensors_dtype)d;

    const cJSON *shape = json_get(entry, "shape");
    const cJSON *offsets = json_get(entry, "data_offsets");
    if (!cJSON_IsArray(shape) || cJSON_GetArraySize(shape) > SAFETENSORS_RANK_MAX)
        return bad(f, t->name, "no shape, or more than 8 dimensions", err);
    uint64_t numel = 1;
    const cJSON *dim;
    cJSON_ArrayForEach(dim, shape)
    {
        uint64_t size;
        if (!to_size(dim, &size) || __builtin_mul_overflow(numel, size, &numel))
            return bad(f, t->name, "a dimension is no size", err);
        t->shape[t->rank++] = (int64_t)size;
    }

    uint64_t begin, end, len;
    if (!cJSON_IsArray(offsets) || cJSON_GetArraySize(offsets) != 2 ||
        !to_size(offsets->child, &begin) || !to_size(offsets->child->next, &end) || begin > end)
        return bad(f, t->name, "data_offsets are not [begin, end]", err);
    if (end > data_len)
        return bad(f, t->name, "data_offsets point beyond the end of the file", err);
    if (__builtin_mul_overflow(numel, dtypes[d].bytes, &len) || len != end - begin)
        return bad(f, t->name, "shape and dtype do not give the bytes of data_offsets", err);
    t->data = data + begin;
    t->len_bytes = (size_t)len;
    return STATUS_OK;
}

static int by_data(const void *a, const void *b)
{
    const struct safetensors_tensor *x = a, *y = b;
    if (x->data != y->data)
        return x->data < y->data ? -1 : 1;
    return x->len_bytes < y->len_bytes ? -1 : x->len_bytes > y->len_bytes;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Two entries of one name: readers would disagree about which one counts. */
static enum status check_names(const struct safetensors *f, struct error *err)
{
    enum status st = STATUS_OK;
    const char **names = malloc((f->count + 1) * sizeof *names);
    if (!names)
        return error_set(err, STATUS_NOMEM, "safetensors", "no memory to read %s", f->path);
    for (size_t i = 0; i < f->count; i++)
        names[i] = f->tensors[i].name;
    qsort(names, f->count, sizeof *names, by_name);
    for (size_t i = 1; i < f->count && !st; i++)
        if (strcmp(names[i - 1], names[i]) == 0)
            st = bad(f, names[i], "named twice", err);
    free(names);
    return st;
}

static enum status check_metadata(const struct safetensors *f, const cJSON *metadata,
                                  struct error *err)
{
    if (!cJSON_IsObject(metadata))
        return bad(f, NULL, "__metadata__ is no object", err);
    const cJSON *v;
    cJSON_ArrayForEach(v, metadata)
    {
        if (!cJSON_IsString(v))
            return bad(f, NULL, "__metadata__ holds something other than strings", err);
    }
    return STATUS_OK;
}

static enum status read_header(struct safetensors *f, struct error *err)
{
    enum status st;
    const uint8_t *map = f->map;
    uint64_t header_len = 0;
    for (int i = 7; i >= 0; i--)
        header_len = header_len << 8 | map[i];
    if (header_len > SAFETENSORS_HEADER_MAX)
        return bad(f, NULL, "the header is longer than 100 MB", err);
    if (header_len > f->map_len - 8)
        return bad(f, NULL, "the header is longer than the file (truncated?)", err);
    const uint8_t *data = map + 8 + header_len;
    size_t data_len = f->map_len - 8 - (size_t)header_len;

    f->header = json_parse((const char *)map + 8, (size_t)header_len, f->path, err);
    if (!f->header)
        return STATUS_INPUT;
    if (!cJSON_IsObject(f->header))
        return bad(f, NULL, "the header is no object", err);

    f->tensors = calloc((size_t)cJSON_GetArraySize(f->header) + 1, sizeof *f->tensors);
    if (!f->tensors)
        return error_set(err, STATUS_NOMEM, "safetensors", "no memory to read %s", f->path);
    const cJSON *entry;
    cJSON_ArrayForEach(entry, f->header)
    {
        if (strcmp(entry->string, "__metadata__") == 0)
            st = check_metadata(f, entry, err);
        else
            st = read_entry(f, entry, data, data_len, &f->tensors[f->count++], err);
        if (st)
            return st;
    }

    qsort(f->tensors, f->count, sizeof *f->tensors, by_data);
    const uint8_t *at = data;
    for (size_t i = 0; i < f->count; i++) {
        if (f->tensors[i].data != at)
            return bad(f, f->tensors[i].name, "its data overlaps or leaves a gap", err);
        at += f->tensors[i].len_bytes;
    }
    if (at != data + data_len)
        return bad(f, NULL, "bytes behind the last tensor", err);
    return check_names(f, err);
}

enum status safetensors_open(const char *path, struct safetensors **out, struct error *err)
{
    enum status st;
    struct stat sb;
    *out = NULL;
    struct safetensors *f = calloc(1, sizeof *f);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (!f || !(f->path = strdup(path))) {
        st = error_set(err, STATUS_NOMEM, "safetensors", "no memory to read %s", path);
        goto out;
    }
    if (fd < 0 || fstat(fd, &sb) != 0) {
        st = error_sys(err, STATUS_IO, errno, "safetensors", "cannot open %s", path);
        goto out;
    }
    if (!S_ISREG(sb.st_mode) || sb.st_size < 8) {
        st = bad(f, NULL, "too short for a safetensors file", err);
        goto out;
    }
    f->map_len = (size_t)sb.st_size;
    f->map = mmap(NULL, f->map_len, PROT_READ, MAP_PRIVATE, fd, 0);
    if (f->map == MAP_FAILED) {
        f->map = NULL;
        st = error_sys(err, STATUS_IO, errno, "safetensors", "cannot map %s", path);
        goto out;
    }
    st = read_header(f, err);
out:
    if (fd >= 0)
        close(fd);
    if (st)
        safetensors_close(f);
    else
        *out = f;
    return st;
}

void safetensors_close(struct safetensors *f)
{
    if (!f)
        return;
    if (f->map)
        munmap(f->map, f->map_len);
    cJSON_Delete(f->header);
    free(f->tensors);
    free(f->path);
    free(f);
}

size_t safetensors_count(const struct safetensors *f)
{
    return f->count;
}

const struct safetensors_tensor *safetensors_at(const struct safetensors *f, size_t index)
{
    return index < f->count ? &f->tensors[index] : NULL;
}

const struct safetensors_tensor *safetensors_find(const struct safetensors *f, const char *name)
{
    for (size_t i = 0; i < f->count; i++)
        if (strcmp(f->tensors[i].name, name) == 0)
            return &f->tensors[i];
    return NULL;
}

const struct safetensors_tensor *safetensors_expect(const struct safetensors *f, const char *name,
                                                    enum safetensors_dtype dtype, int rank,
                                                    const int64_t *shape, struct error *err)
{
    const struct safetensors_tensor *t = safetensors_find(f, name);
    bool is_match = t && t->dtype == dtype && t->rank == rank;
    for (int i = 0; is_match && i < rank; i++)
        is_match = shape[i] < 0 || shape[i] == t->shape[i];
    if (is_match)
        return t;

    struct buf want;
    buf_init(&want, 256);
    for (int i = 0; i < rank; i++)
        buf_printf(&want, shape[i] < 0 ? "%s*" : "%s%lld", i ? ", " : "", (long long)shape[i]);
    error_set(err, STATUS_INPUT, "safetensors", "%s: tensor '%s' %s %s [%s]", f->path, name,
              t ? "is not" : "is missing, wanted", dtypes[dtype].name, want.data);
    buf_done(&want);
    return NULL;
}

const char *safetensors_metadata(const struct safetensors *f, const char *key)
{
    return json_str(json_get(f->header, "__metadata__"), key, NULL);
}

/* --- writing ---------------------------------------------------------------------------------- */

static cJSON *header_of(const struct safetensors_tensor *tensors, size_t count,
                        const cJSON *metadata)
{
    cJSON *header = cJSON_CreateObject();
    if (metadata)
        cJSON_AddItemToObject(header, "__metadata__", cJSON_Duplicate(metadata, true));
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        const struct safetensors_tensor *t = &tensors[i];
        cJSON *entry = cJSON_AddObjectToObject(header, t->name);
        cJSON_AddStringToObject(entry, "dtype", dtypes[t->dtype].name);
        cJSON *shape = cJSON_AddArrayToObject(entry, "shape");
        for (int d = 0; d < t->rank; d++)
            cJSON_AddItemToArray(shape, cJSON_CreateNumber((double)t->shape[d]));
        cJSON *offsets = cJSON_AddArrayToObject(entry, "data_offsets");
        cJSON_AddItemToArray(offsets, cJSON_CreateNumber((double)at));
        at += t->len_bytes;
        cJSON_AddItemToArray(offsets, cJSON_CreateNumber((double)at));
    }
    return header;
}

enum status safetensors_write(const char *path, const struct safetensors_tensor *tensors,
                              size_t count, const cJSON *metadata, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        size_t len = dtypes[tensors[i].dtype].bytes;
        for (int d = 0; d < tensors[i].rank; d++)
            len *= (size_t)tensors[i].shape[d];
        if (len != tensors[i].len_bytes)
            return error_set(err, STATUS_INTERNAL, "safetensors",
                             "tensor '%s': shape and bytes differ", tensors[i].name);
    }

    enum status st;
    struct buf file;
    buf_init(&file, SIZE_MAX / 4);
    cJSON *header = header_of(tensors, count, metadata);
    char *text = cJSON_PrintUnformatted(header);
    if (text) {
        size_t len = strlen(text), padded = (len + 7) / 8 * 8;
        for (int i = 0; i < 8; i++)
            buf_append(&file, &(uint8_t){(uint8_t)((uint64_t)padded >> 8 * i)}, 1);
        buf_append(&file, text, len);
        buf_append(&file, "        ", padded - len);
        for (size_t i = 0; i < count; i++)
            buf_append(&file, tensors[i].data, tensors[i].len_bytes);
    }
    if (!text || file.is_failed)
        st = error_set(err, STATUS_NOMEM, "safetensors", "no memory to write %s", path);
    else
        st = file_write_atomic(path, file.data, file.len, err);
    cJSON_free(text);
    cJSON_Delete(header);
    buf_done(&file);
    return st;
}
