/* Plots as SVG documents. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "core/plot.h"

/* Okabe and Ito's palette, told apart with any kind of colour vision; its yellow is left out, being
 * too faint on white. The dash patterns tell the lines apart in print. */
static const char *const colors[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                     "#e69f00", "#56b4e9", "#555555"};
static const char *const dashes[] = {NULL, "7 3", "2 3", "9 3 2 3", "14 4", "5 2 1 2 1 2", "4 6"};
#define NSTYLES (sizeof(colors) / sizeof(colors[0]))

#define LEGEND_MAX   8
#define LEGEND_ROW   18
#define STAT_WIDTH   92
#define MARGIN       12
#define LABEL_CHAR   6.4 /* mean width of a letter at 12 px */
#define COLOR_TEXT   "#1f2937"
#define COLOR_MUTED  "#6b7280"
#define COLOR_GRID   "#e5e7eb"
#define COLOR_AXIS   "#9ca3af"
#define COLOR_GROUND "#ffffff"

struct frame {
    const struct plot *p;
    struct plot_range r;
    int left, top, width, height; /* of the plotting area, pixels */
    struct buf *out;
};

/* At most `max_chars` characters of untrusted text as XML character data. */
static void put_text(struct buf *out, const char *text, size_t max_chars)
{
    char clean[512];
    log_escape(text ? text : "", clean, sizeof(clean));
    size_t chars = 0;
    for (const char *c = clean; *c; c++) {
        bool is_start = ((unsigned char)*c & 0xc0) != 0x80;
        if (is_start && chars++ == max_chars) {
            buf_puts(out, "\xe2\x80\xa6"); /* … */
            return;
        }
        switch (*c) {
        case '&':
            buf_puts(out, "&amp;");
            break;
        case '<':
            buf_puts(out, "&lt;");
            break;
        case '>':
            buf_puts(out, "&gt;");
            break;
        case '"':
            buf_puts(out, "&quot;");
            break;
        default:
            /* U+FFFE and U+FFFF are valid UTF-8, but no XML characters. */
            if (memcmp(c, "\xef\xbf", 2) == 0 && (unsigned char)c[2] >= 0xbe) {
                buf_puts(out, "?");
                c += 2;
            } else {
                buf_append(out, c, 1);
            }
        }
    }
}

/* A pixel coordinate to a tenth, whatever the locale's decimal sign. */
static void put_coord(struct buf *out, double v)
{
    long tenths = lround(fmin(fmax(v, -1e5), 1e5) * 10);
    buf_printf(out, "%s%ld.%ld", tenths < 0 ? "-" : "", labs(tenths) / 10, labs(tenths) % 10);
}

/* Colour and dash pattern of the index-th line. Both repeat, but not in step. */
static void put_stroke(struct buf *out, size_t index)
{
    const char *dash = dashes[(index + index / NSTYLES) % NSTYLES];
    buf_printf(out, "stroke=\"%s\"", colors[index % NSTYLES]);
    if (dash) {
        buf_printf(out, " stroke-dasharray=\"%s\"", dash);
    }
}

static double frame_x(const struct frame *f, double t)
{
    return f->left + (t - f->r.x0) / (f->r.x1 - f->r.x0) * f->width;
}

static double frame_y(const struct frame *f, double y)
{
    double pos = plot_y(&f->r, f->p->is_log_y, y);
    return f->top + (1 - fmin(fmax(pos, 0), 1)) * f->height;
}

/* --- lines ------------------------------------------------------------------------------------ */

struct pen {
    struct buf *out;
    size_t points; /* of the stroke being drawn; 0: the pen is up */
    double y;
};

static void pen_to(struct pen *pen, double x, double y)
{
    buf_puts(pen->out, pen->points == 0 ? "M" : "L");
    put_coord(pen->out, x);
    buf_puts(pen->out, " ");
    put_coord(pen->out, y);
    pen->points++;
    pen->y = y;
}

static void pen_lift(struct pen *pen)
{
    if (pen->points == 1) {
        buf_puts(pen->out, "h.1"); /* a lone value: a dot, thanks to the round cap */
    }
    pen->points = 0;
}

static bool is_shown(const struct frame *f, double v)
{
    return isfinite(v) && (!f->p->is_log_y || v > 0);
}

static void draw_samples(const struct frame *f, const struct series *s, double scale,
                         struct pen *pen, size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++) {
        double v = s->v[i] * scale;
        if (is_shown(f, v)) {
            pen_to(pen, frame_x(f, s->t[i]), frame_y(f, v));
        } else {
            pen_lift(pen);
        }
    }
}

