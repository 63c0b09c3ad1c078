/* What a line looks like: the one walk through its samples that all back ends draw from. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "core/plot.h"

struct trace {
    const struct plot *p;
    const struct plot_range *r;
    const struct plot_area *a;
    const struct plot_pen *pen;
    double scale;
    size_t points;  /* of the stroke being drawn; 0: the pen is up */
    double x, y, t; /* the latest point, where it was measured */
};

static bool is_shown(const struct trace *tr, double v)
{
    return fabs(v) <= PLOT_VALUE_MAX && (!tr->p->is_log_y || v >= PLOT_VALUE_MIN);
}

static double y_of(const struct trace *tr, double v)
{
    return plot_area_y(tr->a, tr->r, tr->p->is_log_y, v);
}

static void trace_lift(struct trace *tr)
{
    if (tr->points == 1) {
        tr->pen->dot(tr->pen->user, tr->x, tr->y); /* a lone value */
    }
    tr->points = 0;
}

static void trace_to(struct trace *tr, double x, double y)
{
    const struct plot_pen *pen = tr->pen;
    if (tr->points == 1) { /* more than a dot */
        pen->move(pen->user, tr->x, tr->y);
    }
    if (tr->points > 0) {
        if (tr->p->kind == PLOT_CDF && x > tr->x && y != tr->y) {
            pen->line(pen->user, x, tr->y);
        }
        pen->line(pen->user, x, y);
    }
    tr->points++;
    tr->x = x;
    tr->y = y;
}

/* A pause before `t`. */
static void trace_join(struct trace *tr, double t)
{
    if (tr->points > 0 && tr->p->join_max_s > 0 && t - tr->t > tr->p->join_max_s) {
        trace_lift(tr);
    }
}

static void trace_samples(struct trace *tr, const struct series *s, size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++) {
        double v = s->v[i] * tr->scale;
        if (!is_shown(tr, v)) {
            trace_lift(tr);
            continue;
        }
        trace_join(tr, s->t[i]);
        trace_to(tr, plot_area_x(tr->a, tr->r, s->t[i]), y_of(tr, v));
        tr->t = s->t[i];
    }
}

/* One column: from where the pen is to the nearer extreme, the farther, the last value. */
static void trace_column(struct trace *tr, const struct series_col *c, double x)
{
    double v[] = {c->min * tr->scale, c->max * tr->scale, c->last * tr->scale};
    if (!is_shown(tr, v[0]) && !is_shown(tr, v[1])) {
        trace_lift(tr);
        return;
    }
    /* On a log axis an extreme may be out of sight: the other stands for it. */
    double a = y_of(tr, is_shown(tr, v[0]) ? v[0] : v[1]);
    double b = y_of(tr, is_shown(tr, v[1]) ? v[1] : v[0]);
    double last = is_shown(tr, v[2]) ? y_of(tr, v[2]) : b;
    bool is_b_first = tr->points > 0 && fabs(tr->y - b) < fabs(tr->y - a);
    trace_to(tr, x, is_b_first ? b : a);
    if (a != b) {
        trace_to(tr, x, is_b_first ? a : b);
    }
    if (last != tr->y) {
        trace_to(tr, x, last);
    }
}

static void trace_columns(struct trace *tr, const struct series_col *cols, size_t n)
{
    double column = (tr->r->x1 - tr->r->x0) / (double)n;
    for (size_t i = 0; i < n; i++) {
        const struct series_col *c = &cols[i];
        double t = tr->r->x0 + ((double)i + 0.5) * column;
        if (c->starts_gap) {
            trace_lift(tr);
        }
        if (c->count > 0) {
            trace_join(tr, t - column);
            trace_column(tr, c, tr->a->left + ((double)i + 0.5) * tr->a->width / (double)n);
            tr->t = t;
        }
        if (c->ends_gap) {
            trace_lift(tr);
        }
    }
}

