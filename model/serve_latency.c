#include "model/serve_latency.h"

#include <math.h>

void serve_latency_add(struct serve_latency *l, uint64_t ns)
{
    double us = (double)ns / 1e3;
    int bucket = us > 1 ? (int)(16 * log2(us)) : 0;
    l->counts[bucket < SERVE_LATENCY_BUCKETS ? bucket : SERVE_LATENCY_BUCKETS - 1]++;
    l->total++;
    if (ns > l->max_ns)
        l->max_ns = ns;
}

double serve_latency_ms(const struct serve_latency *l, double share)
{
    double wanted = share * (double)l->total, seen = 0;
    if (!l->total)
        return NAN;
    for (int i = 0; i < SERVE_LATENCY_BUCKETS; i++) {
        seen += (double)l->counts[i];
        if (seen >= wanted)
            return fmin(exp2((i + 1) / 16.0) / 1e3, (double)l->max_ns / 1e6);
    }
    return (double)l->max_ns / 1e6;
}
