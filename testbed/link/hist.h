/* Log-linear histogram of durations: 32 buckets an octave, so that a quantile is at most 3.2 %
 * too high, from 1 ns to 18 minutes in fixed memory. */
#ifndef CCALAB_TESTBED_LINK_HIST_H
#define CCALAB_TESTBED_LINK_HIST_H

#include <stdint.h>

#define HIST_SUB_BITS 5
#define HIST_EXP_MAX  40 /* values from 2^40 ns on share the last bucket */
#define HIST_BUCKETS  ((HIST_EXP_MAX - HIST_SUB_BITS + 1) << HIST_SUB_BITS)

/* A zeroed histogram is empty and ready. */
struct hist {
    uint64_t count;
    uint64_t max_ns;
    uint32_t buckets[HIST_BUCKETS];
};

void hist_add(struct hist *h, uint64_t value_ns);
/* Add all of `other` to *h. */
void hist_merge(struct hist *h, const struct hist *other);
/* Smallest bucket edge that at least the fraction q (0 < q <= 1) of the values does not pass; never
 * above max_ns. 0 if empty: ask h->count first. */
uint64_t hist_quantile_ns(const struct hist *h, double q);

#endif
