#include "console/tui.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "console/console.h"
#include "console/keymap.h"
#include "console/report.h"
#include "console/session.h"
#include "console/settings.h"
#include "console/stage.h"
#include "console/term.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/paths.h"

#define OUTPUT_MAX (64u << 20)

struct tui {
    const struct options *options;
    struct session session;
    struct console console;
    struct stage stage;
    uv_timer_t clock;
    uv_timer_t again; /* a view has more to do */

    bool is_leaving;  /* stop everything, then leave */
    bool is_finished; /* leave the loop */
    bool is_interrupted;
    struct buf output;  /* of the watched script */
    struct error error; /* how it ended */
    char *traceback;
};

/* --- drawing ---------------------------------------------------------------------------------- */

static void draw(void *user)
{
    struct tui *t = user;

    console_draw(&t->console);
}

static void on_clock(uv_timer_t *timer)
{
    struct tui *t = timer->data;

    t->console.title.is_dirty = true;
    uv_timer_start(timer, on_clock, title_next_ms(&t->console.title), 0);
}

static void on_again(uv_timer_t *timer)
{
    (void)timer; /* the loop has gone round, which is all */
}

/* After each round of the loop. */
static void look(struct tui *t)
{
    if (console_look(&t->console))
        uv_timer_start(&t->again, on_again, 0, 0);
    if (title_look(&t->console.title)) {
        uv_update_time(&t->session.loop);
        uv_timer_start(&t->clock, on_clock, title_next_ms(&t->console.title), 0);
    }
    stage_look(&t->stage, console_is_dirty(&t->console));
}

/* --- leaving ---------------------------------------------------------------------------------- */

static void leave(struct tui *t)
{
    if (t->is_leaving) {
        /* Asked again: the kernel kills what is left with us (PR_SET_PDEATHSIG). */
        t->is_finished = true;
        return;
    }
    t->is_leaving = t->console.title.is_leaving = t->console.title.is_dirty = true;
    console_say(&t->console, "stopping what runs; once more to leave at once");
    session_cancel(&t->session);
}

static void on_interrupt(void *user, int signum)
{
    struct tui *t = user;

    loop_interrupted = 0;
    if (signum != SIGINT) {
        t->is_interrupted = true;
        leave(t);
    } else if (t->is_leaving) {
        leave(t);
    } else if (session_is_busy(&t->session)) {
        t->is_interrupted |= t->console.title.script != NULL;
        console_say(&t->console, "stopping the running task");
        session_cancel(&t->session);
    } else if (!console_give_up(&t->console)) {
        console_say(&t->console, "nothing runs; q leaves");
    }
}

/* --- scripts ---------------------------------------------------------------------------------- */

static void collect(struct tui *t, const char *text, size_t len)
{
    log_lines_output(&t->console.log, text, len);
    if (t->options->file)
        buf_append(&t->output, text, len);
}

/* What went past on_print(): io.write() on descriptor 1, libraries on 2. */
static void read_stray(void *user, int fd)
{
    struct tui *t = user;
    char text[4096];
    ssize_t n;

    while ((n = read(term_stray_fd(fd), text, sizeof text - 1)) > 0) {
        if (fd == STDOUT_FILENO) {
            collect(t, text, (size_t)n);
            continue;
        }
        while (n > 0 && text[n - 1] == '\n')
            n--;
        text[n] = '\0';
        log_lines_add(&t->console.log, LOG_STRAY, text);
    }
}

static void on_print(void *user, const char *text, size_t len)
{
    struct tui *t = user;

    fflush(stdout); /* in the order in which it was written */
    read_stray(t, STDOUT_FILENO);
    collect(t, text, len);
}

static void log_sink(void *user, enum log_level level, const char *text)
{
    struct tui *t = user;

    log_lines_add(&t->console.log, (enum log_kind)(LOG_DEBUG + level), text);
}

