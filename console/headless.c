#include "console/headless.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "console/report.h"
#include "console/session.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/loop.h"

#define PROGRESS_EVERY_NS 1000000000u

struct headless {
    struct session session;
    struct error error; /* how the script ended */
    bool is_done;
    bool is_interrupted;
    int write_errno; /* standard output failed */
};

static void on_interrupt(void *user, int signum)
{
    struct headless *h = user;

    (void)signum;
    loop_interrupted = 0;
    if (h->is_interrupted) {
        /* Asked twice: the kernel kills our children with us (PR_SET_PDEATHSIG). */
        fflush(NULL);
        _exit(status_exit_code(STATUS_INTERRUPTED));
    }
    h->is_interrupted = true;
    session_cancel(&h->session);
}

static void on_print(void *user, const char *text, size_t len)
{
    struct headless *h = user;

    if (h->write_errno)
        return;
    errno = 0;
    fwrite(text, 1, len, stdout);
    if (!ferror(stdout)) /* glibc counts what was buffered as written, flushed or not */
        return;
    h->write_errno = errno ? errno : EIO;
    session_cancel(&h->session);
}

static void on_progress(void *user, const struct event *ev)
{
    struct headless *h = user;
    struct progress *p;
    double fraction;
    char job[96];

    if (ev->type != EVENT_PROGRESS)
        return;
    p = (struct progress *)progress_find(&h->session.progress, ev->job);
    if (!p)
        return;
    fraction = progress_fraction(p);
    if (p->shown_ns && p->seen_ns - p->shown_ns < PROGRESS_EVERY_NS)
        return;
    p->shown_ns = p->seen_ns;
    log_escape(p->job, job, sizeof job);
    fprintf(stderr, "%s%s%s", job, job[0] ? ": " : "", p->text);
    if (fraction >= 0)
        fprintf(stderr, " %.0f %%", 100 * fraction);
    putc('\n', stderr);
}

static void on_done(void *user, const struct error *err, const char *traceback, const char *values)
{
    struct headless *h = user;

    (void)values;
    h->is_done = true;
    if (err->status == STATUS_OK)
        return;
    h->error = *err;
    /* The lines of our own commands help nobody, unless it is we who are wrong. */
    if (h->session.options->builtin && strcmp(err->subsystem, "script"))
        traceback = NULL;
    /* A script that was stopped has nothing to explain. */
    if (!h->is_interrupted && !h->write_errno)
        report_failure(stderr, err, traceback);
}

static enum status start(struct headless *h, const struct options *o)
{
    enum status st = session_script(&h->session, on_print, h, &h->error);

    if (st != STATUS_OK)
        return st;
    if (o->builtin)
        return script_run_command(h->session.script, o->builtin, o->argc, o->argv, on_done, h,
                                  &h->error);
    return script_run_file(h->session.script, o->file, o->argc, o->argv, on_done, h, &h->error);
}

int headless_main(const struct options *o)
{
    struct headless h = {0};
    struct error err = {0};

    setvbuf(stdout, NULL, _IOLBF, 0); /* whoever reads the pipe sees whole lines at once */
    if (session_open(&h.session, o, on_interrupt, &h, &err) != STATUS_OK) {
        error_print(stderr, &err);
        return status_exit_code(err.status);
    }
    bus_subscribe(h.session.bus, on_progress, &h);
    if (start(&h, o) != STATUS_OK) {
        error_print(stderr, &h.error);
        h.is_done = true;
    }
    while (!h.is_done && uv_run(&h.session.loop, UV_RUN_ONCE))
        continue;
    if (!h.is_done)
        error_set(&h.error, STATUS_INTERNAL, "console", "the script waits for nothing");
    if (session_close(&h.session, &err) != STATUS_OK) {
        error_print(stderr, &err);
        if (h.error.status == STATUS_OK)
            h.error = err;
    }
    if (!h.write_errno && fflush(stdout))
        h.write_errno = errno;
    if (h.is_interrupted)
        return status_exit_code(STATUS_INTERRUPTED);
    if (h.write_errno) {
        error_sys(&h.error, STATUS_IO, h.write_errno, "console", "standard output");
        if (h.write_errno != EPIPE) /* a reader that has gone knows, and wants no words */
            error_print(stderr, &h.error);
    }
    return status_exit_code(h.error.status);
}
