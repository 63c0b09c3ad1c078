/* The samples of a recorded run as series again: samples/client_x.csv (run_samples.h) becomes
 * "client_x/srtt_us" and so on. Thread: any. */
#ifndef CCALAB_CORE_RUN_SERIES_H
#define CCALAB_CORE_RUN_SERIES_H

#include "core/error.h"
#include "core/series.h"

/* Add all samples of the run directory `dir` to the set. A source keeps the name of its file:
 * "link/down" is "link_down"; run_series_find() knows either. Marks are set as of live samples.
 * What is no number is a gap, lines that do not begin with a time are left out. Errors: STATUS_IO
 * (no such directory, a file cannot be read), STATUS_NOMEM. */
CCALAB_MUST_USE enum status run_series_read(const char *dir, struct series_set *set,
                                            struct error *err);
/* The same of one file's text. `src` is its name without ".csv". False when out of memory. */
bool run_series_parse(const char *src, const char *text, size_t len, struct series_set *set);
/* Find "link/down/delay_l_us" in what was read; NULL if absent. */
struct series *run_series_find(const struct series_set *set, const char *name);

#endif
