/* libFuzzer target: a line of netllm serve's input. What is accepted holds what serve builds on: a
 * name, and a state that is finite and in range.
 * Build: clang, -DCCALAB_FUZZ=ON. Run: fuzz_serve_line -max_len=4096 CORPUS_DIR */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "model/serve_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse(const uint8_t *data, size_t size, int features)
{
    struct serve_line line;
    struct error err;
    if (serve_line_parse((const char *)data, size, features, &line, &err)) {
        if (err.status != STATUS_INPUT || !err.message[0])
            abort();
        return;
    }
    if (!line.flow[0] || !memchr(line.flow, 0, sizeof line.flow))
        abort();
    if (line.is_done)
        return;
    for (int k = 0; k < POOL_FEATURES; k++)
        if (!isfinite(line.state[k]) || line.state[k] < 0)
            abort();
    if (!(line.state[POOL_RTT_S] > 0) || !(line.state[POOL_CWND_BYTES] > 0) || isinf(line.reward) ||
        isinf(line.target) || (features == POOL_FEATURES && !(line.state[POOL_MIN_RTT_S] > 0)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > SERVE_LINE_MAX)
        return 0;
    parse(data, size, 3);
    parse(data, size, POOL_FEATURES);
    return 0;
}
