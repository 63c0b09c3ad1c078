/* Plots as pure geometry: scaling, ticks, labels. Back ends draw it: SVG here, cells in console/.
 *
 * Nothing here depends on the locale: a decimal point is a point. */
#ifndef CCALAB_CORE_PLOT_H
#define CCALAB_CORE_PLOT_H

#include <stdbool.h>
#include <stddef.h>

#include "core/buf.h"
#include "core/series.h"

#define PLOT_TICKS_MAX 16

struct plot_ticks {
    double at[PLOT_TICKS_MAX];
    char label[PLOT_TICKS_MAX][16];
    size_t n;
};

/* 1-2-5 ticks inside [lo, hi], at most `want` (2 to PLOT_TICKS_MAX) of them, labelled with SI
 * prefixes ("250k", "1.5M"). With `is_log`, decades (every k-th where there are too many), and
 * 1-2-5 steps of them where the range has fewer than two. lo == hi gives the one tick; a range
 * that is not finite, or not positive with `is_log`, none. */
void plot_ticks(double lo, double hi, size_t want, bool is_log, struct plot_ticks *out);
/* "12.3M": up to three significant digits with an SI prefix from a thousand on; "0.02", "2e-4"
 * below one; "-" for what is not finite. */
void plot_si(double v, char *out, size_t size);

struct plot_line {
    const char *label;
    const struct series *series; /* borrowed; NULL is a line without data */
    double scale;                /* drawn value = v * scale; 0 means 1 */
};

struct plot {
    const char *title;
    const char *x_label, *y_label; /* with units: "time [s]" */
    double x0, x1;                 /* series time range; x1 <= x0: fit to the data */
    bool is_log_y;
    bool has_zero; /* include 0 in the y range */
    const struct plot_line *lines;
    size_t nlines;
};

struct plot_range {
    double x0, x1, y0, y1; /* finite, y0 < y1 and x0 < x1 always, even for empty data */
    bool is_empty;         /* no finite sample in range */
};

/* Data range with a little head room. Log plots ignore values <= 0. */
void plot_fit(const struct plot *p, struct plot_range *out);
/* Vertical position of y in the range, 0 (bottom) to 1 (top); outside values are not clamped, but
 * always finite: -1 for what a log axis cannot show and for NaN. */
double plot_y(const struct plot_range *r, bool is_log_y, double y);
/* Append a complete SVG document (text as <text>, so that a report stays searchable; no ids, so
 * that many fit into one page). The x axis shows seconds since x0. Gaps (NaN) break the line,
 * unless they lie within one pixel. Width and height are pixels, kept within 240..8192 and
 * 200..8192. */
void plot_svg(const struct plot *p, int width, int height, struct buf *out);

#endif
