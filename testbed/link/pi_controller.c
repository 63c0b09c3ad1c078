#include "testbed/link/pi_controller.h"

/* Gains are kept as probability (of 2^32) per this much delay: integers large enough to keep three
 * digits of the defaults, small enough not to overflow 64 bits at DELAY_MAX_NS. */
#define GAIN_TIME_NS 64

/* Delays beyond this are all the same to the controller: p' is at its bound long before. */
#define DELAY_MAX_NS 1000000000000u

static int64_t gain_of(uint64_t hz_256)
{
    /* (hz_256 / 256) / s * 2^32 per GAIN_TIME_NS, rounded down as the kernel does. */
    return (int64_t)((hz_256 * PI_PROB_MAX >> 2) / 1000000000u);
}

void pi_init(struct pi_controller *pi, uint64_t target_us, uint64_t alpha_256, uint64_t beta_256,
             uint32_t cap)
{
    *pi = (struct pi_controller){
        .cap = cap,
        .target_ns = (int64_t)(target_us * 1000),
        .alpha = gain_of(alpha_256),
        .beta = gain_of(beta_256),
    };
}

void pi_update(struct pi_controller *pi, uint64_t delay_ns)
{
    int64_t delay = (int64_t)(delay_ns < DELAY_MAX_NS ? delay_ns : DELAY_MAX_NS);
    int64_t change = (delay - pi->target_ns) * pi->alpha + (delay - pi->last_delay_ns) * pi->beta;
    int64_t prob = pi->prob + change / GAIN_TIME_NS;

    pi->prob = (uint32_t)(prob < 0 ? 0 : prob > pi->cap ? pi->cap : prob);
    pi->last_delay_ns = delay;
}
