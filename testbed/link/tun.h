/* TUN devices in network namespaces: the usual ends of the link (port.h). */
#ifndef CCALAB_TESTBED_LINK_TUN_H
#define CCALAB_TESTBED_LINK_TUN_H

#include <stdbool.h>

#include "core/error.h"

/* Is /dev/net/tun there, open to us, and the TUN device? Otherwise *sys_errno says why it cannot be
 * opened; 0: it is something else. */
bool tun_is_usable(int *sys_errno);
/* Create a TUN device (IFF_TUN | IFF_NO_PI, no offload: packets of at most the MTU, with their
 * checksums) called `ifname` in the network namespace at path `netns` ("" is the caller's own),
 * with a transmit queue of 10000 packets, and set it up. *fd is non-blocking; the device lives as
 * long as it. The caller's namespace is as before on return. A device of that name must not exist.
 * Errors: STATUS_UNAVAILABLE (no /dev/net/tun, or not permitted), STATUS_HOST (the device), and
 * those of netns_enter() and netns_leave(). */
CCALAB_MUST_USE enum status tun_open(const char *netns, const char *ifname, int *fd,
                                     struct error *err);

#endif
