/* libFuzzer target: any bytes as the stream of another host, in pieces of any size.
 * Build: clang, -DCCALAB_FUZZ=ON. Run: fuzz_host_stream -max_len=8192 CORPUS_DIR */
#include <stdlib.h>
#include <string.h>

#include "capture/host_stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    uint64_t frames;
    uint8_t sum;
};

static void on_frame(void *user, const struct source_frame *f)
{
    struct seen *s = user;
    if (f->number != ++s->frames || f->t_ns < 0)
        abort();
    for (uint32_t i = 0; i < f->cap_len; i++)
        s->sum ^= f->data[i];
}

static uint64_t run(const uint8_t *data, size_t size, size_t piece)
{
    struct host_stream *s = host_stream_new();
    struct seen seen = {0};
    struct error err;
    uint64_t drops;
    for (size_t at = 0; at < size;) {
        size_t room, n = size - at < piece ? size - at : piece;
        void *space = host_stream_space(s, &room);
        if (room < n)
            abort();
        memcpy(space, data + at, n);
        at += n;
        if (!host_stream_took(s, n, on_frame, &seen))
            break;
    }
    host_stream_finish(s);
    if (host_stream_outcome(s, "h", "i", &err) != STATUS_OK && err.message[0] == '\0')
        abort();
    host_stream_drops(s, &drops);
    host_stream_free(s);
    return seen.frames;
}

/* However it arrives, the frames are the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (run(data, size, size) != run(data, size, 1 + data[0]))
        abort();
    return 0;
}
