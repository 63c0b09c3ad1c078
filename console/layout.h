/* Where everything goes, as pure arithmetic. */
#ifndef CCALAB_CONSOLE_LAYOUT_H
#define CCALAB_CONSOLE_LAYOUT_H

#include <stdbool.h>

#define LAYOUT_MIN_COLS 60
#define LAYOUT_MIN_ROWS 16

struct rect {
    int y, x, rows, cols; /* rows == 0: not on the screen */
};

struct layout {
    bool is_too_small; /* nothing else is set then */
    struct rect title, body, command, keys;
};

/* The rows of the console around a screen's body. */
void layout_compute(int cols, int rows, struct layout *out);

/* Cut in two, `share` thousandths (rounded to whole rows or columns) to the first, but at least
 * `min_first` and `min_rest`, as far as there is room. layout_columns() leaves a column between. */
void layout_rows(struct rect all, int share, int min_first, int min_rest, struct rect *top,
                 struct rect *bottom);
void layout_columns(struct rect all, int share, int min_first, int min_rest, struct rect *left,
                    struct rect *right);

#endif
