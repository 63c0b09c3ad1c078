/* libFuzzer target: pools from pickles. Build: clang, -DCCALAB_FUZZ=ON. */
#include <stdint.h>

#include "model/pool.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err;
    struct pool *p;

    if (pool_from_pickle(data, size, "fuzz", &p, &err) == STATUS_OK) {
        cJSON_Delete(pool_describe(p));
        pool_free(p);
    }
    return 0;
}
