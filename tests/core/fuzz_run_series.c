/* libFuzzer target: a file of recorded samples. Whatever comes, the series are in order of time,
 * within the bound, and of each the pyramid tells the extremes. Build: clang, -DCCALAB_FUZZ=ON.
 * Run: fuzz_run_series -max_len=4096 CORPUS_DIR */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "core/run_series.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct series_set set;
    series_set_init(&set, 8);
    if (!run_series_parse("valid", (const char *)data, size, &set) || set.count > 8)
        abort();
    for (const struct series *s = set.first; s; s = s->next) {
        struct series_col all;
        float min = INFINITY;
        for (size_t i = 0; i < s->len; i++) {
            if (!isfinite(s->t[i]) || (i > 0 && s->t[i] < s->t[i - 1]))
                abort();
            min = s->v[i] < min ? s->v[i] : min;
        }
        series_columns(s, -INFINITY, INFINITY, 1, &all);
        if (all.count > 0 && all.min != min)
            abort();
    }
    series_set_done(&set);
    return 0;
}
