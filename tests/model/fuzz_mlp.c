/* libFuzzer target: a distilled network, as a fellow student may hand it on. What is accepted must
 * answer without reading beyond it, for sane rows and for rows that are not.
 * Build: clang, -DCCALAB_FUZZ=ON. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "model/mlp.h"
#include "model/recipe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(const struct mlp *m)
{
    const float values[] = {0, 1, -1e30f, INFINITY, NAN};
    const float state[POOL_FEATURES] = {0.02f, 30000, 1e7f, 0.01f, 0.1f, 0};
    float row[POOL_FEATURES], *x = malloc(m->inputs * sizeof *x);

    if (!x)
        return;
    for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
        for (size_t i = 0; i < m->inputs; i++)
            x[i] = values[v];
        volatile float answer = mlp_answer(m, x);
        (void)answer;
    }
    if (recipe_is_ratio(recipe_of(m->recipe)))
        dataset_features(recipe_of(m->recipe), &m->norm, state, row);
    if (m->data.steps < 1 || m->data.horizon < 1)
        abort();
    free(x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err;
    struct mlp *m;
    char path[64];
    int fd = memfd_create("fuzz", MFD_CLOEXEC);

    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (mlp_load(path, &m, &err) == STATUS_OK) {
        ask(m);
        mlp_free(m);
    }
    close(fd);
    return 0;
}
