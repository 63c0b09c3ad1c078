#include "console/cells.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char cells_glyph(size_t i)
{
    static const char glyphs[] = "*+ox#%@&";

    return glyphs[i % (sizeof glyphs - 1)];
}

bool cells_resize(struct cells *c, int width, int height)
{
    size_t n;
    struct cell *at;

    if (width < 1 || height < 1) {
        cells_done(c);
        return true;
    }
    n = (size_t)width * (size_t)height;
    if (width != c->width || height != c->height) {
        at = realloc(c->at, n * sizeof *at);
        if (!at) {
            cells_done(c);
            return false;
        }
        c->at = at;
        c->width = width;
        c->height = height;
    }
    for (size_t i = 0; i < n; i++)
        c->at[i] = (struct cell){L' ', CELLS_TEXT};
    return true;
}

void cells_done(struct cells *c)
{
    free(c->at);
    memset(c, 0, sizeof *c);
}

static void put_text(struct cells *c, int x, int y, const char *ascii, short line)
{
    for (; *ascii && x < c->width; ascii++, x++)
        if (x >= 0)
            c->at[y * c->width + x] = (struct cell){(unsigned char)*ascii, line};
}

/* Where the lines go: a grid of dots over a rectangle of cells. */
struct grid {
    struct cells *c;
    int left, top, cols, rows; /* in cells */
    int dot_cols, dot_rows;    /* dots in each direction, all in all */
    const struct plot *p;
    struct plot_range r;
    const struct cells_style *style;
};

static int row_of(const struct grid *g, double v)
{
    double y = plot_y(&g->r, g->p->is_log_y, v);
    double row = floor((1 - y) * (g->dot_rows - 1) + 0.5);

    return row < 0 ? 0 : row > g->dot_rows - 1 ? g->dot_rows - 1 : (int)row;
}

static void light(const struct grid *g, int x, int y, short line)
{
    static const uint8_t bits[4][2] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    struct cell *cell;

    if (g->style->tier == CELLS_ASCII) {
        cell = &g->c->at[(g->top + y) * g->c->width + g->left + x];
        *cell = (struct cell){(wchar_t)cells_glyph((size_t)line), line};
        return;
    }
    cell = &g->c->at[(g->top + y / 4) * g->c->width + g->left + x / 2];
    if (cell->ch < 0x2800 || cell->ch > 0x28ff)
        cell->ch = 0x2800;
    cell->ch |= bits[y % 4][x % 2];
    cell->line = line;
}

/* A vertical run of dots between two rows, either way round. */
static void light_run(const struct grid *g, int x, int y0, int y1, short line)
{
    for (int y = y0 < y1 ? y0 : y1; y <= (y0 < y1 ? y1 : y0); y++)
        light(g, x, y, line);
}

/* A connected line from the dot (x0, y0), already lit, to (x1, y1), x1 > x0. */
static void light_line(const struct grid *g, int x0, int y0, int x1, int y1, short line)
{
    int y = y0;

    for (int x = x0 + 1; x <= x1; x++) {
        int next = (int)lround(y0 + (double)(y1 - y0) * (x - x0) / (x1 - x0));
        /* Go on beside the last dot, not level with it, where the slope is steep. */
        int from = next > y ? y + 1 : next < y ? y - 1 : y;

        light_run(g, x, from, next, line);
        y = next;
    }
}

