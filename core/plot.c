#include "core/plot.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define VALUE_MAX PLOT_VALUE_MAX
#define VALUE_MIN PLOT_VALUE_MIN

size_t plot_count(const struct plot *p)
{
    return p->kind == PLOT_BOXES ? p->nboxes : p->nlines;
}

const char *plot_label(const struct plot *p, size_t index)
{
    const char *label = p->kind == PLOT_BOXES ? p->boxes[index].label : p->lines[index].label;
    return label ? label : "";
}

static double scale_of(const struct plot_line *line)
{
    return line->scale != 0 ? line->scale : 1;
}

/* --- ranges ----------------------------------------------------------------------------------- */

/* Widen *lo and *hi by a value that the axis can show. */
static bool widen(double v, bool is_log, double *lo, double *hi)
{
    if (!(fabs(v) <= VALUE_MAX) || (is_log && !(v >= VALUE_MIN))) {
        return false;
    }
    *lo = fmin(*lo, v);
    *hi = fmax(*hi, v);
    return true;
}

/* Smallest and largest drawn value of a line in [x0, x1], widening *lo and *hi. */
static bool line_extremes(const struct plot_line *line, const struct plot_range *r, bool is_log,
                          double *lo, double *hi)
{
    const struct series *s = line->series;
    double scale = scale_of(line);
    struct series_col all;
    if (line->is_level) {
        return widen(line->level, is_log, lo, hi);
    }
    if (!s) {
        return false;
    }
    series_columns(s, r->x0, nextafter(r->x1, INFINITY), 1, &all);
    if (all.count == 0) {
        return false;
    }
    double ends[] = {all.min * scale, all.max * scale};
    if (!is_log || fmin(ends[0], ends[1]) >= VALUE_MIN) {
        bool has_min = widen(ends[0], is_log, lo, hi);
        return widen(ends[1], is_log, lo, hi) || has_min;
    }
    /* Values that a log axis cannot show hide the smallest that it can: look at each. */
    bool has_any = false;
    for (size_t i = series_lower_bound(s, r->x0); i < s->len && s->t[i] <= r->x1; i++) {
        has_any |= widen(s->v[i] * scale, is_log, lo, hi);
    }
    return has_any;
}

static void fit_x(const struct plot *p, struct plot_range *out)
{
    if (p->kind == PLOT_BOXES) {
        out->x1 = p->nboxes > 0 ? (double)p->nboxes : 1;
        return;
    }
    if (p->x1 > p->x0 && fabs(p->x0) <= VALUE_MAX && fabs(p->x1) <= VALUE_MAX) {
        out->x0 = p->x0;
        out->x1 = p->x1;
        return;
    }
    double x0 = INFINITY, x1 = -INFINITY;
    for (size_t i = 0; i < p->nlines; i++) {
        const struct series *s = p->lines[i].series;
        if (s && s->len > 0) {
            x0 = fmin(x0, s->t[0]);
            x1 = fmax(x1, s->t[s->len - 1]);
        }
    }
    if (!(fabs(x0) <= VALUE_MAX && fabs(x1) <= VALUE_MAX)) {
        x0 = x1 = 0;
    }
    /* One sample, or none: a second of axis, or what a double can tell from x0. */
    out->x0 = x0;
    out->x1 = x1 > x0 ? x1 : x0 + fmax(1, fabs(x0) * 1e-9);
    if (p->kind == PLOT_POINTS) { /* no dot on the very edge */
        double pad = (out->x1 - out->x0) * 0.03;
        out->x0 -= x0 >= 0 && x0 < pad ? x0 : pad;
        out->x1 += pad;
    }
}

static bool extremes(const struct plot *p, const struct plot_range *r, double *lo, double *hi)
{
    bool has_any = false;
    for (size_t i = 0; i < plot_count(p); i++) {
        if (p->kind != PLOT_BOXES) {
            has_any |= line_extremes(&p->lines[i], r, p->is_log_y, lo, hi);
        } else if (p->boxes[i].n > 0) {
            has_any |= widen(p->boxes[i].min, p->is_log_y, lo, hi);
            has_any |= widen(p->boxes[i].max, p->is_log_y, lo, hi);
        }
    }
    return has_any;
}

