/* Which flow a packet belongs to, as a number. */
#ifndef CCALAB_TESTBED_LINK_FLOW_HASH_H
#define CCALAB_TESTBED_LINK_FLOW_HASH_H

#include <stddef.h>
#include <stdint.h>

/* Hash of the 5-tuple of the packet that starts with the IP header: addresses, protocol, and the
 * ports of TCP, UDP, DCCP, SCTP and UDP-Lite. Fragments have no ports, the first as little as the
 * rest, so that they stay together; IPv6 extension headers count as a protocol without ports.
 * Bob Jenkins' one-at-a-time hash ("A hash function for hash table lookup", Dr. Dobb's, 1997),
 * begun with `perturbation`. Any bytes are safe: what is no whole IP packet hashes to one value. */
uint32_t flow_hash(const uint8_t *data, size_t len_bytes, uint32_t perturbation);

#endif
