/* A live capture: packets of an interface here, or of another host by its stream, are counted and
 * written while they come, as events on standard output (docs/events.md). */
#ifndef CCALAB_CAPTURE_LIVE_H
#define CCALAB_CAPTURE_LIVE_H

#include "capture/live_files.h"
#include "capture/source.h"

struct live_opts {
    struct source_live_opts source; /* of another host: only what messages and files tell of it */
    const char *from_host; /* standard input is the stream of this host (capture/host_stream.h), a
                              socket whose other direction is shut down to stop it; or NULL */
    const char *label;     /* src of the samples */
    struct live_files_opts files; /* path NULL: nothing is written */
    uint64_t duration_us;         /* 0: until a signal */
    uint64_t interval_us;         /* between samples */
    uint64_t max_frames;          /* 0: any number */
};

/* Capture until SIGINT, SIGTERM, SIGHUP, the duration or the number of packets, which are all a
 * proper end. Whatever else ends it, what was counted is told and what was written stays.
 * These signals are blocked while it runs, SIGPIPE is ignored from then on. Errors: those of
 * source_open_live(), live_files_add(), host_stream_outcome(). Thread: main. */
CCALAB_MUST_USE enum status live_run(const struct live_opts *opts, struct error *err);

#endif
