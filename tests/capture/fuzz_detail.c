/* Frames of any kind through the analysis into the tree of fields. */
#include <stdlib.h>
#include <string.h>

#include "capture/packet_detail.h"
#include "capture/walk.h"

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* First byte: the link type. Then frames: two bytes of length, the lower 9 bits what is there of
 * it, the others what is missing; the frame. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct packet_detail detail;
    struct walk_state walk = {.frames = 0};
    uint64_t number = 0;

    if (size == 0 || flows_init(&walk.flows, 16, NULL) != STATUS_OK)
        return 0;
    packet_detail_init(&detail);
    walk.link = (enum link_type)(data[0] % LINK_TYPE_COUNT);
    for (size_t at = 1; at + 2 <= size;) {
        uint32_t len = (uint32_t)(data[at] | data[at + 1] << 8), extra = (len >> 9) * 100;
        struct source_frame f = {.number = number + 1, .t_ns = (int64_t)number * 1000000};
        struct field_frame frame;
        uint8_t *bytes;

        number++;
        at += 2;
        len &= 511;
        if (len > size - at)
            len = (uint32_t)(size - at);
        /* A copy of its own size: one byte too many is seen. */
        bytes = malloc(len ? len : 1);
        if (!bytes)
            break;
        memcpy(bytes, data + at, len);
        at += len;
        f.data = bytes;
        f.cap_len = len;
        f.wire_len = len + extra;
        walk_step(&walk, &f, &frame);
        packet_detail_build(&detail, &frame);
        check(detail.n > 0 && detail.n <= PACKET_DETAIL_NODES);
        for (size_t i = 0; i < detail.n; i++) {
            check(detail.node[i].depth <= (i ? detail.node[i - 1].depth + 1 : 0));
            check(strlen(packet_detail_text(&detail, i)) > 0);
        }
        free(bytes);
    }
    packet_detail_done(&detail);
    flows_done(&walk.flows);
    return 0;
}
