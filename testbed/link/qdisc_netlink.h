/* What rtnetlink(7) tells of a qdisc, and the rate of an HTB class. */
#ifndef CCALAB_TESTBED_LINK_QDISC_NETLINK_H
#define CCALAB_TESTBED_LINK_QDISC_NETLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

/* What a kind does not tell is NAN. */
struct qdisc_stats {
    char kind[16];
    double bytes, packets; /* that left it */
    double backlog, qlen;  /* in it: bytes, packets */
    double drops, overlimits, requeues;
    double ecn_mark, step_mark, prob;
    double delay_us;               /* codel, pie: of the last packet */
    double delay_c_us, delay_l_us; /* dualpi2: of the heads */
    double pkts_in_c, pkts_in_l, maxq;
};

/* A socket in the calling thread's network namespace; close(2). -1 with errno. */
int qdisc_netlink_open(void);
/* Statistics of the qdisc of that handle ("10:" is 10 << 16). */
bool qdisc_netlink_get(int fd, int ifindex, uint32_t handle, struct qdisc_stats *out);
/* Statistics from the bytes of an answer; for the above, and its tests. */
bool qdisc_netlink_parse(const void *message, size_t len_bytes, struct qdisc_stats *out);
/* Rate and bursts of an HTB class. Errors: STATUS_HOST. */
CCALAB_MUST_USE enum status qdisc_netlink_set_rate(int fd, int ifindex, uint32_t parent,
                                                   uint32_t class_id, uint64_t rate_bps,
                                                   uint32_t burst_bytes, struct error *err);

#endif
