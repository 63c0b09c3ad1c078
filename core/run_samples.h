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

/* A line of such a file: `n` columns besides the time, NaN for what is empty or no number. All is
 * borrowed for the call. `src` is the file's name without ".csv": "link_down" of link/down. */
typedef void (*run_sample_fn)(void *user, const char *src, double t, const char *const *columns,
                              const double *values, size_t n);

/* Read the text of one file. What is no line of numbers is skipped. */
void run_samples_parse(const char *src, const char *text, size_t len, run_sample_fn fn, void *user);
/* Read the files of <dir>/samples/, by name. A run without any is no error.
 * Errors: STATUS_IO, STATUS_NOMEM (more than RUN_SAMPLES_READ_MAX bytes; what fits is read). */
CCALAB_MUST_USE enum status run_samples_read(const char *dir, run_sample_fn fn, void *user,
                                             struct error *err);
#define RUN_SAMPLES_READ_MAX (256u << 20)

#endif
