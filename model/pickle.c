#include "model/pickle.h"

#include <stdlib.h>
#include <string.h>

#define NODES_A_CHUNK 1024
#define NODES_MAX     (16u << 20) /* about 1 GiB of values */

struct chunk {
    struct chunk *next;
    size_t used;
    struct pickle_value nodes[NODES_A_CHUNK];
};

struct pickle {
    struct chunk *chunks;
    struct pickle_value *root;
};

/* A growing array of values: the stack (NULL is a mark) and the memo (NULL is a hole). */
struct values {
    struct pickle_value **at;
    size_t count, cap;
};

struct machine {
    struct pickle *out;
    const uint8_t *begin, *at, *end;
    const char *const *globals;
    const char *what;
    struct values stack, memo;
    size_t nodes, op_offset;
    struct error *err;
};

/* --- memory ----------------------------------------------------------------------------------- */

static enum status no_memory(struct machine *m)
{
    return error_set(m->err, STATUS_NOMEM, "pickle", "%s: no memory", m->what);
}

static enum status bad(struct machine *m, const char *why)
{
    return error_set(m->err, STATUS_INPUT, "pickle", "%s: %s (offset %zu)", m->what, why,
                     m->op_offset);
}

static enum status grow(struct machine *m, struct values *v, size_t count)
{
    size_t cap = v->cap * 2 > count ? v->cap * 2 : count; /* tuples are made in one go, and small */
    struct pickle_value **at;

    if (count <= v->cap)
        return STATUS_OK;
    at = realloc(v->at, cap * sizeof *at);
    if (!at)
        return no_memory(m);
    v->at = at;
    v->cap = cap;
    return STATUS_OK;
}

static enum status push(struct machine *m, struct pickle_value *v)
{
    enum status st = grow(m, &m->stack, m->stack.count + 1);

    if (st == STATUS_OK)
        m->stack.at[m->stack.count++] = v;
    return st;
}

static enum status push_new(struct machine *m, struct pickle_value value)
{
    struct chunk *c = m->out->chunks;

    if (++m->nodes > NODES_MAX)
        return error_set(m->err, STATUS_NOMEM, "pickle", "%s: more than %u values", m->what,
                         NODES_MAX);
    if (!c || c->used == NODES_A_CHUNK) {
        c = malloc(sizeof *c);
        if (!c)
            return no_memory(m);
        c->used = 0;
        c->next = m->out->chunks;
        m->out->chunks = c;
    }
    c->nodes[c->used] = value;
    return push(m, &c->nodes[c->used++]);
}

static enum status append(struct machine *m, struct pickle_value *list,
                          struct pickle_value *const *from, size_t count)
{
    struct values v = {list->items.at, list->items.count, list->items.cap};
    enum status st = grow(m, &v, v.count + count);

    if (st == STATUS_OK && count)
        memcpy(v.at + v.count, from, count * sizeof *from);
    list->items.at = v.at;
    list->items.cap = v.cap;
    if (st == STATUS_OK)
        list->items.count += count;
    return st;
}

/* --- the input -------------------------------------------------------------------------------- */

static enum status take(struct machine *m, size_t len, const uint8_t **out)
{
    *out = m->at;
    if (len > (size_t)(m->end - m->at))
        return bad(m, "the pickle breaks off");
    m->at += len;
    return STATUS_OK;
}

/* An unsigned little-endian number of `width` bytes. */
static enum status take_number(struct machine *m, size_t width, uint64_t *out)
{
    const uint8_t *p;
    enum status st = take(m, width, &p);

    *out = 0;
    if (st == STATUS_OK)
        for (size_t i = width; i-- > 0;)
            *out = *out << 8 | p[i];
    return st;
}

/* A string whose length comes first, in `width` bytes. */
static enum status push_bytes(struct machine *m, enum pickle_kind kind, size_t width)
{
    struct pickle_value v = {.kind = kind};
    uint64_t len;
    enum status st = take_number(m, width, &len);

    if (st != STATUS_OK)
        return st;
    if (len > (uint64_t)(m->end - m->at))
        return bad(m, "a length goes past the end");
    v.bytes.len = (size_t)len;
    st = take(m, v.bytes.len, &v.bytes.data);
    return st == STATUS_OK ? push_new(m, v) : st;
}

static enum status push_int(struct machine *m, size_t width, bool is_signed)
{
    uint64_t n;
    enum status st = take_number(m, width, &n);
    struct pickle_value v = {.kind = PICKLE_INT, .integer = (int64_t)n};

    if (is_signed && width == 4)
        v.integer = (int32_t)n;
    return st == STATUS_OK ? push_new(m, v) : st;
}

/* LONG1: two's complement, little-endian, as short as can be. */
static enum status push_long(struct machine *m)
{
    struct pickle_value v = {.kind = PICKLE_LONG};
    uint64_t len, n;
    enum status st = take_number(m, 1, &len);

