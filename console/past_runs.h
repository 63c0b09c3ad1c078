/* The runs of before: the list of their records, and the samples of one. The records are read by
 * the prelude (lua/prelude/runs.lua). Thread: main only. */
#ifndef CCALAB_CONSOLE_PAST_RUNS_H
#define CCALAB_CONSOLE_PAST_RUNS_H

#include "console/flows.h"
#include "core/series.h"
#include "lua/script.h"

struct past_run {
    char id[96];
    char *dir;
    char status[16], started[24], took[16];
    char figures[160]; /* the first results, or why it failed */
    bool is_marked;
};

struct past_runs {
    struct past_run *of; /* the newest first */
    size_t len;
};

/* Read the list anew; marks stay. Errors: those of script_ask(). */
CCALAB_MUST_USE enum status past_runs_read(struct past_runs *p, struct script *script,
                                           struct error *err);
void past_runs_done(struct past_runs *p);
/* The ids of the marked runs, without any marked that of `selected` (NULL: of all), as JSON. */
cJSON *past_runs_chosen(const struct past_runs *p, const struct past_run *selected);
/* The samples of a run, as series and as a table of flows, both emptied before.
 * Errors: those of run_series_read(). */
CCALAB_MUST_USE enum status past_run_samples(const struct past_run *run, struct series_set *series,
                                             struct flow_table *flows, struct error *err);

#endif
