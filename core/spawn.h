/* Starting processes: the only place in the house that forks.
 *
 * A child may be put into a network namespace, into its own process group, and under
 * PR_SET_PDEATHSIG, so that a killed console takes its children with it. A failed exec is
 * reported to the caller as an error, not as exit status 127. */
#ifndef CCALAB_CORE_SPAWN_H
#define CCALAB_CORE_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

#include "core/buf.h"
#include "core/error.h"

struct spawn_opts {
    const char *const *argv; /* NULL-terminated; argv[0] is looked up in $PATH, then /usr/sbin */
    const char *userns;   /* path of a user namespace to enter first (/proc/PID/ns/user), or NULL */
    const char *netns;    /* path of a network namespace (/run/netns/NAME), or NULL */
    const char *hostname; /* with netns: give the child its own UTS namespace and this name */
    const char *cwd;      /* or NULL */
    const char *const *env;    /* NULL-terminated "NAME=value" to add or replace, or NULL */
    int fd_in, fd_out, fd_err; /* descriptors to become 0, 1, 2; -1 means /dev/null */
    bool has_input;            /* child_start() and what is above it: fd_in counts */
    bool is_written_to;        /* process_local_start(): standard input is a socket of its own, for
                                  process.write() */
    bool has_own_session;      /* setsid(): a daemon. Otherwise the child leads a process group */
    bool survives_parent;      /* do not set PR_SET_PDEATHSIG(SIGKILL) */
};

/* Start a process. *pid is its process id and, being its leader, its process group.
 * The descriptors stay open in the caller. Errors: STATUS_HOST (fork, namespace),
 * STATUS_UNAVAILABLE (command not found). Thread: the calling thread must outlive the child unless
 * survives_parent, as PR_SET_PDEATHSIG follows the thread (prctl(2)). */
CCALAB_MUST_USE enum status spawn_start(const struct spawn_opts *opts, pid_t *pid,
                                        struct error *err);

/* Run a short command to its end, blocking. `input` (may be NULL) goes to its stdin; stdout is
 * appended to *out if not NULL. Fails (STATUS_HOST, with the command's own stderr) on a non-zero
 * exit or signal, STATUS_TIMEOUT (killed) after timeout_ms.
 * For the event loop's thread use a job instead. */
CCALAB_MUST_USE enum status spawn_run(const char *const *argv, const char *netns, const char *input,
                                      struct buf *out, int timeout_ms, struct error *err);
/* The same somewhere else: all of `opts` counts but its descriptors. */
CCALAB_MUST_USE enum status spawn_run_at(const struct spawn_opts *opts, const char *input,
                                         struct buf *out, int timeout_ms, struct error *err);

#endif