    if (st == STATUS_OK)
        st = take(m, (size_t)len, &v.bytes.data);
    if (st != STATUS_OK)
        return st;
    v.bytes.len = (size_t)len;
    if (len <= 8) {
        n = len && v.bytes.data[len - 1] & 0x80 ? UINT64_MAX : 0;
        for (size_t i = (size_t)len; i-- > 0;)
            n = n << 8 | v.bytes.data[i];
        v = (struct pickle_value){.kind = PICKLE_INT, .integer = (int64_t)n};
    }
    return push_new(m, v);
}

static enum status push_float(struct machine *m)
{
    struct pickle_value v = {.kind = PICKLE_FLOAT};
    const uint8_t *p;
    uint64_t n = 0;
    enum status st = take(m, 8, &p);

    if (st != STATUS_OK)
        return st;
    for (int i = 0; i < 8; i++) /* the one big-endian number of the format */
        n = n << 8 | p[i];
    memcpy(&v.real, &n, sizeof n);
    return push_new(m, v);
}

/* --- the stack -------------------------------------------------------------------------------- */

/* How many values lie above the topmost mark; *from is the first of them. */
static enum status above_mark(struct machine *m, size_t *from, size_t *count)
{
    size_t i = m->stack.count;

    while (i > 0 && m->stack.at[i - 1])
        i--;
    *from = i;
    *count = m->stack.count - i;
    return i ? STATUS_OK : bad(m, "no mark on the stack");
}

/* The top `count` values must be there, above any mark. */
static enum status want(struct machine *m, size_t count)
{
    if (m->stack.count < count)
        return bad(m, "the stack is too short");
    for (size_t i = m->stack.count - count; i < m->stack.count; i++)
        if (!m->stack.at[i])
            return bad(m, "a mark where a value is needed");
    return STATUS_OK;
}

static struct pickle_value *top(struct machine *m, size_t down)
{
    return m->stack.at[m->stack.count - 1 - down];
}

/* The top `count` values become one tuple. `marks` more entries below them go too. */
static enum status make_tuple(struct machine *m, size_t count, size_t marks)
{
    struct pickle_value v = {.kind = PICKLE_TUPLE};
    enum status st = STATUS_OK;

    if (count)
        st = append(m, &v, &m->stack.at[m->stack.count - count], count);
    if (st != STATUS_OK)
        return st;
    m->stack.count -= count + marks;
    st = push_new(m, v);
    if (st != STATUS_OK)
        free(v.items.at);
    return st;
}

/* Whoever takes items of this kind: the value itself, or the entries of an object that was to be a
 * dict (an OrderedDict). NULL if it takes none. */
static struct pickle_value *taker(struct machine *m, struct pickle_value *v, enum pickle_kind kind)
{
    if (!v || v->kind == kind || v->kind != PICKLE_OBJECT || kind != PICKLE_DICT)
        return v && v->kind == kind ? v : NULL;
    if (!v->object.entries && push_new(m, (struct pickle_value){.kind = PICKLE_DICT}) == STATUS_OK)
        v->object.entries = m->stack.at[--m->stack.count];
    return v->object.entries;
}

/* Move the values above the mark into the list or dict below it. */
static enum status take_items(struct machine *m, enum pickle_kind kind)
{
    size_t from, count;
    enum status st = above_mark(m, &from, &count);

    if (st != STATUS_OK)
        return st;
    struct pickle_value *to = from < 2 ? NULL : taker(m, m->stack.at[from - 2], kind);
    if (!to)
        return bad(m, "items for something that takes none");
    if (kind == PICKLE_DICT && count % 2)
        return bad(m, "a key without a value");
    st = append(m, to, m->stack.at + from, count);
    m->stack.count = from - 1;
    return st;
}

static enum status take_some(struct machine *m, enum pickle_kind kind, size_t count)
{
    enum status st = want(m, count + 1);

    if (st != STATUS_OK)
        return st;
    struct pickle_value *to = taker(m, top(m, count), kind);
    if (!to)
        return bad(m, "items for something that takes none");
    st = append(m, to, &m->stack.at[m->stack.count - count], count);
    m->stack.count -= count;
    return st;
}

/* --- names and calls -------------------------------------------------------------------------- */

static enum status push_global(struct machine *m, const uint8_t *module, size_t module_len,
                               const uint8_t *name, size_t name_len)
{
    struct pickle_value v = {.kind = PICKLE_GLOBAL};

    for (const char *const *g = m->globals; *g; g++) {
        const char *space = strchr(*g, ' ');
        if ((size_t)(space - *g) == module_len && !memcmp(*g, module, module_len) &&
            strlen(space + 1) == name_len && !memcmp(space + 1, name, name_len)) {
            v.global = *g;
            return push_new(m, v);
        }
    }
    error_set(m->err, STATUS_INPUT, "pickle",
              "%s: names %.*s.%.*s, which is not allowed here (offset %zu)", m->what,
              module_len > 64 ? 64 : (int)module_len, (const char *)module,
              name_len > 64 ? 64 : (int)name_len, (const char *)name, m->op_offset);
    return error_hint(
        m->err, "nothing was executed; Python would run it: open it there only if you made it");
}

