/* A compiled display filter: a tree of tests over operands. Only for filter*.c. */
#ifndef CCALAB_CAPTURE_FILTER_TREE_H
#define CCALAB_CAPTURE_FILTER_TREE_H

#include "capture/filter.h"

#define FILTER_SLICES_MAX 16
#define FILTER_DEPTH_MAX  200
/* Bytes of one value that slices may pick. */
#define FILTER_SLICED_MAX 256

/* What values can be compared with each other. */
enum value_class { VALUE_NONE, VALUE_UINT, VALUE_TIME, VALUE_IPV4, VALUE_BYTES };

struct value {
    uint64_t u;    /* UINT, IPV4 */
    uint64_t mask; /* IPV4 literal: of its prefix; else all ones */
    int64_t ns;
    const uint8_t *bytes;
    uint32_t len;
    uint32_t prefix_bits; /* BYTES literal of an IPv6 network: bits compared; 0: all */
};

/* Bytes [begin, end) of a value; negative ones count from its end. */
struct slice {
    int64_t begin, end;
    bool is_to_end;
};

struct operand {
    const struct field *field; /* NULL: a literal */
    enum value_class class;
    struct slice slices[FILTER_SLICES_MAX];
    int nslices;
    struct operand *mask; /* & of it with this one; NULL: none. Owned */
    struct value literal;
    uint8_t store[FILTER_SLICED_MAX]; /* bytes of the literal */
};

enum compare_op { COMPARE_EQ, COMPARE_NE, COMPARE_LT, COMPARE_LE, COMPARE_GT, COMPARE_GE };
enum quantifier { QUANTIFIER_ANY, QUANTIFIER_ALL };

enum test_kind {
    TEST_TRUE,
    TEST_EXISTS,  /* left: it has a value; masked: one that is not zero */
    TEST_COMPARE, /* left, right */
    TEST_IN,      /* left in one of the ranges */
    TEST_NOT,
    TEST_AND,
    TEST_OR,
};

/* `low` alone, or from `low` to `high`. */
struct range {
    struct operand *low, *high;
    struct range *next;
};

struct test {
    enum test_kind kind;
    enum compare_op op;
    enum quantifier quantifier;
    struct operand *left, *right;
    struct range *ranges;
    struct test *a, *b;
};

/* Compare two values of one class: below, at or above 0. */
int value_compare(enum value_class class, const struct value *a, const struct value *b);
/* Are they equal? A literal with a prefix compares only that. */
bool value_is_equal(enum value_class class, const struct value *a, const struct value *b);
enum value_class field_class(const struct field *f);
/* Parse a literal for comparisons with `with`. Errors: STATUS_USAGE without a column. */
CCALAB_MUST_USE enum status literal_parse(const char *text, size_t len, const struct operand *with,
                                          struct operand *out, struct error *err);

/* Parse the text. Errors: as filter_compile(). */
CCALAB_MUST_USE enum status filter_parse(const char *text, struct test **out, size_t *at,
                                         struct error *err);
void test_free(struct test *t);
void operand_free(struct operand *o);

#endif
