/* The screen Labs: what it draws of what Lua tells, and what its keys do. */
#include "tests/console/screen_golden.h"

#include "console/view_labs.h"

#define LABS                                                                                       \
    "\"labs\":[{\"name\":\"00-orientation\",\"state\":\"done\",\"steps\":[]},"                     \
    "{\"name\":\"01-l4s-install\",\"state\":\"begun\",\"is_current\":true,\"steps\":["             \
    "{\"name\":\"ecn\",\"title\":\"ECN, asked for\",\"state\":\"passed\"},"                        \
    "{\"name\":\"prague\",\"title\":\"Prague\",\"state\":\"open\"}]}]"
#define STEP                                                                                       \
    "\"step\":{\"lab\":\"01-l4s-install\",\"step\":\"prague\",\"index\":2,\"of\":3,"               \
    "\"place\":\"virtual\",\"text\":\"## TCP **Prague**\\n\\nBoth ends must have it, and client "  \
    "X\\nmust use it.\\n\\n    sysctl net.ipv4.tcp_ecn\\n\\n- a first item that is long enough "   \
    "to go on in the next row of the panel\\n- a second\\n\"}"
#define JUDGED                                                                                     \
    "\"judged\":{\"outcome\":\"not_yet\",\"checks\":["                                             \
    "{\"name\":\"a\",\"says\":\"Both offer it\",\"outcome\":\"pass\",\"seen\":\"reno prague\"},"   \
    "{\"name\":\"b\",\"says\":\"X uses it\",\"outcome\":\"not_yet\",\"seen\":\"cubic\\u001b[2J\"," \
    "\"want\":\"prague\",\"host\":\"client_x\",\"how\":\"sysctl\"},"                               \
    "{\"name\":\"c\",\"says\":\"Y answers\",\"outcome\":\"cannot\",\"why\":\"no route\"}]}"

static void tell(const char *json)
{
    view_labs_show(golden.console.view[VIEW_LABS], json);
    golden_settle();
}

static void test_labs(void **state)
{
    (void)state;
    golden_open(VIEW_LABS, 80, 24);
    golden_assert_shown("Labs");
    tell("{" LABS "}");
    golden_assert_shown("Choose a lab");
    tell("{" LABS "," STEP "," JUDGED ",\"hints\":[\"look twice\"]}");
    golden_assert("labs-80x24");
    golden_resize(200, 50);
    golden_assert("labs-200x50");
    golden_resize(20, 5);
    golden_assert("too-small-20x5");
    golden_resize(60, 16);
    golden_assert("labs-60x16");
    golden_resize(80, 24);
    golden_assert("labs-80x24");
    golden_close();
}

static void test_labs_keys(void **state)
{
    (void)state;
    golden_open(VIEW_LABS, 100, 30);
    tell("{" LABS "," STEP "}");
    golden_type("\t\t\r"); /* from the text to the list: the first lab */
    golden_assert_shown("Start it on (virtual, replay or file): virtual");
    golden_type("\x1b");
    golden_type("S");
    golden_assert_shown("Show the solution of this step");
    golden_type("n");
    golden_type("R");
    golden_assert_shown("Forget what was done");
    golden_type("n");
    golden_type("a");
    golden_assert_shown("Your answer:");
    golden_type("\x1b");
    golden_type("\t\tz"); /* from the list to the checks, alone */
    golden_assert_shown("c checks what is there now");
    golden_assert_not_shown("01-l4s-install");
    golden_close();
}

#define LONG_STEP(name, hints)                                                                     \
    "{" LABS ",\"step\":{\"lab\":\"01-l4s-install\",\"step\":\"" name "\",\"index\":2,\"of\":3,"   \
    "\"place\":\"replay\",\"text\":\"## Top of " name                                              \
    "\\n\\n- a\\n- b\\n- c\\n- d\\n- e\\n- f\\n- g\\n- h\\n- i\\n- j\\n- k\\n- l\\n- m\\n- n\\n- " \
    "o\\n- p\\n- q\"}"                                                                             \
    "," hints "}"

/* What a word has changed is in sight: the hint below a long text, the beginning of the next one,
 * the next lab of the list. */
static void test_labs_shows_what_is_new(void **state)
{
    (void)state;
    golden_open(VIEW_LABS, 80, 24);
    tell(LONG_STEP("ecn", "\"hints\":[]"));
    golden_assert_shown("Top of ecn");
    tell(LONG_STEP("ecn", "\"hints\":[\"look twice\"]"));
    golden_assert_shown("look twice");
    golden_assert_not_shown("Top of ecn");
    tell(LONG_STEP("prague", "\"hints\":null"));
    golden_assert_shown("Top of prague");
    tell("{\"labs\":[{\"name\":\"01-l4s-install\",\"state\":\"done\"},{\"name\":\"02-l4s-works\"}]"
         "}");
    golden_type("\r");
    golden_assert_shown("Start it on");
    golden_type("\x1b");
    golden_type("y"); /* copies the selected line, and says so */
    golden_assert("labs-next-80x24");
    golden_close();
}

/* A long name stays beside its mark: cut where it does not fit, whole where it does. */
static void test_labs_long_name(void **state)
{
    (void)state;
    golden_open(VIEW_LABS, 80, 24);
    tell("{\"labs\":[{\"name\":\"08-your-own-congestion-control\",\"state\":\"open\",\"steps\":[]}]"
         "}");
    golden_assert_shown("[ ] 08-your-own-congest~");
    golden_resize(132, 40);
    golden_assert_shown("[ ] 08-your-own-congestion-control");
    golden_close();
}

static void test_labs_is_told_nonsense(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{}",
        "[]",
        "7",
        "null",
        "{\"labs\":7,\"step\":[],\"judged\":{\"checks\":{\"x\":1}}}",
        "{\"labs\":[7,{},{\"name\":{}}],\"step\":{\"text\":5,\"takes\":[3],\"shown\":[1]},"
        "\"hints\":[{}]}"};

    golden_open(VIEW_LABS, 80, 24);
    tell("no JSON");
    golden_assert_shown("no JSON");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        tell(texts[i]);
        golden_assert_shown("Labs");
    }
    golden_type("\r");
    golden_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_labs), cmocka_unit_test(test_labs_keys),
        cmocka_unit_test(test_labs_shows_what_is_new), cmocka_unit_test(test_labs_long_name),
        cmocka_unit_test(test_labs_is_told_nonsense)};

    if (!golden_init())
        return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
