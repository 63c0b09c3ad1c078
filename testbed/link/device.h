/* Network devices of the namespace that the calling thread is in, by ioctl(2) (netdevice(7)). */
#ifndef CCALAB_TESTBED_LINK_DEVICE_H
#define CCALAB_TESTBED_LINK_DEVICE_H

#include <net/if.h>
#include <stdint.h>

#include "core/error.h"

#define DEVICE_MAC_BYTES 6

/* Give the device a transmit queue of 10000 packets: the AQM shall be the queue, not the device.
 * Errors: STATUS_HOST, STATUS_UNAVAILABLE (in a user namespace ip(8) is needed for it). */
CCALAB_MUST_USE enum status device_set_queue(const char *ifname, struct error *err);
/* Set it up, with `flags` (IFF_NOARP) added. Errors: STATUS_HOST. */
CCALAB_MUST_USE enum status device_up(const char *ifname, short flags, struct error *err);
/* Switch off all that makes a packet of it something else than a packet: checksums left to the
 * device, segmentation, aggregation. What this device does not know is passed over.
 * Errors: STATUS_HOST. */
CCALAB_MUST_USE enum status device_no_offloads(const char *ifname, struct error *err);
/* Its Ethernet address. Errors: STATUS_HOST. */
CCALAB_MUST_USE enum status device_mac(const char *ifname, uint8_t out[DEVICE_MAC_BYTES],
                                       struct error *err);

#endif
