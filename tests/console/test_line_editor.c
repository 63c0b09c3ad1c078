/* The line editor and its history. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <locale.h>
#include <ncurses.h>

#include "console/line_editor.h"
#include "console/line_keys.h"
#include "console/term.h"
#include "console/utf8.h"

static struct history history;
static struct line_editor le;

static int set_up(void **state)
{
    (void)state;
    history_init(&history, NULL);
    line_editor_init(&le, &history);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    history_done(&history);
    return 0;
}

static void type(const char *s)
{
    uint32_t cp;

    for (size_t n; (n = utf8_decode(s, &cp)); s += n)
        assert_true(line_editor_insert(&le, cp));
}

static void test_insert_and_move(void **state)
{
    (void)state;
    type("ac");
    assert_true(line_editor_do(&le, LINE_EDIT_LEFT));
    type("b");
    assert_string_equal(le.text, "abc");
    assert_int_equal(le.cursor, 2);
    assert_true(line_editor_do(&le, LINE_EDIT_HOME));
    assert_false(line_editor_do(&le, LINE_EDIT_HOME));
    assert_false(line_editor_do(&le, LINE_EDIT_LEFT));
    assert_false(line_editor_do(&le, LINE_EDIT_BACKSPACE));
    assert_true(line_editor_do(&le, LINE_EDIT_DELETE));
    assert_string_equal(le.text, "bc");
    assert_true(line_editor_do(&le, LINE_EDIT_END));
    assert_false(line_editor_do(&le, LINE_EDIT_RIGHT));
    assert_false(line_editor_do(&le, LINE_EDIT_DELETE));
    assert_true(line_editor_do(&le, LINE_EDIT_BACKSPACE));
    assert_string_equal(le.text, "b");
}

static void test_utf8_is_edited_by_character(void **state)
{
    (void)state;
    type("a\u00b5\u20ac\U0001d6fcz"); /* 1, 2, 3, 4 and 1 bytes */
    assert_int_equal(le.len, 11);
    line_editor_do(&le, LINE_EDIT_LEFT);
    assert_int_equal(le.cursor, 10);
    line_editor_do(&le, LINE_EDIT_LEFT);
    assert_int_equal(le.cursor, 6);
    line_editor_do(&le, LINE_EDIT_BACKSPACE);
    assert_string_equal(le.text, "a\u00b5\U0001d6fcz");
    line_editor_do(&le, LINE_EDIT_DELETE);
    assert_string_equal(le.text, "a\u00b5z");
    line_editor_do(&le, LINE_EDIT_LEFT);
    assert_int_equal(le.cursor, 1);
    line_editor_do(&le, LINE_EDIT_RIGHT);
    assert_int_equal(le.cursor, 3);
}

static void test_combining_marks_stay_with_their_base(void **state)
{
    (void)state;
    type("xe\u0301y");
    line_editor_do(&le, LINE_EDIT_LEFT);
    line_editor_do(&le, LINE_EDIT_LEFT);
    assert_int_equal(le.cursor, 1);
    line_editor_do(&le, LINE_EDIT_RIGHT);
    assert_int_equal(le.cursor, 4);
    line_editor_do(&le, LINE_EDIT_BACKSPACE);
    assert_string_equal(le.text, "xy");
}

static void test_controls_and_surrogates_are_refused(void **state)
{
    (void)state;
    assert_false(line_editor_insert(&le, 0));
    assert_false(line_editor_insert(&le, 27));
    assert_false(line_editor_insert(&le, 0x7f));
    assert_false(line_editor_insert(&le, 0x9b)); /* C1: starts an escape sequence */
    assert_false(line_editor_insert(&le, 0xd800));
    assert_false(line_editor_insert(&le, 0x110000));
    assert_string_equal(le.text, "");
}

static void test_kill(void **state)
{
    (void)state;
    type("one two  ");
    assert_true(line_editor_do(&le, LINE_EDIT_KILL_WORD));
    assert_string_equal(le.text, "one ");
    type("2 3");
    line_editor_do(&le, LINE_EDIT_LEFT);
    assert_true(line_editor_do(&le, LINE_EDIT_KILL_AFTER));
    assert_string_equal(le.text, "one 2 ");
    assert_false(line_editor_do(&le, LINE_EDIT_KILL_AFTER));
    assert_true(line_editor_do(&le, LINE_EDIT_KILL_BEFORE));
    assert_string_equal(le.text, "");
}

static void test_full_line_refuses_more(void **state)
{
    size_t n = 0;

    (void)state;
    while (line_editor_insert(&le, 'x'))
        n++;
    assert_int_equal(n, LINE_EDITOR_MAX - 1);
    assert_int_equal(strlen(le.text), LINE_EDITOR_MAX - 1);
    line_editor_do(&le, LINE_EDIT_BACKSPACE);
    assert_false(line_editor_insert(&le, 0x20ac)); /* three bytes do not fit into one */
}

