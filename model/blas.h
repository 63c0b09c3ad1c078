/* Which BLAS this process has loaded: it decides whether training is fast. */
#ifndef CCALAB_MODEL_BLAS_H
#define CCALAB_MODEL_BLAS_H

#include <stdio.h>

#include "core/paths.h"

struct blas {
    char name[64];              /* "openblas-openmp", "blis-openmp", "reference", ... */
    char path[CCALAB_PATH_MAX]; /* of the library; "" if none is loaded on its own */
    const char *advice;         /* what is wrong with it and what to do; NULL: nothing */
};

/* Look through a memory map as of /proc/self/maps (proc(5)). An unreadable one gives "none". */
void blas_detect(const char *maps_path, struct blas *out);
/* Warn among the events of a command that computes, where a bad one is loaded. */
void blas_warn(FILE *events);

#endif
