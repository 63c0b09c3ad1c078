#include "remote/piped.h"

#include <unistd.h>

#include "remote/shell.h"

#define COMMAND_MAX 65536

enum status piped_start(struct host *h, uv_loop_t *loop, void *arg,
                        const struct process_callbacks *cb, void *user, struct process **out,
                        struct error *err)
{
    const struct piped_opts *o = arg;
    struct spawn_opts here = *o->spawn;
    struct buf command;
    enum status st;

    if (!host_link(h) || host_state(h) != HOST_STATE_UP)
        return error_set(err, STATUS_HOST, "host", "%s is not connected", host_name(h));
    buf_init(&command, COMMAND_MAX);
    buf_puts(&command, "exec");
    for (const char *const *word = o->from; *word; word++) {
        buf_puts(&command, " ");
        shell_quote(&command, *word);
    }
    if (command.is_failed)
        st = error_set(err, STATUS_NOMEM, "host", "the command for %s is too long", host_name(h));
    else
        st = ssh_link_pipe(host_link(h), SSH_PIPE_COMMAND, command.data, &here.fd_in, err);
    buf_done(&command);
    if (st != STATUS_OK)
        return st;
    here.has_input = true;
    st = process_local_start(loop, &here, cb, user, out, err);
    close(here.fd_in); /* the command has it */
    return st;
}
