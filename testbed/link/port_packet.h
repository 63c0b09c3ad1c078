/* Ports of the kind PACKET, for port.c. */
#ifndef CCALAB_TESTBED_LINK_PORT_PACKET_H
#define CCALAB_TESTBED_LINK_PORT_PACKET_H

#include "testbed/link/port.h"

/* As port_open_both(). */
CCALAB_MUST_USE enum status port_packet_open_both(struct port ports[2],
                                                  const struct link_endpoint *const ends[2],
                                                  struct error *err);
void port_packet_unmap(struct port *p);
/* As read(2) and write(2). */
ssize_t port_packet_read(struct port *p, void *buf, size_t size);
ssize_t port_packet_write(struct port *p, const void *data, size_t len_bytes);
uint64_t port_packet_lost(struct port *p);

#endif
