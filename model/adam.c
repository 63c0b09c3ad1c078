#include "model/adam.h"

#include <math.h>

void adam_step(double *value, double *gradient, double *first, double *second, size_t n, int step,
               double rate)
{
    double unbias1 = 1 - pow(0.9, step), unbias2 = 1 - pow(0.999, step);
    for (size_t i = 0; i < n; i++) {
        first[i] = 0.9 * first[i] + 0.1 * gradient[i];
        second[i] = 0.999 * second[i] + 0.001 * gradient[i] * gradient[i];
        value[i] -= rate * (first[i] / unbias1) / (sqrt(second[i] / unbias2) + 1e-8);
        gradient[i] = 0;
    }
}

uint64_t adam_random(uint64_t *state)
{
    uint64_t x = *state += 0x9e3779b97f4a7c15u; /* SplitMix64 */
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

double adam_uniform(uint64_t *state, double bound)
{
    return bound * (2 * ((double)(adam_random(state) >> 11) * 0x1p-53) - 1);
}
