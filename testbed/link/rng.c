#include "testbed/link/rng.h"

uint64_t rng_next_u64(struct rng *r)
{
    uint64_t z;

    r->state += 0x9e3779b97f4a7c15u;
    z = r->state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint32_t rng_random(void *user)
{
    return (uint32_t)(rng_next_u64(user) >> 32);
}
