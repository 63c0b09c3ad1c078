/* The ECN field of an IP packet: reading it and setting CE (RFC 3168, section 5). */
#ifndef CCALAB_TESTBED_LINK_ECN_H
#define CCALAB_TESTBED_LINK_ECN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Codepoints as on the wire; ECT(1) is the L4S identifier (RFC 9331, section 4.1). */
enum ecn { ECN_NOT_ECT = 0, ECN_ECT1 = 1, ECN_ECT0 = 2, ECN_CE = 3 };

/* Read the field of the packet that starts with the IP header. False if it is no whole IPv4 or
 * IPv6 packet: too short for its header, a header length below 20 bytes or beyond the packet, or a
 * length field that promises more bytes than there are. Checksums are not verified: a queue does
 * not do that. Any bytes are safe. */
bool ecn_read(const uint8_t *data, size_t len_bytes, enum ecn *out);

enum ecn_mark {
    ECN_MARK_REFUSED, /* Not-ECT or no whole IP packet: left as it is */
    ECN_MARK_SET,     /* was ECT(0) or ECT(1), is CE now */
    ECN_MARK_ALREADY, /* was CE */
};

/* Set CE. In IPv4 the header checksum is updated by RFC 1624, equation 3, so that a checksum that
 * was wrong stays wrong and the damage is noticed at the receiver. Any bytes are safe. */
enum ecn_mark ecn_set_ce(uint8_t *data, size_t len_bytes);

#endif
