/* CoDel (RFC 8289), as Linux's include/net/codel_impl.h applies it: the control law that sch_codel
 * and every flow of sch_fq_codel run, and the parameters of both.
 *
 * Where Linux and the RFC differ, this follows Linux:
 *  - An empty queue ends the dropping state but does not forget first_above_time.
 *  - A packet is late only after, not at, first_above_time.
 *  - ECN (the RFC leaves it open): what would be dropped is marked if it can be, and goes out. At
 *    most one mark a packet, while drops repeat until the queue is in order.
 *  - ce_threshold: beyond it every packet that can be is marked, whatever the control law says.
 * Where Linux approximates, this does not: time in nanoseconds instead of units of 1024 ns, and
 * interval / sqrt(count) exactly instead of by Newton steps in 16 bits. */
#ifndef CCALAB_TESTBED_LINK_CODEL_H
#define CCALAB_TESTBED_LINK_CODEL_H

#include "testbed/link/aqm_spec.h"

#define CODEL_LIMIT_PKTS 1000
#define CODEL_OFF        UINT64_MAX /* ce_threshold_us: none */

struct codel_params {
    uint64_t limit_pkts;      /* `limit`; 0: the configuration's, else the default */
    uint64_t target_us;       /* `target` */
    uint64_t interval_us;     /* `interval` */
    uint64_t ce_threshold_us; /* `ce_threshold` */
    bool is_ecn;              /* `ecn`, else `noecn` */
};

/* Of one queue. */
struct codel_state {
    uint32_t count, lastcount; /* drops of this dropping state; of the last, at its beginning */
    bool is_dropping;
    uint64_t first_above_ns; /* when the delay will have been above the target for an interval */
    uint64_t drop_next_ns;
    uint64_t ldelay_ns; /* sojourn time of the last packet taken */
};

/* Of all queues of an AQM. */
struct codel_stats {
    uint32_t maxpacket; /* longest packet seen */
    uint64_t ce_mark;   /* marks by ce_threshold; not in ecn_mark */
};

/* When the drop after the count-th comes: t + interval / sqrt(count) (RFC 8289, section 5.6). */
uint64_t codel_control_law_ns(uint64_t t_ns, uint64_t interval_us, uint32_t count);

/* Take the next packet to send from a queue of `a`, dropping and marking by the control law; NULL
 * if none is left. */
struct packet *codel_dequeue(struct aqm *a, struct packet_queue *q, struct codel_state *s,
                             const struct codel_params *params, struct codel_stats *stats,
                             uint64_t now_ns);

/* The options of codel_params, for the tables of both. */
#define CODEL_OPTION_TARGET(type_)                                                                 \
    {                                                                                              \
        .name = "target", .type = AQM_OPTION_TIME, .offset = type_(target_us), .max = 60000000,    \
        .def = 5000, .help = "delay that is fine to stand, 5ms"                                    \
    }
#define CODEL_OPTION_CE_THRESHOLD(type_)                                                           \
    {                                                                                              \
        .name = "ce_threshold", .type = AQM_OPTION_TIME, .offset = type_(ce_threshold_us),         \
        .max = 60000000, .def = CODEL_OFF, .is_quiet = true,                                       \
        .help = "mark every ECN-capable packet that waited longer (off)"                           \
    }
#define CODEL_OPTION_INTERVAL(type_)                                                               \
    {                                                                                              \
        .name = "interval", .type = AQM_OPTION_TIME, .offset = type_(interval_us), .min = 1,       \
        .max = 60000000, .def = 100000, .help = "worst round trip time, 100ms"                     \
    }

extern const struct aqm_ops codel_ops;

#endif
