/* The files of a live capture: one, or one after another by size or time, of which the newest N may
 * be kept. Thread: one at a time. */
#ifndef CCALAB_CAPTURE_LIVE_FILES_H
#define CCALAB_CAPTURE_LIVE_FILES_H

#include "capture/pcapng_write.h"

struct live_files_opts {
    const char *path;    /* "x.pcapng"; with rotation x-00001.pcapng, x-00002.pcapng, ... */
    uint64_t max_bytes;  /* begin another when a file has so many; 0: never */
    uint64_t max_ns;     /* and when it has been written for so long; 0: never */
    uint32_t keep_files; /* remove older ones; 0: keep all */
};

struct live_files {
    struct live_files_opts opts;
    struct pcapng_interface interface;
    struct pcapng_writer *writer; /* NULL where another file could not be begun */
    uint32_t index;               /* of the file that is written, from 1; 0: none yet */
    uint64_t begun_ns;            /* CLOCK_MONOTONIC */
    /* Of the current file. */
    int64_t start_ns, end_ns;
    uint64_t frames, drops_before;
    bool has_drops;
    uint64_t drops; /* of the capture so far; the caller's to set, with has_drops */
};

/* Begin the first file. The strings stay the caller's, for as long as the files are open.
 * Errors: STATUS_IO, STATUS_NOMEM, STATUS_USAGE (a path that cannot be written to). */
CCALAB_MUST_USE enum status live_files_open(struct live_files *f, const struct live_files_opts *o,
                                            const struct pcapng_interface *i, struct error *err);
/* Append a frame; begins another file where the size asks for it. Errors: STATUS_IO. */
CCALAB_MUST_USE enum status live_files_add(struct live_files *f, const struct source_frame *frame,
                                           struct error *err);
/* Now and then: begins another file where the time asks for it, and with `is_flush` hands
 * everything to the kernel. Errors: STATUS_IO. */
CCALAB_MUST_USE enum status live_files_tick(struct live_files *f, uint64_t mono_ns, bool is_flush,
                                            struct error *err);
/* Write the statistics and close. Errors: STATUS_IO. */
CCALAB_MUST_USE enum status live_files_close(struct live_files *f, struct error *err);
/* Path of the file with that index, 1 <= index <= f->index. */
void live_files_path(const struct live_files *f, uint32_t index, char *out, size_t size);
/* The oldest one that is still there. */
uint32_t live_files_oldest(const struct live_files *f);

#endif
