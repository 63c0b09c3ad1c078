/* Pools that the published code pickled: `ExperiencePool` with lists of torch tensors and numpy
 * scalars (pool.h). Everything is compared with what such a file must hold; nothing is executed. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/pickle.h"
#include "model/pool.h"
#include "model/recipe.h"

#define POOL_CLASS      "__main__ ExperiencePool"
#define POOL_CLASS_ABR  "plm_special.data.exp_pool ExperiencePool"
#define REBUILD_TENSOR  "torch._utils _rebuild_tensor_v2"
#define LOAD_FROM_BYTES "torch.storage _load_from_bytes"
#define ORDERED_DICT    "collections OrderedDict"
#define SCALAR          "numpy.core.multiarray scalar"
#define SCALAR_2        "numpy._core.multiarray scalar" /* numpy 2 */
#define DTYPE           "numpy dtype"
#define FLOAT_STORAGE   "torch FloatStorage"

#define FEATURES (POOL_THROUGHPUT_BPS + 1) /* rtt, cwnd, throughput */

static const char *const pool_globals[] = {POOL_CLASS,      POOL_CLASS_ABR, REBUILD_TENSOR,
                                           LOAD_FROM_BYTES, ORDERED_DICT,   SCALAR,
                                           SCALAR_2,        DTYPE,          NULL};
static const char *const storage_globals[] = {FLOAT_STORAGE, NULL};

/* Where in the file we are, for messages. */
struct place {
    const char *name;
    const char *list;
    size_t row;
};

static enum status bad(const struct place *at, const char *why, struct error *err)
{
    return error_set(err, STATUS_INPUT, "pool", "%s: %s[%zu]: %s", at->name, at->list, at->row,
                     why);
}

/* --- numbers ---------------------------------------------------------------------------------- */

static uint64_t little_endian(const uint8_t *p, size_t width)
{
    uint64_t n = 0;

    for (size_t i = width; i-- > 0;)
        n = n << 8 | p[i];
    return n;
}

/* dtype('f8', ...) with its state (3, '<', None, None, None, -1, -1, 0); returns "f8". */
static const char *dtype_name(const struct pickle_value *dtype)
{
    static const char *const names[] = {"f8", "f4", "i8", "i4", "b1"};
    const struct pickle_value *order;

    if (!pickle_is_call(dtype, DTYPE, 3))
        return NULL;
    order = pickle_item(dtype->object.state, 1);
    if (!pickle_is_text(order, "<") && !pickle_is_text(order, "|"))
        return NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (pickle_is_text(pickle_item(dtype, 0), names[i]))
            return names[i];
    return NULL;
}

static enum status numpy_scalar(const struct pickle_value *v, const struct place *at, double *out,
                                struct error *err)
{
    const char *type = dtype_name(pickle_item(v, 0));
    const struct pickle_value *bytes = pickle_item(v, 1);
    size_t width = type ? (size_t)(type[1] - '0') : 0;
    uint64_t raw;
    float f;

    if (!type)
        return bad(at, "a numpy scalar of an unknown type", err);
    if (!bytes || bytes->kind != PICKLE_BYTES || bytes->bytes.len != width)
        return bad(at, "a numpy scalar whose bytes are missing", err);
    raw = little_endian(bytes->bytes.data, width);
    if (!strcmp(type, "f8"))
        memcpy(out, &raw, sizeof *out);
    else if (!strcmp(type, "f4"))
        memcpy(&f, &(uint32_t){(uint32_t)raw}, sizeof f), *out = f;
    else if (!strcmp(type, "i8"))
        *out = (double)(int64_t)raw;
    else if (!strcmp(type, "i4"))
        *out = (int32_t)raw;
    else
        *out = raw != 0;
    return STATUS_OK;
}

static enum status number(const struct pickle_value *v, const struct place *at, double *out,
                          struct error *err)
{
    if (pickle_is_call(v, SCALAR, 2) || pickle_is_call(v, SCALAR_2, 2))
        return numpy_scalar(v, at, out, err);
    if (v->kind == PICKLE_INT)
        *out = (double)v->integer;
    else if (v->kind == PICKLE_FLOAT)
        *out = v->real;
    else if (v->kind == PICKLE_BOOL)
        *out = v->boolean;
    else
        return bad(at, "no number", err);
    return STATUS_OK;
}

/* --- tensors ---------------------------------------------------------------------------------- */

/* A storage as torch.save() of before the zip format wrote it: pickles of a magic number, of 1001,
 * of facts about the writing machine, of the storage (by a persistent id), of its keys; then the
 * count of elements and the elements. */
static enum status read_storage(const uint8_t *data, size_t len, const struct place *at,
                                float out[FEATURES], struct error *err)
{
    static const uint8_t magic[] = {0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19};
    struct pickle *p[5] = {NULL};
    const struct pickle_value *v, *id;
    enum status st = STATUS_OK;
    size_t used;

    for (int i = 0; i < 5 && st == STATUS_OK; i++) {
        st = pickle_read(data, len, storage_globals, at->name, &p[i], &used, err);
        data += used;
        len -= used;
    }
    if (st != STATUS_OK)
        goto out;
    st = STATUS_INPUT;
    v = pickle_root(p[0]);
    if (v->kind != PICKLE_LONG || v->bytes.len != sizeof magic ||
        memcmp(v->bytes.data, magic, sizeof magic) || !pickle_is_int(pickle_root(p[1]), 1001)) {
        bad(at, "no storage of torch.save()", err);
        goto out;
    }
    v = pickle_get(pickle_root(p[2]), "little_endian");
    if (!v || v->kind != PICKLE_BOOL || !v->boolean) {
        bad(at, "a storage that is not little-endian", err);
        goto out;
    }
    v = pickle_root(p[3]);
    id = v->kind == PICKLE_PERSISTENT ? v->persistent : NULL;
    if (!pickle_is_text(pickle_item(id, 0), "storage") || !pickle_item(id, 1) ||
        pickle_item(id, 1)->kind != PICKLE_GLOBAL || !pickle_is_int(pickle_item(id, 4), FEATURES) ||
        len != 8 + FEATURES * sizeof *out || little_endian(data, 8) != FEATURES) {
        bad(at, "not a storage of 3 floats", err);
        goto out;
    }
    for (int k = 0; k < FEATURES; k++) {
        uint32_t raw = (uint32_t)little_endian(data + 8 + k * sizeof *out, sizeof *out);
        memcpy(&out[k], &raw, sizeof raw);
    }
    st = STATUS_OK;
out:
    for (int i = 0; i < 5; i++)
        pickle_free(p[i]);
    return st;
}

