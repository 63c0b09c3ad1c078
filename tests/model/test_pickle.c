/* The restricted pickle reader: values, hostile programs, and bounds. Real pools are read, and
 * compared with their CSV, by pool_import.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* After the above, as cmocka wants it. */
#include <cmocka.h>

#include "model/pickle.h"
#include "model/pool.h"

static const char *const globals[] = {"collections OrderedDict", NULL};

/* Read `text` (its NUL left out), which must be all used. */
#define READ(text, p, err) pickle_read(text, sizeof(text) - 1, globals, "t.pkl", p, NULL, err)

static void test_values(void **state)
{
    (void)state;
    struct error err;
    struct pickle *p;
    size_t used;
    /* {'a': [1, -2, 300], 'b': (True, None, 1.5, b'xy'), 'c': OrderedDict()} and a tail. */
    static const char text[] = "\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x00}\x94("
                               "\x8c\x01"
                               "a]\x94(K\x01J\xfe\xff\xff\xffM\x2c\x01"
                               "e\x8c\x01"
                               "b(\x88NG\x3f\xf8\x00\x00\x00\x00\x00\x00"
                               "C\x02xyt\x8c\x01"
                               "c\x8c\x0b"
                               "collections\x8c\x0bOrderedDict\x93)Ru.tail";
    assert_int_equal(pickle_read(text, sizeof text - 1, globals, "t.pkl", &p, &used, &err),
                     STATUS_OK);
    assert_int_equal(used, sizeof text - 1 - 4);
    const struct pickle_value *root = pickle_root(p), *a = pickle_get(root, "a"),
                              *b = pickle_get(root, "b");
    assert_true(pickle_is_int(pickle_item(a, 0), 1) && pickle_is_int(pickle_item(a, 1), -2) &&
                pickle_is_int(pickle_item(a, 2), 300));
    assert_null(pickle_item(a, 3));
    assert_int_equal(b->kind, PICKLE_TUPLE);
    assert_true(pickle_item(b, 0)->boolean && pickle_item(b, 1)->kind == PICKLE_NONE);
    assert_true(pickle_item(b, 2)->real == 1.5);
    assert_memory_equal(pickle_item(b, 3)->bytes.data, "xy", 2);
    assert_true(pickle_is_call(pickle_get(root, "c"), "collections OrderedDict", 0));
    assert_null(pickle_get(root, "d"));
    assert_null(pickle_get(a, "a"));
    assert_null(pickle_item(NULL, 0));
    pickle_free(p);

    assert_int_equal(READ("\x80\x02\x8a\x01\xff.", &p, &err), STATUS_OK); /* LONG1: -1 */
    assert_true(pickle_is_int(pickle_root(p), -1));
    pickle_free(p);
    assert_int_equal(READ("\x8a\x0a"
                          "0123456789.",
                          &p, &err),
                     STATUS_OK);
    assert_int_equal(pickle_root(p)->kind, PICKLE_LONG);
    pickle_free(p);
    /* A list that contains itself, through the memo, and is asked and freed all the same. */
    assert_int_equal(READ("]\x94h\x00"
                          "a.",
                          &p, &err),
                     STATUS_OK);
    assert_ptr_equal(pickle_item(pickle_root(p), 0), pickle_root(p));
    pickle_free(p);
}

static void refuse(const char *text, size_t len, const char *why)
{
    struct error err = {0};
    struct pickle *p;
    assert_int_equal(pickle_read(text, len, globals, "t.pkl", &p, NULL, &err), STATUS_INPUT);
    assert_null(p);
    if (!strstr(err.message, why) || !strstr(err.message, "t.pkl"))
        fail_msg("'%s' does not say '%s'", err.message, why);
}
#define REFUSE(text, why) refuse(text, sizeof(text) - 1, why)

