/* PIE (RFC 8033) as Linux's sch_pie applies it, in its fixed point: probabilities of 2^56, delays
 * in ticks of 64 ns.
 *
 * Where Linux and the RFC differ, this follows Linux:
 *  - The delay is the sojourn time of the last packet sent (the RFC's Appendix A allows it);
 *    `dq_rate_estimator` estimates it from backlog and departure rate as the RFC's main text does.
 *  - Early drops are off at a delay below target/2 only while the probability is below 20 %.
 *  - An idle queue's probability decays by 1/64 each tupdate; the RFC by 2 %.
 *  - A packet that could be dropped is marked instead if `ecn` is on, it is ECN-capable, and the
 *    probability is at most 10 % (section 5.1).
 *  - The burst allowance of 150 ms is used up by time that passes between departures.
 * Where it does not follow Linux: the probability is bounded to 1, as the RFC has it (Linux's check
 * for an overflow is one of 64 bits, and its probability may reach 256), and the first update comes
 * after tupdate, not after half a second. */
#ifndef CCALAB_TESTBED_LINK_PIE_H
#define CCALAB_TESTBED_LINK_PIE_H

#include "testbed/link/aqm_spec.h"

#define PIE_LIMIT_PKTS 1000

struct pie_params {
    uint64_t limit_pkts;    /* `limit`; 0: the configuration's, else the default */
    uint64_t target_us;     /* `target` */
    uint64_t tupdate_us;    /* `tupdate` */
    uint64_t alpha, beta;   /* in 1/16 Hz, as tc has them: 0 to 32 */
    bool is_ecn;            /* `ecn`, else `noecn` */
    bool is_bytemode;       /* `bytemode`: small packets are dropped less */
    bool is_rate_estimator; /* `dq_rate_estimator` */
};

#define PIE_PROB_MAX (UINT64_MAX >> 8) /* probability 1 */

/* alpha or beta (1/16 Hz) as probability (of PIE_PROB_MAX) per 64 ns tick, scaled down where the
 * probability is small (RFC 8033, section 4.2, the table of auto-tuning). */
uint64_t pie_scale_gain(uint64_t gain_16, uint64_t prob);

extern const struct aqm_ops pie_ops;

#endif
