/* In place of SSH in a build without libssh: it says what is missing. */
#include "remote/ssh.h"
#include "remote/transfer.h"

enum status ssh_link_new(const char *name, uv_loop_t *loop, const struct ssh_opts *opts,
                         ssh_state_fn on_state, void *user, struct ssh_link **out,
                         struct error *err)
{
    (void)loop;
    (void)opts;
    (void)on_state;
    (void)user;
    (void)out;
    error_set(err, STATUS_UNAVAILABLE, "ssh", "this build has no SSH: host %s is out of reach",
              name);
    return err ? error_hint(err, "install the package libssh-dev and build again")
               : STATUS_UNAVAILABLE;
}

/* There is never a link for these. */
void ssh_link_free(struct ssh_link *l)
{
    (void)l;
}

const char *ssh_link_address(const struct ssh_link *l)
{
    (void)l;
    return "";
}

void ssh_link_answer(struct ssh_link *l, const char *text)
{
    (void)l;
    (void)text;
}

void ssh_link_retry(struct ssh_link *l)
{
    (void)l;
}

enum status ssh_link_exec(struct ssh_link *l, const struct spawn_opts *opts,
                          const struct process_callbacks *cb, void *user, struct process **out,
                          struct error *err)
{
    (void)l;
    (void)opts;
    (void)cb;
    (void)user;
    (void)out;
    return error_set(err, STATUS_UNAVAILABLE, "ssh", "this build has no SSH");
}

enum status ssh_link_pipe(struct ssh_link *l, enum ssh_pipe kind, const char *name, int *fd,
                          struct error *err)
{
    (void)l;
    (void)kind;
    (void)name;
    (void)fd;
    return error_set(err, STATUS_UNAVAILABLE, "ssh", "this build has no SSH");
}

enum status transfer_start(struct host *host, uv_loop_t *loop, void *opts,
                           const struct process_callbacks *cb, void *user, struct process **out,
                           struct error *err)
{
    (void)host;
    (void)loop;
    (void)opts;
    (void)cb;
    (void)user;
    (void)out;
    return error_set(err, STATUS_UNAVAILABLE, "transfer", "this build has no SSH");
}
