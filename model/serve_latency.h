/* Percentiles of latencies in bounded memory: counts in buckets that grow by a sixteenth of an
 * octave, so that a percentile is at most 4.5 % too high. */
#ifndef CCALAB_MODEL_SERVE_LATENCY_H
#define CCALAB_MODEL_SERVE_LATENCY_H

#include <stdint.h>

#define SERVE_LATENCY_BUCKETS 512 /* from 1 us to an hour */

struct serve_latency {
    uint64_t counts[SERVE_LATENCY_BUCKETS], total, max_ns;
};

void serve_latency_add(struct serve_latency *l, uint64_t ns);
/* In ms; `share` 0.5 is the median. NaN if there is none. */
double serve_latency_ms(const struct serve_latency *l, double share);

#endif
