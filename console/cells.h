/* Plots on terminal cells: geometry from core/plot.h, drawn into an array of characters. It knows
 * nothing of curses, so that tests can read what is drawn. Thread: main only. */
#ifndef CCALAB_CONSOLE_CELLS_H
#define CCALAB_CONSOLE_CELLS_H

#include <stdbool.h>
#include <stddef.h>
#include <wchar.h>

#include "core/plot.h"

enum cells_tier {
    CELLS_ASCII,   /* one point a cell, a glyph for each line */
    CELLS_BLOCK,   /* 2x2 quadrants a cell (Unicode 15, block 2580) */
    CELLS_BRAILLE, /* 2x4 dots a cell (Unicode 15, block 2800) */
};

#define CELLS_TEXT   (-1) /* axis, label */
#define CELLS_MARK   (-2) /* an event */
#define CELLS_CURSOR (-3)

struct cell {
    wchar_t ch;
    short line; /* index of the plot's line it shows, or one of CELLS_TEXT to CELLS_CURSOR */
};

struct cells {
    int width, height;
    struct cell *at; /* height rows of width cells */
};

/* Glyph of line i: its points in ASCII, its mark at the newest point and in the legend. */
char cells_glyph(size_t i);

/* Set the size and blank all cells. False when out of memory (the size is then 0 x 0). */
bool cells_resize(struct cells *c, int width, int height);
void cells_done(struct cells *c);
/* Draw axes, legend (last, minimum, maximum of what is in view; with a cursor what lies under it),
 * events and all lines into the whole of *c, which is blanked first. In each column of dots
 * everything from the smallest to the largest value is lit, so that no spike is lost at any width.
 * The y axis says its unit where p->y_label has one, the x axis that of p->x_label. What does not
 * fit is left out: the legend first, then the x axis. Labels must be ASCII. */
void cells_plot(struct cells *c, const struct plot *p, enum cells_tier tier);

#endif
