/* The parser of display filters: text to tree, with every type checked on the way. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "capture/filter_lex.h"
#include "capture/filter_tree.h"

struct parser {
    struct lexer lexer;
    struct token token;
    size_t fault_at;
    int depth;
    struct error *err;
};

static enum status parse_or(struct parser *p, struct test **out);

/* --- errors and memory ------------------------------------------------------------------------ */

static enum status fault(struct parser *p, const struct token *t, const char *what)
{
    p->fault_at = t->at;
    if (t->kind == TOKEN_END)
        return error_set(p->err, STATUS_USAGE, "filter", "the filter ends where %s", what);
    return error_set(p->err, STATUS_USAGE, "filter", "column %zu: at '%.*s', %s", t->at + 1,
                     t->len > 40 ? 40 : (int)t->len, t->text, what);
}

static enum status no_memory(struct parser *p)
{
    return error_set(p->err, STATUS_NOMEM, "filter", "no memory for the filter");
}

void operand_free(struct operand *o)
{
    if (o)
        operand_free(o->mask);
    free(o);
}

void test_free(struct test *t)
{
    if (!t)
        return;
    test_free(t->a);
    test_free(t->b);
    operand_free(t->left);
    operand_free(t->right);
    while (t->ranges) {
        struct range *r = t->ranges;
        t->ranges = r->next;
        operand_free(r->low);
        operand_free(r->high);
        free(r);
    }
    free(t);
}

static enum status advance(struct parser *p)
{
    enum status st = lexer_next(&p->lexer, &p->token, p->err);

    if (st != STATUS_OK)
        p->fault_at = p->token.at;
    return st;
}

/* --- operands --------------------------------------------------------------------------------- */

/* A whole number at *text, which is moved behind it. */
static bool slice_number(const char **text, const char *end, int64_t *out)
{
    bool is_negative = *text < end && **text == '-';
    const char *digits = *text += is_negative;

    for (*out = 0; *text < end && isdigit((unsigned char)**text); (*text)++) {
        if (*out > 1000000000)
            return false;
        *out = *out * 10 + (**text - '0');
    }
    if (is_negative)
        *out = -*out;
    return *text > digits;
}

/* "4", "4:2" (length), "4-5" (last), "4:", ":2". */
static bool slice_parse(const char *text, const char *end, struct slice *s)
{
    int64_t n;

    *s = (struct slice){0};
    if (text == end || (*text != ':' && !slice_number(&text, end, &s->begin)))
        return false;
    if (text == end) {
        s->end = s->begin + 1;
        s->is_to_end = s->begin == -1;
        return true;
    }
    if (*text != ':' && *text != '-')
        return false;
    bool is_length = *text++ == ':';
    if (text == end) {
        s->is_to_end = true;
        return is_length;
    }
    if (!slice_number(&text, end, &n) || text != end || (is_length && n <= 0))
        return false;
    s->end = is_length ? s->begin + n : n + 1;
    s->is_to_end = s->end == 0; /* behind the last byte, counted from the end */
    return true;
}

static enum status parse_slices(struct parser *p, struct operand *o)
{
    const char *text = p->token.text, *end = text + p->token.len;

    if (o->field->type == FIELD_UINT || o->field->type == FIELD_BOOL ||
        o->field->type == FIELD_LABEL || o->class == VALUE_TIME) {
        fault(p, &p->token, "this field has no bytes to slice");
        return error_hint(p->err, "slice its protocol: tcp[13], or mask the number: tcp.flags & 2");
    }
    while (text <= end) {
        const char *comma = memchr(text, ',', (size_t)(end - text)), *stop = comma ? comma : end;
        while (text < stop && *text == ' ')
            text++;
        while (stop > text && stop[-1] == ' ')
            stop--;
        if (o->nslices == FILTER_SLICES_MAX)
            return fault(p, &p->token, "too many slices");
        if (!slice_parse(text, stop, &o->slices[o->nslices++])) {
            fault(p, &p->token, "no slice");
            return error_hint(p->err, "[13], [0:2] (offset and length), [0-1], [4:], [-2:2]");
        }
        text = (comma ? comma : end) + 1;
    }
    o->class = VALUE_BYTES;
    return advance(p);
}

static enum status parse_literal(struct parser *p, const struct operand *with, struct operand **out)
{
    struct token t = p->token;
    enum status st;

    if (t.kind != TOKEN_WORD && t.kind != TOKEN_STRING && t.kind != TOKEN_CHAR)
        return fault(p, &t, "a value is wanted");
    *out = calloc(1, sizeof **out);
    if (!*out)
        return no_memory(p);
    struct error why;
    st = literal_parse(t.text, t.len, with, *out, &why);
    if (st != STATUS_OK) {
        fault(p, &t, why.message);
        if (why.hint[0])
            error_hint(p->err, "%s", why.hint);
        return st;
    }
    (*out)->literal.bytes = (*out)->store;
    return advance(p);
}

static bool are_comparable(const struct operand *a, const struct operand *b)
{
    return a->class == b->class && a->class != VALUE_NONE;
}

