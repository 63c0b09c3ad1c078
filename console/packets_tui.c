#include "console/packets_tui.h"

#include <locale.h>
#include <signal.h>
#include <unistd.h>
#include <uv.h>

#include "console/keymap.h"
#include "console/screen_packets.h"
#include "console/stage.h"
#include "console/term.h"
#include "core/loop.h"
#include "core/paths.h"

struct packets_tui {
    struct screen_packets screen;
    struct stage stage;
    uv_loop_t loop;
    uv_async_t news;  /* from the threads */
    uv_timer_t again; /* there is more to read */
    struct error error;
};

static void on_again(uv_timer_t *timer)
{
    (void)timer; /* the loop has gone round, which is all */
}

static void on_news(uv_async_t *async)
{
    (void)async;
}

static void wake(void *user)
{
    uv_async_send(user);
}

static void draw(void *user)
{
    struct packets_tui *t = user;

    screen_packets_draw(&t->screen);
}

static void key(void *user, bool is_code, wint_t code)
{
    struct packets_tui *t = user;

    screen_packets_key(&t->screen, is_code, code);
}

/* Nobody here prints, but libraries may: it must not reach the screen. */
static void stray(void *user, int fd)
{
    char text[4096];

    (void)user;
    while (read(term_stray_fd(fd), text, sizeof text) > 0)
        continue;
}

static void touch(void *user)
{
    struct packets_tui *t = user;

    t->screen.is_dirty = true;
}

static void hang_up(void *user)
{
    struct packets_tui *t = user;

    t->screen.is_over = true;
}

static void on_interrupt(void *user, int signum)
{
    struct packets_tui *t = user;

    loop_interrupted = 0;
    if (signum == SIGINT)
        screen_packets_interrupt(&t->screen);
    else
        t->screen.is_over = true;
}

static const struct stage_callbacks callbacks = {
    .draw = draw, .key = key, .stray = stray, .touch = touch, .hang_up = hang_up};

/* The whole console, and ccalab keys --check, tell of them. */
static void ignore_fault(void *user, int line, const char *text)
{
    (void)user;
    (void)line;
    (void)text;
}

static enum status show(struct packets_tui *t, const struct packets_screen *opts)
{
    char dir[CCALAB_PATH_MAX], path[CCALAB_PATH_MAX];
    bool has_path =
        paths_state(dir, sizeof dir) && path_join(path, sizeof path, dir, "filter_history");
    struct screen_packets_opts screen_opts = {.path = opts->path,
                                              .filter = opts->filter,
                                              .is_followed = opts->is_followed,
                                              .history = has_path ? path : NULL,
                                              .wake = wake,
                                              .user = &t->news};
    enum status st;

    keymap_load(ignore_fault, NULL);
    st = screen_packets_open(&t->screen, &screen_opts, &t->error);

    if (st == STATUS_OK)
        st = stage_open(&t->stage, &t->loop, OPTIONS_PLOT_AUTO, &callbacks, t, &t->error);
    if (st == STATUS_USAGE)
        error_hint(&t->error, "without a terminal: ccalab packets FILE lists them");
    while (st == STATUS_OK && !t->screen.is_over) {
        if (screen_packets_look(&t->screen))
            uv_timer_start(&t->again, on_again, 0, 0);
        stage_look(&t->stage, t->screen.is_dirty);
        uv_run(&t->loop, UV_RUN_ONCE);
    }
    stage_close(&t->stage);
    screen_packets_close(&t->screen);
    return st;
}

int packets_tui(const struct packets_screen *opts)
{
    static struct packets_tui tui; /* its lines and trees are large */
    struct packets_tui *t = &tui;
    enum status st;
    int rc;

    setlocale(LC_CTYPE, ""); /* only that: numbers are written with a point */
    signal(SIGPIPE, SIG_IGN);
    rc = uv_loop_init(&t->loop);
    if (!rc)
        rc = uv_async_init(&t->loop, &t->news, on_news);
    if (rc) {
        st = error_set(&t->error, STATUS_INTERNAL, "loop", "%s", uv_strerror(rc));
        error_print(stderr, &t->error);
        return status_exit_code(st);
    }
    uv_timer_init(&t->loop, &t->again);
    st = loop_interrupt_start(&t->loop, on_interrupt, t, &t->error);
    if (st == STATUS_OK) {
        st = show(t, opts);
        loop_interrupt_stop();
    }
    uv_close((uv_handle_t *)&t->news, NULL);
    uv_close((uv_handle_t *)&t->again, NULL);
    uv_run(&t->loop, UV_RUN_DEFAULT);
    uv_loop_close(&t->loop);
    if (st != STATUS_OK)
        error_print(stderr, &t->error);
    return status_exit_code(st);
}
