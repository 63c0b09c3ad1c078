/* The kernel's own queue in the place of ours: HTB (tc-htb(8)) shapes what leaves by a device, and
 * the qdisc of the lab's choice queues under it. The link behind the device then only delays.
 *
 *   device egress: htb 1: -> class 1:1, the rate -> the qdisc, 10: or 11:
 *
 * The rate is set, and statistics are read, over rtnetlink(7), in microseconds; only what has a
 * qdisc's options in it is done by tc(8), which knows them all. */
#ifndef CCALAB_TESTBED_LINK_KERNEL_QUEUE_H
#define CCALAB_TESTBED_LINK_KERNEL_QUEUE_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "testbed/link/aqm_spec.h"
#include "testbed/link/options.h"
#include "testbed/link/qdisc_netlink.h"

struct kernel_queue {
    char netns[CCALAB_PATH_MAX]; /* "" is our own */
    char ifname[IFNAMSIZ];
    char spec[AQM_SPEC_MAX]; /* "kernel:codel ecn" */
    int ifindex, netlink_fd;
    unsigned handle; /* major number of the qdisc */
    uint64_t rate_bps;
    struct qdisc_stats past; /* sums of the qdiscs that were replaced: bytes, packets, drops */
    struct qdisc_stats seen; /* of the last sample, for rates */
};

/* Put them on the device. `end` is it, `rate_bps` not 0. Ethernet devices count their header too;
 * that is taken off, so that rates and limits are of IP bytes.
 * Errors: STATUS_UNAVAILABLE (this kernel, or this tc, has no such qdisc: names it, and an AQM of
 * our own where there is one), STATUS_USAGE (tc does not take its options), STATUS_HOST. */
CCALAB_MUST_USE enum status kernel_queue_open(struct kernel_queue *q,
                                              const struct link_endpoint *end, const char *spec,
                                              uint64_t rate_bps, bool is_ethernet,
                                              struct error *err);
void kernel_queue_close(struct kernel_queue *q);
/* From now on this rate, not 0. Errors: STATUS_HOST; nothing has changed then. */
CCALAB_MUST_USE enum status kernel_queue_set_rate(struct kernel_queue *q, uint64_t rate_bps,
                                                  struct error *err);
/* From now on this qdisc, or these options of it. What waits in one of another kind is dropped.
 * Waits for tc(8), some milliseconds. Errors: those of kernel_queue_open(); nothing has changed
 * then. */
CCALAB_MUST_USE enum status kernel_queue_set_spec(struct kernel_queue *q, const char *spec,
                                                  struct error *err);
/* Everything since the start. False: the kernel does not answer. */
bool kernel_queue_read(const struct kernel_queue *q, struct qdisc_stats *out);
/* Statistics of the present qdisc under the names of `tc -j -s qdisc`. Caller deletes. */
cJSON *kernel_queue_stats_json(const struct kernel_queue *q);

#endif