static enum status parse_field(struct parser *p, struct operand **out);

/* The other side of a comparison, of a mask or of a range: a field or a literal. */
static enum status parse_other(struct parser *p, const struct operand *with, struct operand **out)
{
    struct token t = p->token;
    enum status st;

    if (t.kind != TOKEN_WORD || !field_find(t.text, t.len))
        return parse_literal(p, with, out);
    st = parse_field(p, out);
    if (st == STATUS_OK && !are_comparable(with, *out))
        st = fault(p, &t, "two fields that cannot be compared");
    return st;
}

static enum status unknown_field(struct parser *p)
{
    char word[64];
    const char *near;

    snprintf(word, sizeof word, "%.*s", (int)(p->token.len < 63 ? p->token.len : 63),
             p->token.text);
    near = field_suggest(word);
    fault(p, &p->token, "a field or a protocol is wanted");
    if (near)
        return error_hint(p->err, "did you mean %s?", near);
    return error_hint(p->err, "ccalab packets --fields lists them");
}

/* A field, perhaps sliced. */
static enum status parse_field(struct parser *p, struct operand **out)
{
    const struct field *f =
        p->token.kind == TOKEN_WORD ? field_find(p->token.text, p->token.len) : NULL;
    enum status st;

    if (!f)
        return p->token.kind == TOKEN_END ? fault(p, &p->token, "a field is wanted")
                                          : unknown_field(p);
    *out = calloc(1, sizeof **out);
    if (!*out)
        return no_memory(p);
    (*out)->field = f;
    (*out)->class = field_class(f);
    st = advance(p);
    if (st == STATUS_OK && p->token.kind == TOKEN_SLICE)
        st = parse_slices(p, *out);
    return st;
}

static enum status parse_operand(struct parser *p, struct operand **out)
{
    struct token t = p->token;
    enum status st = parse_field(p, out);

    if (st != STATUS_OK || p->token.kind != TOKEN_MASK)
        return st;
    if ((*out)->class != VALUE_UINT && (*out)->class != VALUE_BYTES)
        return fault(p, &t, "only numbers and slices can be masked");
    st = advance(p);
    return st == STATUS_OK ? parse_other(p, *out, &(*out)->mask) : st;
}

/* --- tests ------------------------------------------------------------------------------------ */

static enum status new_test(struct parser *p, enum test_kind kind, struct test **out)
{
    *out = calloc(1, sizeof **out);
    if (!*out)
        return no_memory(p);
    (*out)->kind = kind;
    return STATUS_OK;
}

/* {1, 3, 10..20} */
static enum status parse_set(struct parser *p, struct test *t)
{
    struct range **last = &t->ranges;
    enum status st = advance(p);

    if (st == STATUS_OK && p->token.kind != TOKEN_LBRACE)
        return fault(p, &p->token, "a set in braces is wanted: {1, 3, 10..20}");
    do {
        if (st == STATUS_OK)
            st = advance(p);
        if (st != STATUS_OK)
            return st;
        *last = calloc(1, sizeof **last);
        if (!*last)
            return no_memory(p);
        st = parse_other(p, t->left, &(*last)->low);
        if (st == STATUS_OK && p->token.kind == TOKEN_DOTDOT) {
            st = advance(p);
            if (st == STATUS_OK)
                st = parse_other(p, t->left, &(*last)->high);
        }
        last = &(*last)->next;
    } while (st == STATUS_OK && p->token.kind == TOKEN_COMMA);
    if (st == STATUS_OK && p->token.kind != TOKEN_RBRACE)
        return fault(p, &p->token, "a comma or the closing brace is wanted");
    return st == STATUS_OK ? advance(p) : st;
}

/* How operators read: `a != b` is "all differ", `a ~= b` "any differs". */
static bool compare_of(enum token_kind kind, enum compare_op *op, enum quantifier *quantifier)
{
    static const struct {
        enum token_kind token;
        enum compare_op op;
        enum quantifier quantifier;
    } ops[] = {
        {TOKEN_EQ, COMPARE_EQ, QUANTIFIER_ANY},     {TOKEN_NE, COMPARE_NE, QUANTIFIER_ALL},
        {TOKEN_ALL_EQ, COMPARE_EQ, QUANTIFIER_ALL}, {TOKEN_ANY_NE, COMPARE_NE, QUANTIFIER_ANY},
        {TOKEN_LT, COMPARE_LT, QUANTIFIER_ANY},     {TOKEN_LE, COMPARE_LE, QUANTIFIER_ANY},
        {TOKEN_GT, COMPARE_GT, QUANTIFIER_ANY},     {TOKEN_GE, COMPARE_GE, QUANTIFIER_ANY},
    };

    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        if (ops[i].token == kind) {
            *op = ops[i].op;
            *quantifier = ops[i].quantifier;
            return true;
        }
    }
    return false;
}

