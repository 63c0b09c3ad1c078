#include "console/tui.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "console/panel_hosts.h"
#include "console/panel_log.h"
#include "console/panel_plot.h"
#include "console/questions.h"
#include "console/report.h"
#include "console/screen.h"
#include "console/session.h"
#include "console/stage.h"
#include "console/term.h"
#include "console/title.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/paths.h"

#define OUTPUT_MAX (64u << 20)

struct tui {
    const struct options *options;
    struct session session;
    struct screen screen;
    struct title title;
    struct panel_hosts hosts;
    struct panel_plot plots[4];
    struct panel_log log;
    struct panel_command command;
    struct questions questions;
    struct stage stage;
    uv_timer_t clock;
    bool is_paused;
    bool is_asking; /* whether to leave while a script runs */

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

    screen_draw(&t->screen);
}

static void on_clock(uv_timer_t *timer)
{
    struct tui *t = timer->data;

    t->title.is_dirty = true;
    uv_timer_start(timer, on_clock, title_next_ms(&t->title), 0);
}

/* After each round of the loop. */
static void look(struct tui *t)
{
    panel_hosts_look(&t->hosts);
    questions_look(&t->questions);
    if (title_look(&t->title)) {
        uv_update_time(&t->session.loop);
        uv_timer_start(&t->clock, on_clock, title_next_ms(&t->title), 0);
    }
    stage_look(&t->stage, screen_is_dirty(&t->screen));
}

static void say(struct tui *t, const char *message)
{
    t->command.message = message;
    t->command.is_dirty = true;
}

/* --- leaving ---------------------------------------------------------------------------------- */

static void leave(struct tui *t)
{
    if (t->is_leaving) {
        /* Asked again: the kernel kills what is left with us (PR_SET_PDEATHSIG). */
        t->is_finished = true;
        return;
    }
    t->is_leaving = t->title.is_leaving = t->title.is_dirty = true;
    say(t, "stopping what runs; once more to leave at once");
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
        t->is_interrupted |= t->title.script != NULL;
        say(t, "stopping the running task");
        session_cancel(&t->session);
    } else if (t->questions.is_shown) {
        questions_answer(&t->questions, false);
    } else if (t->command.is_active) {
        panel_command_close(&t->command);
    } else {
        say(t, "nothing runs; q leaves");
    }
}

/* --- scripts ---------------------------------------------------------------------------------- */

static void collect(struct tui *t, const char *text, size_t len)
{
    panel_log_output(&t->log, text, len);
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
        panel_log_add(&t->log, PANEL_LOG_STRAY, text);
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

    panel_log_add(&t->log, (enum panel_log_kind)(PANEL_LOG_DEBUG + level), text);
}

static void log_failure(struct tui *t, const struct error *err, const char *traceback)
{
    if (err->status == STATUS_INTERRUPTED) {
        log_warn("interrupted");
        return;
    }
    log_error("%s", err->message);
    if (err->hint[0])
        log_info("hint: %s", err->hint);
    if (traceback)
        panel_log_add(&t->log, PANEL_LOG_OUTPUT, traceback);
}

static void on_eval_done(void *user, const struct error *err, const char *traceback,
                         const char *values)
{
    struct tui *t = user;

    if (err->status != STATUS_OK)
        log_failure(t, err, traceback);
    else if (values)
        panel_log_add(&t->log, PANEL_LOG_VALUE, values);
    if (t->command.message)
        say(t, NULL);
}

static void eval(struct tui *t, const char *line)
{
    struct error err;

    panel_log_add(&t->log, PANEL_LOG_INPUT, line);
    history_add(&t->command.history, line);
    if (script_eval(t->session.script, line, on_eval_done, t, &err) != STATUS_OK)
        log_failure(t, &err, NULL);
}

static void on_script_done(void *user, const struct error *err, const char *traceback,
                           const char *values)
{
    struct tui *t = user;

    (void)values;
    fflush(stdout);
    read_stray(t, STDOUT_FILENO);
    t->title.script = NULL;
    t->error = *err;
    t->traceback = traceback ? strdup(traceback) : NULL;
    if (!t->is_leaving)
        leave(t);
}

/* --- keys ------------------------------------------------------------------------------------- */

static void pause_plots(struct tui *t)
{
    t->is_paused = !t->is_paused;
    for (int i = 0; i < 4; i++)
        panel_plot_pause(&t->plots[i], t->is_paused);
}

static void act(struct tui *t, enum action_id id)
{
    switch (id) {
    case ACTION_HELP:
        screen_help(&t->screen, true);
        break;
    case ACTION_COMMAND:
        panel_command_open(&t->command);
        break;
    case ACTION_FOCUS_NEXT:
        screen_focus(&t->screen, 1);
        break;
    case ACTION_FOCUS_PREV:
        screen_focus(&t->screen, -1);
        break;
    case ACTION_ZOOM:
        screen_zoom(&t->screen);
        break;
    case ACTION_PAUSE:
        pause_plots(t);
        break;
    case ACTION_LOG_UP:
    case ACTION_LOG_DOWN:
    case ACTION_LOG_FOLLOW:
        t->log.base.ops->act(&t->log.base, id);
        break;
    case ACTION_CANCEL:
        on_interrupt(t, SIGINT);
        break;
    case ACTION_REDRAW:
        clearok(curscr, TRUE);
        screen_touch(&t->screen);
        break;
    case ACTION_QUIT:
        if (t->is_leaving || !session_is_busy(&t->session)) {
            leave(t);
        } else {
            t->is_asking = true;
            say(t, "something still runs: stop it and leave? (y/n)");
        }
        break;
    default: /* of another screen */
        break;
    }
}

