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

/* The cells are ASCII, blocks or braille: of a label, which can come from a host, every byte that
 * is not printable ASCII becomes '?'. */
static void put_text(struct cells *c, int x, int y, const char *text, short line)
{
    for (; *text && x < c->width; text++, x++)
        if (x >= 0)
            c->at[y * c->width + x] =
                (struct cell){*text >= ' ' && *text <= '~' ? (wchar_t)*text : L'?', line};
}

/* Where the lines go: a grid of dots over a rectangle of cells, and a pen on it. */
struct grid {
    struct cells *c;
    const struct plot *p;
    struct plot_range r;
    enum cells_tier tier;
    int left, top, cols, rows; /* in cells */
    int per_col, per_row;      /* dots a cell */
    int dot_cols, dot_rows;    /* dots in each direction, all in all */
    short line;                /* being drawn */
    int x, y;                  /* where the pen is, in dots; x < 0: nowhere yet */
};

static struct plot_area area_of(const struct grid *g)
{
    return (struct plot_area){0, 0, g->dot_cols, g->dot_rows - 1};
}

static int clamp(double v, int max)
{
    return v < 0 ? 0 : v > max ? max : (int)v;
}

static int row_of(const struct grid *g, double v)
{
    struct plot_area a = area_of(g);

    return clamp(plot_area_y(&a, &g->r, g->p->is_log_y, v) + 0.5, g->dot_rows - 1);
}

static int col_of(const struct grid *g, double x)
{
    struct plot_area a = area_of(g);

    return clamp(plot_area_x(&a, &g->r, x), g->dot_cols - 1);
}

static struct cell *cell_of(const struct grid *g, int x, int y)
{
    return &g->c->at[(g->top + y / g->per_row) * g->c->width + g->left + x / g->per_col];
}

static void light_braille(struct cell *cell, int x, int y)
{
    static const uint8_t bits[4][2] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};

    if (cell->ch < 0x2800 || cell->ch > 0x28ff)
        cell->ch = 0x2800;
    cell->ch |= bits[y % 4][x % 2];
}

static void light_block(struct cell *cell, int x, int y)
{
    /* By the dots that are lit: upper left 1, upper right 2, lower left 4, lower right 8. */
    static const wchar_t blocks[] = {L' ',   0x2598, 0x259d, 0x2580, 0x2596, 0x258c,
                                     0x259e, 0x259b, 0x2597, 0x259a, 0x2590, 0x259c,
                                     0x2584, 0x2599, 0x259f, 0x2588};
    int lit = 15;

    while (lit > 0 && blocks[lit] != cell->ch)
        lit--;
    cell->ch = blocks[lit | 1 << (y % 2 * 2 + x % 2)];
}

static void light(const struct grid *g, int x, int y)
{
    struct cell *cell = cell_of(g, x, y);

    if (g->tier == CELLS_BRAILLE)
        light_braille(cell, x, y);
    else if (g->tier == CELLS_BLOCK)
        light_block(cell, x, y);
    else
        cell->ch = (wchar_t)cells_glyph((size_t)g->line);
    cell->line = g->line;
}

static void pen_move(void *user, double x, double y)
{
    struct grid *g = user;

    g->x = clamp(x, g->dot_cols - 1);
    g->y = clamp(y + 0.5, g->dot_rows - 1);
    light(g, g->x, g->y);
}

/* Vertical runs of dots, each going on beside the last dot of the one before. */
static void pen_line(void *user, double x, double y)
{
    struct grid *g = user;
    int x0 = g->x, y0 = g->y, x1 = clamp(x, g->dot_cols - 1), y1 = clamp(y + 0.5, g->dot_rows - 1);
    int from = y0;

    for (int at = x0 + (x1 > x0); at <= x1; at++) {
        int to = x1 > x0 ? (int)lround(y0 + (double)(y1 - y0) * (at - x0) / (x1 - x0)) : y1;
        /* Not level with it where the slope is steep. */
        int first = to > from ? from + 1 : to < from ? from - 1 : from;

        for (int row = first; row != to; row += to > first ? 1 : -1)
            light(g, at, row);
        light(g, at, to);
        from = to;
    }
    g->x = x1;
    g->y = y1;
}

/* --- legend ----------------------------------------------------------------------------------- */

/* "* client_x 48.1 (min 12, max 50)", shorter where it must be; "* client_x @48.1" under a cursor.
 * Returns its length. */
