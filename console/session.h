/* What a script runs in, with or without a terminal: the loop, the bus and those who listen to it,
 * and the way out. Thread: main only. */
#ifndef CCALAB_CONSOLE_SESSION_H
#define CCALAB_CONSOLE_SESSION_H

#include <stdbool.h>
#include <stdio.h>
#include <uv.h>

#include "console/checks.h"
#include "console/lab_map.h"
#include "console/options.h"
#include "console/progress.h"
#include "core/event.h"
#include "core/series.h"
#include "lua/script.h"

struct session {
    uv_loop_t loop;
    struct bus *bus;
    struct series_set series;
    struct progress_table progress;
    struct checks_table checks;
    struct lab_map map;
    struct script *script; /* NULL until session_script() */
    const struct options *options;
    FILE *events;   /* --events, or NULL */
    ssh_ask_fn ask; /* asks the person at the console; NULL: nobody is there */
    void *ask_user;
    bool has_events_failed;
    uv_timer_t deadline;
    bool is_late;
};

/* The loop, the bus and its listeners: series, progress, --events, and the log (events of type log
 * and error). Ctrl-C, SIGTERM and SIGHUP call `on_interrupt`, which must clear loop_interrupted.
 * On failure there is nothing to close. Errors: STATUS_IO (--events), STATUS_NOMEM,
 * STATUS_INTERNAL. */
CCALAB_MUST_USE enum status session_open(struct session *s, const struct options *o,
                                         void (*on_interrupt)(void *user, int signum), void *user,
                                         struct error *err);
/* Start Lua: it takes milliseconds, which is why it is not part of session_open(). Errors: those
 * of script_new(). */
CCALAB_MUST_USE enum status
session_script(struct session *s, void (*on_print)(void *user, const char *text, size_t len),
               void *user, struct error *err);
/* Does a task or a job still live? */
bool session_is_busy(const struct session *s);
/* Ask every task to stop, and with it its jobs. */
void session_cancel(struct session *s);
/* Run the loop until nothing is busy any more, at most limit_ms. False if something still is. */
bool session_drain(struct session *s, int limit_ms);
/* Put back what typed lines have changed on hosts, stop what still runs, wait for it
 * (SESSION_STOP_MS, then a third of that for jobs whose task does not see to them) and free
 * everything. Jobs that do not end are killed by the kernel when this process ends
 * (PR_SET_PDEATHSIG); they are named in the log. Errors: STATUS_IO (events could not be written),
 * STATUS_TIMEOUT (something did not end). */
CCALAB_MUST_USE enum status session_close(struct session *s, struct error *err);

/* A job has two seconds from SIGTERM to SIGKILL, a script's clean-up may start more jobs. */
#define SESSION_STOP_MS 15000

#endif
