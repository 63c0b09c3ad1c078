#include "capture/filter.h"

#include <stdlib.h>
#include <string.h>

#include "capture/filter_tree.h"

/* Values of one side of a comparison, and the bytes that slices and masks made of them. */
struct side {
    struct value at[FIELD_VALUES_MAX];
    uint8_t bytes[FIELD_VALUES_MAX][FILTER_SLICED_MAX];
};

struct filter {
    struct test *test;
    struct side left, right, mask;
};

enum status filter_compile(const char *text, struct filter **out, size_t *at, struct error *err)
{
    enum status st;

    *out = calloc(1, sizeof **out);
    if (!*out)
        return error_set(err, STATUS_NOMEM, "filter", "no memory for the filter");
    st = filter_parse(text, &(*out)->test, at, err);
    if (st != STATUS_OK) {
        filter_free(*out);
        *out = NULL;
    }
    return st;
}

void filter_free(struct filter *f)
{
    if (f)
        test_free(f->test);
    free(f);
}

/* --- operands --------------------------------------------------------------------------------- */

/* The bytes that the slices pick, one behind the other. False: they are not all there. */
static bool cut(const struct operand *o, struct value *v, uint8_t *store)
{
    uint32_t n = 0;

    for (int i = 0; i < o->nslices; i++) {
        const struct slice *s = &o->slices[i];
        int64_t begin = s->begin < 0 ? s->begin + v->len : s->begin;
        int64_t end = s->is_to_end ? v->len : s->end < 0 ? s->end + v->len : s->end;
        if (begin < 0 || begin >= end || end > v->len)
            return false;
        if (o->nslices == 1) { /* nothing to join */
            v->bytes += begin;
            v->len = (uint32_t)(end - begin);
            return true;
        }
        if (n + (uint64_t)(end - begin) > FILTER_SLICED_MAX)
            return false;
        memcpy(store + n, v->bytes + begin, (size_t)(end - begin));
        n += (uint32_t)(end - begin);
    }
    v->bytes = store;
    v->len = n;
    return true;
}

static size_t values_of(struct filter *f, const struct operand *o, const struct field_frame *frame,
                        struct side *out);

/* & with the first value of the mask: of numbers, or byte for byte. */
static size_t apply_mask(struct filter *f, const struct operand *o, const struct field_frame *frame,
                         struct side *out, size_t n)
{
    size_t nmasks = values_of(f, o->mask, frame, &f->mask), kept = 0;
    const struct value *mask = f->mask.at;

    for (size_t i = 0; i < n && nmasks; i++) {
        struct value v = out->at[i];
        if (o->class == VALUE_BYTES) {
            v.len = v.len < mask->len ? v.len : mask->len;
            if (v.len > FILTER_SLICED_MAX)
                continue;
            for (uint32_t k = 0; k < v.len; k++)
                out->bytes[kept][k] = v.bytes[k] & mask->bytes[k];
            v.bytes = out->bytes[kept];
        }
        v.u &= mask->u;
        out->at[kept++] = v;
    }
    return kept;
}

static size_t values_of(struct filter *f, const struct operand *o, const struct field_frame *frame,
                        struct side *out)
{
    struct field_value read[FIELD_VALUES_MAX];
    size_t n, kept = 0;

    if (!o->field) {
        out->at[0] = o->literal;
        return 1;
    }
    n = field_read(o->field, frame, read);
    for (size_t i = 0; i < n; i++) {
        struct value v = {.u = read[i].u,
                          .mask = UINT64_MAX,
                          .ns = read[i].ns,
                          .bytes = read[i].bytes,
                          .len = read[i].len};
        if (!o->nslices || (v.bytes && cut(o, &v, out->bytes[kept])))
            out->at[kept++] = v;
    }
    return o->mask ? apply_mask(f, o, frame, out, kept) : kept;
}

static bool is_zero(const struct operand *o, const struct value *v)
{
    if (o->class == VALUE_UINT)
        return !v->u;
    for (uint32_t i = 0; i < v->len; i++)
        if (v->bytes[i])
            return false;
    return true;
}

/* --- tests ------------------------------------------------------------------------------------ */

static bool holds(enum compare_op op, enum value_class class, const struct value *a,
                  const struct value *b)
{
    switch (op) {
    case COMPARE_EQ:
        return value_is_equal(class, a, b);
    case COMPARE_NE:
        return !value_is_equal(class, a, b);
    case COMPARE_LT:
        return value_compare(class, a, b) < 0;
    case COMPARE_LE:
        return value_compare(class, a, b) <= 0;
    case COMPARE_GT:
        return value_compare(class, a, b) > 0;
    case COMPARE_GE:
        return value_compare(class, a, b) >= 0;
    }
    return false;
}

static bool exists(struct filter *f, const struct operand *o, const struct field_frame *frame)
{
    size_t n = values_of(f, o, frame, &f->left);

    if (!o->mask)
        return n > 0;
    for (size_t i = 0; i < n; i++)
        if (!is_zero(o, &f->left.at[i]))
            return true;
    return false;
}

static bool compares(struct filter *f, const struct test *t, const struct field_frame *frame)
{
    size_t na = values_of(f, t->left, frame, &f->left);
    size_t nb = na ? values_of(f, t->right, frame, &f->right) : 0;

    for (size_t i = 0; i < na; i++)
        for (size_t k = 0; k < nb; k++)
            if (holds(t->op, t->left->class, &f->left.at[i], &f->right.at[k]) ==
                (t->quantifier == QUANTIFIER_ANY))
                return t->quantifier == QUANTIFIER_ANY;
    return t->quantifier == QUANTIFIER_ALL && na && nb;
}

static bool is_in_range(struct filter *f, const struct test *t, const struct range *r,
                        const struct value *v, const struct field_frame *frame)
{
    enum value_class class = t->left->class;
    size_t n = values_of(f, r->low, frame, &f->right);

    if (!r->high) {
        for (size_t i = 0; i < n; i++)
            if (value_is_equal(class, v, &f->right.at[i]))
                return true;
        return false;
    }
    if (!n || value_compare(class, v, &f->right.at[0]) < 0)
        return false;
    return values_of(f, r->high, frame, &f->right) && value_compare(class, v, &f->right.at[0]) <= 0;
}

static bool is_in(struct filter *f, const struct test *t, const struct field_frame *frame)
{
    size_t n = values_of(f, t->left, frame, &f->left);

    for (size_t i = 0; i < n; i++)
        for (const struct range *r = t->ranges; r; r = r->next)
            if (is_in_range(f, t, r, &f->left.at[i], frame))
                return true;
    return false;
}

static bool passes(struct filter *f, const struct test *t, const struct field_frame *frame)
{
    switch (t->kind) {
    case TEST_TRUE:
        return true;
    case TEST_EXISTS:
        return exists(f, t->left, frame);
    case TEST_COMPARE:
        return compares(f, t, frame);
    case TEST_IN:
        return is_in(f, t, frame);
    case TEST_NOT:
        return !passes(f, t->a, frame);
    case TEST_AND:
        return passes(f, t->a, frame) && passes(f, t->b, frame);
    case TEST_OR:
        return passes(f, t->a, frame) || passes(f, t->b, frame);
    }
    return false;
}

bool filter_match(struct filter *f, const struct field_frame *frame)
{
    return passes(f, f->test, frame);
}