static enum status op_global(struct machine *m)
{
    const uint8_t *words[2];
    size_t lens[2];

    for (int i = 0; i < 2; i++) {
        const uint8_t *nl = memchr(m->at, '\n', (size_t)(m->end - m->at));
        if (!nl)
            return bad(m, "the pickle breaks off");
        words[i] = m->at;
        lens[i] = (size_t)(nl - m->at);
        m->at = nl + 1;
    }
    return push_global(m, words[0], lens[0], words[1], lens[1]);
}

static enum status op_stack_global(struct machine *m)
{
    enum status st = want(m, 2);
    const struct pickle_value *module, *name;

    if (st != STATUS_OK)
        return st;
    module = top(m, 1);
    name = top(m, 0);
    if (module->kind != PICKLE_TEXT || name->kind != PICKLE_TEXT)
        return bad(m, "a name that is no text");
    m->stack.count -= 2;
    return push_global(m, module->bytes.data, module->bytes.len, name->bytes.data, name->bytes.len);
}

/* REDUCE and NEWOBJ: a call. Here it is only noted. */
static enum status op_call(struct machine *m)
{
    enum status st = want(m, 2);
    struct pickle_value v = {.kind = PICKLE_OBJECT};

    if (st != STATUS_OK)
        return st;
    if (top(m, 1)->kind != PICKLE_GLOBAL || top(m, 0)->kind != PICKLE_TUPLE)
        return bad(m, "a call of something that cannot be called");
    v.object.global = top(m, 1)->global;
    v.object.args = top(m, 0);
    m->stack.count -= 2;
    return push_new(m, v);
}

static enum status op_build(struct machine *m)
{
    enum status st = want(m, 2);

    if (st != STATUS_OK)
        return st;
    if (top(m, 1)->kind != PICKLE_OBJECT || top(m, 1)->object.state)
        return bad(m, "a state for something that takes none");
    top(m, 1)->object.state = top(m, 0);
    m->stack.count--;
    return STATUS_OK;
}

static enum status op_persistent(struct machine *m)
{
    enum status st = want(m, 1);
    struct pickle_value v = {.kind = PICKLE_PERSISTENT};

    if (st != STATUS_OK)
        return st;
    v.persistent = top(m, 0);
    m->stack.count--;
    return push_new(m, v);
}

/* --- the memo --------------------------------------------------------------------------------- */

static enum status memo_put(struct machine *m, uint64_t index)
{
    enum status st = want(m, 1);

    if (st != STATUS_OK)
        return st;
    /* Python counts up by one. No index can pass the number of bytes read. */
    if (index > (uint64_t)(m->at - m->begin))
        return bad(m, "a memo index out of all proportion");
    st = grow(m, &m->memo, (size_t)index + 1);
    if (st != STATUS_OK)
        return st;
    while (m->memo.count <= index)
        m->memo.at[m->memo.count++] = NULL;
    m->memo.at[index] = top(m, 0);
    return STATUS_OK;
}

static enum status memo_get(struct machine *m, size_t width)
{
    uint64_t index;
    enum status st = take_number(m, width, &index);

    if (st != STATUS_OK)
        return st;
    if (index >= m->memo.count || !m->memo.at[index])
        return bad(m, "a memo entry that was never made");
    return push(m, m->memo.at[index]);
}

/* --- the machine ------------------------------------------------------------------------------ */

/* One opcode but STOP. Names and codes: Lib/pickletools.py. */
static enum status step(struct machine *m, uint8_t op)
{
    const uint8_t *skipped;
    size_t from, count;
    uint64_t index;
    enum status st;

