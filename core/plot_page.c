#include "core/plot_page.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/log.h"

#define LEGEND_MAX  12
#define LEGEND_ROW  18
#define STAT_WIDTH  92
#define MARGIN      12
#define LABEL_CHAR  6.4 /* mean width of a letter at 12 px */
#define TEXT_MAX    512
#define LINE_WIDTH  1.6
#define POINT_WIDTH 3.0

struct page {
    const struct plot *p;
    struct plot_range r;
    struct plot_area area;
    struct plot_canvas *canvas;
};

const char *plot_color(enum plot_ink ink)
{
    static const char *const colors[] = {
        [PLOT_INK_TEXT] = "#1f2937",     [PLOT_INK_MUTED] = "#6b7280",
        [PLOT_INK_GRID] = "#e5e7eb",     [PLOT_INK_AXIS] = "#9ca3af",
        [PLOT_INK_GROUND] = "#ffffff",   [PLOT_INK_MARK] = "#92400e",
        [PLOT_INK_LINE] = "#0072b2",     [PLOT_INK_LINE + 1] = "#d55e00",
        [PLOT_INK_LINE + 2] = "#009e73", [PLOT_INK_LINE + 3] = "#cc79a7",
        [PLOT_INK_LINE + 4] = "#e69f00", [PLOT_INK_LINE + 5] = "#56b4e9",
        [PLOT_INK_LINE + 6] = "#555555"};
    size_t i = (size_t)ink;
    return colors[i < PLOT_INK_LINE ? i : PLOT_INK_LINE + (i - PLOT_INK_LINE) % PLOT_STYLES];
}

size_t plot_dashes(size_t line, double out[PLOT_DASH_MAX])
{
    static const double dashes[PLOT_STYLES][PLOT_DASH_MAX] = {
        {0}, {7, 3}, {2, 3}, {9, 3, 2, 3}, {14, 4}, {5, 2, 1, 2, 1, 2}, {4, 6}};
    /* Colours and dashes both repeat, but not in step. */
    const double *d = dashes[(line + line / PLOT_STYLES) % PLOT_STYLES];
    size_t n = 0;
    while (n < PLOT_DASH_MAX && d[n] > 0) {
        out[n] = d[n];
        n++;
    }
    return n;
}

static enum plot_ink line_ink(size_t index)
{
    return (enum plot_ink)(PLOT_INK_LINE + index);
}

/* --- text ------------------------------------------------------------------------------------- */

