#include <stdlib.h>
#include <sys/wait.h>

#include "remote/process.h"

struct local {
    struct process base;
    struct child *child;
    struct process_callbacks cb;
    void *user;
};

static void local_kill(struct process *p, int signum)
{
    child_kill(((struct local *)p)->child, signum);
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
    free(l);
}

enum status process_local_start(uv_loop_t *loop, const struct spawn_opts *opts,
                                const struct process_callbacks *cb, void *user,
                                struct process **out, struct error *err)
{
    struct local *l = calloc(1, sizeof *l);
    if (!l)
        return error_set(err, STATUS_NOMEM, "spawn", "out of memory");
    *l = (struct local){.base = {.kill = local_kill}, .cb = *cb, .user = user};
    struct child_callbacks ccb = {on_output, on_exit_status};
    enum status st = child_start(loop, opts, &ccb, l, &l->child, err);
    if (st != STATUS_OK) {
        free(l);
        return st;
    }
    *out = &l->base;
    return STATUS_OK;
}