/* Dots that fall onto the same place are one. */
static bool trace_points(struct trace *tr, const struct series *s, size_t begin, size_t end,
                         size_t columns, size_t rows)
{
    size_t bytes = (columns * rows + 7) / 8;
    uint8_t *taken = calloc(bytes, 1);
    if (!taken) {
        return false;
    }
    for (size_t i = begin; i < end; i++) {
        double v = s->v[i] * tr->scale;
        if (!is_shown(tr, v)) {
            continue;
        }
        double x = plot_area_x(tr->a, tr->r, s->t[i]), y = y_of(tr, v);
        size_t column = (size_t)((x - tr->a->left) / tr->a->width * (double)columns);
        size_t row = (size_t)((y - tr->a->top) / tr->a->height * (double)rows);
        size_t bit =
            (row < rows ? row : rows - 1) * columns + (column < columns ? column : columns - 1);
        if (!(taken[bit / 8] >> bit % 8 & 1)) {
            taken[bit / 8] |= (uint8_t)(1u << bit % 8);
            tr->pen->dot(tr->pen->user, x, y);
        }
    }
    free(taken);
    return true;
}

static void stroke(const struct plot_pen *pen, double x0, double y0, double x1, double y1)
{
    pen->move(pen->user, x0, y0);
    pen->line(pen->user, x1, y1);
}

static void trace_box(struct trace *tr, const struct plot_box *b, size_t index)
{
    const struct plot_pen *pen = tr->pen;
    double slot = tr->a->width / (double)tr->p->nboxes,
           x = tr->a->left + ((double)index + 0.5) * slot;
    double half = slot * 0.3, cap = slot * 0.15;
    if (b->n == 0) {
        return;
    }
    double q1 = y_of(tr, b->q1), q3 = y_of(tr, b->q3), median = y_of(tr, b->median);
    double lo = y_of(tr, b->whisker_lo), hi = y_of(tr, b->whisker_hi);
    stroke(pen, x - half, q3, x + half, q3);
    stroke(pen, x - half, q1, x + half, q1);
    stroke(pen, x - half, q3, x - half, q1);
    stroke(pen, x + half, q3, x + half, q1);
    stroke(pen, x - half, median, x + half, median);
    stroke(pen, x, hi, x, q3);
    stroke(pen, x, q1, x, lo);
    stroke(pen, x - cap, hi, x + cap, hi);
    stroke(pen, x - cap, lo, x + cap, lo);
    if (b->max > b->whisker_hi) {
        pen->dot(pen->user, x, y_of(tr, b->max));
    }
    if (b->min < b->whisker_lo && is_shown(tr, b->min)) {
        pen->dot(pen->user, x, y_of(tr, b->min));
    }
}

bool plot_trace(const struct plot *p, const struct plot_range *r, size_t index,
                const struct plot_area *a, size_t columns, size_t rows, const struct plot_pen *pen)
{
    struct trace tr = {.p = p, .r = r, .a = a, .pen = pen, .scale = 1};
    if (p->kind == PLOT_BOXES) {
        trace_box(&tr, &p->boxes[index], index);
        return true;
    }
    const struct plot_line *line = &p->lines[index];
    const struct series *s = line->series;
    if (line->is_level && is_shown(&tr, line->level)) {
        double y = y_of(&tr, line->level);
        stroke(pen, a->left, y, a->left + a->width, y);
    }
    if (line->is_level || !s || columns == 0 || rows == 0) {
        return true;
    }
    tr.scale = line->scale != 0 ? line->scale : 1;
    /* The newest sample lies on x1 itself, and columns end before their right edge. */
    double x1 = nextafter(r->x1, INFINITY);
    size_t begin = series_lower_bound(s, r->x0), end = series_lower_bound(s, x1);
    if (p->kind == PLOT_POINTS) {
        return trace_points(&tr, s, begin, end, columns, rows);
    }
    if (end - begin <= 2 * columns) {
        trace_samples(&tr, s, begin, end);
    } else {
        struct series_col *cols = malloc(columns * sizeof(*cols));
        if (!cols) {
            return false;
        }
        series_columns(s, r->x0, x1, columns, cols);
        trace_columns(&tr, cols, columns);
        free(cols);
    }
    trace_lift(&tr);
    return true;
}
