/* Where everything goes, as pure arithmetic. */
#ifndef CCALAB_CONSOLE_LAYOUT_H
#define CCALAB_CONSOLE_LAYOUT_H

#include <stdbool.h>

#define LAYOUT_MIN_COLS 60
#define LAYOUT_MIN_ROWS 16

struct rect {
    int y, x, rows, cols; /* rows == 0: not on the screen */
};

enum layout_panel {
    LAYOUT_HOSTS,
    LAYOUT_PLOT_0, /* plots, row by row */
    LAYOUT_LOG = LAYOUT_PLOT_0 + 4,
    LAYOUT_PANELS
};

struct layout {
    bool is_too_small; /* nothing else is set then */
    struct rect title, command, keys;
    struct rect panel[LAYOUT_PANELS];
};

/* `zoomed` is the panel that has everything between title and command line, or -1. */
void layout_compute(int cols, int rows, int zoomed, struct layout *out);

#endif
