/* A small seeded random source, so that a run of the link can be repeated: SplitMix64 (Steele, Lea
 * and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014). Not for secrets. */
#ifndef CCALAB_TESTBED_LINK_RNG_H
#define CCALAB_TESTBED_LINK_RNG_H

#include <stdint.h>

struct rng {
    uint64_t state; /* the seed; any value will do */
};

uint64_t rng_next_u64(struct rng *r);
/* An aqm_random_fn whose `user` is a struct rng. */
uint32_t rng_random(void *user);

#endif
