#include "console/stage.h"

#include <poll.h>
#include <signal.h>

#include "console/term.h"
#include "core/clock.h"

#define FRAME_MS 33 /* 30 frames a second at most, */
#define KEY_MS   8  /* but who types need not wait for the next of them */

void stage_draw(struct stage *s)
{
    uv_timer_stop(&s->frame);
    s->has_key = false;
    s->callbacks->draw(s->user);
    s->drawn_ns = clock_mono_ns();
}

static void on_frame(uv_timer_t *timer)
{
    stage_draw(timer->data);
}

void stage_look(struct stage *s, bool is_dirty)
{
    uint64_t age_ms = (clock_mono_ns() - s->drawn_ns) / 1000000u;
    uint64_t wait_ms = s->has_key ? KEY_MS : FRAME_MS;

    if (!is_dirty)
        return;
    if (age_ms >= wait_ms)
        stage_draw(s);
    else if (s->has_key || !uv_is_active((uv_handle_t *)&s->frame))
        uv_timer_start(&s->frame, on_frame, wait_ms - age_ms, 0);
}

static void on_input(uv_poll_t *poll_handle, int status, int events)
{
    struct stage *s = poll_handle->data;
    struct pollfd p = {term_input_fd(), POLLIN, 0};
    wint_t code;
    int r;

    (void)events;
    while ((r = wget_wch(s->keys, &code)) != ERR)
        if (!(r == KEY_CODE_YES && code == KEY_RESIZE)) { /* term_resize() queues one */
            s->has_key = true;
            s->callbacks->key(s->user, r == KEY_CODE_YES, code);
        }
    if (status < 0 || (poll(&p, 1, 0) >= 0 && p.revents & (POLLHUP | POLLERR | POLLNVAL))) {
        uv_poll_stop(poll_handle); /* the terminal is gone */
        s->callbacks->hang_up(s->user);
    }
}

static void on_stray(uv_poll_t *poll_handle, int status, int events)
{
    struct stage *s = poll_handle->data;

    (void)events;
    if (status < 0)
        uv_poll_stop(poll_handle);
    else
        s->callbacks->stray(s->user, (int)(poll_handle - s->stray));
}

static void on_winch(uv_signal_t *handle, int signum)
{
    struct stage *s = handle->data;

    (void)signum;
    term_resize();
    s->callbacks->touch(s->user);
}

static void on_cont(uv_signal_t *handle, int signum)
{
    struct stage *s = handle->data;

    (void)signum;
    term_resume();
    s->callbacks->touch(s->user);
}

static void on_stop(uv_signal_t *handle, int signum)
{
    struct stage *s = handle->data;

    /* With libuv's handler gone the signal stops us, unless nobody could wake us again
     * (an orphaned process group), in which case it does nothing. */
    uv_signal_stop(handle);
    term_suspend();
    raise(signum);
    uv_signal_start(handle, on_stop, signum);
    term_resume();
    s->callbacks->touch(s->user);
}

static void start_poll(struct stage *s, uv_poll_t *handle, int fd, uv_poll_cb cb)
{
    uv_poll_init(s->frame.loop, handle, fd);
    handle->data = s;
    uv_poll_start(handle, UV_READABLE, cb);
}

static void start_signal(struct stage *s, uv_signal_t *handle, int signum, uv_signal_cb cb)
{
    uv_signal_init(s->frame.loop, handle);
    handle->data = s;
    uv_signal_start(handle, cb, signum);
}

enum status stage_open(struct stage *s, uv_loop_t *loop, enum options_plot plot,
                       const struct stage_callbacks *callbacks, void *user, struct error *err)
{
    enum status st;

    *s = (struct stage){.callbacks = callbacks, .user = user};
    uv_timer_init(loop, &s->frame);
    s->frame.data = s;
    /* Before curses, which otherwise takes these signals for itself. */
    start_signal(s, &s->on_winch, SIGWINCH, on_winch);
    start_signal(s, &s->on_stop, SIGTSTP, on_stop);
    start_signal(s, &s->on_cont, SIGCONT, on_cont);
    st = term_open(err);
    if (st != STATUS_OK)
        return st;
    theme_init(plot);
    s->keys = newpad(1, 1);
    if (!s->keys) {
        term_close();
        return error_set(err, STATUS_NOMEM, "console", "out of memory");
    }
    keypad(s->keys, TRUE);
    nodelay(s->keys, TRUE);
    start_poll(s, &s->input, term_input_fd(), on_input);
    for (int fd = 1; fd <= 2; fd++)
        if (term_stray_fd(fd) >= 0)
            start_poll(s, &s->stray[fd], term_stray_fd(fd), on_stray);
    return STATUS_OK;
}

static void close_handle(uv_handle_t *handle)
{
    if (handle->loop && !uv_is_closing(handle))
        uv_close(handle, NULL);
}

void stage_close(struct stage *s)
{
    uv_handle_t *handles[] = {
        (uv_handle_t *)&s->input,    (uv_handle_t *)&s->stray[1], (uv_handle_t *)&s->stray[2],
        (uv_handle_t *)&s->on_winch, (uv_handle_t *)&s->on_stop,  (uv_handle_t *)&s->on_cont,
        (uv_handle_t *)&s->frame,
    };

    for (size_t i = 0; i < sizeof handles / sizeof handles[0]; i++)
        close_handle(handles[i]);
    if (s->keys)
        delwin(s->keys);
    s->keys = NULL;
    term_close();
}