/* What may follow an operand: a comparison, a set, nothing. */
static enum status parse_relation(struct parser *p, struct test *t, const struct token *quantified)
{
    bool is_compared = compare_of(p->token.kind, &t->op, &t->quantifier);
    struct token at = p->token;
    enum status st;

    if (quantified) {
        if (!is_compared)
            return fault(p, &p->token, "any and all stand before a comparison");
        t->quantifier = quantified->kind == TOKEN_ALL ? QUANTIFIER_ALL : QUANTIFIER_ANY;
    }
    if (!is_compared && p->token.kind != TOKEN_IN)
        return STATUS_OK;
    if (t->left->class == VALUE_NONE) {
        fault(p, &at, "what stands before it is there or not, and has no value");
        return error_hint(p->err, "write %s alone", t->left->field->name);
    }
    if (p->token.kind == TOKEN_IN) {
        t->kind = TEST_IN;
        return parse_set(p, t);
    }
    t->kind = TEST_COMPARE;
    st = advance(p);
    return st == STATUS_OK ? parse_other(p, t->left, &t->right) : st;
}

/* "x not in {1}" */
static enum status parse_not_in(struct parser *p, struct test **out)
{
    struct test *inner = *out;
    enum status st = advance(p);

    if (st == STATUS_OK && p->token.kind != TOKEN_IN)
        return fault(p, &p->token, "'in' is wanted after this 'not'");
    if (st == STATUS_OK)
        st = parse_relation(p, inner, NULL);
    if (st == STATUS_OK)
        st = new_test(p, TEST_NOT, out);
    if (st == STATUS_OK)
        (*out)->a = inner;
    else
        *out = inner;
    return st;
}

static enum status parse_primary(struct parser *p, struct test **out)
{
    struct token quantifier = p->token;
    bool is_quantified = quantifier.kind == TOKEN_ANY || quantifier.kind == TOKEN_ALL;
    enum status st = STATUS_OK;

    if (p->token.kind == TOKEN_LPAREN) {
        st = advance(p);
        if (st == STATUS_OK)
            st = parse_or(p, out);
        if (st == STATUS_OK && p->token.kind != TOKEN_RPAREN)
            return fault(p, &p->token, "a closing parenthesis is wanted");
        return st == STATUS_OK ? advance(p) : st;
    }
    if (is_quantified)
        st = advance(p);
    if (st == STATUS_OK)
        st = new_test(p, TEST_EXISTS, out);
    if (st == STATUS_OK)
        st = parse_operand(p, &(*out)->left);
    if (st == STATUS_OK && p->token.kind == TOKEN_NOT && !is_quantified)
        return parse_not_in(p, out);
    return st == STATUS_OK ? parse_relation(p, *out, is_quantified ? &quantifier : NULL) : st;
}

static enum status parse_not(struct parser *p, struct test **out)
{
    enum status st;

    if (p->depth++ > FILTER_DEPTH_MAX)
        return fault(p, &p->token, "nested too deeply");
    if (p->token.kind != TOKEN_NOT) {
        st = parse_primary(p, out);
    } else {
        st = advance(p);
        if (st == STATUS_OK)
            st = new_test(p, TEST_NOT, out);
        if (st == STATUS_OK)
            st = parse_not(p, &(*out)->a);
    }
    p->depth--;
    return st;
}

/* A chain of one operator, and binding before or. */
static enum status parse_chain(struct parser *p, enum token_kind token, enum test_kind kind,
                               enum status (*next)(struct parser *, struct test **),
                               struct test **out)
{
    enum status st = next(p, out);

    while (st == STATUS_OK && p->token.kind == token) {
        struct test *t;
        if ((st = advance(p)) || (st = new_test(p, kind, &t)))
            break;
        t->a = *out;
        *out = t;
        st = next(p, &t->b);
    }
    return st;
}

static enum status parse_and(struct parser *p, struct test **out)
{
    return parse_chain(p, TOKEN_AND, TEST_AND, parse_not, out);
}

static enum status parse_or(struct parser *p, struct test **out)
{
    return parse_chain(p, TOKEN_OR, TEST_OR, parse_and, out);
}

enum status filter_parse(const char *text, struct test **out, size_t *at, struct error *err)
{
    struct parser p = {.lexer = {.text = text, .len = strlen(text)}, .err = err};
    enum status st = STATUS_OK;

    *out = NULL;
    if (p.lexer.len > FILTER_TEXT_MAX)
        st = error_set(err, STATUS_USAGE, "filter", "longer than %d bytes", FILTER_TEXT_MAX);
    if (st == STATUS_OK)
        st = advance(&p);
    if (st == STATUS_OK && p.token.kind == TOKEN_END)
        st = new_test(&p, TEST_TRUE, out);
    else if (st == STATUS_OK)
        st = parse_or(&p, out);
    if (st == STATUS_OK && p.token.kind != TOKEN_END)
        st = fault(&p, &p.token, "the filter should have ended");
    if (st != STATUS_OK) {
        if (at)
            *at = p.fault_at;
        test_free(*out);
        *out = NULL;
    }
    return st;
}