static void key(void *user, bool is_code, wint_t code)
{
    struct tui *t = user;

    if (t->is_asking) {
        t->is_asking = false;
        say(t, NULL);
        if (!is_code && (code == 'y' || code == 'Y')) {
            t->is_interrupted |= t->title.script != NULL;
            leave(t);
        }
        return;
    }
    if (t->command.is_active) {
        enum panel_command_key what = panel_command_key(&t->command, is_code, code);

        if (t->questions.is_shown) {
            if (what != PANEL_COMMAND_OTHER)
                questions_answer(&t->questions, what == PANEL_COMMAND_ENTER);
            return;
        }
        switch (what) {
        case PANEL_COMMAND_ENTER:
            panel_command_close(&t->command);
            if (t->command.editor.len && !t->is_leaving) {
                eval(t, t->command.editor.text);
                look(t);
                stage_draw(&t->stage); /* before the script has its turn: it may keep the loop */
            }
            break;
        case PANEL_COMMAND_LEAVE:
            panel_command_close(&t->command);
            break;
        case PANEL_COMMAND_OTHER:
            break;
        }
        return;
    }
    if (t->screen.has_help) {
        screen_help(&t->screen, false);
        return;
    }
    if (t->command.message && !t->is_leaving)
        say(t, NULL);
    /* Above ASCII the codes of characters and of function keys overlap. */
    if (is_code || code < 0x80)
        act(t, action_of_key(ACTION_IN_CONSOLE, (int)code));
}

static void touch(void *user)
{
    struct tui *t = user;

    screen_touch(&t->screen);
}

static void hang_up(void *user)
{
    on_interrupt(user, SIGHUP);
}

static const struct stage_callbacks callbacks = {
    .draw = draw, .key = key, .stray = read_stray, .touch = touch, .hang_up = hang_up};

/* --- life ------------------------------------------------------------------------------------- */

/* Everything up to the first frame; Lua comes after it. */
static enum status open_screen(struct tui *t, struct error *err)
{
    enum status st;

    uv_timer_init(&t->session.loop, &t->clock);
    t->clock.data = t;
    st = stage_open(&t->stage, &t->session.loop, t->options->plot, &callbacks, t, err);
    if (st != STATUS_OK)
        return st;
    screen_init(&t->screen);
    panel_hosts_init(&t->hosts, &t->session);
    t->screen.panel[LAYOUT_HOSTS] = &t->hosts.base;
    for (int i = 0; i < 4; i++) {
        panel_plot_init(&t->plots[i], (enum panel_plot_id)i, &t->session.series);
        t->screen.panel[LAYOUT_PLOT_0 + i] = &t->plots[i].base;
    }
    panel_log_init(&t->log);
    t->screen.panel[LAYOUT_LOG] = &t->log.base;
    panel_command_init(&t->command);
    t->screen.command = &t->command;
    questions_init(&t->questions, &t->command);
    t->session.ask = questions_add;
    t->session.ask_user = &t->questions;
    title_init(&t->title, &t->session);
    t->screen.title = &t->title;
    log_set_sink(log_sink, t);
    stage_draw(&t->stage);
    uv_timer_start(&t->clock, on_clock, title_next_ms(&t->title), 0);
    return STATUS_OK;
}

static void close_screen(struct tui *t)
{
    if (t->clock.loop)
        uv_close((uv_handle_t *)&t->clock, NULL);
    log_set_sink(NULL, NULL);
    if (t->stage.keys) {
        screen_done(&t->screen);
        for (int i = 0; i < 4; i++)
            panel_plot_done(&t->plots[i]);
        panel_log_done(&t->log);
        questions_done(&t->questions);
        panel_command_done(&t->command);
    }
    stage_close(&t->stage);
}

static void on_event(void *user, const struct event *ev)
{
    struct tui *t = user;
    const cJSON *value;

    title_event(&t->title, ev);
    if (ev->type != EVENT_SAMPLE || t->is_paused)
        return;
    cJSON_ArrayForEach(value, cJSON_GetObjectItemCaseSensitive(ev->body, "values"))
    {
        char name[SERIES_NAME_MAX];

        snprintf(name, sizeof name, "%s/%s", ev->src, value->string ? value->string : "");
        for (int i = 0; i < 4; i++)
            if (panel_plot_wants(&t->plots[i], name))
                t->plots[i].base.is_dirty = true;
    }
}

static enum status start_script(struct tui *t, struct error *err)
{
    const struct options *o = t->options;
    char dir[CCALAB_PATH_MAX], path[CCALAB_PATH_MAX];
    enum status st;

    panel_command_load(
        &t->command,
        paths_state(dir, sizeof dir) && path_join(path, sizeof path, dir, "history") ? path : NULL);
    st = session_script(&t->session, on_print, t, err);
    if (st != STATUS_OK || !o->file)
        return st;
    st = script_run_file(t->session.script, o->file, o->argc, o->argv, on_script_done, t, err);
    if (st == STATUS_OK)
        t->title.script = strrchr(o->file, '/') ? strrchr(o->file, '/') + 1 : o->file;
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