static void log_failure(struct tui *t, const struct error *err, const char *traceback)
{
    if (err->status == STATUS_INTERRUPTED) {
        log_warn("interrupted");
        return;
    }
    log_err(err);
    if (traceback)
        log_lines_add(&t->console.log, LOG_OUTPUT, traceback);
}

static void on_eval_done(void *user, const struct error *err, const char *traceback,
                         const char *values)
{
    struct tui *t = user;

    if (err->status != STATUS_OK)
        log_failure(t, err, traceback);
    else if (values)
        log_lines_add(&t->console.log, LOG_VALUE, values);
    if (!t->console.confirmed)
        console_hush(&t->console);
}

static void eval(void *user, const char *line)
{
    struct tui *t = user;
    struct error err;

    if (t->is_leaving)
        return;
    log_lines_add(&t->console.log, LOG_INPUT, line);
    history_add(&t->console.command.history, line);
    if (script_eval(t->session.script, line, on_eval_done, t, &err) != STATUS_OK)
        log_failure(t, &err, NULL);
    look(t);
    stage_draw(&t->stage); /* before the script has its turn: it may keep the loop */
}

static void on_script_done(void *user, const struct error *err, const char *traceback,
                           const char *values)
{
    struct tui *t = user;

    (void)values;
    fflush(stdout);
    read_stray(t, STDOUT_FILENO);
    t->console.title.script = NULL;
    t->error = *err;
    t->traceback = traceback ? strdup(traceback) : NULL;
    if (!t->is_leaving)
        leave(t);
}

/* --- keys ------------------------------------------------------------------------------------- */

static void interrupt(void *user)
{
    on_interrupt(user, SIGINT);
}

static void on_quit_answer(void *user, bool is_yes)
{
    struct tui *t = user;

    if (!is_yes)
        return;
    t->is_interrupted |= t->console.title.script != NULL;
    leave(t);
}

static void quit(void *user)
{
    struct tui *t = user;

    if (t->is_leaving || !session_is_busy(&t->session))
        leave(t);
    else
        console_confirm(&t->console, "something still runs: stop it and leave? (y/n)",
                        on_quit_answer, t);
}

static bool copy(void *user, const char *text)
{
    (void)user;
    return term_copy(text);
}

static bool mouse(void *user, bool is_on)
{
    (void)user;
    return term_mouse(is_on);
}

static const struct console_ops console_ops = {
    .eval = eval, .interrupt = interrupt, .quit = quit, .copy = copy, .mouse = mouse};

static void key(void *user, bool is_code, wint_t code)
{
    struct tui *t = user;

    console_key(&t->console, is_code, code);
}

static void touch(void *user)
{
    struct tui *t = user;

    console_touch(&t->console);
}

static void hang_up(void *user)
{
    on_interrupt(user, SIGHUP);
}

static const struct stage_callbacks callbacks = {
    .draw = draw, .key = key, .stray = read_stray, .touch = touch, .hang_up = hang_up};

/* --- life ------------------------------------------------------------------------------------- */

static void log_fault(void *user, int line, const char *text)
{
    if (line)
        log_warn("%s:%d: %s", (const char *)user, line, text);
    else
        log_warn("%s: %s", (const char *)user, text);
}

/* What the person at the console has set: keys, settings, sizes of panels. What is wrong there is
 * told of and passed over. */
static void read_own_files(struct tui *t)
{
    char path[CCALAB_PATH_MAX], dir[CCALAB_PATH_MAX];
    struct settings settings = {.theme = t->options->theme};

    if (keymap_path(path, sizeof path))
        keymap_load(log_fault, path);
    settings_load(&settings, log_fault, path);
    if (settings.theme)
        theme_set(settings.theme);
    if (settings.has_mouse)
        console_mouse(&t->console, true);
    if (paths_state(dir, sizeof dir) && path_join(path, sizeof path, dir, "layout"))
        console_keep_layout(&t->console, path);
}

/* Everything up to the first frame; Lua comes after it. */
static enum status open_screen(struct tui *t, struct error *err)
{
    enum status st;

