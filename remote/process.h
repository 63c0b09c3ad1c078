/* A running command, wherever it runs: what a job holds, so that it need not know the transport.
 *
 * A transport embeds struct process as the first member of its own struct. Thread: main only. */
#ifndef CCALAB_REMOTE_PROCESS_H
#define CCALAB_REMOTE_PROCESS_H

#include "core/error.h"
#include "core/loop.h"

/* How it ended. */
struct process_end {
    int exit_code;     /* -1 if it did not exit by itself */
    int exit_signal;   /* 0 if no signal killed it */
    struct error lost; /* not STATUS_OK: the transport failed, and how it ended is not known */
};

struct process_callbacks {
    /* Bytes of stdout (fd 1) or stderr (fd 2); borrowed for the call. */
    void (*on_output)(void *user, int fd, const char *data, size_t len);
    /* Comes once, after all output; the process is freed after it returned. */
    void (*on_exit)(void *user, const struct process_end *end);
};

struct process {
    void (*kill)(struct process *p, int signum); /* its whole process group; late is no harm */
    /* Let it go on without us: on_exit comes with `lost` set. NULL where nothing can. */
    void (*leave)(struct process *p);
    /* Write to its standard input, all or nothing, without waiting. NULL where nothing can be
     * written. Errors: STATUS_HOST. */
    enum status (*write)(struct process *p, const char *data, size_t len, struct error *err);
};

/* Start a process of this machine, as child_start() of core/loop.h does. Callbacks never come from
 * within this call. Errors: those of spawn_start(). */
CCALAB_MUST_USE enum status process_local_start(uv_loop_t *loop, const struct spawn_opts *opts,
                                                const struct process_callbacks *cb, void *user,
                                                struct process **out, struct error *err);

#endif
