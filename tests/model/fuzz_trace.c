/* libFuzzer target: traces from iperf3 JSON, from CSV or from a run's samples, by the first byte,
 * and the pools that come of them. Build: clang, -DCCALAB_FUZZ=ON. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "model/recipe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct trace_set traces;
    struct error err;
    char *text;

    if (!size)
        return 0;
    text = malloc(size); /* as a buf: NUL-terminated */
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    trace_set_init(&traces);
    traces.interval_s = data[0] & 4 ? 0.01 : 0;
    if ((data[0] & 1   ? trace_add_csv
         : data[0] & 2 ? trace_add_samples
                       : trace_add_iperf3)(&traces, text, size - 1, "fuzz", &err) == STATUS_OK) {
        for (int r = 0; r < RECIPE_IMPORTED; r++) {
            struct pool *p;
            if (recipe_build((enum recipe)r, &traces, &p, &err) == STATUS_OK)
                pool_free(p);
        }
    }
    trace_set_done(&traces);
    free(text);
    return 0;
}
