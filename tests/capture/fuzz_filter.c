/* libFuzzer target: the compiler of display filters, and what it made run over a frame. The input
 * is the filter's text, a NUL, and the frame.
 * Build: clang, -DCCALAB_FUZZ=ON. Run: fuzz_filter -max_len=1024 CORPUS_DIR corpus-filters */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "capture/filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct packet packet;
    static struct analysis analysis;
    struct field_frame frame = {.packet = &packet, .analysis = &analysis};
    const uint8_t *end = memchr(data, 0, size);
    struct filter *filter;
    struct flows flows;
    struct error err;
    char *text;
    size_t at = 0;

    if (!end)
        return 0;
    text = strdup((const char *)data);
    size -= (size_t)(end + 1 - data);
    if (filter_compile(text, &filter, &at, &err) == STATUS_OK) {
        if (flows_init(&flows, 16, &err) != STATUS_OK)
            abort();
        packet.frame = 1;
        packet.t_ns = 0;
        dissect(LINK_TYPE_ETHERNET, end + 1, (uint32_t)size, (uint32_t)size, &packet);
        analysis_add(&flows, &packet, &analysis);
        (void)filter_match(filter, &frame);
        flows_done(&flows);
        filter_free(filter);
    } else if (at > strlen(text)) {
        abort(); /* an error's place lies in the text */
    }
    free(text);
    return 0;
}
