/* What the link's tests share: IP packets made to order, and traces of arrivals. */
#ifndef CCALAB_TESTS_TESTBED_LINK_TRACE_H
#define CCALAB_TESTS_TESTBED_LINK_TRACE_H

#include "core/rng.h"
#include "testbed/link/ecn.h"
#include "testbed/link/packet.h"

/* Uniform in [lo, hi]. */
uint64_t trace_uniform(struct rng *r, uint64_t lo, uint64_t hi);
/* Sum over the IPv4 header, computed from nothing but RFC 791: 0xffff if its checksum is right. */
uint32_t trace_ipv4_sum(const uint8_t *data);
/* Write an IPv4 header of `header_bytes` (20 to 60, a multiple of 4) with random fields, a correct
 * checksum and this ECN field; the rest of len_bytes is filled with random bytes. */
void trace_ipv4(uint8_t *data, size_t len_bytes, size_t header_bytes, enum ecn ecn, struct rng *r);
void trace_ipv6(uint8_t *data, size_t len_bytes, enum ecn ecn, struct rng *r);

/* A valid packet of the pool with `id` in its last bytes. len_bytes at least 28. Asserts there is
 * a buffer. */
struct packet *trace_packet(struct packet_pool *pool, uint32_t len_bytes, enum ecn ecn,
                            uint32_t id);
uint32_t trace_packet_id(const struct packet *p);
enum ecn trace_packet_ecn(const struct packet *p);

#endif
