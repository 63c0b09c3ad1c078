/* DualPI2: the Dual-Queue Coupled AQM of RFC 9332 with the PI2 controller of its Appendix A, as
 * Linux's sch_dualpi2 (6.17) behaves, since that is what `tc` on a real router would give.
 *
 * Where Linux and the RFC differ, this follows Linux:
 *  - The L queue's own AQM is a step at 1 ms sojourn time. The RFC's is a ramp from 800 us to
 *    1200 us (Appendix A.1), which it allows to be a step.
 *  - Tupdate 16 ms, alpha 0.16 Hz and beta 3.2 Hz, in fixed point; the RFC has 15 ms (A.1) and
 *    derives gains near 0.15 and 3.0. Rounding makes Linux's gains 40.98/256 and 818.8/256.
 *  - The controller looks at the *age of the packet at the head* of each queue and
 *    takes the larger.
 *  - The scheduler is a weighted round robin by byte credit, 90 to 10; the RFC leaves the choice
 *    open (section 2.4, and 4.2.2 for why C needs its share).
 *  - No probabilistic signal while less than 2 MTU wait behind the packet. The step still applies.
 *  - A packet whose length of queue at arrival was below min_qlen_step is spared by the step.
 *  - On overload (k p' > 1) C drops whatever the ECN field, and L drops with the classic p'^2 and
 *    marks the rest: `drop_on_overload`. With `overflow` p' is capped at 1/k and only the limit
 *    drops ECN-capable packets (RFC 9332, section 4.2.3, discusses the two).
 *  - A coin with probability 0 still falls once in 2^32 times, as Linux compares random <= p.
 * Where Linux's 32-bit sum of the controller could wrap (a delay of minutes) this one saturates.
 * Not here: split_gso (the link has no offload) and classification by filters, so a Not-ECT packet
 * never is in L. */
#ifndef CCALAB_TESTBED_LINK_DUALPI2_H
#define CCALAB_TESTBED_LINK_DUALPI2_H

#include "testbed/link/aqm.h"

#define DUALPI2_LIMIT_PKTS 10000 /* `limit` */

/* `ecn_mask`: bits of the ECN field that put a packet into L. */
#define DUALPI2_L4S_ECT 1 /* ECT(1) and CE */
#define DUALPI2_ANY_ECT 3

/* Options of `tc qdisc ... dualpi2`, under their names there. */
struct dualpi2_params {
    uint64_t target_us;              /* `target` */
    uint64_t tupdate_us;             /* `tupdate` */
    uint32_t alpha_256;              /* `alpha`, in Hz / 256 as on netlink */
    uint32_t beta_256;               /* `beta`, in Hz / 256 */
    uint64_t step_thresh_us;         /* `step_thresh` TIME */
    uint32_t min_qlen_step_pkts;     /* `min_qlen_step` */
    uint32_t coupling_factor;        /* `coupling_factor`, the k of RFC 9332, 1 to 255 */
    uint32_t classic_protection_pct; /* `classic_protection`, 0 to 100 */
    uint32_t ecn_mask;               /* `l4s_ect` or `any_ect` */
    bool is_drop_overload;           /* `drop_on_overload`, else `overflow` */
    bool is_drop_enqueue;            /* `drop_enqueue`, else `drop_dequeue` */
};

/* Linux's defaults: 15 ms, 16 ms, 41/256, 819/256, 1 ms, 0, 2, 10 %, l4s_ect, drop on overload,
 * drop at dequeue. */
void dualpi2_params_default(struct dualpi2_params *params);

/* limit_pkts defaults to 10000. limit_bytes is `memlimit`: it counts whole packet buffers, as Linux
 * counts skb->truesize, and defaults to 2 * MTU * limit.
 * Errors: STATUS_USAGE (a parameter out of its range), STATUS_NOMEM. */
CCALAB_MUST_USE enum status dualpi2_new(const struct aqm_config *config,
                                        const struct dualpi2_params *params, struct aqm **out,
                                        struct error *err);

#endif
