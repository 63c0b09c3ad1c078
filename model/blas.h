/* Which BLAS this process computes with: it decides whether training is fast. */
#ifndef CCALAB_MODEL_BLAS_H
#define CCALAB_MODEL_BLAS_H

#include <stdio.h>

#include "core/paths.h"

struct blas {
    char name[64];              /* "openblas-openmp", "blis-openmp", "reference", ... */
    char path[CCALAB_PATH_MAX]; /* of the library that has its sgemm; "" if there is none */
    const char *advice;         /* what is wrong with it and what to do; NULL: nothing */
};

/* By the path of the library alone. */
void blas_describe(const char *path, struct blas *out);
/* Whose sgemm_ this process calls (dlsym(3), dladdr(3)); "none" where it is nobody's to see. */
void blas_detect(struct blas *out);
/* Warn among the events of a command that computes, where a bad one is loaded. */
void blas_warn(FILE *events);

#endif