static enum status read_state(const struct pickle_value *v, const struct place *at,
                              float out[FEATURES], struct error *err)
{
    const struct pickle_value *storage = pickle_item(v, 0), *bytes = pickle_item(storage, 0);

    if (!pickle_is_call(v, REBUILD_TENSOR, 6))
        return bad(at, "no tensor", err);
    if (!pickle_is_call(storage, LOAD_FROM_BYTES, 1) || bytes->kind != PICKLE_BYTES)
        return bad(at, "a tensor without its storage", err);
    if (!pickle_is_int(pickle_item(v, 1), 0) ||
        !pickle_is_int(pickle_item(pickle_item(v, 2), 0), FEATURES) ||
        pickle_item(pickle_item(v, 2), 1) || !pickle_is_int(pickle_item(pickle_item(v, 3), 0), 1) ||
        pickle_item(pickle_item(v, 3), 1))
        return bad(at, "not a tensor of 3 values: rtt, cwnd, throughput", err);
    return read_storage(bytes->bytes.data, bytes->bytes.len, at, out, err);
}

/* --- the pool --------------------------------------------------------------------------------- */

struct columns {
    const struct pickle_value *states, *actions, *rewards, *dones;
};

static enum status find_columns(const struct pickle_value *root, const char *name,
                                struct columns *c, struct error *err)
{
    const struct {
        const char *key;
        const struct pickle_value **at;
    } lists[] = {{"states", &c->states},
                 {"actions", &c->actions},
                 {"rewards", &c->rewards},
                 {"dones", &c->dones}};
    const struct pickle_value *dict;

    if (!pickle_is_call(root, POOL_CLASS, 0) && !pickle_is_call(root, POOL_CLASS_ABR, 0)) {
        error_set(err, STATUS_INPUT, "pool", "%s is a pickle, but of no ExperiencePool", name);
        return STATUS_INPUT;
    }
    dict = root->object.state;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        *lists[i].at = pickle_get(dict, lists[i].key);
        if (!*lists[i].at || (*lists[i].at)->kind != PICKLE_LIST)
            return error_set(err, STATUS_INPUT, "pool", "%s: the pool has no list '%s'", name,
                             lists[i].key);
        if ((*lists[i].at)->items.count != c->states->items.count)
            return error_set(err, STATUS_INPUT, "pool", "%s: %zu states but %zu %s", name,
                             c->states->items.count, (*lists[i].at)->items.count, lists[i].key);
    }
    return STATUS_OK;
}

static enum status add_rows(struct pool *p, const struct columns *c, const char *name,
                            struct error *err)
{
    struct pool_episode info = {.source = (char *)name, .cwnd_min = NAN, .cwnd_max = NAN};
    size_t rows = c->states->items.count;
    enum status st = STATUS_OK;

    for (size_t i = 0; i < rows && st == STATUS_OK; i++) {
        struct place at = {name, "states", i};
        float state[FEATURES];
        double action, reward, done;

        if ((st = read_state(c->states->items.at[i], &at, state, err)) ||
            (at.list = "actions", st = number(c->actions->items.at[i], &at, &action, err)) ||
            (at.list = "rewards", st = number(c->rewards->items.at[i], &at, &reward, err)) ||
            (at.list = "dones", st = number(c->dones->items.at[i], &at, &done, err)) ||
            (st = pool_add(p, state, action, reward, err)) ||
            (st = pool_check_row(p, i, name, err)))
            break;
        if (done != 0 || i + 1 == rows)
            st = pool_end_episode(p, &info, err);
    }
    return st;
}

enum status pool_from_pickle(const void *data, size_t len, const char *name, struct pool **out,
                             struct error *err)
{
    struct pickle *pickle = NULL;
    struct pool *p = NULL;
    struct columns c;
    enum status st = pickle_read(data, len, pool_globals, name, &pickle, NULL, err);

    *out = NULL;
    if (st == STATUS_OK)
        st = find_columns(pickle_root(pickle), name, &c, err);
    if (st == STATUS_OK && !c.states->items.count)
        st = error_set(err, STATUS_INPUT, "pool", "%s: the pool has no rows", name);
    if (st == STATUS_OK && !(p = pool_new(recipe_name(RECIPE_IMPORTED))))
        st = error_set(err, STATUS_NOMEM, "pool", "no memory for the pool");
    if (st == STATUS_OK)
        st = add_rows(p, &c, name, err);
    if (st == STATUS_OK)
        st = recipe_recognise(p, err);
    pickle_free(pickle);
    if (st == STATUS_OK)
        *out = p;
    else
        pool_free(p);
    return st;
}
