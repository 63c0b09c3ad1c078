/* The PI controller of PI2 and DualPI2 (RFC 9332, Appendix A.1; De Schepper and others, "PI2: A
 * Linearized AQM for both Classic and Scalable TCP", CoNEXT 2016): every Tupdate the base
 * probability p' moves by alpha times the distance of the delay from its target and by beta times
 * its growth. In the fixed point of Linux's sch_dualpi2, whose 32-bit sum could wrap at a delay of
 * minutes; this one saturates. */
#ifndef CCALAB_TESTBED_LINK_PI_CONTROLLER_H
#define CCALAB_TESTBED_LINK_PI_CONTROLLER_H

#include <stdint.h>

#define PI_PROB_MAX UINT32_MAX /* probability 1 */

/* Largest gain in 1/256 Hz (4 kHz) and largest target that keep the sums inside 64 bits. */
#define PI_GAIN_MAX_256  (1u << 20)
#define PI_TARGET_MAX_US 60000000u

struct pi_controller {
    uint32_t prob; /* p', of PI_PROB_MAX */
    uint32_t cap;  /* p' is at most this */
    int64_t target_ns;
    int64_t alpha, beta;   /* probability (of 2^32) per 64 ns of delay */
    int64_t last_delay_ns; /* at the previous update */
};

/* Gains in Hz / 256. */
void pi_init(struct pi_controller *pi, uint64_t target_us, uint64_t alpha_256, uint64_t beta_256,
             uint32_t cap);
void pi_update(struct pi_controller *pi, uint64_t delay_ns);

#endif