void plot_fit(const struct plot *p, struct plot_range *out)
{
    double lo = INFINITY, hi = -INFINITY;
    *out = (struct plot_range){0};
    fit_x(p, out);
    out->is_empty = !extremes(p, out, &lo, &hi);
    if (p->kind == PLOT_CDF && !p->is_log_y) {
        out->y1 = 1;
        return;
    }
    if (out->is_empty) {
        lo = p->is_log_y ? 0.1 : 0;
        hi = 1;
    }
    if (p->is_log_y) {
        double pad = hi > lo ? pow(hi / lo, 0.05) : 2;
        out->y0 = lo / pad;
        out->y1 = hi * pad;
        return;
    }
    bool is_positive = lo >= 0;
    if (p->has_zero) {
        lo = fmin(lo, 0);
        hi = fmax(hi, 0);
    }
    double size = fmax(fabs(lo), fabs(hi));
    double pad = out->is_empty ? 0 : (hi - lo) * 0.06;
    if (hi - lo <= size * 1e-6) {
        pad = size < VALUE_MIN ? 1 : size * 0.1; /* a constant */
    }
    /* Head room must not suggest negative values where there are none. */
    out->y0 = is_positive && (p->has_zero || lo - pad < 0) ? 0 : lo - pad;
    out->y1 = hi + pad;
}

/* --- positions -------------------------------------------------------------------------------- */

double plot_y(const struct plot_range *r, bool is_log_y, double y)
{
    double pos;
    if (is_log_y) {
        pos = y > 0 ? (log10(y) - log10(r->y0)) / (log10(r->y1) - log10(r->y0)) : -1;
    } else {
        pos = (y - r->y0) / (r->y1 - r->y0);
    }
    return isfinite(pos) ? pos : -1;
}

double plot_area_x(const struct plot_area *a, const struct plot_range *r, double x)
{
    return a->left + (x - r->x0) / (r->x1 - r->x0) * a->width;
}

double plot_area_y(const struct plot_area *a, const struct plot_range *r, bool is_log_y, double y)
{
    return a->top + (1 - fmin(fmax(plot_y(r, is_log_y, y), 0), 1)) * a->height;
}

static void box_ticks(const struct plot *p, size_t want, struct plot_ticks *out)
{
    want = want < 1 ? 1 : want > PLOT_TICKS_MAX ? PLOT_TICKS_MAX : want;
    size_t every = (p->nboxes + want - 1) / want;
    for (size_t i = 0; i < p->nboxes; i += every) {
        out->at[out->n] = (double)i + 0.5;
        snprintf(out->label[out->n], sizeof(out->label[0]), "%s", plot_label(p, i));
        out->n++;
    }
}

void plot_x_ticks(const struct plot *p, const struct plot_range *r, size_t want,
                  struct plot_ticks *out)
{
    out->n = 0;
    if (p->kind == PLOT_BOXES) {
        box_ticks(p, want, out);
        return;
    }
    double zero = p->kind != PLOT_LINES ? 0 : p->x_zero != 0 ? p->x_zero : r->x0;
    plot_ticks(r->x0 - zero, r->x1 - zero, want, false, out);
    for (size_t i = 0; i < out->n; i++) {
        out->at[i] += zero;
    }
}

/* --- numbers ---------------------------------------------------------------------------------- */

void plot_stat(const struct plot *p, const struct plot_range *r, size_t index,
               struct plot_stat *out)
{
    *out = (struct plot_stat){0};
    if (p->kind == PLOT_BOXES) {
        const struct plot_box *b = &p->boxes[index];
        *out = (struct plot_stat){.last = b->median, .min = b->min, .max = b->max, .count = b->n};
        return;
    }
    const struct plot_line *line = &p->lines[index];
    if (line->is_level) {
        *out = (struct plot_stat){line->level, line->level, line->level, 1};
        return;
    }
    const struct series *s = line->series;
    struct series_col all = {0};
    if (s) {
        series_columns(s, r->x0, nextafter(r->x1, INFINITY), 1, &all);
    }
    if (all.count == 0) {
        return;
    }
    double scale = scale_of(line), a = all.min * scale, b = all.max * scale;
    *out = (struct plot_stat){all.last * scale, fmin(a, b), fmax(a, b), all.count};
    if (p->kind == PLOT_CDF) {
        /* What a reader asks of a distribution: its median and its ends. */
        size_t i = series_lower_bound(s, r->x0), end = i + all.count;
        out->min = s->t[i];
        out->max = s->t[end - 1];
        while (i + 1 < end && s->v[i] < 0.5f) {
            i++;
        }
        out->last = s->t[i];
    }
}

bool plot_read(const struct plot *p, const struct plot_range *r, size_t index, double *x, double *y)
{
    if (p->kind == PLOT_BOXES) {
        return false;
    }
    const struct plot_line *line = &p->lines[index];
    if (line->is_level) {
        *x = p->cursor_x;
        *y = line->level;
        return true;
    }
    const struct series *s = line->series;
    size_t at = s ? series_nearest(s, p->cursor_x, r->x0, r->x1) : 0;
    if (!s || at >= s->len) {
        return false;
    }
    *x = s->t[at];
    *y = s->v[at] * scale_of(line);
    return true;
}
