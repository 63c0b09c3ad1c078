/* FQ-CoDel (RFC 8290) as Linux's sch_fq_codel: flows by hash, served round robin with a deficit
 * (DRR++: new flows before old ones), CoDel in each.
 *
 * Where Linux and the RFC differ, this follows Linux:
 *  - At the limit half of the fattest flow's bytes are dropped from its head, at most drop_batch
 *    packets (the RFC's section 4.1 has the batch too, and leaves the packet that came).
 *  - CoDel spares a flow only while less than an MTU waits in all flows together.
 * Differences to Linux: `flows` are hashed without the flow label of IPv6, and the perturbation of
 * the hash comes from the link's seed. There are no classes and filters. */
#ifndef CCALAB_TESTBED_LINK_FQ_CODEL_H
#define CCALAB_TESTBED_LINK_FQ_CODEL_H

#include "testbed/link/codel.h"

#define FQ_CODEL_LIMIT_PKTS   10240
#define FQ_CODEL_MEMORY_BYTES (32u << 20)

struct fq_codel_params {
    struct codel_params codel; /* `limit`, `target`, `interval`, `ce_threshold`, `ecn` */
    uint64_t flows;            /* `flows`: buckets of the hash */
    uint64_t quantum_bytes;    /* `quantum`; 0: the MTU */
    uint64_t memory_bytes;     /* `memory_limit` of packet buffers; 0: the configuration's limit in
                                  bytes, else the default */
    uint64_t drop_batch_pkts;  /* `drop_batch` */
};

extern const struct aqm_ops fq_codel_ops;

#endif
