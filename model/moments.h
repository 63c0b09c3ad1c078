/* Mean and deviation of numbers that come one by one, by Welford's running moments: squares of
 * 1e9 bit/s would eat the digits of a plain sum. Starts as {0}. Thread: any, one at a time. */
#ifndef CCALAB_MODEL_MOMENTS_H
#define CCALAB_MODEL_MOMENTS_H

#include <math.h>

struct moments {
    double n, mean, squares;
};

static inline void moments_add(struct moments *m, double v)
{
    double delta = v - m->mean;

    m->n++;
    m->mean += delta / m->n;
    m->squares += delta * (v - m->mean);
}

/* The standard deviation of all of them; NaN of none. */
static inline double moments_std(const struct moments *m)
{
    return sqrt(m->squares / m->n);
}

/* What to divide them by: 1 where they do not vary. */
static inline double moments_scale(const struct moments *m)
{
    double std = moments_std(m);

    return std > 0 ? std : 1;
}

#endif