    uv_timer_init(&t->session.loop, &t->clock);
    t->clock.data = t;
    uv_timer_init(&t->session.loop, &t->again);
    st = stage_open(&t->stage, &t->session.loop, t->options->plot, &callbacks, t, err);
    if (st != STATUS_OK)
        return st;
    st = console_init(&t->console, &t->session, t->options->file ? VIEW_RUNS : VIEW_LAB,
                      &console_ops, t, err);
    if (st != STATUS_OK)
        return st;
    t->session.ask = questions_add;
    t->session.ask_user = &t->console.questions;
    log_set_sink(log_sink, t);
    read_own_files(t);
    stage_draw(&t->stage);
    uv_timer_start(&t->clock, on_clock, title_next_ms(&t->console.title), 0);
    return STATUS_OK;
}

static void close_screen(struct tui *t)
{
    if (t->clock.loop) {
        uv_close((uv_handle_t *)&t->clock, NULL);
        uv_close((uv_handle_t *)&t->again, NULL);
    }
    log_set_sink(NULL, NULL);
    console_done(&t->console);
    stage_close(&t->stage);
}

static void on_event(void *user, const struct event *ev)
{
    struct tui *t = user;

    console_event(&t->console, ev);
}

static enum status start_script(struct tui *t, struct error *err)
{
    const struct options *o = t->options;
    char dir[CCALAB_PATH_MAX], path[CCALAB_PATH_MAX];
    enum status st;

    panel_command_load(
        &t->console.command,
        paths_state(dir, sizeof dir) && path_join(path, sizeof path, dir, "history") ? path : NULL);
    st = session_script(&t->session, on_print, t, err);
    t->console.command.lua.script = t->session.script;
    if (st != STATUS_OK || !o->file)
        return st;
    st = script_run_file(t->session.script, o->file, o->argc, o->argv, on_script_done, t, err);
    if (st == STATUS_OK)
        t->console.title.script = strrchr(o->file, '/') ? strrchr(o->file, '/') + 1 : o->file;
    return st;
}

/* The exit code, after the terminal is restored. */
static int report(struct tui *t)
{
    bool is_written = fwrite(t->output.data, 1, t->output.len, stdout) == t->output.len;

    is_written = !fflush(stdout) && is_written;
    if (t->output.is_failed)
        fprintf(stderr, "ccalab: output beyond %u MiB was dropped\n", OUTPUT_MAX >> 20);
    if (t->is_interrupted)
        return status_exit_code(STATUS_INTERRUPTED);
    if (t->error.status != STATUS_OK)
        report_failure(stderr, &t->error, t->traceback);
    else if (!is_written)
        error_print(stderr, (error_sys(&t->error, STATUS_IO, errno, "console", "standard output"),
                             &t->error));
    return status_exit_code(t->error.status);
}

int tui_main(const struct options *o)
{
    static struct tui tui; /* the log alone is 80 KiB */
    struct tui *t = &tui;
    struct error err;
    enum status st;
    int code;

    t->options = o;
    buf_init(&t->output, OUTPUT_MAX);
    st = session_open(&t->session, o, on_interrupt, t, &err);
    if (st != STATUS_OK) {
        error_print(stderr, &err);
        return status_exit_code(st);
    }
    st = open_screen(t, &t->error);
    if (st == STATUS_OK) {
        bus_subscribe(t->session.bus, on_event, t);
        st = start_script(t, &t->error);
    }
    while (st == STATUS_OK && !t->is_finished) {
        look(t);
        uv_run(&t->session.loop, UV_RUN_ONCE);
        if (t->is_leaving && !session_is_busy(&t->session))
            t->is_finished = true;
    }
    close_screen(t);
    if (session_is_busy(&t->session)) {
        fputs("ccalab: not everything had ended: what is left is killed\n", stderr);
    } else if (session_close(&t->session, &err) != STATUS_OK) {
        error_print(stderr, &err);
        if (t->error.status == STATUS_OK)
            t->error = err;
    }
    code = report(t);
    free(t->traceback);
    buf_done(&t->output);
    return code;
}