static void draw_line(const struct grid *g, const struct series_col *cols, short line)
{
    const struct plot_line *pl = &g->p->lines[line];
    double scale = pl->scale != 0 ? pl->scale : 1;
    double column_s = (g->r.x1 - g->r.x0) / g->dot_cols;
    int prev_x = -1, prev_y = 0;

    for (int x = 0; x < g->dot_cols; x++) {
        const struct series_col *col = &cols[x];
        double lo = col->min * scale, hi = col->max * scale, last = col->last * scale;
        int top, bottom, entry;

        if (col->starts_gap && prev_x >= 0)
            prev_x = -1;
        /* A log axis has no place for zero and below. */
        if (!col->count || (g->p->is_log_y && hi <= 0)) {
            if (col->ends_gap)
                prev_x = -1;
            continue;
        }
        top = row_of(g, hi);
        bottom = g->p->is_log_y && lo <= 0 ? g->dot_rows - 1 : row_of(g, lo);
        if (top > bottom) { /* a negative scale */
            int swap = top;

            top = bottom;
            bottom = swap;
        }
        if (prev_x >= 0 &&
            (g->style->join_max_s <= 0 || (x - prev_x - 1) * column_s <= g->style->join_max_s)) {
            entry = prev_y < top ? top : prev_y > bottom ? bottom : prev_y;
            light_line(g, prev_x, prev_y, x, entry, line);
        }
        light_run(g, x, top, bottom, line);
        prev_x = col->ends_gap ? -1 : x;
        prev_y = g->p->is_log_y && last <= 0 ? bottom : row_of(g, last);
    }
}

/* The newest point carries the line's glyph: lines are told apart without colour. */
static void mark_newest(const struct grid *g, const struct series_col *cols, short line)
{
    const struct plot_line *pl = &g->p->lines[line];
    int per_col = g->style->tier == CELLS_ASCII ? 1 : 2;
    int per_row = g->style->tier == CELLS_ASCII ? 1 : 4;

    for (int x = g->dot_cols - 1; x >= 0; x--) {
        if (!cols[x].count)
            continue;
        double last = cols[x].last * (pl->scale != 0 ? pl->scale : 1);
        int y = row_of(g, last) / per_row;

        g->c->at[(g->top + y) * g->c->width + g->left + x / per_col] =
            (struct cell){(wchar_t)cells_glyph((size_t)line), line};
        return;
    }
}

/* "* client_x 48.1 (min 12, max 50)", shorter where it must be. Returns its length. */
static int legend_text(const struct grid *g, size_t line, int width, char *out, size_t size)
{
    const struct plot_line *pl = &g->p->lines[line];
    double scale = pl->scale != 0 ? pl->scale : 1;
    struct series_col all;
    char last[16], min[16], max[16];
    int n;

    series_columns(pl->series, g->r.x0, nextafter(g->r.x1, INFINITY), 1, &all);
    if (!all.count)
        return snprintf(out, size, "%c %s -", cells_glyph(line), pl->label);
    plot_si(all.last * scale, last, sizeof last);
    plot_si(all.min * scale, min, sizeof min);
    plot_si(all.max * scale, max, sizeof max);
    n = snprintf(out, size, "%c %s %s (min %s, max %s)", cells_glyph(line), pl->label, last, min,
                 max);
    if (n > width)
        n = snprintf(out, size, "%c %s %s %s..%s", cells_glyph(line), pl->label, last, min, max);
    if (n > width)
        n = snprintf(out, size, "%c %s %s", cells_glyph(line), pl->label, last);
    return n;
}

/* As many lines of the legend as `rows` hold; several in a row where they fit. */
static int draw_legend(const struct grid *g, int rows)
{
    struct cells *c = g->c;
    int x = 0, y = 0;

    for (size_t i = 0; i < g->p->nlines && y < rows; i++) {
        char text[160];
        /* The last row may have to hold all that are left. */
        int left = (int)(g->p->nlines - i);
        int width = y == rows - 1 ? (c->width - x) / left : c->width - x;
        int n = legend_text(g, i, width, text, sizeof text);

        if (x > 0 && x + n > c->width) {
            if (y + 1 >= rows) {
                put_text(c, c->width - 1, y, "~", CELLS_TEXT);
                return rows;
            }
            x = 0;
            y++;
        }
        put_text(c, x, y, text, (short)i);
        x += n + 2;
    }
    return rows && g->p->nlines ? y + 1 : 0;
}

