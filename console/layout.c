#include "console/layout.h"

void layout_compute(int cols, int rows, struct layout *l)
{
    *l = (struct layout){.is_too_small = cols < LAYOUT_MIN_COLS || rows < LAYOUT_MIN_ROWS};
    if (l->is_too_small)
        return;
    l->title = (struct rect){0, 0, 1, cols};
    l->body = (struct rect){1, 0, rows - 3, cols};
    l->command = (struct rect){rows - 2, 0, 1, cols};
    l->keys = (struct rect){rows - 1, 0, 1, cols};
}

static int cut(int all, int share, int min_first, int min_rest)
{
    int first = (all * share + 500) / 1000;

    if (first > all - min_rest)
        first = all - min_rest;
    if (first < min_first)
        first = min_first;
    return first < 0 ? 0 : first > all ? all : first;
}

void layout_rows(struct rect all, int share, int min_first, int min_rest, struct rect *top,
                 struct rect *bottom)
{
    int first = cut(all.rows, share, min_first, min_rest);

    *top = (struct rect){all.y, all.x, first, all.cols};
    *bottom = (struct rect){all.y + first, all.x, all.rows - first, all.cols};
}

void layout_columns(struct rect all, int share, int min_first, int min_rest, struct rect *left,
                    struct rect *right)
{
    int first = cut(all.cols - 1, share, min_first, min_rest);

    *left = (struct rect){all.y, all.x, all.rows, first};
    *right = (struct rect){all.y, all.x + first + 1, all.rows, all.cols - first - 1};
}
