/* For golden tests of screens: curses on no terminal, a frozen clock, scripted keys and events, and
 * what is drawn, cell by cell, against drawings checked by eye (golden/NAME.txt). With
 * CCALAB_WRITE_GOLDEN=1 they are written anew.
 *
 * In main(): if (!golden_init()) return 77; In a test: golden_open(VIEW_LOG, 80, 24), then keys and
 * events, golden_assert("log-80x24"), golden_close(). */
#ifndef CCALAB_TESTS_SCREEN_GOLDEN_H
#define CCALAB_TESTS_SCREEN_GOLDEN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <locale.h>

#include "console/console.h"
#include "console/utf8.h"
#include "core/clock.h"
#include "core/loop.h"

#define GOLDEN_WALL_S 1795251163.0 /* 2026-11-21T08:52:43Z */

static struct golden {
    struct options options;
    struct session session;
    struct console console;
    char evaluated[LINE_EDITOR_MAX]; /* the last line of Lua that was entered */
    bool is_quit, is_interrupted;
} golden;

/* Nothing of the machine: its locale, its colours, its size, its time, its user's files. */
static inline bool golden_init(void)
{
    FILE *null = fopen("/dev/null", "r+");

    setenv("NO_COLOR", "1", 1);
    setenv("TZ", "UTC", 1);
    setenv("XDG_CONFIG_HOME", "/dev/null/none", 1);
    setenv("XDG_STATE_HOME", "/dev/null/none", 1);
    if (!setlocale(LC_CTYPE, "C.UTF-8") || !null || !newterm("xterm", null, null)) {
        puts("skipped: no locale C.UTF-8, or terminfo does not know xterm (package ncurses-base)");
        return false;
    }
    theme_init(OPTIONS_PLOT_ASCII);
    return true;
}

/* What the terminal shows, without trailing blanks; to be freed. */
static inline char *golden_dump(void)
{
    char *out = calloc((size_t)LINES * ((size_t)COLS * 4 + 1) + 1, 1), *p = out;

    for (int y = 0; y < LINES; y++) {
        char *end = p;

        for (int x = 0; x < COLS; x++) {
            wchar_t wide[CCHARW_MAX + 1] = L" ";
            cchar_t cell;
            attr_t attr;
            short pair;

            mvwin_wch(curscr, y, x, &cell);
            getcchar(&cell, wide, &attr, &pair, NULL);
            p += utf8_encode((uint32_t)wide[0], p);
            if (wide[0] != L' ')
                end = p;
        }
        p = end;
        *p++ = '\n';
    }
    *p = '\0';
    return out;
}

static inline void golden_assert(const char *name)
{
    char path[512], *text = golden_dump();
    struct buf wanted;
    struct error err;

    snprintf(path, sizeof path, CCALAB_GOLDEN "/%s.txt", name);
    if (getenv("CCALAB_WRITE_GOLDEN"))
        assert_int_equal(file_write_atomic(path, text, strlen(text), &err), STATUS_OK);
    if (buf_read_file(&wanted, path, 1 << 20, &err) != STATUS_OK)
        fail_msg("%s", err.message);
    if (strcmp(wanted.data, text))
        fail_msg("%s, drawn:\n%s\nexpected:\n%s", name, text, wanted.data);
    buf_done(&wanted);
    free(text);
}

static inline bool golden_is_shown(const char *text)
{
    char *all = golden_dump();
    bool is_shown = strstr(all, text) != NULL;

    free(all);
    return is_shown;
}

static inline void golden_assert_shown(const char *text)
{
    char *all = golden_dump();

    if (!strstr(all, text))
        fail_msg("there is no \"%s\":\n%s", text, all);
    free(all);
}

static inline void golden_assert_not_shown(const char *text)
{
    char *all = golden_dump();

    if (strstr(all, text))
        fail_msg("there is \"%s\":\n%s", text, all);
    free(all);
}

/* --- a console ------------------------------------------------------------------------------- */

/* Until nothing changes any more, then draw. */
static inline void golden_settle(void)
{
    for (int i = 0; i < 10000 && console_look(&golden.console); i++)
        continue;
    title_look(&golden.console.title);
    console_draw(&golden.console);
}

static inline void golden_on_eval(void *user, const char *line)
{
    (void)user;
    snprintf(golden.evaluated, sizeof golden.evaluated, "%s", line);
}

static inline void golden_on_quit(void *user)
{
    (void)user;
    golden.is_quit = true;
}

static inline void golden_on_interrupt(void *user)
{
    (void)user;
    golden.is_interrupted = true;
    console_give_up(&golden.console);
}

static inline void golden_on_signal(void *user, int signum)
{
    (void)user;
    (void)signum;
}

static inline void golden_on_event(void *user, const struct event *ev)
{
    console_event(user, ev);
}

static inline void golden_resize(int cols, int rows)
{
    resizeterm(rows, cols);
    console_touch(&golden.console);
    golden_settle();
}

/* Without Lua: golden.session.script is NULL. */
static inline void golden_open(enum view_id first, int cols, int rows)
{
    static const struct console_ops ops = {
        .eval = golden_on_eval, .interrupt = golden_on_interrupt, .quit = golden_on_quit};
    struct error err;

    memset(&golden, 0, sizeof golden);
    clock_freeze(GOLDEN_WALL_S);
    resizeterm(rows, cols);
    if (session_open(&golden.session, &golden.options, golden_on_signal, NULL, &err) != STATUS_OK ||
        console_init(&golden.console, &golden.session, first, &ops, NULL, &err) != STATUS_OK)
        fail_msg("%s", err.message);
    bus_subscribe(golden.session.bus, golden_on_event, &golden.console);
    golden_settle();
}

static inline void golden_close(void)
{
    struct error err;

    console_done(&golden.console);
    assert_int_equal(session_close(&golden.session, &err), STATUS_OK);
    clock_thaw();
}

static inline void golden_type(const char *keys)
{
    uint32_t cp;

    for (size_t n; (n = utf8_decode(keys, &cp)); keys += n)
        console_key(&golden.console, false, (wint_t)cp);
    golden_settle();
}

/* A KEY_ code of curses. */
static inline void golden_press(int code)
{
    console_key(&golden.console, true, (wint_t)code);
    golden_settle();
}

/* One line of an event stream, from the job of that label. */
static inline void golden_event(const char *job, const char *json)
{
    struct event ev;
    cJSON *root;

    if (!event_parse(json, strlen(json), job, &ev, &root))
        fail_msg("no event: %s", json);
    bus_publish(golden.session.bus, &ev);
    cJSON_Delete(root);
    golden_settle();
}

#endif
