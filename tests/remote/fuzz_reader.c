/* libFuzzer target: any bytes through a reader, in two pieces. Every line that comes out must be an
 * event. Built twice: fuzz_ss for what ss(8) says, fuzz_iperf3_stream for iperf3 --json-stream.
 * Build: clang, -DCCALAB_FUZZ=ON. Run: fuzz_ss -max_len=16384 CORPUS_DIR */
#include <stdint.h>
#include <stdlib.h>

#include "core/event.h"
#include "remote/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_event(void *user, const struct event *ev, const char *line)
{
    (void)user;
    (void)line;
    if (!ev)
        abort();
}

/* The first byte: where the second piece begins. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct reader_opts opts = {.kind = READER, .label = "x", .peer = NULL, .dport = 5201};
    struct reader *r = reader_new(&opts);
    struct event_reader events;
    struct buf out;
    if (!r)
        abort();
    if (size == 0) {
        r->free(r);
        return 0;
    }
    size_t cut = size > 1 ? data[0] * (size - 1) / 256 : 0;
    const char *text = (const char *)data + 1;
    buf_init(&out, 64u << 20);
    r->feed(r, text, cut, &out);
    r->feed(r, text + cut, size - 1 - cut, &out);
    r->end(r, &out);
    event_reader_init(&events);
    event_reader_feed(&events, out.data, out.len, "x", on_event, NULL);
    event_reader_end(&events, "x", on_event, NULL);
    event_reader_done(&events);
    buf_done(&out);
    r->free(r);
    return 0;
}
