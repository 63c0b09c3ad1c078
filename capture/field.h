/* The fields of a frame under Wireshark's names: what display filters compare, `ccalab packets -T
 * fields` prints, and the detail tree shows. One table for all of them.
 *
 * A field may have no value in a frame, or several: a tunnel has two ip.src, an ICMP error quotes a
 * third. Thread: any. */
#ifndef CCALAB_CAPTURE_FIELD_H
#define CCALAB_CAPTURE_FIELD_H

#include "capture/analysis.h"
#include "core/buf.h"

enum field_type {
    FIELD_LABEL,    /* is there or not, without a value: tcp.analysis.retransmission */
    FIELD_PROTOCOL, /* likewise, and its bytes can be sliced */
    FIELD_BOOL,
    FIELD_UINT,
    FIELD_TIME,  /* seconds, kept in nanoseconds */
    FIELD_EPOCH, /* the same, since 1970 */
    FIELD_IPV4,
    FIELD_IPV6,
    FIELD_ETHER,
};

/* Values of one field in one frame: two of each layer. */
#define FIELD_VALUES_MAX (2 * DISSECT_LAYERS_MAX)

struct field_value {
    uint64_t u;           /* BOOL, UINT; IPV4 in host order */
    int64_t ns;           /* TIME, EPOCH */
    const uint8_t *bytes; /* ETHER, IPV4, IPV6, PROTOCOL: what was captured of it */
    uint32_t len;         /* of `bytes` */
    uint32_t at, span;    /* the bytes of the frame that it was read from; span 0: worked out */
};

/* A frame as the readers take it. */
struct field_frame {
    const struct packet *packet;
    const struct analysis *analysis;
    int64_t first_ns;    /* time of the capture's first frame */
    int64_t previous_ns; /* and of the one before this; the first frame's own if there is none */
};

struct field {
    const char *name;
    const char *title; /* for people: "Explicit Congestion Notification" */
    uint8_t type;      /* enum field_type */
    uint8_t bits;      /* UINT: the largest value is 2^bits - 1 */
    uint8_t hex;       /* UINT: digits of its hexadecimal form; 0: shown in decimal */
    size_t (*read)(const struct field *f, const struct field_frame *frame, struct field_value *out);
    /* For `read`: where in which layer. */
    uint8_t layer;    /* enum layer_kind */
    int16_t at, also; /* offsets in the layer; also: of a second one (ip.addr), -1: none */
    uint8_t size, shift;
    uint32_t mask;
};

/* Read all values of the field in the frame: at most FIELD_VALUES_MAX. */
size_t field_read(const struct field *f, const struct field_frame *frame, struct field_value *out);
/* NULL: no field of that name. */
const struct field *field_find(const char *name, size_t len);
/* The table's fields, in the order of a detail tree; NULL past the end. */
const struct field *field_at(size_t index);
/* The name closest to the word, or NULL. */
const char *field_suggest(const char *word);
/* Append the value as tshark -T fields writes it. */
void field_print(const struct field *f, const struct field_value *v, struct buf *out);

#endif
