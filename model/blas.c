#include "model/blas.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/event.h"

static bool is_blas(const char *path)
{
    const char *file = strrchr(path, '/');
    static const char *const prefixes[] = {"/libblas.so", "/libopenblas", "/libblis", "/libmkl_rt"};
    for (size_t i = 0; file && i < sizeof prefixes / sizeof *prefixes; i++)
        if (strncmp(file, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    return false;
}

/* Debian's alternatives are folders named after the implementation. */
static void describe(struct blas *out)
{
    static const char *const known[] = {"openblas-openmp", "openblas-pthread", "openblas-serial",
                                        "blis-openmp",     "blis-pthread",     "blis-serial"};
    snprintf(out->name, sizeof out->name, "unknown");
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strstr(out->path, known[i]))
            snprintf(out->name, sizeof out->name, "%s", known[i]);
    if (strstr(out->path, "/blas/libblas.so"))
        snprintf(out->name, sizeof out->name, "reference");

    if (strcmp(out->name, "reference") == 0)
        out->advice = "the reference BLAS is 40 times slower than OpenBLAS: install "
                      "libopenblas0-openmp and build again";
    else if (strstr(out->name, "pthread"))
        out->advice = "a BLAS with threads of its own fights libtorch's for the cores, small "
                      "steps take 7 times as long: install libopenblas0-openmp and build again";
}

void blas_detect(const char *maps_path, struct blas *out)
{
    *out = (struct blas){.name = "none"};
    FILE *f = fopen(maps_path, "re");
    if (!f)
        return;
    char *line = NULL;
    size_t size = 0;
    while (!out->path[0] && getline(&line, &size, f) > 0) {
        char *path = strchr(line, '/');
        if (!path)
            continue;
        path[strcspn(path, "\n")] = '\0';
        if (is_blas(path) && strlen(path) < sizeof out->path) {
            memcpy(out->path, path, strlen(path) + 1);
            describe(out);
        }
    }
    free(line);
    fclose(f);
}

void blas_warn(FILE *events)
{
    struct blas blas;
    blas_detect("/proc/self/maps", &blas);
    if (blas.advice)
        event_write_log(events, LOG_LEVEL_WARN, "BLAS %s: %s", blas.name, blas.advice);
}
