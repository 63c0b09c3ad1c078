/* The samples of a run as CSV, a file for each source: samples/client_x.csv with a line per sample
 * event, the time (seconds since the epoch) first. Exactly what was measured, when it was measured:
 * nothing is interpolated, and what is null is empty. Thread: main only. */
#ifndef CCALAB_CORE_RUN_SAMPLES_H
#define CCALAB_CORE_RUN_SAMPLES_H

#include "core/event.h"

#define RUN_SAMPLES_NAME_MAX 100

struct run_samples;

/* The name, without ".csv", of a source's file: "link/down" is link_down. */
void run_samples_name(const char *src, char *out, size_t size);

/* Files go into <dir>/samples/, which is made when the first sample comes. NULL when out of memory.
 */
struct run_samples *run_samples_new(const char *dir);
/* Note a sample event. The columns of a source are those of its first one; a value that comes later
 * under a new name is left out, which is logged. So is what cannot be written. */
void run_samples_add(struct run_samples *s, const struct event *ev);
/* Close the files. */
void run_samples_free(struct run_samples *s);

#endif
