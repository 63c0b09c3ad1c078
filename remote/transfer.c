#include "remote/transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "remote/transfer_files.h"
#include "remote/transfer_host.h"

struct transfer {
    struct process base;
    struct process_callbacks cb;
    void *user;
    pthread_t thread;
    uv_pipe_t pipe; /* the thread's events; at its end the thread is too */
    atomic_bool is_over;
    char *local, *remote, *host;
    struct transfer_work work;
    struct process_end end; /* the thread's, until it ends */
    char chunk[16384];
};

static void *thread_main(void *arg)
{
    struct transfer *t = arg;
    struct error err;
    t->end.exit_code = status_exit_code(transfer_files(&t->work, &err));
    fclose(t->work.events);
    return NULL;
}

static void transfer_free(struct transfer *t)
{
    if (t->work.sftp_fd >= 0)
        close(t->work.sftp_fd);
    if (t->work.host_fd >= 0)
        close(t->work.host_fd);
    free(t->local);
    free(t->remote);
    free(t->host);
    free(t);
}

static void on_closed(uv_handle_t *h)
{
    struct transfer *t = h->data;
    pthread_join(t->thread, NULL);
    t->cb.on_exit(t->user, &t->end);
    transfer_free(t);
}

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
    struct transfer *t = h->data;
    (void)suggested;
    *buf = uv_buf_init(t->chunk, sizeof t->chunk);
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
    struct transfer *t = s->data;
    if (n > 0)
        t->cb.on_output(t->user, 1, buf->base, (size_t)n);
    if (n < 0)
        uv_close((uv_handle_t *)s, on_closed);
}

/* The first signal lets the thread tidy up on the host, SIGKILL does not. */
static void transfer_kill(struct process *p, int signum)
{
    struct transfer *t = (struct transfer *)p;
    atomic_store(&t->is_over, true);
    shutdown(t->work.host_fd, SHUT_RDWR);
    if (signum == SIGKILL)
        shutdown(t->work.sftp_fd, SHUT_RDWR);
}

enum status transfer_start(struct host *host, uv_loop_t *loop, void *opts,
                           const struct process_callbacks *cb, void *user, struct process **out,
                           struct error *err)
{
    const struct transfer_opts *o = opts;
    int fds[2] = {-1, -1};
    if (host_kind(host) != HOST_KIND_SSH)
        return error_set(err, STATUS_UNAVAILABLE, "transfer", "%s is not behind SSH",
                         host_name(host));
    if (host_state(host) != HOST_STATE_UP)
        return error_set(err, STATUS_HOST, "transfer", "%s is not connected: %s", host_name(host),
                         host_why(host)->message);
    struct transfer *t = calloc(1, sizeof *t);
    if (!t)
        return error_set(err, STATUS_NOMEM, "transfer", "out of memory");
    enum status st = STATUS_NOMEM;
    *t = (struct transfer){.base = {.kill = transfer_kill}, .cb = *cb, .user = user};
    t->local = strdup(o->local);
    t->remote = strdup(o->remote);
    t->host = strdup(host_name(host));
    t->work = (struct transfer_work){.is_upload = o->is_upload,
                                     .local = t->local,
                                     .remote = t->remote,
                                     .host = t->host,
                                     .can_resume = o->can_resume,
                                     .is_delta = o->is_delta,
                                     .sftp_fd = -1,
                                     .host_fd = -1,
                                     .is_over = &t->is_over};
    if (!t->local || !t->remote || !t->host || pipe2(fds, O_CLOEXEC) != 0 ||
        !(t->work.events = fdopen(fds[1], "w"))) {
        error_sys(err, st, errno, "transfer", "cannot begin");
        goto fail;
    }
    fds[1] = -1;
    st = ssh_link_pipe(host_link(host), SSH_PIPE_SUBSYSTEM, "sftp", &t->work.sftp_fd, err);
    if (st == STATUS_OK)
        st = ssh_link_pipe(host_link(host), SSH_PIPE_COMMAND, TRANSFER_HOST_COMMAND,
                           &t->work.host_fd, err);
    if (st != STATUS_OK)
        goto fail;
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int r = pthread_create(&t->thread, NULL, thread_main, t);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (r != 0) {
        st = error_sys(err, STATUS_INTERNAL, r, "transfer", "no thread");
        goto fail;
    }
    uv_pipe_init(loop, &t->pipe, 0);
    t->pipe.data = t;
    uv_pipe_open(&t->pipe, fds[0]);
    uv_read_start((uv_stream_t *)&t->pipe, on_alloc, on_read);
    *out = &t->base;
    return STATUS_OK;
fail:
    if (t->work.events)
        fclose(t->work.events);
    for (int i = 0; i < 2; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    transfer_free(t);
    return st;
}
