/* Jobs that outlive the connection and the console. On the host a directory ~/.cache/ccalab/jobs/ID
 * has the files label, began (seconds since 1970), pid ("PID START-TIME"), out, err, and at the end
 * exit (the status as sh(1) has it: 128 and more are signals). A supervisor in a session of its own
 * writes them; the command leads another session, so that it can be signalled as a group.
 *
 * Following one is a process like any other (remote/process.h). Its output is counted in bytes:
 * when the connection is lost it is taken up again behind the last byte that came. At its end the
 * directory is removed. Works on every kind of host. Thread: main only. */
#ifndef CCALAB_REMOTE_DETACHED_H
#define CCALAB_REMOTE_DETACHED_H

#include "remote/host.h"

#define DETACHED_ID_MAX 64

struct detached_opts {
    const char *id;                /* detached_is_id() */
    const char *label;             /* for lists */
    const struct spawn_opts *what; /* argv, env and cwd count; NULL: attach to what runs */
    uint64_t out_from, err_from;   /* bytes of its output that are not wanted again */
};

/* Letters, digits, '-', '_', '.', beginning with one of the first two; at most 64. */
bool detached_is_id(const char *id);
/* A process_start_fn of remote/job.h; `opts` is a struct detached_opts, borrowed for the call. What
 * the host refuses comes as the process's end. Errors: STATUS_INPUT (id), STATUS_HOST (not up),
 * STATUS_NOMEM. */
CCALAB_MUST_USE enum status detached_start(struct host *host, uv_loop_t *loop, void *opts,
                                           const struct process_callbacks *cb, void *user,
                                           struct process **out, struct error *err);

#endif
