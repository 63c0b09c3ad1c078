/* A job is a command on a host with an event stream. iperf3, capture, training, the virtual lab's
 * keeper: all of them are jobs, and whoever watches the bus sees them all alike.
 *
 * A job ends exactly once, by on_done. Cancelling or running out of time sends stop_signal to the
 * command's process group, and SIGKILL after the grace period. Thread: main only. */
#ifndef CCALAB_REMOTE_JOB_H
#define CCALAB_REMOTE_JOB_H

#include "core/event.h"
#include "remote/host.h"
#include "remote/reader.h"

enum job_output {
    JOB_OUTPUT_TEXT,   /* stdout is kept, up to max_output */
    JOB_OUTPUT_EVENTS, /* stdout is an event stream; a line that is no event is logged */
};

struct job_opts {
    const char *label;       /* "iperf3 client_x": shown, and "job" in every event */
    const char *const *argv; /* NULL-terminated, copied */
    const char *const *env;  /* NULL-terminated "NAME=value" to add, or NULL; copied */
    const char *cwd;         /* or NULL */
    bool is_sudo;            /* as root (remote/sudo.h) */
    const char *detached;    /* outlives connection and console under this name, or NULL */
    bool has_input;          /* its standard input is job_write()'s, else /dev/null. Not over SSH */
    enum job_output output;
    struct reader *reader; /* makes the events of what stdout says, or NULL. Taken if it starts.
                            * Text is kept as well; an event stream is then the reader's alone */
    size_t
        max_output;  /* bytes of stdout kept; 0 means 64 MiB. More is an error, not a truncation */
    int timeout_ms;  /* 0: none */
    int stop_signal; /* 0: SIGTERM */
    int grace_ms;    /* 0: 2000 */
};

/* How it ended. Borrowed for the duration of on_done. */
struct job_exit {
    struct error error; /* error.status == STATUS_OK: exit code 0 and no error event */
    int exit_code;      /* -1 if killed by a signal */
    int exit_signal;    /* 0 if it exited */
    const char *out;    /* stdout with JOB_OUTPUT_TEXT, NUL-terminated */
    size_t out_len;
    const char *err_tail; /* the last 4 KiB of stderr */
    const cJSON *result;  /* data of the last `result` event, or NULL */
};

struct job;

struct job_callbacks {
    /* After the event went to the bus. May be NULL. */
    void (*on_event)(void *user, struct job *job, const struct event *ev);
    /* Pieces of stdout with JOB_OUTPUT_TEXT, as they come. May be NULL. */
    void (*on_text)(void *user, struct job *job, const char *data, size_t len);
    void (*on_done)(void *user, struct job *job, const struct job_exit *how);
};

/* Start it. The job is freed after on_done returned. `bus` may be NULL. Callbacks never come from
 * within this call. Errors: those of spawn_start(), STATUS_HOST if the host is down. */
CCALAB_MUST_USE enum status job_start(uv_loop_t *loop, struct bus *bus, struct host *host,
                                      const struct job_opts *opts, const struct job_callbacks *cb,
                                      void *user, struct job **out, struct error *err);
/* Starts the process of a job on the loop; `arg` is borrowed for the call. */
typedef enum status (*process_start_fn)(struct host *host, uv_loop_t *loop, void *arg,
                                        const struct process_callbacks *cb, void *user,
                                        struct process **out, struct error *err);
/* As job_start() for what is no command of its own but has output, an end and can be cancelled, as
 * a transfer of files has; opts->argv, env and cwd are not looked at. */
CCALAB_MUST_USE enum status job_start_with(uv_loop_t *loop, struct bus *bus, struct host *host,
                                           const struct job_opts *opts, process_start_fn start,
                                           void *arg, const struct job_callbacks *cb, void *user,
                                           struct job **out, struct error *err);
/* Ask it to stop; on_done comes with STATUS_INTERRUPTED. Twice is the same as once. */
void job_cancel(struct job *job);
/* Ask it to finish: the same signals, but the end is judged by the command's own exit status. */
void job_finish(struct job *job);
/* Stop following what can go on without us (remote/detached.h): on_done comes with
 * STATUS_INTERRUPTED. Anything else is cancelled. */
void job_leave(struct job *job);
/* Write to its standard input, all of it at once. Errors: STATUS_UNAVAILABLE (it was not started
 * with has_input, or runs where nothing can be written), STATUS_HOST (it has ended, or does not
 * read). */
CCALAB_MUST_USE enum status job_write(struct job *job, const char *text, size_t len,
                                      struct error *err);
const char *job_label(const struct job *job);
struct host *job_host(const struct job *job);

/* Every running job, oldest first: the screen's status line, and the last tidy-up. */
struct job *job_first(void);
struct job *job_next(const struct job *job);

#endif
