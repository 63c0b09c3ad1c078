/* The drop-tail queue: what a router without AQM has, and the contrast to everything else. */
#ifndef CCALAB_TESTBED_LINK_FIFO_H
#define CCALAB_TESTBED_LINK_FIFO_H

#include "testbed/link/aqm_spec.h"

/* Linux's txqueuelen, and so the length of its pfifo. */
#define FIFO_LIMIT_PKTS 1000

/* `limit` may be given in packets, in bytes of IP, and in BDPs (rate times base RTT); a packet that
 * would pass any of them is dropped. */
struct fifo_params {
    struct aqm_limit limit;
};

extern const struct aqm_ops fifo_ops;

#endif
