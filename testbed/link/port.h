/* The ends of the link: devices in network namespaces whose packets we take and give, IP packets
 * of at most the MTU with their checksums right.
 *
 * Two kinds. TUN: the device is a file (tun.h). PACKET, for who may not open /dev/net/tun: the
 * device is one end of a veth(4) pair, whose other end lies in a network namespace of our own that
 * nobody else sees; we read there from a PACKET_RX_RING and write by sendto(2) (packet(7)). The
 * device answers no ARP and asks for none, both sides fill in the one Ethernet address there is,
 * and its offloads are off, so that what comes is segmented and checksummed.
 *
 * Either way the devices vanish with the process. */
#ifndef CCALAB_TESTBED_LINK_PORT_H
#define CCALAB_TESTBED_LINK_PORT_H

#include <linux/if_packet.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "testbed/link/options.h"

struct port {
    enum link_port_kind kind;
    int fd; /* to poll(2) for reading; non-blocking */

    /* PACKET only. */
    uint8_t *ring; /* NULL: none */
    unsigned slot; /* the one to read next */
    struct sockaddr_ll to;
};

/* The kind that is meant by `wanted`: LINK_PORT_AUTO is TUN where it can be had. */
enum link_port_kind port_kind(enum link_port_kind wanted);
const char *port_kind_name(enum link_port_kind kind); /* "tun", "packet" */

/* Create both devices, called and placed as `ends` says, and set them up. The caller's namespace is
 * as before on return. Devices of those names must not exist. On failure nothing is left.
 * Errors: STATUS_UNAVAILABLE (no /dev/net/tun, no ip(8), not permitted), STATUS_HOST (the devices),
 * those of netns_enter() and netns_leave(). */
CCALAB_MUST_USE enum status port_open_both(struct port ports[2], enum link_port_kind kind,
                                           const struct link_endpoint *const ends[2],
                                           struct error *err);
void port_close(struct port *p);
/* The next packet that the namespace sent out by the device, cut at `size`. Returns its length, or
 * -1 with errno: EAGAIN (none now), others: the device is gone. */
ssize_t port_read(struct port *p, void *buf, size_t size);
/* Let a packet come in by the device. False if the device refused it. */
bool port_write(struct port *p, const void *data, size_t len_bytes);
/* How many packets came that found no room before we read them, since the last call. TUN does not
 * say: 0. */
uint64_t port_lost(struct port *p);

#endif
