#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "remote/process.h"

struct local {
    struct process base;
    struct child *child;
    struct process_callbacks cb;
    void *user;
    int input; /* our end of its standard input; -1: /dev/null, or another's */
};

static void local_kill(struct process *p, int signum)
{
    child_kill(((struct local *)p)->child, signum);
}

/* A message that fits into the socket's buffer goes whole or not at all (unix(7)). */
static enum status local_write(struct process *p, const char *data, size_t len, struct error *err)
{
    ssize_t n = send(((struct local *)p)->input, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (n == (ssize_t)len)
        return STATUS_OK;
    if (n >= 0 || errno == EAGAIN)
        return error_set(err, STATUS_HOST, "job", "it does not read its standard input");
    return error_sys(err, STATUS_HOST, errno, "job", "cannot write to its standard input");
}

static void on_output(void *user, int fd, const char *data, size_t len)
{
    struct local *l = user;
    l->cb.on_output(l->user, fd, data, len);
}

static void on_exit_status(void *user, int ws)
{
    struct local *l = user;
    struct process_end end = {.exit_code = WIFEXITED(ws) ? WEXITSTATUS(ws) : -1,
                              .exit_signal = WIFSIGNALED(ws) ? WTERMSIG(ws) : 0};
    l->cb.on_exit(l->user, &end);
    if (l->input >= 0)
        close(l->input);
    free(l);
}

enum status process_local_start(uv_loop_t *loop, const struct spawn_opts *opts,
                                const struct process_callbacks *cb, void *user,
                                struct process **out, struct error *err)
{
    struct local *l = calloc(1, sizeof *l);
    struct spawn_opts so = *opts;
    int input[2] = {-1, -1};
    if (!l)
        return error_set(err, STATUS_NOMEM, "spawn", "out of memory");
    *l = (struct local){.base = {.kill = local_kill}, .cb = *cb, .user = user, .input = -1};
    if (opts->is_written_to) {
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, input)) {
            free(l);
            return error_sys(err, STATUS_HOST, errno, "spawn", "no socket for its input");
        }
        so.has_input = true;
        so.fd_in = input[0];
        l->input = input[1];
        l->base.write = local_write;
    }
    struct child_callbacks ccb = {on_output, on_exit_status};
    enum status st = child_start(loop, &so, &ccb, l, &l->child, err);
    if (input[0] >= 0)
        close(input[0]); /* the child has it */
    if (st != STATUS_OK) {
        if (input[1] >= 0)
            close(input[1]);
        free(l);
        return st;
    }
    *out = &l->base;
    return STATUS_OK;
}