static void test_history_keeps_the_draft(void **state)
{
    (void)state;
    assert_false(line_editor_do(&le, LINE_EDIT_OLDER));
    history_add(&history, "first");
    history_add(&history, "second");
    history_add(&history, "second");
    assert_int_equal(history.len, 2);
    line_editor_clear(&le);
    type("dra");
    assert_true(line_editor_do(&le, LINE_EDIT_OLDER));
    assert_string_equal(le.text, "second");
    assert_int_equal(le.cursor, 6);
    assert_true(line_editor_do(&le, LINE_EDIT_OLDER));
    assert_string_equal(le.text, "first");
    assert_false(line_editor_do(&le, LINE_EDIT_OLDER));
    assert_true(line_editor_do(&le, LINE_EDIT_NEWER));
    assert_true(line_editor_do(&le, LINE_EDIT_NEWER));
    assert_string_equal(le.text, "dra");
    assert_false(line_editor_do(&le, LINE_EDIT_NEWER));
}

static void test_history_is_bounded(void **state)
{
    char line[32];

    (void)state;
    for (int i = 0; i < HISTORY_MAX + 10; i++) {
        snprintf(line, sizeof line, "line %d", i);
        history_add(&history, line);
    }
    assert_int_equal(history.len, HISTORY_MAX);
    assert_string_equal(history_at(&history, 0), "line 10");
    assert_null(history_at(&history, HISTORY_MAX));
}

static void test_history_file(void **state)
{
    char dir[] = "/tmp/ccalab-history-XXXXXX", path[80], sub[64];
    struct history h;

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(sub, sizeof sub, "%s/deep", dir);
    snprintf(path, sizeof path, "%s/history", sub);
    history_init(&h, path); /* neither the file nor its directory exists */
    assert_int_equal(h.len, 0);
    history_add(&h, "1+1");
    history_add(&h, "print('\u00b5s')");
    history_done(&h);
    history_init(&h, path);
    assert_int_equal(h.len, 2);
    assert_string_equal(history_at(&h, 0), "1+1");
    assert_string_equal(history_at(&h, 1), "print('\u00b5s')");
    history_done(&h);
    unlink(path);
    rmdir(sub);
    rmdir(dir);
}

static void test_history_file_of_blocks(void **state)
{
    char path[] = "/tmp/ccalab-history-XXXXXX", *big;
    struct history h;
    FILE *f;
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    close(fd);
    history_init(&h, path);
    history_add(&h, "for i = 1, 3 do\n    print(i)\nend");
    history_add(&h, "\t\tx = 1\n\ty = 2"); /* no entry goes on with the one before it */
    big = malloc(HISTORY_ENTRY_MAX + 2);
    memset(big, 'x', HISTORY_ENTRY_MAX + 1);
    big[HISTORY_ENTRY_MAX + 1] = '\0';
    history_add(&h, big);
    history_add(&h, "last");
    history_done(&h);
    history_init(&h, path);
    assert_int_equal(h.len, 3);
    assert_string_equal(history_at(&h, 0), "for i = 1, 3 do\n    print(i)\nend");
    assert_string_equal(history_at(&h, 1), "x = 1\n\ty = 2");
    assert_string_equal(history_at(&h, 2), "last");
    history_done(&h);
    f = fopen(path, "w");
    fprintf(f, "\tbegins in the middle\n\n%s\nends in it", big);
    fclose(f);
    history_init(&h, path);
    assert_int_equal(h.len, 2);
    assert_string_equal(history_at(&h, 1), "ends in it");
    history_done(&h);
    free(big);
    unlink(path);
}

static void test_several_lines(void **state)
{
    (void)state;
    history_add(&history, "old");
    line_editor_clear(&le);
    type("ab\u00b5d\nx\nefgh");
    assert_true(line_editor_do(&le, LINE_EDIT_HOME));
    assert_int_equal(le.cursor, 8);
    line_editor_do(&le, LINE_EDIT_RIGHT);
    line_editor_do(&le, LINE_EDIT_RIGHT);
    line_editor_do(&le, LINE_EDIT_RIGHT);
    assert_true(line_editor_do(&le, LINE_EDIT_OLDER)); /* a shorter line */
    assert_int_equal(le.cursor, 7);
    line_editor_do(&le, LINE_EDIT_LEFT);
    assert_true(line_editor_do(&le, LINE_EDIT_END));
    assert_true(line_editor_do(&le, LINE_EDIT_OLDER));
    assert_int_equal(le.cursor, 1);
    assert_true(line_editor_do(&le, LINE_EDIT_OLDER)); /* above the first line */
    assert_string_equal(le.text, "old");
    assert_true(line_editor_do(&le, LINE_EDIT_NEWER));
    assert_string_equal(le.text, "ab\u00b5d\nx\nefgh");
    assert_true(line_editor_do(&le, LINE_EDIT_KILL_BEFORE));
    assert_string_equal(le.text, "ab\u00b5d\nx\n");
    assert_true(line_editor_do(&le, LINE_EDIT_BACKSPACE)); /* the newline */
    line_editor_do(&le, LINE_EDIT_OLDER);
    line_editor_do(&le, LINE_EDIT_HOME);
    assert_true(line_editor_do(&le, LINE_EDIT_KILL_AFTER));
    assert_string_equal(le.text, "\nx");
    assert_true(line_editor_do(&le, LINE_EDIT_KILL_AFTER));
    assert_string_equal(le.text, "x");
    assert_true(line_editor_replace(&le, 0, "new"));
    assert_string_equal(le.text, "newx");
    assert_int_equal(le.cursor, 3);
    le.is_single = true;
    assert_false(line_editor_insert(&le, '\n'));
    le.is_single = false;
}

