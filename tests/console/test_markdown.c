/* Markdown cut into lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "console/markdown.h"
#include "core/buf.h"

static void note(void *user, enum markdown_kind kind, int indent, const char *text)
{
    static const char names[] = "_HTICR";

    buf_printf(user, "%c%d %s\n", names[kind], indent, text);
}

static void check(const char *text, const char *want)
{
    struct buf out;

    buf_init(&out, 1 << 20);
    markdown_each(text, note, &out);
    assert_string_equal(out.data, want);
    buf_done(&out);
}

static void test_paragraphs(void **state)
{
    (void)state;
    check("", "");
    check("\n\n\n", "");
    check("one\ntwo\r\n\n\n\nthree", "T0 one two\n_0 \nT0 three\n");
    check("\x1b[2Jx\x7f\ty", "T0 [2Jx    y\n");
}

static void test_headings(void **state)
{
    (void)state;
    check("# A *b*\ntext\n## C", "H0 A b\n_0 \nT0 text\n_0 \nH0 C\n");
    check("#no heading", "T0 #no heading\n");
    check("####### seven", "T0 ####### seven\n");
}

static void test_lists(void **state)
{
    (void)state;
    check("- a\n  goes on\n- b\n  - deeper\n\n12. c",
          "I2 - a goes on\nI2 - b\nI4 - deeper\n_0 \nI4 12. c\n");
    check("* star", "I2 - star\n");
    check("-no item", "T0 -no item\n");
    check("2024. is a year", "T0 2024. is a year\n");
}

static void test_code(void **state)
{
    (void)state;
    check("    a  *b*\n      c\n\ntext", "C2 a  *b*\nC2   c\n_0 \nT0 text\n");
    check("```sh\n# not a heading\n\n- x\n```\nend", "C2 # not a heading\nC2 \nC2 - x\nT0 end\n");
    check("text\n    is no code", "T0 text is no code\n");
    check("```\nnever closed", "C2 never closed\n");
}

static void test_emphasis(void **state)
{
    (void)state;
    check("**bold** and *thin*, `a**b`, 2 * 3, client_x",
          "T0 bold and thin, `a**b`, 2 * 3, client_x\n");
    check("**", "T0 **\n");
    check("`never closed **x**", "T0 `never closed **x**\n");
}

static void test_tables(void **state)
{
    (void)state;
    check("| a | b |\n|---|---|\n| 1 | 2 |\ntext", "R0 | a | b |\nR0 | 1 | 2 |\nT0 text\n");
}

static void test_bounds(void **state)
{
    (void)state;
    size_t size = 4 * MARKDOWN_LINE_MAX;
    char *text = malloc(size + 1);
    struct buf out;

    assert_non_null(text);
    memset(text, 'x', size);
    text[size] = '\0';
    buf_init(&out, 1 << 20);
    markdown_each(text, note, &out);
    assert_int_equal(out.len, MARKDOWN_LINE_MAX + strlen("T0 \n"));
    buf_clear(&out);
    for (size_t i = 0; i + 1 < size; i += 2) /* one paragraph of a great many lines */
        memcpy(text + i, "y\n", 2);
    markdown_each(text, note, &out);
    assert_true(out.len <= 2 * MARKDOWN_LINE_MAX + strlen("T0 \n"));
    buf_done(&out);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paragraphs), cmocka_unit_test(test_headings),
        cmocka_unit_test(test_lists),      cmocka_unit_test(test_code),
        cmocka_unit_test(test_emphasis),   cmocka_unit_test(test_tables),
        cmocka_unit_test(test_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
