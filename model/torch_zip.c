#include "model/torch_zip.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model/pickle.h"

#define ENTRIES_MAX 100000

#define REBUILD     "torch._utils _rebuild_tensor_v2"
#define REBUILD_PAR "torch._utils _rebuild_parameter"
#define DICT        "collections OrderedDict"

static const struct {
    const char *global;
    enum safetensors_dtype dtype;
} storages[] = {
    {"torch FloatStorage", SAFETENSORS_F32},     {"torch HalfStorage", SAFETENSORS_F16},
    {"torch BFloat16Storage", SAFETENSORS_BF16}, {"torch DoubleStorage", SAFETENSORS_F64},
    {"torch LongStorage", SAFETENSORS_I64},      {"torch IntStorage", SAFETENSORS_I32},
    {"torch ShortStorage", SAFETENSORS_I16},     {"torch CharStorage", SAFETENSORS_I8},
    {"torch ByteStorage", SAFETENSORS_U8},       {"torch BoolStorage", SAFETENSORS_BOOL},
};

#define STORAGES (sizeof storages / sizeof *storages)

static const char *const globals[] = {
    REBUILD,
    REBUILD_PAR,
    DICT,
    "torch FloatStorage",
    "torch HalfStorage",
    "torch BFloat16Storage",
    "torch DoubleStorage",
    "torch LongStorage",
    "torch IntStorage",
    "torch ShortStorage",
    "torch CharStorage",
    "torch ByteStorage",
    "torch BoolStorage",
    NULL,
};

/* A stored file of the archive; the name is not NUL-terminated. */
struct member {
    const char *name;
    size_t name_len;
    const uint8_t *data;
    uint64_t len;
};

struct torch_zip {
    char *what;
    void *map; /* NULL where the caller owns the data */
    size_t map_len;
    struct member *members; /* by name */
    size_t member_count;
    struct safetensors_tensor *tensors;
    size_t tensor_count;
};

static enum status bad(const struct torch_zip *z, const char *why, struct error *err)
{
    return error_set(err, STATUS_INPUT, "torch", "%s: %s", z->what, why);
}

static enum status no_memory(const struct torch_zip *z, struct error *err)
{
    return error_set(err, STATUS_NOMEM, "torch", "no memory to read %s", z->what);
}

/* --- the archive ------------------------------------------------------------------------------ */

struct bytes {
    const uint8_t *data;
    uint64_t len;
};

static bool has(const struct bytes *b, uint64_t at, uint64_t len)
{
    return at <= b->len && len <= b->len - at;
}

static uint64_t read_le(const struct bytes *b, uint64_t at, int bytes)
{
    uint64_t v = 0;
    for (int i = bytes - 1; i >= 0; i--)
        v = v << 8 | b->data[at + (uint64_t)i];
    return v;
}

/* Where the central directory is, and how many entries it has. */
static enum status find_directory(const struct torch_zip *z, const struct bytes *b, uint64_t *at,
                                  uint64_t *count, struct error *err)
{
    const uint64_t end_len = 22, comment_max = 65535;
    uint64_t lowest = b->len > end_len + comment_max ? b->len - end_len - comment_max : 0;
    uint64_t end = b->len < end_len ? 0 : b->len - end_len + 1;
    while (end > lowest && read_le(b, end - 1, 4) != 0x06054b50)
        end--;
    if (end == lowest)
        return bad(
            z, "no zip archive, or truncated (a file of torch before 1.6 must be saved anew)", err);
    end--;
    *count = read_le(b, end + 10, 2);
    *at = read_le(b, end + 16, 4);
    if (*count != 0xffff && *at != 0xffffffff)
        return STATUS_OK;
    /* zip64: a locator before the end record gives a longer one. */
    if (end < 20 || read_le(b, end - 20, 4) != 0x07064b50)
        return bad(z, "the zip64 record is missing", err);
    uint64_t longer = read_le(b, end - 12, 8);
    if (!has(b, longer, 56) || read_le(b, longer, 4) != 0x06064b50)
        return bad(z, "the zip64 record lies outside the file", err);
    *count = read_le(b, longer + 32, 8);
    *at = read_le(b, longer + 48, 8);
    return STATUS_OK;
}

