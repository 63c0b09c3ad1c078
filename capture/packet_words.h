/* What the values of some fields mean, in words. Sources: RFC 3168, 9331 (ECN), 2474, 8622 and
 * IANA's DSCP registry, 9293, 9768 (TCP flags, AccECN), IANA's registries of protocols and TCP
 * options. Thread: any. */
#ifndef CCALAB_CAPTURE_PACKET_WORDS_H
#define CCALAB_CAPTURE_PACKET_WORDS_H

#include "capture/field.h"
#include "capture/tcp_options.h"

/* Append the value as people read it: "Congestion Experienced (3)", "0x010 (ACK)"; where there is
 * nothing more to say, as field_print() does. */
void packet_words(const struct field *f, const struct field_value *v, struct buf *out);
/* "Accurate ECN, order 0", or "kind 77". */
void packet_words_option(const struct tcp_option *o, struct buf *out);
/* What a SYN or SYN/ACK says of ECN, RFC 9768 section 3.1.1; false: it is neither. */
bool packet_words_handshake(const struct packet *p, const struct analysis *a, struct buf *out);

#endif
