/* A small seeded random source, so that a run can be repeated: SplitMix64 (Steele, Lea and Flood,
 * "Fast splittable pseudorandom number generators", OOPSLA 2014). Not for secrets. Thread: any, one
 * at a time for one source. */
#ifndef CCALAB_CORE_RNG_H
#define CCALAB_CORE_RNG_H

#include <stdint.h>

struct rng {
    uint64_t state; /* the seed; any value will do */
};

uint64_t rng_next_u64(struct rng *r);
/* Uniform in [0, 1), with 53 bits. */
double rng_unit(struct rng *r);
/* Uniform in [-bound, bound). */
double rng_uniform(struct rng *r, double bound);
/* The upper 32 bits of the next; `user` is a struct rng: an aqm_random_fn of testbed/link/aqm.h. */
uint32_t rng_random(void *user);

#endif
