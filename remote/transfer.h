/* Files and trees to and from an SSH host: a process like any other, so that a job can hold it.
 *
 * Its stdout is an event stream (docs/events.md): progress in bytes, and a result {"files", "sent",
 * "bytes", "resumed", "omitted", "seconds", "is_verified"}: of `files` so many had to be sent,
 * these bytes of them, for so many were there from an earlier transfer. Every file is written under
 * another name beside its place, or within a new tree that is; when all are there, and the host's
 * SHA-256 of each is ours, they are put in place. Nothing is in place if one of them failed. Links
 * and special files are left out. */
#ifndef CCALAB_REMOTE_TRANSFER_H
#define CCALAB_REMOTE_TRANSFER_H

#include "remote/host.h"

struct transfer_opts {
    bool is_upload;
    bool can_resume;            /* go on with what an interrupted transfer has left */
    bool is_delta;              /* leave out what the other side has already, by size and hash */
    const char *local, *remote; /* what, and what it shall be called there; copied */
};

/* A process_start_fn of remote/job.h; `opts` is a struct transfer_opts. Errors: STATUS_HOST (not
 * up), STATUS_UNAVAILABLE (no SSH host), STATUS_NOMEM, STATUS_INTERNAL. */
CCALAB_MUST_USE enum status transfer_start(struct host *host, uv_loop_t *loop, void *opts,
                                           const struct process_callbacks *cb, void *user,
                                           struct process **out, struct error *err);

#endif
