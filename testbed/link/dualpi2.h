/* DualPI2: the Dual-Queue Coupled AQM of RFC 9332 with the PI2 controller of its Appendix A, as
 * Linux's sch_dualpi2 (6.17) behaves, since that is what `tc` on a real router would give.
 *
 * Where Linux and the RFC differ, this follows Linux:
 *  - The L queue's own AQM is a step at 1 ms sojourn time after the coupled coin. The RFC's is a
 *    ramp from 800 us to 1200 us (Appendix A.1), which it allows to be a step: `l4s_aqm ramp`.
 *  - Tupdate 16 ms, alpha 0.16 Hz and beta 3.2 Hz, in fixed point. The RFC's 15 ms, 0.15 Hz and
 *    3.0 Hz (Appendix A.1) are what `max_rtt 100ms typical_rtt 15ms` gives.
 *  - The controller looks at the *age of the packet at the head* of each queue and takes the
 *    larger; the RFC's looks at the C queue.
 *  - The scheduler is a weighted round robin by byte credit, 90 to 10; the RFC leaves the choice
 *    open (section 2.4, and 4.2.2 for why C needs its share), and `scheduler tsfifo` is the other
 *    one it describes.
 *  - Signals are given at random. The RFC spreads them regularly (`recur`), and allows both.
 *  - No probabilistic signal while less than 2 MTU wait behind the packet. The step still applies.
 *  - A packet whose length of queue at arrival was below min_qlen_step is spared by the step.
 *  - On overload (k p' > 1) C drops whatever the ECN field, and L drops with the classic p'^2 and
 *    marks the rest: `drop_on_overload`. With `overflow` p' is capped at 1/k and only the limit
 *    drops ECN-capable packets (RFC 9332, section 4.2.3, discusses the two).
 *  - A coin with probability 0 still falls once in 2^32 times, as Linux compares random <= p.
 *  - A mark on a packet that was CE already counts as a mark.
 * Not here: split_gso (accepted and shown, but the link has no offload, so there is nothing to
 * split) and classification by filters, so a Not-ECT packet never is in L. */
#ifndef CCALAB_TESTBED_LINK_DUALPI2_H
#define CCALAB_TESTBED_LINK_DUALPI2_H

#include "testbed/link/aqm_spec.h"

#define DUALPI2_LIMIT_PKTS 10000

/* Options of `tc qdisc ... dualpi2`, under their names there; docs/aqm.md has all defaults. */
struct dualpi2_params {
    uint64_t limit_pkts;     /* `limit`; 0: the configuration's, else the default */
    uint64_t memlimit_bytes; /* `memlimit`: of whole packet buffers, as Linux counts skb->truesize;
                                0: the configuration's limit in bytes, else 2 * MTU * limit */
    uint64_t target_us;
    uint64_t tupdate_us;
    uint64_t alpha_256, beta_256;     /* Hz / 256 as on netlink */
    struct aqm_threshold step_thresh; /* sojourn time, or packets behind the one that leaves */
    uint64_t min_qlen_step_pkts;
    uint64_t coupling_factor; /* the k of RFC 9332 */
    uint64_t classic_protection_pct;
    bool is_drop_overload; /* `drop_on_overload`, else `overflow` */
    bool is_drop_enqueue;  /* `drop_enqueue`, else `drop_dequeue` */
    bool is_any_ect;       /* `any_ect`: ECT(0) is L too; else `l4s_ect` */
    bool is_split_gso;
    uint64_t max_rtt_us, typical_rtt_us; /* 0: none. Else they give target, tupdate, alpha and beta,
                                            as in tc, and are 0 once resolved */
    /* Not in tc. */
    bool is_ramp;         /* `l4s_aqm ramp`, else `step` */
    uint64_t min_th_us;   /* where the ramp begins (minTh of Appendix A.1) */
    uint64_t range_us;    /* how far it is from 0 to 1 (`range`) */
    uint64_t th_len_pkts; /* no ramp while not more packets are in L (Th_len) */
    bool is_tsfifo;       /* `scheduler tsfifo`, else `wrr` */
    uint64_t tshift_us;   /* how much longer C waits than L before it is served */
};

extern const struct aqm_ops dualpi2_ops;

#endif
