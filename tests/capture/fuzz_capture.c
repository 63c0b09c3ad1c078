/* libFuzzer target: any bytes as a capture file, packed or not, read and counted.
 * Build: clang, -DCCALAB_FUZZ=ON. Run: fuzz_capture -max_len=8192 CORPUS_DIR corpus */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "capture/ecn.h"
#include "capture/source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a small file may unpack to before we look elsewhere. */
enum { FRAMES_MAX = 20000 };

struct counting {
    struct ecn ecn;
    enum link_type link;
    uint8_t sum;
};

static void on_frame(void *user, const struct source_frame *frame)
{
    struct counting *c = user;
    struct packet p;
    if (frame->number != c->ecn.frames + 1 || frame->t_ns < 0)
        abort();
    for (uint32_t i = 0; i < frame->cap_len; i++)
        c->sum ^= frame->data[i];
    p.frame = frame->number;
    p.t_ns = frame->t_ns;
    dissect(c->link, frame->data, frame->cap_len, frame->wire_len, &p);
    ecn_add(&c->ecn, &p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct counting c = {0};
    struct source *source;
    char path[32];
    int n, fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (ecn_init(&c.ecn, 64, NULL) == STATUS_OK) {
        if (source_open_file(path, &source, NULL) == STATUS_OK) {
            c.link = source_link_type(source);
            while (source_read(source, 100, on_frame, &c, &n, NULL) == STATUS_OK && n > 0 &&
                   c.ecn.frames < FRAMES_MAX)
                ;
            source_close(source);
        }
        ecn_done(&c.ecn);
    }
    close(fd);
    return 0;
}