/* Sizes and offset that do not fit into 32 bits stand in an extra field, in this order. */
static bool read_zip64(const struct bytes *b, uint64_t at, uint64_t len, uint64_t *size,
                       uint64_t *packed, uint64_t *offset)
{
    uint64_t *const wide[] = {size, packed, offset};
    uint64_t end = at + len;
    while (at + 4 <= end) {
        uint64_t id = read_le(b, at, 2), field = read_le(b, at + 2, 2);
        at += 4;
        if (field > end - at)
            return false;
        if (id == 1) {
            uint64_t field_end = at + field;
            for (int i = 0; i < 3; i++) {
                if (*wide[i] != 0xffffffff)
                    continue;
                if (at + 8 > field_end)
                    return false;
                *wide[i] = read_le(b, at, 8);
                at += 8;
            }
            return true;
        }
        at += field;
    }
    return *size != 0xffffffff && *packed != 0xffffffff && *offset != 0xffffffff;
}

static int by_name(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    size_t shorter = x->name_len < y->name_len ? x->name_len : y->name_len;
    int order = memcmp(x->name, y->name, shorter);
    return order ? order : (x->name_len > y->name_len) - (x->name_len < y->name_len);
}

static enum status read_members(struct torch_zip *z, const struct bytes *b, struct error *err)
{
    uint64_t at = 0, count = 0;
    enum status st = find_directory(z, b, &at, &count, err);
    if (st)
        return st;
    if (count > ENTRIES_MAX)
        return bad(z, "over 100000 zip entries", err);
    if (!(z->members = calloc((size_t)count + 1, sizeof *z->members)))
        return no_memory(z, err);
    for (uint64_t i = 0; i < count; i++) {
        if (!has(b, at, 46) || read_le(b, at, 4) != 0x02014b50)
            return bad(z, "the zip directory is broken (truncated?)", err);
        uint64_t method = read_le(b, at + 10, 2), packed = read_le(b, at + 20, 4);
        uint64_t size = read_le(b, at + 24, 4), name_len = read_le(b, at + 28, 2);
        uint64_t extra = read_le(b, at + 30, 2), comment = read_le(b, at + 32, 2);
        uint64_t offset = read_le(b, at + 42, 4);
        if (!has(b, at + 46, name_len + extra + comment) ||
            !read_zip64(b, at + 46 + name_len, extra, &size, &packed, &offset))
            return bad(z, "an entry of the zip directory is broken", err);
        if (method != 0 || size != packed)
            return bad(z, "a compressed zip entry, which torch never writes", err);
        if (!has(b, offset, 30) || read_le(b, offset, 4) != 0x04034b50)
            return bad(z, "a zip entry points outside the file", err);
        uint64_t begin = offset + 30 + read_le(b, offset + 26, 2) + read_le(b, offset + 28, 2);
        if (!has(b, begin, size))
            return bad(z, "a zip entry is longer than the file (truncated?)", err);
        z->members[z->member_count++] = (struct member){(const char *)b->data + at + 46,
                                                        (size_t)name_len, b->data + begin, size};
        at += 46 + name_len + extra + comment;
    }
    qsort(z->members, z->member_count, sizeof *z->members, by_name);
    return STATUS_OK;
}

static const struct member *find_member(const struct torch_zip *z, const char *name, size_t len)
{
    const struct member key = {.name = name, .name_len = len};
    return bsearch(&key, z->members, z->member_count, sizeof *z->members, by_name);
}

/* --- tensors ---------------------------------------------------------------------------------- */

static enum status bad_tensor(const struct torch_zip *z, const struct safetensors_tensor *t,
                              const char *why, struct error *err)
{
    return error_set(err, STATUS_INPUT, "torch", "%s: tensor '%.100s': %s", z->what, t->name, why);
}