/* One column a pixel: from where the pen is to the nearer extreme, the farther, the last value. */
static void draw_columns(const struct frame *f, double scale, struct pen *pen,
                         const struct series_col *cols, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct series_col *c = &cols[i];
        double v[] = {c->min * scale, c->max * scale, c->last * scale};
        double x = f->left + ((double)i + 0.5) * f->width / (double)n;
        if (c->starts_gap) {
            pen_lift(pen);
        }
        if (c->count > 0 && !(is_shown(f, v[0]) || is_shown(f, v[1]))) {
            pen_lift(pen);
        } else if (c->count > 0) {
            /* On a log axis an extreme may be out of sight: the other stands for it. */
            double a = frame_y(f, is_shown(f, v[0]) ? v[0] : v[1]);
            double b = frame_y(f, is_shown(f, v[1]) ? v[1] : v[0]);
            double last = is_shown(f, v[2]) ? frame_y(f, v[2]) : b;
            bool is_b_first = pen->points > 0 && fabs(pen->y - b) < fabs(pen->y - a);
            pen_to(pen, x, is_b_first ? b : a);
            if (a != b) {
                pen_to(pen, x, is_b_first ? a : b);
            }
            if (last != pen->y) {
                pen_to(pen, x, last);
            }
        }
        if (c->ends_gap) {
            pen_lift(pen);
        }
    }
}

static void draw_line(const struct frame *f, size_t index)
{
    const struct series *s = f->p->lines[index].series;
    double scale = f->p->lines[index].scale != 0 ? f->p->lines[index].scale : 1;
    if (!s) {
        return;
    }
    double x1 = nextafter(f->r.x1, INFINITY);
    size_t begin = series_lower_bound(s, f->r.x0), end = series_lower_bound(s, x1);
    size_t n = (size_t)f->width;
    struct series_col *cols = NULL;
    if (end - begin > 2 * n) {
        cols = malloc(n * sizeof(*cols));
        if (!cols) {
            f->out->is_failed = true;
            return;
        }
        series_columns(s, f->r.x0, x1, n, cols);
    }
    buf_puts(f->out, "<path ");
    put_stroke(f->out, index);
    buf_puts(f->out, " d=\"");
    struct pen pen = {.out = f->out};
    if (cols) {
        draw_columns(f, scale, &pen, cols, n);
    } else {
        draw_samples(f, s, scale, &pen, begin, end);
    }
    pen_lift(&pen);
    buf_puts(f->out, "\"/>\n");
    free(cols);
}

/* --- frame ------------------------------------------------------------------------------------ */

static void draw_grid(const struct frame *f)
{
    struct plot_ticks tx, ty;
    plot_ticks(0, f->r.x1 - f->r.x0, (size_t)(f->width / 70), false, &tx);
    plot_ticks(f->r.y0, f->r.y1, (size_t)(f->height / 36), f->p->is_log_y, &ty);
    int right = f->left + f->width, bottom = f->top + f->height;

    buf_puts(f->out, "<path fill=\"none\" stroke=\"" COLOR_GRID "\" d=\"");
    for (size_t i = 0; i < ty.n; i++) {
        buf_printf(f->out, "M%d ", f->left);
        put_coord(f->out, frame_y(f, ty.at[i]));
        buf_printf(f->out, "H%d", right);
    }
    for (size_t i = 0; i < tx.n; i++) {
        buf_puts(f->out, "M");
        put_coord(f->out, frame_x(f, f->r.x0 + tx.at[i]));
        buf_printf(f->out, " %dV%d", f->top, bottom);
    }
    buf_puts(f->out, "\"/>\n");
    buf_printf(f->out,
               "<path fill=\"none\" stroke=\"" COLOR_AXIS "\" d=\"M%d %dH%d\"/>\n"
               "<g font-size=\"11\" fill=\"" COLOR_MUTED "\">\n",
               f->left, bottom, right);
    for (size_t i = 0; i < ty.n; i++) {
        buf_printf(f->out, "<text text-anchor=\"end\" x=\"%d\" y=\"", f->left - 8);
        put_coord(f->out, frame_y(f, ty.at[i]) + 4);
        buf_printf(f->out, "\">%s</text>\n", ty.label[i]);
    }
    for (size_t i = 0; i < tx.n; i++) {
        buf_puts(f->out, "<text text-anchor=\"middle\" x=\"");
        put_coord(f->out, frame_x(f, f->r.x0 + tx.at[i]));
        buf_printf(f->out, "\" y=\"%d\">%s</text>\n", bottom + 17, tx.label[i]);
    }
    buf_printf(f->out, "<text text-anchor=\"middle\" x=\"%d\" y=\"%d\">", f->left + f->width / 2,
               bottom + 35);
    put_text(f->out, f->p->x_label, (size_t)(f->width / LABEL_CHAR));
    buf_printf(f->out, "</text>\n<text x=\"%d\" y=\"%d\">", MARGIN, f->top - 10);
    put_text(f->out, f->p->y_label, (size_t)(f->width / LABEL_CHAR));
    buf_puts(f->out, "</text>\n</g>\n");
}

static void draw_stat(const struct frame *f, const char *name, double v, int x, int y)
{
    char text[24];
    plot_si(v, text, sizeof(text));
    buf_printf(f->out,
               "<text text-anchor=\"end\" x=\"%d\" y=\"%d\"><tspan fill=\"" COLOR_MUTED
               "\">%s</tspan><tspan dx=\"5\">%s</tspan></text>\n",
               x, y, name, text);
}