static void test_hostile(void **state)
{
    (void)state;
    /* What everyone tries first: os.system, in the three ways of naming a global. */
    REFUSE("cos\nsystem\n(S'true'\ntR.", "names os.system");
    REFUSE("\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x04true\x85R.", "names posix.system");
    REFUSE("\x80\x04\x8c\x08"
           "builtins\x8c\x04"
           "eval\x93\x8c\x01"
           "1\x85R.",
           "names builtins.eval");
    REFUSE("ccollections\nOrderedDictX\n.", "not allowed");
    REFUSE("ccollections\nOrdered\n.", "not allowed");
    REFUSE("(ios\nsystem\n.", "opcode 0x69");      /* INST */
    REFUSE("(cos\nsystem\no.", "names os.system"); /* OBJ */
    REFUSE("\x82\x01.", "opcode 0x82");            /* EXT1 */
    REFUSE("N2.", "opcode 0x32");                  /* DUP: how bombs grow */
    REFUSE("I1\n.", "opcode 0x49");                /* text protocol 0 */
    REFUSE("\x80\x04\x92.", "opcode 0x92");        /* NEWOBJ_EX */
    REFUSE("\x80\x07N.", "protocol");              /* of the future */
    REFUSE("NQQ", "breaks off");
    /* Calls of what cannot be called, state where none fits. */
    REFUSE("K\x01)R.", "cannot be called");
    REFUSE("ccollections\nOrderedDict\nNR.", "cannot be called");
    REFUSE("]}b.", "takes none");
    REFUSE("ccollections\nOrderedDict\n)R}b}b.", "takes none");
}

static void test_damage(void **state)
{
    (void)state;
    REFUSE("", "breaks off");
    REFUSE("N", "breaks off");
    REFUSE(".", "none");
    REFUSE("NN.", "several");
    REFUSE("(.", "none");
    REFUSE("\x8c\x05"
           "ab.",
           "past the end");
    REFUSE("B\xff\xff\xff\xff.", "past the end");
    REFUSE("X\x00\x00\x00\x80"
           "a.",
           "past the end");
    REFUSE("\x95\x01\x02.", "breaks off"); /* a frame cut short */
    REFUSE("e.", "no mark");
    REFUSE("(e.", "takes none");
    REFUSE("N(e.", "takes none");
    REFUSE("](Nu.", "takes none"); /* SETITEMS on a list */
    REFUSE("}(Nu.", "without a value");
    REFUSE("\x86.", "too short");
    REFUSE("(N\x86.", "a mark where");
    REFUSE("a.", "too short");
    REFUSE("NNa.", "takes none");
    REFUSE("h\x00.", "never made");
    REFUSE("Nq\x09h\x01.", "out of all proportion");
    REFUSE("Nr\xff\xff\xff\xff.", "out of all proportion");
    REFUSE("(\x94.", "a mark where");
    REFUSE("\x93.", "too short");
    REFUSE("NN\x93.", "no text");
    REFUSE("cno newline", "breaks off");
}

/* Ten thousand marks, tuples and appends: memory stays linear, nothing recurses. */
static void test_depth(void **state)
{
    (void)state;
    enum { DEPTH = 200000 };
    char *text = malloc(2 * DEPTH + 2);
    struct error err;
    struct pickle *p;
    text[0] = ')';
    memset(text + 1, '\x85', DEPTH); /* a tuple in a tuple in a tuple */
    text[DEPTH + 1] = '.';
    assert_int_equal(pickle_read(text, DEPTH + 2, globals, "t.pkl", &p, NULL, &err), STATUS_OK);
    pickle_free(p);
    memset(text, '(', DEPTH);
    text[DEPTH] = '.';
    assert_int_equal(pickle_read(text, DEPTH + 1, globals, "t.pkl", &p, NULL, &err), STATUS_INPUT);
    free(text);
}

/* Pickles that are fine, but no pools. */
static void test_no_pool(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"].", "no ExperiencePool"},
        {"ccollections\nOrderedDict\n)R.", "no ExperiencePool"},
        {"c__main__\nExperiencePool\n)\x81.", "no list 'states'"},
        {"c__main__\nExperiencePool\n)\x81}X\x06\x00\x00", "past the end"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = {0};
        struct pool *pool;
        size_t len = i == 3 ? 34 : strlen(cases[i].text);
        assert_int_equal(pool_from_pickle(cases[i].text, len, "t.pkl", &pool, &err), STATUS_INPUT);
        assert_null(pool);
        if (!strstr(err.message, cases[i].why))
            fail_msg("'%s' does not say '%s'", err.message, cases[i].why);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),  cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_damage),  cmocka_unit_test(test_depth),
        cmocka_unit_test(test_no_pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
