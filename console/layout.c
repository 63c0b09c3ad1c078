#include "console/layout.h"

static int clamp(int v, int lo, int hi)
{
    return v < lo ? lo : v > hi ? hi : v;
}

void layout_compute(int cols, int rows, int zoomed, struct layout *l)
{
    int body = rows - 3, log, hosts, plots;

    *l = (struct layout){.is_too_small = cols < LAYOUT_MIN_COLS || rows < LAYOUT_MIN_ROWS};
    if (l->is_too_small)
        return;
    l->title = (struct rect){0, 0, 1, cols};
    l->command = (struct rect){rows - 2, 0, 1, cols};
    l->keys = (struct rect){rows - 1, 0, 1, cols};
    if (zoomed >= 0) {
        l->panel[zoomed] = (struct rect){1, 0, body, cols};
        return;
    }
    log = clamp(body * 3 / 10, 4, 20);
    hosts = clamp(cols / 4, 18, 32);
    plots = body - log;
    l->panel[LAYOUT_HOSTS] = (struct rect){1, 0, plots, hosts};
    for (int i = 0; i < 4; i++) {
        int width = cols - hosts - 1, left = width / 2, top = (plots + 1) / 2;
        bool is_right = i % 2, is_low = i / 2;

        l->panel[LAYOUT_PLOT_0 + i] =
            (struct rect){is_low ? 1 + top : 1, hosts + 1 + (is_right ? left : 0),
                          is_low ? plots - top : top, is_right ? width - left : left - 1};
    }
    l->panel[LAYOUT_LOG] = (struct rect){1 + plots, 0, log, cols};
}
