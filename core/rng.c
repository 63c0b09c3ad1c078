#include "core/rng.h"

uint64_t rng_next_u64(struct rng *r)
{
    uint64_t z;

    r->state += 0x9e3779b97f4a7c15u;
    z = r->state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

double rng_unit(struct rng *r)
{
    return (double)(rng_next_u64(r) >> 11) * 0x1p-53;
}

double rng_uniform(struct rng *r, double bound)
{
    return bound * (2 * rng_unit(r) - 1);
}

uint32_t rng_random(void *user)
{
    return (uint32_t)(rng_next_u64(user) >> 32);
}
