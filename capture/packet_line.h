/* One frame in one line, in the columns of Wireshark's packet list. Thread: any. */
#ifndef CCALAB_CAPTURE_PACKET_LINE_H
#define CCALAB_CAPTURE_PACKET_LINE_H

#include "capture/field.h"

struct packet_line {
    uint64_t number;
    double time_s; /* since the first frame */
    char src[64], dst[64];
    const char *protocol; /* the innermost we know: "TCP" */
    uint32_t len;
    char ecn[8]; /* outermost: "CE", "ECT(1)"; "" without an IP header */
    char info[224];
};

void packet_line(const struct field_frame *frame, struct packet_line *out);

#endif
