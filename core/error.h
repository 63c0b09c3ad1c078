/* Errors: one list of statuses, and one struct that carries everything a person needs to act.
 *
 * Functions that can fail return `enum status` (STATUS_OK == 0) and fill a caller-owned
 * `struct error`, which may be NULL. Messages name the thing that failed; hints say what to do. */
#ifndef CCALAB_CORE_ERROR_H
#define CCALAB_CORE_ERROR_H

#include <stdarg.h>
#include <stdio.h>

#define CCALAB_MUST_USE     __attribute__((warn_unused_result))
#define CCALAB_PRINTF(f, a) __attribute__((format(printf, f, a)))

/* X(ENUM, name, exit code, what it means). The exit codes are part of the user's contract:
 * the README's table is checked against this list by tests/. */
#define CCALAB_STATUS_LIST(X)                                                                      \
    X(OK, "ok", 0, "everything worked")                                                            \
    X(FAIL, "failed", 1, "the script raised an error, or a check did not hold")                    \
    X(USAGE, "usage", 2, "the command line was not understood")                                    \
    X(SYNTAX, "syntax", 3, "the script does not compile")                                          \
    X(HOST, "host", 4, "a host, its transport or a command on it failed")                          \
    X(TIMEOUT, "timeout", 5, "a time limit ran out")                                               \
    X(UNAVAILABLE, "unavailable", 6, "a feature was not built, or this machine lacks it")          \
    X(IO, "io", 7, "a file or device could not be read or written")                                \
    X(INPUT, "input", 8, "a file or message is malformed")                                         \
    X(NOMEM, "nomem", 9, "out of memory, or over a size limit")                                    \
    X(INTERNAL, "internal", 70, "a defect of ccalab itself")                                       \
    X(INTERRUPTED, "interrupted", 130, "stopped by Ctrl-C or a signal")

enum status {
#define X(id, name, code, what) STATUS_##id,
    CCALAB_STATUS_LIST(X)
#undef X
        STATUS_COUNT
};

struct error {
    enum status status;
    int sys_errno;      /* errno at the time of failure, 0 if none */
    char subsystem[16]; /* room or part: "testbed", "iperf3", ... */
    char message[512];
    char hint[256]; /* empty if there is nothing to suggest */
};

/* "host", "timeout", ... Never NULL. */
const char *status_name(enum status s);
/* What the status means, one sentence without a full stop. Never NULL. */
const char *status_text(enum status s);
/* Process exit code of a status. */
int status_exit_code(enum status s);
/* Status of a name as written by status_name(); STATUS_INTERNAL if unknown. */
enum status status_from_name(const char *name);

/* Fill *e (if not NULL) and return `s`. The hint and errno are cleared. */
enum status error_set(struct error *e, enum status s, const char *subsystem, const char *fmt, ...)
    CCALAB_PRINTF(4, 5);
/* As error_set(), with ": strerror(sys_errno)" appended. */
enum status error_sys(struct error *e, enum status s, int sys_errno, const char *subsystem,
                      const char *fmt, ...) CCALAB_PRINTF(5, 6);
/* Add or replace the hint; returns e->status (STATUS_FAIL if e is NULL) for use in `return`. */
enum status error_hint(struct error *e, const char *fmt, ...) CCALAB_PRINTF(2, 3);
/* Print "PROGRAM: subsystem: message" and, on a second line, the hint. PROGRAM is the name that
 * this program was started by (program_invocation_short_name(3)): "ccalab", "ccalab-link",
 * "netllm". */
void error_print(FILE *f, const struct error *e);

#endif
