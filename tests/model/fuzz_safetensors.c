/* libFuzzer target: a safetensors file, as such and as a pool. Every byte that the file is said to
 * hold is read, and of a pool all that training makes of its rows: features, returns, baselines.
 * Build: clang, -DCCALAB_FUZZ=ON. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "model/dataset.h"
#include "model/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(const struct safetensors *f)
{
    volatile uint8_t sum = 0;

    for (size_t i = 0; i < safetensors_count(f); i++) {
        const struct safetensors_tensor *t = safetensors_at(f, i);
        if (safetensors_find(f, t->name) != t)
            abort();
        for (size_t k = 0; k < t->len_bytes; k++)
            sum = (uint8_t)(sum + ((const uint8_t *)t->data)[k]);
    }
}

static void learn_from(const struct pool *p)
{
    const struct dataset_opts opts = dataset_opts_default(recipe_of(p->recipe), 2);
    struct error err;
    struct dataset *d;

    if (dataset_new(p, &opts, NULL, &d, &err) != STATUS_OK)
        return;
    volatile double constant = dataset_baselines(d, DATASET_TEST).constant;
    (void)constant;
    dataset_free(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct safetensors *f;
    struct error err;
    struct pool *p;
    char path[64];
    int fd = memfd_create("fuzz", MFD_CLOEXEC);

    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (safetensors_open(path, &f, &err) == STATUS_OK) {
        read_all(f);
        safetensors_close(f);
    }
    if (pool_load(path, &p, &err) == STATUS_OK) {
        learn_from(p);
        pool_free(p);
    }
    close(fd);
    return 0;
}
