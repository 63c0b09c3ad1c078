/* Plots as pure geometry: kinds, ranges, ticks, what a line looks like at a given width, what lies
 * under a cursor. Back ends draw it: pages as SVG, PNG and PDF (plot_page.h), cells of a terminal
 * (console/cells.h).
 *
 * Nothing here depends on the locale: a decimal point is a point. */
#ifndef CCALAB_CORE_PLOT_H
#define CCALAB_CORE_PLOT_H

#include <stdbool.h>
#include <stddef.h>

#include "core/buf.h"
#include "core/plot_data.h"
#include "core/plot_marks.h"
#include "core/series.h"

#define PLOT_TICKS_MAX 16
/* What an axis may show: far beyond any measurement, and no sum or product of two overflows. */
#define PLOT_VALUE_MAX 1e120
/* The smallest a log axis may show, and what prints as 0. */
#define PLOT_VALUE_MIN 1e-120

struct plot_ticks {
    double at[PLOT_TICKS_MAX];
    char label[PLOT_TICKS_MAX][24];
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
/* The unit of a label: "ms" of "RTT [ms]"; "" without one. Longer ones than fit are cut. */
void plot_unit(const char *label, char *out, size_t size);

enum plot_kind {
    PLOT_LINES,  /* values over time, joined */
    PLOT_CDF,    /* x: values, y: share of them that is not greater; drawn as steps */
    PLOT_POINTS, /* scatter: x and y are values */
    PLOT_BOXES,  /* one box a group, side by side */
};

struct plot_line {
    const char *label;
    const struct series *series; /* borrowed; NULL is a line without data */
    double scale;                /* drawn value = v * scale; 0 means 1 */
    bool is_level;               /* a baseline: a horizontal line at `level`, without a series */
    double level;                /* as drawn; not scaled */
};

struct plot {
    enum plot_kind kind;
    const char *title;
    const char *x_label, *y_label; /* with units: "time [s]"; may be NULL */
    double x0, x1;                 /* range in x; x1 <= x0: fit to the data. Not for boxes */
    double x_zero;                 /* PLOT_LINES: what the time axis calls 0; 0: its beginning */
    bool is_log_y;
    bool has_zero;     /* include 0 in the y range */
    double join_max_s; /* PLOT_LINES: points further apart are not joined: a pause between two runs
                          is no measurement. 0 joins all. NaN in a series always breaks the line. */
    const struct plot_line *lines;
    size_t nlines;
    const struct plot_box *boxes; /* PLOT_BOXES: these instead of lines */
    size_t nboxes;
    const struct plot_mark *marks; /* events; those out of range are left out */
    size_t nmarks;
    bool has_cursor;
    double cursor_x;
};

struct plot_range {
    double x0, x1, y0, y1; /* finite, y0 < y1 and x0 < x1 always, even for empty data */
    bool is_empty;         /* no finite sample in range */
};

/* Lines, or boxes, of the plot. */
size_t plot_count(const struct plot *p);
const char *plot_label(const struct plot *p, size_t index);
/* Data range with a little head room. Log plots ignore values <= 0. */
void plot_fit(const struct plot *p, struct plot_range *out);
/* Vertical position of y in the range, 0 (bottom) to 1 (top); outside values are not clamped, but
 * always finite: -1 for what a log axis cannot show and for NaN. */
double plot_y(const struct plot_range *r, bool is_log_y, double y);
/* Ticks of the x axis: times since x_zero, values, or the labels of the boxes. `at` is where in the
 * range they are. */
void plot_x_ticks(const struct plot *p, const struct plot_range *r, size_t want,
                  struct plot_ticks *out);

/* What the legend says of a line: drawn values in range. count == 0: no data. */
struct plot_stat {
    double last, min, max;
    size_t count;
};

void plot_stat(const struct plot *p, const struct plot_range *r, size_t index,
               struct plot_stat *out);
/* The sample of a line that is nearest to the cursor, within the range; false if there is none. */
bool plot_read(const struct plot *p, const struct plot_range *r, size_t index, double *x,
               double *y);

/* A rectangle in a back end's units, y downwards. */
struct plot_area {
    double left, top, width, height;
};

/* Positions of a plot's x and y in the area; y clamped to it. */
double plot_area_x(const struct plot_area *a, const struct plot_range *r, double x);
double plot_area_y(const struct plot_area *a, const struct plot_range *r, bool is_log_y, double y);

/* Where the drawing of a line goes. */
struct plot_pen {
    void (*move)(void *user, double x, double y);
    void (*line)(void *user, double x, double y);
    void (*dot)(void *user, double x, double y);
    void *user;
};

/* Draw the index-th line or box within `a`, x from left to right, as `columns` columns where it has
 * more samples than twice that: in each from the smallest to the largest value, so that no spike is
 * lost. Points of a scatter that fall onto one dot of a grid of columns * rows are drawn once.
 * False when out of memory. */
bool plot_trace(const struct plot *p, const struct plot_range *r, size_t index,
                const struct plot_area *a, size_t columns, size_t rows, const struct plot_pen *pen);

/* Append what is in range as CSV: "line,x,y" (drawn values, a gap is an empty y), of boxes
 * "label,n,min,whisker_lo,q1,median,q3,whisker_hi,max". Labels that say "=1+1" to a spreadsheet get
 * an apostrophe in front. */
void plot_csv(const struct plot *p, const struct plot_range *r, struct buf *out);

#endif