static bool read_size(const struct pickle_value *v, int64_t *out)
{
    if (!v || v->kind != PICKLE_INT || v->integer < 0 || v->integer > INT64_C(1) << 50)
        return false;
    *out = v->integer;
    return true;
}

/* ('storage', torch.FloatStorage, '0', 'cpu', 1024): type, and the bytes in the archive. */
static enum status read_storage(const struct torch_zip *z, const char *root, size_t root_len,
                                const struct pickle_value *v, struct safetensors_tensor *t,
                                const struct member **out, struct error *err)
{
    const struct pickle_value *id = v && v->kind == PICKLE_PERSISTENT ? v->persistent : NULL;
    const struct pickle_value *type = pickle_item(id, 1), *key = pickle_item(id, 2);
    char name[512];
    size_t i = 0;
    if (!pickle_is_text(pickle_item(id, 0), "storage") || !type || type->kind != PICKLE_GLOBAL ||
        !key || key->kind != PICKLE_TEXT)
        return bad_tensor(z, t, "its storage is none", err);
    while (i < STORAGES && strcmp(storages[i].global, type->global) != 0)
        i++;
    if (i == STORAGES)
        return bad_tensor(z, t, "its storage has no type of numbers", err);
    t->dtype = storages[i].dtype;
    int len =
        snprintf(name, sizeof name, "%.*sdata/%.*s", (int)root_len, root,
                 key->bytes.len < 64 ? (int)key->bytes.len : 64, (const char *)key->bytes.data);
    if (len < 0 || (size_t)len >= sizeof name || !(*out = find_member(z, name, (size_t)len)))
        return bad_tensor(z, t, "its storage is not in the archive", err);
    return STATUS_OK;
}

/* _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks) */
static enum status read_tensor(const struct torch_zip *z, const char *root, size_t root_len,
                               const struct pickle_value *v, struct safetensors_tensor *t,
                               struct error *err)
{
    const struct member *storage;
    if (pickle_is_call(v, REBUILD_PAR, -1))
        v = pickle_item(v, 0);
    if (!pickle_is_call(v, REBUILD, -1))
        return bad_tensor(z, t, "is no tensor", err);
    enum status st = read_storage(z, root, root_len, pickle_item(v, 0), t, &storage, err);
    if (st)
        return st;
    const struct pickle_value *size = pickle_item(v, 2), *stride = pickle_item(v, 3);
    int64_t offset, step = 1;
    if (!read_size(pickle_item(v, 1), &offset) || !size || size->kind != PICKLE_TUPLE || !stride ||
        stride->kind != PICKLE_TUPLE || size->items.count != stride->items.count ||
        size->items.count > SAFETENSORS_RANK_MAX)
        return bad_tensor(z, t, "its size or stride is broken", err);
    t->rank = (int)size->items.count;
    for (int d = t->rank - 1; d >= 0; d--) {
        int64_t want;
        if (!read_size(size->items.at[d], &t->shape[d]) || !read_size(stride->items.at[d], &want))
            return bad_tensor(z, t, "its size or stride is broken", err);
        if (t->shape[d] > 1 && want != step)
            return bad_tensor(z, t, "is not contiguous", err);
        if (__builtin_mul_overflow(step, t->shape[d], &step))
            return bad_tensor(z, t, "its size is too large", err);
    }
    uint64_t bytes = safetensors_dtype_bytes(t->dtype), room = storage->len / bytes;
    if ((uint64_t)offset > room || (uint64_t)step > room - (uint64_t)offset)
        return bad_tensor(z, t, "is larger than its storage", err);
    t->data = storage->data + (uint64_t)offset * bytes;
    t->len_bytes = (size_t)((uint64_t)step * bytes);
    return STATUS_OK;
}

