/* How far the running jobs are, from their progress events. Thread: main only. */
#ifndef CCALAB_CONSOLE_PROGRESS_H
#define CCALAB_CONSOLE_PROGRESS_H

#include <stddef.h>
#include <stdint.h>

#include "core/event.h"

#define PROGRESS_MAX 32

struct progress {
    char job[96];
    char text[160];     /* escaped */
    double done, total; /* total <= 0: unknown */
    uint64_t seen_ns;   /* clock_mono_ns() of the last event */
    uint64_t shown_ns;  /* for whoever prints it now and then; 0: never */
};

struct progress_table {
    struct progress of[PROGRESS_MAX]; /* the one not heard of for longest makes room */
    size_t len;
};

/* Take in a progress event; returns the job's entry. */
struct progress *progress_update(struct progress_table *t, const struct event *ev);
/* The last that was heard of a job, or NULL. */
const struct progress *progress_find(const struct progress_table *t, const char *job);
/* 0 to 1, or -1 if unknown. */
double progress_fraction(const struct progress *p);

#endif
