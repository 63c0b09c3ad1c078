#include "testbed/link/hist.h"

#include <math.h>
#include <stddef.h>

#define SUB_COUNT (1u << HIST_SUB_BITS)

static size_t bucket_of(uint64_t v)
{
    unsigned exp;

    if (v < SUB_COUNT) {
        return (size_t)v;
    }
    exp = 63u - (unsigned)__builtin_clzll(v);
    if (exp >= HIST_EXP_MAX) {
        return HIST_BUCKETS - 1;
    }
    return ((size_t)(exp - HIST_SUB_BITS + 1) << HIST_SUB_BITS) +
           ((v >> (exp - HIST_SUB_BITS)) & (SUB_COUNT - 1));
}

/* Largest value that falls into the bucket. */
static uint64_t bucket_edge(size_t i)
{
    unsigned octave = (unsigned)(i >> HIST_SUB_BITS);
    uint64_t sub = i & (SUB_COUNT - 1);

    if (octave == 0) {
        return sub;
    }
    return ((SUB_COUNT + sub + 1) << (octave - 1)) - 1;
}

void hist_add(struct hist *h, uint64_t value_ns)
{
    h->count++;
    h->buckets[bucket_of(value_ns)]++;
    if (value_ns > h->max_ns) {
        h->max_ns = value_ns;
    }
}

void hist_merge(struct hist *h, const struct hist *other)
{
    h->count += other->count;
    for (size_t i = 0; i < HIST_BUCKETS; i++) {
        h->buckets[i] += other->buckets[i];
    }
    if (other->max_ns > h->max_ns) {
        h->max_ns = other->max_ns;
    }
}

uint64_t hist_quantile_ns(const struct hist *h, double q)
{
    uint64_t want = (uint64_t)ceil(q * (double)h->count);
    uint64_t seen = 0;

    for (size_t i = 0; i + 1 < HIST_BUCKETS; i++) {
        seen += h->buckets[i];
        if (seen >= want) {
            uint64_t edge = bucket_edge(i);

            return edge < h->max_ns ? edge : h->max_ns;
        }
    }
    return h->max_ns;
}
