#include "core/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* A grandchild may hold the pipes open after the child's end: wait for the rest, but not for ever.
 */
#define DRAIN_MS 500

struct child {
    pid_t pid;
    int pidfd;
    uv_poll_t exit_poll;
    uv_pipe_t pipes[2];
    uv_timer_t drain;
    struct child_callbacks cb;
    void *user;
    int wait_status;
    bool is_reaped;
    bool is_open[2];
    int handles; /* still open in libuv */
    char chunk[65536];
};

static void on_closed(uv_handle_t *h)
{
    struct child *c = h->data;
    if (--c->handles > 0)
        return;
    close(c->pidfd);
    c->cb.on_exit(c->user, c->wait_status);
    free(c);
}

static void finish_if_done(struct child *c)
{
    if (!c->is_reaped || c->is_open[0] || c->is_open[1])
        return;
    uv_handle_t *h[] = {(uv_handle_t *)&c->exit_poll, (uv_handle_t *)&c->drain};
    for (int i = 0; i < 2; i++)
        if (!uv_is_closing(h[i]))
            uv_close(h[i], on_closed);
}

static void close_pipe(struct child *c, int i)
{
    if (!c->is_open[i])
        return;
    c->is_open[i] = false;
    uv_close((uv_handle_t *)&c->pipes[i], on_closed);
}

static void on_drained(uv_timer_t *t)
{
    struct child *c = t->data;
    close_pipe(c, 0);
    close_pipe(c, 1);
    finish_if_done(c);
}

static void on_child_end(uv_poll_t *p, int status, int events)
{
    struct child *c = p->data;
    (void)status;
    (void)events;
    pid_t r = waitpid(c->pid, &c->wait_status, WNOHANG);
    if (r == 0 || (r < 0 && errno == EINTR))
        return;
    c->is_reaped = true;
    uv_poll_stop(p);
    uv_timer_start(&c->drain, on_drained, DRAIN_MS, 0);
    finish_if_done(c);
}

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
    struct child *c = h->data;
    (void)suggested;
    *buf = uv_buf_init(c->chunk, sizeof c->chunk);
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
    struct child *c = s->data;
    int i = s == (uv_stream_t *)&c->pipes[1];
    if (n > 0)
        c->cb.on_output(c->user, i + 1, buf->base, (size_t)n);
    if (n < 0) {
        close_pipe(c, i);
        finish_if_done(c);
    }
}

enum status child_start(uv_loop_t *loop, const struct spawn_opts *opts,
                        const struct child_callbacks *cb, void *user, struct child **out,
                        struct error *err)
{
    int o[2] = {-1, -1}, e[2] = {-1, -1};
    enum status st = STATUS_OK;
    struct child *c = calloc(1, sizeof *c);
    if (!c || pipe2(o, O_CLOEXEC) != 0 || pipe2(e, O_CLOEXEC) != 0) {
        st = error_sys(err, STATUS_HOST, errno, "spawn", "cannot start %s", opts->argv[0]);
        goto fail;
    }
    struct spawn_opts with_pipes = *opts;
    with_pipes.fd_in = opts->has_input ? opts->fd_in : -1;
    with_pipes.fd_out = o[1];
    with_pipes.fd_err = e[1];
    st = spawn_start(&with_pipes, &c->pid, err);
    if (st != STATUS_OK)
        goto fail;
    c->pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0);
    if (c->pidfd < 0) {
        st = error_sys(err, STATUS_HOST, errno, "spawn", "cannot watch %s", opts->argv[0]);
        kill(-c->pid, SIGKILL);
        waitpid(c->pid, NULL, 0);
        goto fail;
    }
    fcntl(c->pidfd, F_SETFD, FD_CLOEXEC);
    close(o[1]);
    close(e[1]);
    c->cb = *cb;
    c->user = user;
    c->exit_poll.data = c->drain.data = c->pipes[0].data = c->pipes[1].data = c;
    /* None of these can fail with fresh descriptors and memory in hand. */
    uv_poll_init(loop, &c->exit_poll, c->pidfd);
    uv_timer_init(loop, &c->drain);
    uv_pipe_init(loop, &c->pipes[0], 0);
    uv_pipe_init(loop, &c->pipes[1], 0);
    uv_pipe_open(&c->pipes[0], o[0]);
    uv_pipe_open(&c->pipes[1], e[0]);
    c->is_open[0] = c->is_open[1] = true;
    c->handles = 4;
    uv_poll_start(&c->exit_poll, UV_READABLE, on_child_end);
    uv_read_start((uv_stream_t *)&c->pipes[0], on_alloc, on_read);
    uv_read_start((uv_stream_t *)&c->pipes[1], on_alloc, on_read);
    *out = c;
    return STATUS_OK;
fail:
    for (int i = 0; i < 2; i++) {
        if (o[i] >= 0)
            close(o[i]);
        if (e[i] >= 0)
            close(e[i]);
    }
    free(c);
    return st;
}

pid_t child_pid(const struct child *c)
{
    return c->pid;
}

void child_kill(struct child *c, int signum)
{
    if (!c->is_reaped)
        kill(-c->pid, signum);
}

/* --- Ctrl-C ----------------------------------------------------------------------------------- */

volatile sig_atomic_t loop_interrupted;

static uv_async_t wake;
static void (*interrupt_fn)(void *user, int signum);
static void *interrupt_user;
static const int interrupt_signals[] = {SIGINT, SIGTERM, SIGHUP};

static void on_signal(int signum)
{
    int saved = errno;
    loop_interrupted = signum;
    uv_async_send(&wake); /* async-signal-safe by libuv's contract */
    errno = saved;
}

static void on_wake(uv_async_t *a)
{
    (void)a;
    if (loop_interrupted)
        interrupt_fn(interrupt_user, loop_interrupted);
}

enum status loop_interrupt_start(uv_loop_t *loop, void (*fn)(void *user, int signum), void *user,
                                 struct error *err)
{
    int r = uv_async_init(loop, &wake, on_wake);
    if (r != 0)
        return error_set(err, STATUS_INTERNAL, "loop", "cannot watch signals: %s", uv_strerror(r));
    uv_unref((uv_handle_t *)&wake);
    interrupt_fn = fn;
    interrupt_user = user;
    struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    for (size_t i = 0; i < sizeof interrupt_signals / sizeof *interrupt_signals; i++)
        sigaction(interrupt_signals[i], &sa, NULL);
    return STATUS_OK;
}

void loop_interrupt_stop(void)
{
    for (size_t i = 0; i < sizeof interrupt_signals / sizeof *interrupt_signals; i++)
        signal(interrupt_signals[i], SIG_DFL);
    uv_close((uv_handle_t *)&wake, NULL);
}