/* The one entry NAME/data.pkl; *root_len is the length of "NAME/". */
static const struct member *find_pickle(const struct torch_zip *z, size_t *root_len)
{
    static const char tail[] = "/data.pkl";
    const size_t len = sizeof tail - 1;
    for (size_t i = 0; i < z->member_count; i++) {
        const struct member *m = &z->members[i];
        if (m->name_len > len && memcmp(m->name + m->name_len - len, tail, len) == 0) {
            *root_len = m->name_len - len + 1;
            return m;
        }
    }
    return NULL;
}

static enum status read_tensors(struct torch_zip *z, struct error *err)
{
    size_t root_len;
    struct pickle *pickle;
    const struct member *m = find_pickle(z, &root_len);
    if (!m)
        return bad(z, "no data.pkl in the archive", err);
    enum status st = pickle_read(m->data, (size_t)m->len, globals, z->what, &pickle, NULL, err);
    if (st)
        return st;
    const struct pickle_value *root = pickle_root(pickle);
    if (pickle_is_call(root, DICT, 0))
        root = root->object.entries;
    size_t count = root && root->kind == PICKLE_DICT ? root->items.count / 2 : 0;
    z->tensors = calloc(count + 1, sizeof *z->tensors);
    if (!count)
        st = bad(z, "data.pkl is no dict of tensors", err);
    else if (!z->tensors)
        st = no_memory(z, err);
    for (size_t i = 0; i < count && !st; i++) {
        const struct pickle_value *key = root->items.at[2 * i];
        struct safetensors_tensor *t = &z->tensors[i];
        if (key->kind != PICKLE_TEXT || memchr(key->bytes.data, '\0', key->bytes.len))
            st = bad(z, "a key of data.pkl is no name", err);
        else if (!(t->name = strndup((const char *)key->bytes.data, key->bytes.len)))
            st = no_memory(z, err);
        else {
            z->tensor_count++;
            st = read_tensor(z, m->name, root_len, root->items.at[2 * i + 1], t, err);
        }
    }
    pickle_free(pickle);
    return st;
}

/* --- opening ---------------------------------------------------------------------------------- */

enum status torch_zip_parse(const void *data, size_t len, const char *what, struct torch_zip **out,
                            struct error *err)
{
    enum status st;
    *out = NULL;
    struct torch_zip *z = calloc(1, sizeof *z);
    if (!z || !(z->what = strdup(what))) {
        free(z);
        return error_set(err, STATUS_NOMEM, "torch", "no memory to read %s", what);
    }
    const struct bytes bytes = {data, len};
    if ((st = read_members(z, &bytes, err)) || (st = read_tensors(z, err)))
        torch_zip_close(z);
    else
        *out = z;
    return st;
}

enum status torch_zip_open(const char *path, struct torch_zip **out, struct error *err)
{
    enum status st;
    struct stat sb;
    *out = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &sb) != 0) {
        st = error_sys(err, STATUS_IO, errno, "torch", "cannot open %s", path);
        if (fd >= 0)
            close(fd);
        return st;
    }
    void *map = MAP_FAILED;
    if (S_ISREG(sb.st_mode) && sb.st_size > 0)
        map = mmap(NULL, (size_t)sb.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (map == MAP_FAILED)
        return error_set(err, STATUS_INPUT, "torch", "%s: empty, or no regular file", path);
    st = torch_zip_parse(map, (size_t)sb.st_size, path, out, err);
    if (st) {
        munmap(map, (size_t)sb.st_size);
    } else {
        (*out)->map = map;
        (*out)->map_len = (size_t)sb.st_size;
    }
    return st;
}

void torch_zip_close(struct torch_zip *z)
{
    if (!z)
        return;
    for (size_t i = 0; i < z->tensor_count; i++)
        free((char *)z->tensors[i].name);
    free(z->tensors);
    free(z->members);
    free(z->what);
    if (z->map)
        munmap(z->map, z->map_len);
    free(z);
}

size_t torch_zip_count(const struct torch_zip *z)
{
    return z->tensor_count;
}

const struct safetensors_tensor *torch_zip_at(const struct torch_zip *z, size_t index)
{
    return index < z->tensor_count ? &z->tensors[index] : NULL;
}