static int legend_text(const struct grid *g, size_t line, int width, char *out, size_t size)
{
    bool has_median = g->p->kind == PLOT_CDF || g->p->kind == PLOT_BOXES;
    const char *label = plot_label(g->p, line), *name = has_median ? "med " : "";
    struct plot_stat stat;
    char last[16], min[16], max[16];
    double x, y;
    int n;

    if (g->p->has_cursor && plot_read(g->p, &g->r, line, &x, &y)) {
        plot_si(y, last, sizeof last);
        return snprintf(out, size, "%c %s @%s", cells_glyph(line), label, last);
    }
    plot_stat(g->p, &g->r, line, &stat);
    if (!stat.count)
        return snprintf(out, size, "%c %s -", cells_glyph(line), label);
    plot_si(stat.last, last, sizeof last);
    plot_si(stat.min, min, sizeof min);
    plot_si(stat.max, max, sizeof max);
    n = (int)size;
    if (g->p->kind == PLOT_BOXES || !g->p->lines[line].is_level) {
        n = snprintf(out, size, "%c %s %s%s (min %s, max %s)", cells_glyph(line), label, name, last,
                     min, max);
        if (n > width)
            n = snprintf(out, size, "%c %s %s %s..%s", cells_glyph(line), label, last, min, max);
    }
    if (n > width)
        n = snprintf(out, size, "%c %s %s", cells_glyph(line), label, last);
    return n;
}

