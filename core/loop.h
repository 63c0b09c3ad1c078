/* libuv glue: the loop of the main thread, child processes with their pipes, and the interrupt.
 *
 * Timers and the rest are used straight from <uv.h>; only what libuv lacks is here: children in a
 * namespace and under PR_SET_PDEATHSIG (uv_spawn knows neither), watched by pidfd. */
#ifndef CCALAB_CORE_LOOP_H
#define CCALAB_CORE_LOOP_H

#include <signal.h>
#include <stdbool.h>
#include <uv.h>

#include "core/error.h"
#include "core/spawn.h"

struct child;

struct child_callbacks {
    /* Bytes of stdout (fd 1) or stderr (fd 2); borrowed for the call. */
    void (*on_output)(void *user, int fd, const char *data, size_t len);
    /* Both pipes are at their end and the process is reaped. wait_status as of waitpid(2).
     * The child is freed after this returns. */
    void (*on_exit)(void *user, int wait_status);
};

/* Start a process with stdin from /dev/null (or fd_in, with has_input) and stdout and stderr as
 * pipes on the loop. The other fd_* members of `opts` are ignored. The callbacks come from the loop, never from within this
 * call. Errors: those of spawn_start(). */
CCALAB_MUST_USE enum status child_start(uv_loop_t *loop, const struct spawn_opts *opts,
                                        const struct child_callbacks *cb, void *user,
                                        struct child **out, struct error *err);
pid_t child_pid(const struct child *c);
/* Signal the child's whole process group. */
void child_kill(struct child *c, int signum);

/* Ctrl-C. Installed once by main: a raw handler for SIGINT, SIGTERM and SIGHUP that sets
 * loop_interrupted (read by Lua's count hook, which must see it while the loop is not running)
 * and wakes the loop, which calls `fn`. */
extern volatile sig_atomic_t loop_interrupted; /* signal number, 0 if none */
CCALAB_MUST_USE enum status loop_interrupt_start(uv_loop_t *loop,
                                                 void (*fn)(void *user, int signum), void *user,
                                                 struct error *err);
void loop_interrupt_stop(void);

#endif
