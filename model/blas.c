#include "model/blas.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/event.h"

void blas_describe(const char *path, struct blas *out)
{
    /* Debian's alternatives are folders named after the implementation. */
    static const char *const known[] = {"openblas-openmp", "openblas-pthread", "openblas-serial",
                                        "blis-openmp",     "blis-pthread",     "blis-serial"};
    *out = (struct blas){.name = "unknown"};
    snprintf(out->path, sizeof out->path, "%s", path);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strstr(path, known[i]))
            snprintf(out->name, sizeof out->name, "%s", known[i]);
    if (strstr(path, "/blas/libblas.so"))
        snprintf(out->name, sizeof out->name, "reference");
    else if (strstr(path, "/libtorch"))
        snprintf(out->name, sizeof out->name, "libtorch's own");

    if (strcmp(out->name, "reference") == 0)
        out->advice = "the reference BLAS is 40 times slower than OpenBLAS: install "
                      "libopenblas0-openmp and build again";
    else if (strstr(out->name, "pthread"))
        out->advice = "a BLAS with threads of its own fights libtorch's for the cores, small "
                      "steps take 7 times as long: install libopenblas0-openmp and build again";
}

void blas_detect(struct blas *out)
{
    *out = (struct blas){.name = "none"};
    /* Several may be loaded (libtorch names two libraries): the first in the order of symbols is
     * what everybody calls. */
    void *sgemm = dlsym(RTLD_DEFAULT, "sgemm_");
    Dl_info from;
    if (!sgemm || !dladdr(sgemm, &from) || !from.dli_fname)
        return;
    char *path = realpath(from.dli_fname, NULL); /* through links named after no implementation */
    blas_describe(path ? path : from.dli_fname, out);
    free(path);
}

void blas_warn(FILE *events)
{
    struct blas blas;
    blas_detect(&blas);
    if (blas.advice)
        event_write_log(events, LOG_LEVEL_WARN, "BLAS %s: %s", blas.name, blas.advice);
}
