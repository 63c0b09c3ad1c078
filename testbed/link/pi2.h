/* PI2 (De Schepper, Bondarenko, Tsang and Briscoe, "PI2: A Linearized AQM for both Classic and
 * Scalable TCP", CoNEXT 2016): one queue, one PI controller for the base probability p'. Classic
 * packets are dropped, or with `ecn` marked if they are ECT(0), with p'^2; with `scalable` ECT(1)
 * and CE packets are marked with k p'.
 *
 * No Linux ships it. Options and defaults are those of the authors' out-of-tree module and paper:
 * target 20 ms, tupdate 32 ms, alpha 5/16 Hz, beta 50/16 Hz, k 2, decisions on arrival. As there,
 * p' is at most 1/k, so that classic packets are dropped with at most 1/k^2 (25 %) and scalable
 * ones always marked: beyond that the limit drops. Nothing is done while less than 2 MTU wait. */
#ifndef CCALAB_TESTBED_LINK_PI2_H
#define CCALAB_TESTBED_LINK_PI2_H

#include "testbed/link/aqm_spec.h"

#define PI2_LIMIT_PKTS 10000

struct pi2_params {
    uint64_t limit_pkts; /* `limit`; 0: the configuration's, else the default */
    uint64_t target_us;
    uint64_t tupdate_us;
    uint64_t alpha_256, beta_256; /* Hz / 256 */
    uint64_t coupling_factor;     /* k */
    bool is_ecn;
    bool is_scalable;
};

extern const struct aqm_ops pi2_ops;

#endif