static size_t count_chars(const char *text)
{
    size_t chars = 0;
    for (; *text; text++) {
        chars += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return chars;
}

/* Untrusted text of at most `max_chars` characters. */
static void put(const struct page *g, enum plot_ink ink, double size, bool is_bold,
                enum plot_anchor anchor, double x, double y, size_t max_chars, const char *text)
{
    char clean[TEXT_MAX + 4];
    if (!text || !*text || max_chars == 0) {
        return;
    }
    log_escape(text, clean, TEXT_MAX);
    if (count_chars(clean) > max_chars) {
        size_t chars = 0;
        char *c = clean;
        for (; *c; c++) {
            bool is_start = ((unsigned char)*c & 0xc0) != 0x80;
            if (is_start && chars++ == max_chars) {
                break;
            }
        }
        memcpy(c, "\xe2\x80\xa6", 4); /* … */
    }
    g->canvas->text(g->canvas, ink, size, is_bold, anchor, x, y, clean);
}

/* --- frame ------------------------------------------------------------------------------------ */

static void draw_line(const struct page *g, double x0, double y0, double x1, double y1)
{
    g->canvas->move(g->canvas, x0, y0);
    g->canvas->line(g->canvas, x1, y1);
}

static void draw_axes(const struct page *g)
{
    const struct plot_area *a = &g->area;
    struct plot_canvas *c = g->canvas;
    struct plot_ticks tx, ty;
    double right = a->left + a->width, bottom = a->top + a->height;
    size_t columns = (size_t)(a->width / 70);
    plot_x_ticks(g->p, &g->r, columns, &tx);
    plot_ticks(g->r.y0, g->r.y1, (size_t)(a->height / 36), g->p->is_log_y, &ty);

    c->begin_stroke(c, PLOT_INK_GRID, 1, false);
    for (size_t i = 0; i < ty.n; i++) {
        double y = plot_area_y(a, &g->r, g->p->is_log_y, ty.at[i]);
        draw_line(g, a->left, y, right, y);
    }
    for (size_t i = 0; i < tx.n && g->p->kind != PLOT_BOXES; i++) {
        double x = plot_area_x(a, &g->r, tx.at[i]);
        draw_line(g, x, a->top, x, bottom);
    }
    c->end_stroke(c);
    c->begin_stroke(c, PLOT_INK_AXIS, 1, false);
    draw_line(g, a->left, bottom, right, bottom);
    c->end_stroke(c);
    for (size_t i = 0; i < ty.n; i++) {
        double y = plot_area_y(a, &g->r, g->p->is_log_y, ty.at[i]);
        put(g, PLOT_INK_MUTED, 11, false, PLOT_ANCHOR_END, a->left - 8, y + 4, 16, ty.label[i]);
    }
    size_t label_chars = (size_t)(a->width / (double)(tx.n ? tx.n : 1) / LABEL_CHAR);
    for (size_t i = 0; i < tx.n; i++) {
        put(g, PLOT_INK_MUTED, 11, false, PLOT_ANCHOR_MIDDLE, plot_area_x(a, &g->r, tx.at[i]),
            bottom + 17, label_chars > 2 ? label_chars - 1 : 1, tx.label[i]);
    }
    size_t max_chars = (size_t)(a->width / LABEL_CHAR);
    put(g, PLOT_INK_MUTED, 11, false, PLOT_ANCHOR_MIDDLE, a->left + a->width / 2, bottom + 35,
        max_chars, g->p->x_label);
    put(g, PLOT_INK_MUTED, 11, false, PLOT_ANCHOR_START, MARGIN, a->top - 10, max_chars,
        g->p->y_label);
}

static void draw_marks(const struct page *g)
{
    const struct plot_area *a = &g->area;
    struct plot_canvas *c = g->canvas;
    double free_from = a->left;
    if (g->p->kind != PLOT_LINES) {
        return;
    }
    for (size_t i = 0; i < g->p->nmarks; i++) {
        const struct plot_mark *m = &g->p->marks[i];
        if (!(m->x >= g->r.x0 && m->x <= g->r.x1)) {
            continue;
        }
        double x = plot_area_x(a, &g->r, m->x);
        c->begin_stroke(c, PLOT_INK_MARK, 0.8, false);
        for (double y = a->top; y < a->top + a->height; y += 6) {
            draw_line(g, x, y, x, fmin(y + 2, a->top + a->height));
        }
        c->end_stroke(c);
        double width = (double)strlen(m->label) * 5.6;
        bool is_at_end = x + 2 + width > a->left + a->width;
        if (x - (is_at_end ? width : 0) >= free_from) {
            put(g, PLOT_INK_MARK, 10, false, is_at_end ? PLOT_ANCHOR_END : PLOT_ANCHOR_START,
                is_at_end ? x - 2 : x + 2, a->top + 9, 24, m->label);
            free_from = is_at_end ? x : x + 8 + width;
        }
    }
}

/* --- legend ----------------------------------------------------------------------------------- */

static void draw_stat(const struct page *g, const char *name, double v, double x, double y)
{
    char text[24];
    plot_si(v, text, sizeof(text));
    double width = (double)strlen(text) * 7 + 5;
    put(g, PLOT_INK_MUTED, 12, false, PLOT_ANCHOR_END, x - width, y, 16, name);
    put(g, PLOT_INK_TEXT, 12, false, PLOT_ANCHOR_END, x, y, 24, text);
}

static size_t longest_label(const struct plot *p, size_t rows)
{
    size_t longest = 0;
    for (size_t i = 0; i < rows; i++) {
        size_t chars = count_chars(plot_label(p, i));
        longest = chars > longest ? chars : longest;
    }
    return longest;
}

static void draw_swatch(const struct page *g, size_t index, double y)
{
    struct plot_canvas *c = g->canvas;
    if (g->p->kind == PLOT_POINTS) {
        c->begin_stroke(c, line_ink(index), POINT_WIDTH + 1.5 * (double)(index % 3), false);
        c->dot(c, MARGIN + 14, y - 4);
    } else {
        c->begin_stroke(c, line_ink(index), 2, g->p->kind != PLOT_BOXES);
        draw_line(g, MARGIN, y - 4, MARGIN + 28, y - 4);
    }
    c->end_stroke(c);
}

static void draw_legend(const struct page *g, size_t rows, double y)
{
    const struct plot *p = g->p;
    double text_x = MARGIN + 36, room = g->area.left + g->area.width - text_x;
    /* Three columns of numbers where they fit beside a label, else one only. */
    int nstats = room >= 3 * STAT_WIDTH + 160 ? 3 : 1;
    size_t max_chars = (size_t)((room - nstats * STAT_WIDTH) / LABEL_CHAR);
    size_t chars = longest_label(p, rows);
    chars = chars < max_chars ? chars : max_chars;
    double stat_x = text_x + (double)chars * LABEL_CHAR + STAT_WIDTH;
    const char *first = p->kind == PLOT_CDF || p->kind == PLOT_BOXES ? "median" : "last";
    for (size_t i = 0; i < rows; i++, y += LEGEND_ROW) {
        if (i + 1 == rows && rows < plot_count(p)) {
            char more[40];
            snprintf(more, sizeof(more), "and %zu more", plot_count(p) - i);
            put(g, PLOT_INK_MUTED, 12, false, PLOT_ANCHOR_START, text_x, y, 40, more);
            return;
        }
        struct plot_stat stat;
        plot_stat(p, &g->r, i, &stat);
        draw_swatch(g, i, y);
        put(g, PLOT_INK_TEXT, 12, false, PLOT_ANCHOR_START, text_x, y, max_chars, plot_label(p, i));
        if (stat.count == 0) {
            put(g, PLOT_INK_MUTED, 12, false, PLOT_ANCHOR_END, stat_x, y, 16, "no data");
            continue;
        }
        if (p->kind != PLOT_BOXES && p->lines[i].is_level) {
            draw_stat(g, "at", stat.last, stat_x, y);
            continue;
        }
        draw_stat(g, first, stat.last, stat_x, y);
        if (nstats == 3) {
            draw_stat(g, "min", stat.min, stat_x + STAT_WIDTH, y);
            draw_stat(g, "max", stat.max, stat_x + 2 * STAT_WIDTH, y);
        }
    }
}

static int clamp(int v, int lo, int hi)
{
    return v < lo ? lo : v > hi ? hi : v;
}

bool plot_page(const struct plot *p, int width, int height, struct plot_canvas *canvas)
{
    struct page g = {.p = p, .canvas = canvas};
    char title[TEXT_MAX];
    bool is_ok = true;
    width = clamp(width, 240, 8192);
    height = clamp(height, 200, 8192);
    plot_fit(p, &g.r);

    /* Title, legend and y label on top; the legend takes at most a third of the height. */
    int legend_y = 46;
    size_t rows = (size_t)clamp((height / 3) / LEGEND_ROW, 1, LEGEND_MAX);
    rows = plot_count(p) < rows ? plot_count(p) : rows;
    g.area.left = 60;
    g.area.width = width - 60 - 22;
    g.area.top = legend_y + (int)rows * LEGEND_ROW + 16;
    g.area.height = height - g.area.top - 46;

    log_escape(p->title ? p->title : "", title, sizeof(title));
    canvas->begin(canvas, title, width, height);
    put(&g, PLOT_INK_TEXT, 15, true, PLOT_ANCHOR_START, MARGIN, 24,
        (size_t)((width - 24) / (LABEL_CHAR * 1.3)), p->title);
    draw_legend(&g, rows, legend_y);
    draw_axes(&g);
    draw_marks(&g);
    const struct plot_pen pen = {canvas->move, canvas->line, canvas->dot, canvas};
    for (size_t i = 0; i < plot_count(p) && is_ok; i++) {
        bool is_points = p->kind == PLOT_POINTS;
        canvas->begin_stroke(canvas, line_ink(i),
                             is_points ? POINT_WIDTH + 1.5 * (double)(i % 3) : LINE_WIDTH,
                             p->kind == PLOT_LINES || p->kind == PLOT_CDF);
        is_ok = plot_trace(p, &g.r, i, &g.area, (size_t)g.area.width, (size_t)g.area.height, &pen);
        canvas->end_stroke(canvas);
    }
    if (g.r.is_empty) {
        put(&g, PLOT_INK_MUTED, 16, false, PLOT_ANCHOR_MIDDLE, g.area.left + g.area.width / 2,
            g.area.top + g.area.height / 2, 16, "no data");
    }
    canvas->end(canvas);
    return is_ok;
}
