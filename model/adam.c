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
