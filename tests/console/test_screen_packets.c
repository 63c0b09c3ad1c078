/* The packet screen, cell by cell, against drawings checked by eye (golden/). With
 * CCALAB_WRITE_GOLDEN=1 they are written anew. */
#include <unistd.h>

#include "console/screen_packets.h"
#include "tests/console/screen_golden.h"
#include "tests/temp_file.h"

#define CAPTURE CCALAB_CORPUS "/accecn-172.pcap"

static struct screen_packets screen; /* it is large */

static void open_screen(const char *path, int cols, int rows)
{
    struct screen_packets_opts opts = {.path = path};
    struct error err;

    resizeterm(rows, cols);
    if (screen_packets_open(&screen, &opts, &err) != STATUS_OK)
        fail_msg("%s", err.message);
}

/* Until the threads have nothing more to find, and everything in view is read. */
static void settle(void)
{
    for (int i = 0; i < 100000; i++) {
        bool has_more = screen_packets_look(&screen);

        if (!has_more && (screen.state.is_done || screen.state.is_waiting) && !screen.save &&
            (!screen.scan || screen.scan_state.is_done) && !screen.anchor &&
            screen.list.count == (screen.scan ? screen.scan_state.hits : screen.state.packets)) {
            screen_packets_look(&screen);
            screen_packets_draw(&screen);
            return;
        }
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    fail_msg("the screen does not come to rest");
}

static void type(const char *keys)
{
    for (; *keys; keys++)
        screen_packets_key(&screen, false, (wint_t)*keys);
    settle();
}

static void press(int code)
{
    screen_packets_key(&screen, true, (wint_t)code);
    settle();
}

static void test_sizes(void **state)
{
    (void)state;
    open_screen(CAPTURE, 80, 24);
    settle();
    golden_assert("packets-80x24");
    resizeterm(50, 200);
    settle();
    golden_assert("packets-200x50");
    resizeterm(5, 20);
    settle();
    golden_assert("packets-20x5");
    resizeterm(1, 1);
    settle();
    resizeterm(16, 60);
    settle();
    golden_assert("packets-60x16");
    resizeterm(24, 80);
    settle();
    golden_assert("packets-80x24-again");
    screen_packets_close(&screen);
}

static void test_resize_while_typing(void **state)
{
    (void)state;
    open_screen(CAPTURE, 80, 24);
    settle();
    type("/tcp.flags.ac");
    for (int rows = 30; rows > 0; rows -= 3) {
        resizeterm(rows, rows * 4);
        settle();
    }
    resizeterm(24, 80);
    settle();
    golden_assert("packets-typing");
    screen_packets_close(&screen);
}

static void test_filter(void **state)
{
    (void)state;
    open_screen(CAPTURE, 80, 24);
    settle();
    type("/tcp and ip.dsfeld.ecn == 3\r");
    golden_assert("packets-filter-error");
    type("\x15"
         "tcp.options.acc_ecn.eceb > 0\r");
    golden_assert("packets-filtered");
    assert_true(screen.scan_state.hits > 0);
    type("/\x15\r"); /* none again */
    assert_null(screen.scan);
    type("/udp\r");
    golden_assert_shown("no packet passes the filter");
    screen_packets_close(&screen);
}

static void test_completion_and_history(void **state)
{
    (void)state;
    open_screen(CAPTURE, 80, 24);
    settle();
    type("/tcp.flags.ac\t");
    golden_assert_shown("tcp.flags.ace tcp.flags.ack");
    type("e\t");
    assert_string_equal(screen.command.editor.text, "tcp.flags.ace ");
    type("== 5\r/\x15");
    press(KEY_UP);
    assert_string_equal(screen.command.editor.text, "tcp.flags.ace == 5");
    type("\x1b/\x15tcp.opti\t");
    assert_string_equal(screen.command.editor.text, "tcp.option");
    type("\x15nonsense\t");
    golden_assert_shown("no field begins like that");
    screen_packets_interrupt(&screen);
    assert_false(screen.is_over);
    screen_packets_close(&screen);
}

static void test_moving(void **state)
{
    (void)state;
    open_screen(CAPTURE, 80, 24);
    settle();
    press(KEY_END);
    assert_int_equal(screen.shown, screen.state.packets);
    press(KEY_HOME);
    assert_int_equal(screen.shown, 1);
    type("g3\r");
    assert_int_equal(screen.shown, 3);
    type("g0\r");
    golden_assert_shown("the number of a packet");
    type("\x1bg999999\r");
    golden_assert_shown("there is no packet 999999");
    press(KEY_HOME);
    type("c");
    assert_true(screen.shown > 1);
    golden_assert_shown("Congestion Experienced (3)");
    type("CCCCCCCCCC");
    golden_assert_shown("no packet marked CE before this one");
    screen_packets_close(&screen);
}

static void test_tree_and_bytes(void **state)
{
    (void)state;
    open_screen(CAPTURE, 80, 24);
    settle();
    type("c\t"); /* the tree */
    type("z");
    golden_assert("packets-tree");
    type("z");
    press(KEY_LEFT); /* to the parent, */
    press(KEY_LEFT); /* which closes, */
    press(KEY_LEFT); /* to the header */
    press(KEY_LEFT);
    golden_assert_shown("+ Internet Protocol Version 4");
    press(KEY_RIGHT);
    golden_assert_shown("- Internet Protocol Version 4");
    type("\tz");
    golden_assert("packets-bytes");
    screen_packets_close(&screen);
}

static void test_plot_and_help(void **state)
{
    (void)state;
    open_screen(CAPTURE, 80, 24);
    settle();
    type("p");
    golden_assert("packets-plot");
    type("?");
    golden_assert("packets-help");
    type("\x1bp");
    golden_assert("packets-80x24");
    type("q");
    assert_true(screen.is_over);
    screen_packets_close(&screen);
}

static void test_save(void **state)
{
    char keys[sizeof temp_path + 16];
    uint64_t hits;

    (void)state;
    open_screen(CAPTURE, 80, 24);
    settle();
    type("/tcp.options.acc_ecn.eceb > 0\r");
    hits = screen.scan_state.hits;
    snprintf(keys, sizeof keys, "w%s\r", temp_path);
    type(keys);
    golden_assert_shown("nothing is overwritten");
    unlink(temp_path);
    type(keys);
    golden_assert_shown("packets written to");
    screen_packets_close(&screen);
    open_screen(temp_path, 80, 24);
    settle();
    assert_int_equal(screen.state.packets, hits);
    screen_packets_close(&screen);
}

static void copy(const char *from, size_t cut, const char *mode)
{
    struct buf b;
    struct error err;
    FILE *f = fopen(temp_path, mode);

    assert_non_null(f);
    assert_int_equal(buf_read_file(&b, from, 1 << 20, &err), STATUS_OK);
    fwrite(b.data, 1, b.len - cut, f);
    assert_int_equal(fclose(f), 0);
    buf_done(&b);
}

static void test_a_damaged_file(void **state)
{
    (void)state;
    copy(CAPTURE, 7, "wb");
    open_screen(temp_path, 120, 24);
    settle();
    golden_assert_shown("CUT SHORT at record");
    screen_packets_close(&screen);
}

static void test_follow(void **state)
{
    struct buf b;
    struct error err;
    FILE *f;

    (void)state;
    copy(CAPTURE, 7, "wb");
    open_screen(temp_path, 120, 24);
    settle();
    type("f");
    golden_assert_shown("following");
    assert_int_equal(screen.shown, screen.state.packets);
    uint64_t before = screen.state.packets;
    assert_int_equal(buf_read_file(&b, CAPTURE, 1 << 20, &err), STATUS_OK);
    f = fopen(temp_path, "ab");
    fwrite(b.data + b.len - 7, 1, 7, f);
    assert_int_equal(fclose(f), 0);
    buf_done(&b);
    for (int i = 0; i < 100000 && screen.state.packets == before; i++) {
        screen_packets_look(&screen);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    settle();
    assert_int_equal(screen.state.packets, before + 1);
    assert_int_equal(screen.shown, before + 1);
    press(KEY_UP);
    assert_false(screen.is_at_end);
    screen_packets_close(&screen);
}

/* Pcapng and packed files go through the unnamed file; the same screen. */
static void test_other_files(void **state)
{
    static const char *const files[] = {"accecn-174.pcapng", "llc.pcap.gz", "wlan.pcap.zst",
                                        "lies.pcap",         "quoted.pcap", "tunnels.pcap"};

    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char path[512];

        snprintf(path, sizeof path, CCALAB_CORPUS "/%s", files[i]);
        open_screen(path, 100, 30);
        settle();
        assert_true(screen.state.packets > 0);
        for (uint64_t k = 0; k < screen.state.packets; k++)
            press(KEY_DOWN);
        assert_int_equal(screen.shown, screen.state.packets);
        screen_packets_close(&screen);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),         cmocka_unit_test(test_resize_while_typing),
        cmocka_unit_test(test_filter),        cmocka_unit_test(test_completion_and_history),
        cmocka_unit_test(test_moving),        cmocka_unit_test(test_tree_and_bytes),
        cmocka_unit_test(test_plot_and_help), cmocka_unit_test(test_a_damaged_file),
        cmocka_unit_test(test_follow),        cmocka_unit_test(test_other_files),
        cmocka_unit_test(test_save), /* takes the temporary file away */
    };

    if (!golden_init())
        return 77;
    return cmocka_run_group_tests(tests, temp_file_make, temp_file_remove);
}
