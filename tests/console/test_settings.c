/* What the user has of their own: settings and keys, with what is said of their faults. */
#include "tests/console/screen_golden.h"

#include "console/keymap.h"
#include "console/settings.h"

static int faults;

static void on_fault(void *user, int line, const char *text)
{
    const char *const *wanted = user;
    char said[300];

    snprintf(said, sizeof said, "%d: %s", line, text);
    if (!wanted[faults] || strcmp(said, wanted[faults]))
        fail_msg("said: %s, expected: %s", said, wanted[faults]);
    faults++;
}

static void test_settings(void **state)
{
    static const char *const wanted[] = {
        "2: no theme is called 'pink': dark, light, mono or high-contrast",
        "4: no setting is called mouze; did you mean mouse?", "5: mouse is on or off, not ''",
        NULL};
    struct settings s = {0};

    (void)state;
    unsetenv("NO_COLOR");
    faults = 0;
    settings_take(&s, "theme light\ntheme pink\n# theme mono\nmouze on\nmouse\n\n  mouse   on  \n",
                  on_fault, (void *)wanted);
    assert_int_equal(faults, 3);
    assert_string_equal(s.theme, "light");
    assert_true(s.has_mouse);
    s = (struct settings){.theme = "mono"}; /* --theme */
    settings_take(&s, "theme light", on_fault, (void *)wanted);
    assert_string_equal(s.theme, "mono");
    setenv("NO_COLOR", "1", 1);
    s = (struct settings){0};
    settings_take(&s, "theme light", on_fault, (void *)wanted);
    assert_null(s.theme);
}

static void test_own_keys(void **state)
{
    static const char *const wanted[] = {
        "2: no action is called zooom; did you mean zoom?",
        "3: F2 is zoom already, by line 1",
        "4: no key is called Zork",
        "5: a key and an action are wanted: \"F2 zoom\"",
        "0: command has no key any more",
        NULL,
    };

    (void)state;
    faults = 0;
    assert_int_equal(
        keymap_take("F2 zoom\nx zooom\nF2 help\n  Zork   help\nF3\n\n# remark\n# zoom\n"
                    "\tz\tnone\r\n: none\nX quit\nw save",
                    on_fault, (void *)wanted),
        5);
    assert_int_equal(faults, 5);
    golden_open(VIEW_LAB, 80, 24);
    golden_type("z:");
    assert_false(golden.console.screen.view->is_zoomed || golden.console.command.is_active);
    golden_type("#");
    assert_true(golden.console.screen.view->is_zoomed);
    golden_press(KEY_F(2));
    assert_false(golden.console.screen.view->is_zoomed);
    golden_assert_shown("X quit");
    golden_type("X");
    assert_true(golden.is_quit);
    golden_close();
    keymap_reset();
    assert_int_equal(keymap_action(ACTION_IN_LAB, 'z'), ACTION_ZOOM);
}

/* The defaults as a file change nothing, and every label is a key's name. */
static void test_keys_have_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < action_keys_len; i++) {
        int code = 0;

        if (!keymap_parse_key(action_keys[i].label, strlen(action_keys[i].label), &code))
            fail_msg("%s is no name of a key", action_keys[i].label);
        assert_int_equal(code, action_keys[i].code);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_own_keys),
        cmocka_unit_test(test_keys_have_names),
    };

    if (!golden_init())
        return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