static void test_search(void **state)
{
    (void)state;
    history_add(&history, "lab.run{}");
    history_add(&history, "print(1)");
    history_add(&history, "lab.run{rate = '1mbit'}");
    line_editor_clear(&le);
    type("dra");
    assert_true(line_editor_do(&le, LINE_EDIT_SEARCH));
    assert_string_equal(le.text, "dra");
    type("run");
    assert_string_equal(le.text, "lab.run{rate = '1mbit'}");
    assert_int_equal(le.cursor, 4);
    assert_true(line_editor_do(&le, LINE_EDIT_SEARCH));
    assert_string_equal(le.text, "lab.run{}");
    assert_false(line_editor_do(&le, LINE_EDIT_SEARCH));
    assert_false(le.has_match);
    type("\u00b5");
    assert_true(line_editor_do(&le, LINE_EDIT_BACKSPACE));
    assert_string_equal(le.wanted, "run");
    assert_true(le.has_match);
    assert_string_equal(le.text, "lab.run{rate = '1mbit'}");
    assert_true(line_editor_do(&le, LINE_EDIT_SEARCH_LEAVE));
    assert_string_equal(le.text, "dra");
    line_editor_do(&le, LINE_EDIT_SEARCH);
    type("print");
    assert_true(
        line_editor_do(&le, LINE_EDIT_END)); /* an edit ends the search and keeps the text */
    assert_false(le.is_searching);
    assert_string_equal(le.text, "print(1)");
    assert_int_equal(le.cursor, 8);
}

static void press(bool is_code, wint_t key)
{
    line_keys_do(&le, is_code, key);
}

static void test_paste(void **state)
{
    (void)state;
    press(true, TERM_KEY_PASTE);
    for (const char *s = "if x\r\n\tthen\rq\x1b\x03\nend"; *s; s++)
        press(false, (wint_t)*s);
    press(true, KEY_UP);
    press(true, TERM_KEY_PASTE_END);
    assert_string_equal(le.text, "if x\n    then\nq\nend");
    assert_int_equal(line_keys_do(&le, false, '\r'), LINE_KEY_ENTER);
    assert_int_equal(line_keys_do(&le, false, '\t'), LINE_KEY_COMPLETE);
    assert_int_equal(line_keys_do(&le, false, 27), LINE_KEY_LEAVE);
    press(true, TERM_KEY_PASTE); /* its end is lost */
    le.pasted_ns -= 2000000000u;
    assert_int_equal(line_keys_do(&le, false, '\r'), LINE_KEY_ENTER);
}

static void test_utf8_refuses_what_is_broken(void **state)
{
    static const char *const broken[] = {
        "\x80", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc3", "\xff"};
    uint32_t cp;

    (void)state;
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        assert_int_equal(utf8_decode(broken[i], &cp), 1);
        assert_int_equal(cp, UTF8_REPLACEMENT);
    }
    assert_int_equal(utf8_decode("", &cp), 0);
    for (cp = 1; cp < 0x110000; cp += cp < 0x3000 ? 1 : 997) {
        char bytes[5] = {0};
        size_t n = utf8_encode(cp, bytes);
        uint32_t back;

        if (cp >= 0xd800 && cp < 0xe000)
            continue;
        assert_int_equal(utf8_decode(bytes, &back), n);
        assert_int_equal(back, cp);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_insert_and_move, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_utf8_is_edited_by_character, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_combining_marks_stay_with_their_base, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_controls_and_surrogates_are_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_kill, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_full_line_refuses_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_history_keeps_the_draft, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_history_is_bounded, set_up, tear_down),
        cmocka_unit_test(test_history_file),
        cmocka_unit_test(test_history_file_of_blocks),
        cmocka_unit_test_setup_teardown(test_several_lines, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_search, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_paste, set_up, tear_down),
        cmocka_unit_test(test_utf8_refuses_what_is_broken),
    };

    setlocale(LC_CTYPE, "C.UTF-8"); /* for the width of combining marks */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