/* Characters of the longest label, as put_text() counts them. */
static size_t label_chars(const struct plot *p, size_t rows)
{
    size_t longest = 0;
    for (size_t i = 0; i < rows; i++) {
        size_t chars = 0;
        for (const char *c = p->lines[i].label ? p->lines[i].label : ""; *c; c++) {
            chars += ((unsigned char)*c & 0xc0) != 0x80;
        }
        longest = chars > longest ? chars : longest;
    }
    return longest;
}

static void draw_legend(const struct frame *f, size_t rows, int y)
{
    const struct plot *p = f->p;
    int text_x = MARGIN + 36, room = f->left + f->width - text_x;
    /* Three columns of numbers where they fit beside a label, else the latest value only. */
    int nstats = room >= 3 * STAT_WIDTH + 160 ? 3 : 1;
    size_t max_chars = (size_t)((room - nstats * STAT_WIDTH) / LABEL_CHAR);
    size_t chars = label_chars(p, rows);
    chars = chars < max_chars ? chars : max_chars;
    int stat_x = text_x + (int)((double)chars * LABEL_CHAR) + STAT_WIDTH;
    for (size_t i = 0; i < rows; i++, y += LEGEND_ROW) {
        if (i + 1 == rows && rows < p->nlines) {
            buf_printf(f->out,
                       "<text x=\"%d\" y=\"%d\" fill=\"" COLOR_MUTED "\">and %zu more</text>\n",
                       text_x, y, p->nlines - i);
            return;
        }
        const struct plot_line *line = &p->lines[i];
        double scale = line->scale != 0 ? line->scale : 1;
        struct series_col all = {0};
        if (line->series) {
            series_columns(line->series, f->r.x0, nextafter(f->r.x1, INFINITY), 1, &all);
        }
        buf_printf(f->out, "<path fill=\"none\" stroke-width=\"2\" ");
        put_stroke(f->out, i);
        buf_printf(f->out, " d=\"M%d %dh28\"/>\n<text x=\"%d\" y=\"%d\">", MARGIN, y - 4, text_x,
                   y);
        put_text(f->out, line->label, max_chars);
        buf_puts(f->out, "</text>\n");
        if (all.count == 0) {
            buf_printf(f->out,
                       "<text text-anchor=\"end\" x=\"%d\" y=\"%d\" fill=\"" COLOR_MUTED
                       "\">no data</text>\n",
                       stat_x, y);
            continue;
        }
        draw_stat(f, "last", all.last * scale, stat_x, y);
        if (nstats == 3) {
            double a = all.min * scale, b = all.max * scale;
            draw_stat(f, "min", fmin(a, b), stat_x + STAT_WIDTH, y);
            draw_stat(f, "max", fmax(a, b), stat_x + 2 * STAT_WIDTH, y);
        }
    }
}

static int clamp(int v, int lo, int hi)
{
    return v < lo ? lo : v > hi ? hi : v;
}

void plot_svg(const struct plot *p, int width, int height, struct buf *out)
{
    struct frame f = {.p = p, .out = out};
    width = clamp(width, 240, 8192);
    height = clamp(height, 200, 8192);
    plot_fit(p, &f.r);

    /* Title, legend and y label on top; the legend takes at most a third of the height. */
    int room = (height / 3) / LEGEND_ROW;
    size_t rows = (size_t)clamp(room, 1, LEGEND_MAX);
    rows = p->nlines < rows ? p->nlines : rows;
    int legend_y = 46;
    f.left = 60;
    f.width = width - f.left - 22;
    f.top = legend_y + (int)rows * LEGEND_ROW + 16;
    f.height = height - f.top - 46;

    buf_printf(out,
               "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
               "viewBox=\"0 0 %d %d\" role=\"img\" font-family=\"system-ui, 'DejaVu Sans', "
               "sans-serif\" font-size=\"12\" fill=\"" COLOR_TEXT "\">\n<title>",
               width, height, width, height);
    put_text(out, p->title, 200);
    buf_printf(out,
               "</title>\n<rect width=\"%d\" height=\"%d\" fill=\"" COLOR_GROUND "\"/>\n"
               "<text x=\"12\" y=\"24\" font-size=\"15\" font-weight=\"600\">",
               width, height);
    put_text(out, p->title, (size_t)((width - 24) / (LABEL_CHAR * 1.3)));
    buf_puts(out, "</text>\n");
    draw_legend(&f, rows, legend_y);
    draw_grid(&f);
    buf_puts(out, "<g fill=\"none\" stroke-width=\"1.6\" stroke-linejoin=\"round\" "
                  "stroke-linecap=\"round\">\n");
    for (size_t i = 0; i < p->nlines; i++) {
        draw_line(&f, i);
    }
    buf_puts(out, "</g>\n");
    if (f.r.is_empty) {
        buf_printf(out,
                   "<text text-anchor=\"middle\" x=\"%d\" y=\"%d\" font-size=\"16\" "
                   "fill=\"" COLOR_MUTED "\">no data</text>\n",
                   f.left + f.width / 2, f.top + f.height / 2);
    }
    buf_puts(out, "</svg>\n");
}
