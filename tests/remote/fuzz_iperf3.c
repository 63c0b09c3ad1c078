/* libFuzzer target: any bytes as the output of `iperf3 --json`, whole. What is read must be sound:
 * rows within bounds, no infinities, times in order where they are told. Build: clang,
 * -DCCALAB_FUZZ=ON. Run: fuzz_iperf3 -max_len=65536 CORPUS_DIR tests/remote/data */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "remote/iperf3.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct iperf3_result r;
    struct error err = {0};
    enum status st = iperf3_parse((const char *)data, size, &r, &err);
    if (st != STATUS_OK && !err.message[0])
        abort();
    for (size_t i = 0; i < r.nrows; i++) {
        const struct iperf3_row *row = &r.rows[i];
        if (row->stream < 0 || row->stream >= IPERF3_STREAMS_MAX || isinf(row->bits_per_second) ||
            isinf(row->start_s) || row->end_s < row->start_s)
            abort();
    }
    cJSON *o = iperf3_summary(&r);
    if (!o)
        abort();
    cJSON_Delete(o);
    iperf3_done(&r);
    return 0;
}
