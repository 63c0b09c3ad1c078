#include "core/plot_data.h"

#include <math.h>
#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The finite values to the front, sorted. Returns how many there are. */
static size_t sort_finite(double *v, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (isfinite(v[i])) {
            v[kept++] = v[i];
        }
    }
    qsort(v, kept, sizeof(*v), compare);
    return kept;
}

bool plot_cdf(double *v, size_t n, struct series *out)
{
    n = sort_finite(v, n);
    for (size_t i = 0; i < n; i++) {
        bool is_step = i + 1 == n || v[i + 1] > v[i];
        if (is_step && !series_append(out, v[i], (double)(i + 1) / (double)n)) {
            return false;
        }
    }
    return true;
}

bool plot_scatter(double (*xy)[2], size_t n, struct series *out)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (isfinite(xy[i][0]) && isfinite(xy[i][1])) {
            xy[kept][0] = xy[i][0];
            xy[kept++][1] = xy[i][1];
        }
    }
    qsort(xy, kept, sizeof(*xy), compare); /* by the first of each pair */
    for (size_t i = 0; i < kept; i++) {
        if (!series_append(out, xy[i][0], xy[i][1])) {
            return false;
        }
    }
    return true;
}

static double quantile(const double *v, size_t n, double q)
{
    double at = (double)(n - 1) * q;
    size_t low = (size_t)at;
    double above = low + 1 < n ? v[low + 1] : v[low];
    return v[low] + (above - v[low]) * (at - (double)low);
}

void plot_box(double *v, size_t n, struct plot_box *out)
{
    n = sort_finite(v, n);
    *out = (struct plot_box){.label = out->label, .n = n};
    if (n == 0) {
        return;
    }
    out->min = v[0];
    out->max = v[n - 1];
    out->q1 = quantile(v, n, 0.25);
    out->median = quantile(v, n, 0.5);
    out->q3 = quantile(v, n, 0.75);
    double reach = 1.5 * (out->q3 - out->q1);
    out->whisker_lo = out->q1;
    out->whisker_hi = out->q3;
    for (size_t i = 0; i < n; i++) {
        if (v[i] >= out->q1 - reach) {
            out->whisker_lo = fmin(out->q1, v[i]);
            break;
        }
    }
    for (size_t i = n; i-- > 0;) {
        if (v[i] <= out->q3 + reach) {
            out->whisker_hi = fmax(out->q3, v[i]);
            break;
        }
    }
}
