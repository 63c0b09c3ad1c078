/* What the small networks that need no libtorch are trained with: Adam (Kingma and Ba, 2015) with
 * its usual constants. Thread: any. */
#ifndef CCALAB_MODEL_ADAM_H
#define CCALAB_MODEL_ADAM_H

#include <stddef.h>

/* One step for n values; `step` counts from 1, the moments start at 0. The gradient is zeroed. */
void adam_step(double *value, double *gradient, double *first, double *second, size_t n, int step,
               double rate);

#endif
