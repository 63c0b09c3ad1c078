/* A run is a directory: runs/<UTC time>-<name>/ with run.json, events.jsonl, samples/
 * (run_samples.h) and everything raw.
 *
 * run.json is rewritten atomically at every step, so that a killed run still says how far it came
 * ("status": "running"). Thread: main only. */
#ifndef CCALAB_CORE_RUN_H
#define CCALAB_CORE_RUN_H

#include <cjson/cJSON.h>

#include "core/error.h"
#include "core/event.h"

struct run;

/* Create <base>/<UTC time>-<name>/ (a suffix -2, -3… if taken) and its run.json with version,
 * start time and host facts. `base` NULL means $CCALAB_RUNS, else "runs" in the working directory.
 * `name` keeps letters, digits, '-', '_' and '.'; others become '_'.
 * `bus` (may be NULL) feeds events.jsonl and samples/. Errors: STATUS_IO. */
CCALAB_MUST_USE enum status run_new(const char *base, const char *name, struct bus *bus,
                                    struct run **out, struct error *err);
/* Directory of the run; valid until run_free(). */
const char *run_dir(const struct run *r);
/* Directory of the run that began last, while it has not finished; else "". For whoever has to say so
 * at a crash: the text lies in one place for ever. */
const char *run_unfinished(void);
/* Path of a file below it, its parent directory made. Refuses names that leave the directory
 * (STATUS_USAGE). */
CCALAB_MUST_USE enum status run_path(struct run *r, const char *name, char *out, size_t size,
                                     struct error *err);
/* Set run.json's field `key` (dots descend: "lab.rate_bps"; takes `value`) and save. */
CCALAB_MUST_USE enum status run_set(struct run *r, const char *key, cJSON *value,
                                    struct error *err);
/* Note that a command starts on a host: an entry of run.json's "commands", {"host", "label",
 * "argv", "start_s", "end_s", "exit_code", "status"}, all null that is not known. `argv` NULL: what
 * has no command line, as an upload. Saved with the next run_set(), or at the end. Returns its
 * number for run_command_end(); RUN_NO_COMMAND when there are too many. */
size_t run_command_start(struct run *r, const char *host, const char *label,
                         const char *const *argv);
#define RUN_NO_COMMAND ((size_t)-1)
/* Its end: how, and its exit status (< 0: a signal ended it, or it is not known). */
void run_command_end(struct run *r, size_t number, enum status how, int exit_code);
/* Record the end ("ok", "failed", "interrupted"), stop recording events, save, free.
 * `message` may be NULL. Never fails silently: a failed save is logged. */
void run_finish(struct run *r, const char *status, const char *message);

#endif
