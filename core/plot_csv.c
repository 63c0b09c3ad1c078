/* What a plot shows, as numbers. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/plot.h"

static void put_label(struct buf *out, const char *label)
{
    bool is_formula = *label && strchr("=+-@\t\r", *label);
    buf_puts(out, is_formula ? "\"'" : "\"");
    for (; *label; label++) {
        buf_append(out, label, 1);
        if (*label == '"') {
            buf_append(out, label, 1);
        }
    }
    buf_puts(out, "\"");
}

/* printf() knows the locale's decimal sign. */
static void put_number(struct buf *out, const char *format, double v)
{
    char text[48];
    int n = snprintf(text, sizeof(text), format, v);
    for (int i = 0; i < n; i++) {
        bool is_plain = (text[i] >= '0' && text[i] <= '9') || strchr("+-e", text[i]);
        text[i] = is_plain ? text[i] : '.';
    }
    buf_puts(out, text);
}

static void put_boxes(const struct plot *p, struct buf *out)
{
    buf_puts(out, "label,n,min,whisker_lo,q1,median,q3,whisker_hi,max\n");
    for (size_t i = 0; i < p->nboxes; i++) {
        const struct plot_box *b = &p->boxes[i];
        const double values[] = {b->min, b->whisker_lo, b->q1, b->median,
                                 b->q3,  b->whisker_hi, b->max};
        put_label(out, plot_label(p, i));
        buf_printf(out, ",%zu", b->n);
        for (size_t k = 0; k < sizeof(values) / sizeof(values[0]); k++) {
            buf_puts(out, ",");
            if (b->n > 0) {
                put_number(out, "%.9g", values[k]);
            }
        }
        buf_puts(out, "\n");
    }
}

static void put_row(struct buf *out, const char *label, double x, double y)
{
    put_label(out, label);
    buf_puts(out, ",");
    put_number(out, "%.16g", x);
    buf_puts(out, ",");
    if (isfinite(y)) {
        put_number(out, "%.9g", y);
    }
    buf_puts(out, "\n");
}

void plot_csv(const struct plot *p, const struct plot_range *r, struct buf *out)
{
    if (p->kind == PLOT_BOXES) {
        put_boxes(p, out);
        return;
    }
    buf_puts(out, "line,x,y\n");
    for (size_t i = 0; i < p->nlines && !out->is_failed; i++) {
        const struct plot_line *line = &p->lines[i];
        const struct series *s = line->series;
        double scale = line->scale != 0 ? line->scale : 1;
        if (line->is_level) {
            put_row(out, plot_label(p, i), r->x0, line->level);
            put_row(out, plot_label(p, i), r->x1, line->level);
        }
        for (size_t k = s ? series_lower_bound(s, r->x0) : 0; s && k < s->len; k++) {
            if (s->t[k] > r->x1 || out->is_failed) {
                break;
            }
            put_row(out, plot_label(p, i), s->t[k], s->v[k] * scale);
        }
    }
}