    switch (op) {
    case 0x80: /* PROTO */
        st = take_number(m, 1, &index);
        return st == STATUS_OK && index > 5 ? bad(m, "a protocol above 5") : st;
    case 0x95: /* FRAME: a hint for who reads from a stream */
        return take(m, 8, &skipped);
    case '(': /* MARK */
        return push(m, NULL);
    case 'N': /* NONE */
        return push_new(m, (struct pickle_value){.kind = PICKLE_NONE});
    case 0x88: /* NEWTRUE */
    case 0x89: /* NEWFALSE */
        return push_new(m, (struct pickle_value){.kind = PICKLE_BOOL, .boolean = op == 0x88});
    case 'J': /* BININT */
        return push_int(m, 4, true);
    case 'K': /* BININT1 */
        return push_int(m, 1, false);
    case 'M': /* BININT2 */
        return push_int(m, 2, false);
    case 0x8a: /* LONG1 */
        return push_long(m);
    case 'G': /* BINFLOAT */
        return push_float(m);
    case 0x8c: /* SHORT_BINUNICODE */
        return push_bytes(m, PICKLE_TEXT, 1);
    case 'X': /* BINUNICODE */
        return push_bytes(m, PICKLE_TEXT, 4);
    case 'C': /* SHORT_BINBYTES */
        return push_bytes(m, PICKLE_BYTES, 1);
    case 'B': /* BINBYTES */
        return push_bytes(m, PICKLE_BYTES, 4);
    case ')': /* EMPTY_TUPLE */
        return make_tuple(m, 0, 0);
    case 0x85: /* TUPLE1 */
    case 0x86: /* TUPLE2 */
    case 0x87: /* TUPLE3 */
        count = op - 0x84u;
        st = want(m, count);
        return st == STATUS_OK ? make_tuple(m, count, 0) : st;
    case 't': /* TUPLE */
        st = above_mark(m, &from, &count);
        return st == STATUS_OK ? make_tuple(m, count, 1) : st;
    case ']': /* EMPTY_LIST */
        return push_new(m, (struct pickle_value){.kind = PICKLE_LIST});
    case 'a': /* APPEND */
        return take_some(m, PICKLE_LIST, 1);
    case 'e': /* APPENDS */
        return take_items(m, PICKLE_LIST);
    case '}': /* EMPTY_DICT */
        return push_new(m, (struct pickle_value){.kind = PICKLE_DICT});
    case 's': /* SETITEM */
        return take_some(m, PICKLE_DICT, 2);
    case 'u': /* SETITEMS */
        return take_items(m, PICKLE_DICT);
    case 'c': /* GLOBAL */
        return op_global(m);
    case 0x93: /* STACK_GLOBAL */
        return op_stack_global(m);
    case 'R':  /* REDUCE */
    case 0x81: /* NEWOBJ */
        return op_call(m);
    case 'b': /* BUILD */
        return op_build(m);
    case 'Q': /* BINPERSID */
        return op_persistent(m);
    case 0x94: /* MEMOIZE */
        return memo_put(m, m->memo.count);
    case 'q': /* BINPUT */
        st = take_number(m, 1, &index);
        return st == STATUS_OK ? memo_put(m, index) : st;
    case 'r': /* LONG_BINPUT */
        st = take_number(m, 4, &index);
        return st == STATUS_OK ? memo_put(m, index) : st;
    case 'h': /* BINGET */
        return memo_get(m, 1);
    case 'j': /* LONG_BINGET */
        return memo_get(m, 4);
    default:
        return error_set(m->err, STATUS_INPUT, "pickle",
                         "%s: opcode 0x%02x is not allowed here (offset %zu)", m->what, op,
                         m->op_offset);
    }
}

static enum status run(struct machine *m)
{
    enum status st;

    for (;;) {
        const uint8_t *op;
        m->op_offset = (size_t)(m->at - m->begin);
        st = take(m, 1, &op);
        if (st != STATUS_OK)
            return st;
        if (*op == '.') /* STOP */
            break;
        st = step(m, *op);
        if (st != STATUS_OK)
            return st;
    }
    if (m->stack.count != 1 || !m->stack.at[0])
        return bad(m, "not one value but several, or none");
    m->out->root = m->stack.at[0];
    return STATUS_OK;
}

enum status pickle_read(const void *data, size_t len, const char *const globals[], const char *what,
                        struct pickle **out, size_t *used, struct error *err)
{
    struct machine m = {.begin = data,
                        .at = data,
                        .end = (const uint8_t *)data + len,
                        .globals = globals,
                        .what = what,
                        .err = err};
    enum status st;

    *out = NULL;
    m.out = calloc(1, sizeof *m.out);
    if (!m.out)
        return no_memory(&m);
    st = run(&m);
    free(m.stack.at);
    free(m.memo.at);
    if (used)
        *used = (size_t)(m.at - m.begin);
    if (st == STATUS_OK)
        *out = m.out;
    else
        pickle_free(m.out);
    return st;
}

void pickle_free(struct pickle *p)
{
    if (!p)
        return;
    while (p->chunks) {
        struct chunk *c = p->chunks;
        p->chunks = c->next;
        for (size_t i = 0; i < c->used; i++) {
            enum pickle_kind kind = c->nodes[i].kind;
            if (kind == PICKLE_TUPLE || kind == PICKLE_LIST || kind == PICKLE_DICT)
                free(c->nodes[i].items.at);
        }
        free(c);
    }
    free(p);
}

const struct pickle_value *pickle_root(const struct pickle *p)
{
    return p->root;
}