static void draw_y_axis(const struct grid *g, const struct plot_ticks *ticks)
{
    int per_row = g->style->tier == CELLS_ASCII ? 1 : 4;

    for (int y = 0; y < g->rows; y++)
        put_text(g->c, g->left - 1, g->top + y, "|", CELLS_TEXT);
    for (size_t i = 0; i < ticks->n; i++) {
        int y = g->top + row_of(g, ticks->at[i]) / per_row;
        int len = (int)strlen(ticks->label[i]);

        put_text(g->c, g->left - 1 - len, y, ticks->label[i], CELLS_TEXT);
        put_text(g->c, g->left - 1, y, "+", CELLS_TEXT);
    }
}

static void draw_x_axis(const struct grid *g)
{
    struct plot_ticks ticks;
    int y = g->top + g->rows;
    double x0 = g->r.x0 - g->style->t_zero, x1 = g->r.x1 - g->style->t_zero;
    int free_from = 0;

    if (g->r.is_empty)
        return;
    plot_ticks(x0, x1, g->cols / 9 < 2 ? 2 : (size_t)g->cols / 9, false, &ticks);
    for (size_t i = 0; i < ticks.n; i++) {
        char label[20];
        int len = snprintf(label, sizeof label, "%ss", ticks.label[i]);
        int at = g->left + (int)lround((ticks.at[i] - x0) / (x1 - x0) * (g->cols - 1)) - len / 2;

        if (at + len > g->c->width)
            at = g->c->width - len;
        if (at < free_from)
            continue;
        put_text(g->c, at, y, label, CELLS_TEXT);
        free_from = at + len + 1;
    }
}

void cells_plot(struct cells *c, const struct plot *p, const struct cells_style *style)
{
    struct grid g = {.c = c, .p = p, .style = style};
    struct plot_ticks ticks;
    struct series_col *cols;
    int legend_rows, x_axis_rows, gutter = 0;

    for (int i = 0; i < c->width * c->height; i++)
        c->at[i] = (struct cell){L' ', CELLS_TEXT};
    if (c->width < 4 || c->height < 1)
        return;
    plot_fit(p, &g.r);

    x_axis_rows = c->height >= 4;
    legend_rows = c->height < 3 ? 0 : c->height < 8 ? 1 : c->height / 4;
    legend_rows = draw_legend(&g, legend_rows);
    g.top = legend_rows;
    g.rows = c->height - legend_rows - x_axis_rows;

    plot_ticks(g.r.y0, g.r.y1, g.rows / 2 < 2 ? 2 : (size_t)g.rows / 2, p->is_log_y, &ticks);
    for (size_t i = 0; i < ticks.n; i++)
        if ((int)strlen(ticks.label[i]) > gutter)
            gutter = (int)strlen(ticks.label[i]);
    if (gutter + 1 > c->width / 2)
        gutter = ticks.n = 0;
    g.left = gutter + 1;
    g.cols = c->width - g.left;
    g.dot_cols = style->tier == CELLS_ASCII ? g.cols : 2 * g.cols;
    g.dot_rows = style->tier == CELLS_ASCII ? g.rows : 4 * g.rows;

    draw_y_axis(&g, &ticks);
    if (x_axis_rows)
        draw_x_axis(&g);
    cols = calloc((size_t)g.dot_cols, sizeof *cols);
    if (!cols)
        return;
    for (size_t i = 0; i < p->nlines; i++) {
        /* The newest sample lies on x1 itself, and the columns end before their right edge. */
        series_columns(p->lines[i].series, g.r.x0, nextafter(g.r.x1, INFINITY), (size_t)g.dot_cols,
                       cols);
        draw_line(&g, cols, (short)i);
    }
    for (size_t i = 0; i < p->nlines; i++) {
        series_columns(p->lines[i].series, g.r.x0, nextafter(g.r.x1, INFINITY), (size_t)g.dot_cols,
                       cols);
        mark_newest(&g, cols, (short)i);
    }
    free(cols);
}
