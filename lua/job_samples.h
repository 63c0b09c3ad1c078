/* The samples of a job, for a script that asks for them one by one. Thread: main only. */
#ifndef CCALAB_LUA_JOB_SAMPLES_H
#define CCALAB_LUA_JOB_SAMPLES_H

#include <cjson/cJSON.h>

#include "lua/task.h"

/* So many wait for a script that is slow; older ones are dropped. */
#define JOB_SAMPLES_MAX 64

struct job_samples {
    bool is_wanted; /* somebody has asked: samples are kept from then on */
    bool is_over;
    unsigned first, count;
    cJSON *kept[JOB_SAMPLES_MAX]; /* a ring: copies of the events */
    struct wait_list waiters;
};

void job_samples_done(struct job_samples *s);
/* A sample event has come; copied. */
void job_samples_add(struct job_samples *s, const cJSON *event);
/* No more come. */
void job_samples_end(struct job_samples *s);
/* Use as `return job_samples_next(...)` from a C function: waits for the next sample and returns
 * its values as a table, its time and its source to the script; nil at the end of the job. */
int job_samples_next(lua_State *L, struct job_samples *s);

#endif
