/* From values to what a plot draws: distribution functions, scatters, boxes. Thread: any. */
#ifndef CCALAB_CORE_PLOT_DATA_H
#define CCALAB_CORE_PLOT_DATA_H

#include <stdbool.h>
#include <stddef.h>

#include "core/series.h"

/* A box of a box plot as of Tukey, Exploratory Data Analysis (1977): whiskers end at the outermost
 * values within 1.5 interquartile ranges of the box; min and max show how far the rest goes. */
struct plot_box {
    const char *label;
    double min, whisker_lo, q1, median, q3, whisker_hi, max;
    size_t n; /* 0: no value, the rest means nothing */
};

/* Each takes the values in any order, sorts them in place, and leaves out what is not finite.
 * A series is appended to and must be empty; the caller ends it by series_done(). False when out of
 * memory or where there are more than SERIES_LEN_MAX. */

/* The empirical distribution function: time is the value, value the share (0 to 1] of all that are
 * not greater. Equal values become one step. */
bool plot_cdf(double *v, size_t n, struct series *out);
/* Pairs (x, y) by rising x: time is x, value is y. */
bool plot_scatter(double (*xy)[2], size_t n, struct series *out);
/* Quartiles are interpolated (type 7 of Hyndman and Fan 1996). The label is left alone. */
void plot_box(double *v, size_t n, struct plot_box *out);

#endif
