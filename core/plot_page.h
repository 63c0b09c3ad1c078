/* A plot as a page: title, legend with last, smallest and largest values, axes with units, grid,
 * lines, events. One layout, drawn on a canvas: SVG here, PNG and PDF in plot_cairo.h.
 *
 * SVG is written by hand and not by cairo, whose SVG turns text into outlines with ids: a page with
 * ten plots in it must stay searchable, valid, and able to follow the reader's light or dark. */
#ifndef CCALAB_CORE_PLOT_PAGE_H
#define CCALAB_CORE_PLOT_PAGE_H

#include "core/plot.h"

enum plot_ink {
    PLOT_INK_TEXT,
    PLOT_INK_MUTED,
    PLOT_INK_GRID,
    PLOT_INK_AXIS,
    PLOT_INK_GROUND,
    PLOT_INK_MARK,
    PLOT_INK_LINE, /* and the following: line 0, 1, ... */
};

enum plot_anchor { PLOT_ANCHOR_START, PLOT_ANCHOR_MIDDLE, PLOT_ANCHOR_END };

#define PLOT_STYLES   7 /* of lines; colours repeat after that, with other dashes */
#define PLOT_DASH_MAX 6

/* "#rrggbb". Line colours are Okabe and Ito's (2008), told apart with any kind of colour vision;
 * their yellow is left out, being too faint on white. */
const char *plot_color(enum plot_ink ink);
/* Dashes tell lines apart in print: lengths of strokes and gaps; 0 of them is a full line. */
size_t plot_dashes(size_t line, double out[PLOT_DASH_MAX]);

/* Coordinates are pixels (PDF: points), y downwards. Text is clean UTF-8. */
struct plot_canvas {
    void (*begin)(struct plot_canvas *c, const char *title, int width, int height);
    /* A stroke of many parts: move, line and dot until end_stroke. */
    void (*begin_stroke)(struct plot_canvas *c, enum plot_ink ink, double width, bool is_dashed);
    void (*move)(void *canvas, double x, double y);
    void (*line)(void *canvas, double x, double y);
    void (*dot)(void *canvas, double x, double y);
    void (*end_stroke)(struct plot_canvas *c);
    void (*text)(struct plot_canvas *c, enum plot_ink ink, double size, bool is_bold,
                 enum plot_anchor anchor, double x, double y, const char *text);
    void (*end)(struct plot_canvas *c);
};

/* Draw the whole of a plot (but not its cursor). Width and height are kept within 240..8192 and
 * 200..8192. Text from outside is escaped and cut to its place. False when out of memory. */
bool plot_page(const struct plot *p, int width, int height, struct plot_canvas *canvas);

/* Append a complete SVG document: text as <text>, no ids, so that many fit into one page. A style
 * sheet around it may set other colours: classes "text", "muted", "grid", "axis", "ground", "mark",
 * "s0" to "s6". */
void plot_svg(const struct plot *p, int width, int height, struct buf *out);

#endif
