/* A command of this machine that reads what a command on an SSH host writes, and may write what
 * that reads: its standard input is a socket to it. What it makes of that is the job's output.
 * Thread: main. */
#ifndef CCALAB_REMOTE_PIPED_H
#define CCALAB_REMOTE_PIPED_H

#include "remote/host.h"

struct piped_opts {
    const struct spawn_opts *spawn; /* the command here; argv and cwd count */
    const char *const *from;        /* that on the host, with its arguments */
};

/* A process_start_fn (remote/job.h) with a struct piped_opts, borrowed for the call. The command on
 * the host sees the end of its input when the one here ends or shuts its socket down; a lost
 * connection is the end of the input here. Errors: STATUS_HOST (no SSH host, or it is not up), and
 * those of process_local_start(). */
enum status piped_start(struct host *h, uv_loop_t *loop, void *opts,
                        const struct process_callbacks *cb, void *user, struct process **out,
                        struct error *err);

#endif