/* As many lines of the legend as `rows` hold; several in a row where they fit. The unit first. */
static int draw_legend(const struct grid *g, int rows)
{
    struct cells *c = g->c;
    char unit[24], text[160];
    int x = 0, y = 0;

    plot_unit(g->p->y_label, unit, sizeof unit);
    if (rows && *unit) {
        x = snprintf(text, sizeof text, "[%s]", unit) + 1;
        put_text(c, 0, 0, text, CELLS_TEXT);
    }
    for (size_t i = 0; i < plot_count(g->p) && y < rows; i++) {
        /* The last row may have to hold all that are left. */
        int left = (int)(plot_count(g->p) - i);
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
    return rows && (plot_count(g->p) || *unit) ? y + 1 : 0;
}

/* --- axes ------------------------------------------------------------------------------------- */

static void draw_y_axis(const struct grid *g, const struct plot_ticks *ticks)
{
    for (int y = 0; y < g->rows; y++)
        put_text(g->c, g->left - 1, g->top + y, "|", CELLS_TEXT);
    for (size_t i = 0; i < ticks->n; i++) {
        int y = g->top + row_of(g, ticks->at[i]) / g->per_row;
        int len = (int)strlen(ticks->label[i]);

        put_text(g->c, g->left - 1 - len, y, ticks->label[i], CELLS_TEXT);
        put_text(g->c, g->left - 1, y, "+", CELLS_TEXT);
    }
}

static void draw_x_axis(const struct grid *g)
{
    int y = g->top + g->rows, free_from = 0;
    size_t want = g->p->kind == PLOT_BOXES ? g->p->nboxes : (size_t)g->cols / 9;
    struct plot_ticks ticks;
    char unit[24];

    if (g->r.is_empty)
        return;
    plot_unit(g->p->kind == PLOT_BOXES ? NULL : g->p->x_label, unit, sizeof unit);
    plot_x_ticks(g->p, &g->r, want < 2 ? 2 : want, &ticks);
    for (size_t i = 0; i < ticks.n; i++) {
        bool has_unit = strlen(unit) <= 2 || i + 1 == ticks.n;
        char label[56];
        int len = snprintf(label, sizeof label, "%s%s", ticks.label[i], has_unit ? unit : "");
        int at = g->left - len / 2 +
                 (int)lround((ticks.at[i] - g->r.x0) / (g->r.x1 - g->r.x0) * (g->cols - 1));

        if (at + len > g->c->width)
            at = g->c->width - len;
        if (at < free_from)
            continue;
        put_text(g->c, at, y, label, CELLS_TEXT);
        free_from = at + len + 1;
    }
}

/* --- events and cursor ------------------------------------------------------------------------ */

static bool is_in_range(const struct grid *g, double x)
{
    return g->p->kind != PLOT_BOXES && x >= g->r.x0 && x <= g->r.x1;
}

static void draw_column(const struct grid *g, double x, const char *ascii, short line)
{
    int at = g->left + col_of(g, x) / g->per_col;

    for (int y = 0; y < g->rows; y++)
        put_text(g->c, at, g->top + y, ascii, line);
}

static void draw_marks(const struct grid *g)
{
    for (size_t i = 0; g->p->kind == PLOT_LINES && i < g->p->nmarks; i++)
        if (is_in_range(g, g->p->marks[i].x))
            draw_column(g, g->p->marks[i].x, ":", CELLS_MARK);
    if (g->p->has_cursor && is_in_range(g, g->p->cursor_x))
        draw_column(g, g->p->cursor_x, "|", CELLS_CURSOR);
}

/* Beside their columns, where the top row has room for them. */
static void draw_mark_labels(const struct grid *g)
{
    for (size_t i = 0; g->p->kind == PLOT_LINES && i < g->p->nmarks; i++) {
        const struct plot_mark *m = &g->p->marks[i];
        int len = (int)strlen(m->label), at, free_cells = 0;

        if (!is_in_range(g, m->x))
            continue;
        at = g->left + col_of(g, m->x) / g->per_col + 1;
        while (free_cells < len && at + free_cells < g->c->width &&
               g->c->at[g->top * g->c->width + at + free_cells].ch == L' ')
            free_cells++;
        if (free_cells == len)
            put_text(g->c, at, g->top, m->label, CELLS_MARK);
    }
}

/* Where the cursor is, on the axis. */
static void draw_cursor_label(const struct grid *g)
{
    const struct plot *p = g->p;
    double zero = p->kind != PLOT_LINES ? 0 : p->x_zero != 0 ? p->x_zero : g->r.x0;
    char value[20], unit[24], label[48];
    struct cell *row;
    int at, len;

    if (!p->has_cursor || !is_in_range(g, p->cursor_x))
        return;
    plot_si(p->cursor_x - zero, value, sizeof value);
    plot_unit(p->x_label, unit, sizeof unit);
    len = snprintf(label, sizeof label, "^%s%s", value, unit);
    at = g->left + col_of(g, p->cursor_x) / g->per_col;
    if (at + len > g->c->width)
        at = g->c->width - len;
    at = at < 0 ? 0 : at;
    /* No half of a tick's label stays beside it. */
    row = &g->c->at[(g->top + g->rows) * g->c->width];
    for (int x = at - 1; x >= 0 && row[x].ch != L' '; x--)
        row[x].ch = L' ';
    for (int x = at + len; x < g->c->width && row[x].ch != L' '; x++)
        row[x].ch = L' ';
    put_text(g->c, at, g->top + g->rows, label, CELLS_CURSOR);
}

/* --- the whole -------------------------------------------------------------------------------- */

static void draw_lines(struct grid *g)
{
    const struct plot_pen pen = {pen_move, pen_line, pen_move, g};
    const struct plot_area a = area_of(g);
    size_t n = plot_count(g->p);
    int(*ends)[2] = calloc(n ? n : 1, sizeof *ends);

    for (size_t i = 0; ends && i < n; i++) {
        g->line = (short)i;
        g->x = -1;
        if (!plot_trace(g->p, &g->r, i, &a, (size_t)g->dot_cols, (size_t)g->dot_rows, &pen))
            break;
        ends[i][0] = g->x;
        ends[i][1] = g->y;
    }
    /* The newest point carries the line's glyph: lines are told apart without colour. */
    for (size_t i = 0; ends && i < n; i++)
        if (ends[i][0] >= 0 && g->p->kind != PLOT_BOXES)
            *cell_of(g, ends[i][0], ends[i][1]) = (struct cell){(wchar_t)cells_glyph(i), (short)i};
    free(ends);
}

void cells_plot(struct cells *c, const struct plot *p, enum cells_tier tier)
{
    struct grid g = {.c = c, .p = p, .tier = tier};
    struct plot_ticks ticks;
    int legend_rows, gutter = 0;
    bool has_x_axis;

    for (int i = 0; i < c->width * c->height; i++)
        c->at[i] = (struct cell){L' ', CELLS_TEXT};
    if (c->width < 4 || c->height < 1)
        return;
    plot_fit(p, &g.r);

    has_x_axis = c->height >= 4;
    legend_rows = c->height < 3 ? 0 : c->height < 8 ? 1 : c->height / 4;
    legend_rows = draw_legend(&g, legend_rows);
    g.top = legend_rows;
    g.rows = c->height - legend_rows - has_x_axis;

    plot_ticks(g.r.y0, g.r.y1, g.rows / 2 < 2 ? 2 : (size_t)g.rows / 2, p->is_log_y, &ticks);
    for (size_t i = 0; i < ticks.n; i++)
        if ((int)strlen(ticks.label[i]) > gutter)
            gutter = (int)strlen(ticks.label[i]);
    if (gutter + 1 > c->width / 2)
        gutter = ticks.n = 0;
    g.left = gutter + 1;
    g.cols = c->width - g.left;
    g.per_col = tier == CELLS_ASCII ? 1 : 2;
    g.per_row = tier == CELLS_ASCII ? 1 : tier == CELLS_BLOCK ? 2 : 4;
    g.dot_cols = g.per_col * g.cols;
    g.dot_rows = g.per_row * g.rows;

    draw_y_axis(&g, &ticks);
    if (has_x_axis)
        draw_x_axis(&g);
    draw_marks(&g);
    draw_lines(&g);
    draw_mark_labels(&g);
    if (has_x_axis)
        draw_cursor_label(&g);
}
