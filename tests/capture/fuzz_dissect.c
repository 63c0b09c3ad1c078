/* libFuzzer target: any bytes as a frame of any link type, through dissection and accounting.
 * Build: clang, -DCCALAB_FUZZ=ON. Run: fuzz_dissect -max_len=256 CORPUS_DIR */
#include <stdlib.h>

#include "capture/dissect.h"
#include "capture/ecn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* First byte: link type and whether the frame was longer on the wire; the rest: the frame. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ecn ecn;
    if (ecn.chunks == NULL && ecn_init(&ecn, 2000, NULL) != STATUS_OK)
        return 0;
    if (size == 0)
        return 0;
    uint32_t cap_len = (uint32_t)size - 1;
    uint32_t extra = data[0] & 0x80 ? (data[0] >> 3 & 0x0f) * 100u : 0;
    struct packet p = {.frame = ecn.frames + 1, .t_ns = 1};
    dissect((enum link_type)(data[0] % LINK_TYPE_COUNT), data + 1, cap_len, cap_len + extra, &p);
    if (p.ecn >= ECN_COUNT || p.payload_len > cap_len + extra ||
        (p.fault == PACKET_CUT && extra == 0) ||
        (p.reach >= PACKET_REACH_ECN) != (p.ip_version != 0))
        abort();
    ecn_add(&ecn, &p);
    return 0;
}
