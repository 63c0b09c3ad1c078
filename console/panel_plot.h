/* One live plot: every series whose name ends as asked. */
#ifndef CCALAB_CONSOLE_PANEL_PLOT_H
#define CCALAB_CONSOLE_PANEL_PLOT_H

#include "console/cells.h"
#include "console/panel.h"
#include "core/series.h"

#define PANEL_PLOT_LINES 8

struct panel_plot_kind {
    const char *title;
    const char *endings[3]; /* of series names, NULL-terminated */
    double scale;           /* to the unit in the title */
    bool is_rolling;        /* the last minute; otherwise everything there is */
};

enum panel_plot_id { PANEL_PLOT_THROUGHPUT, PANEL_PLOT_CWND, PANEL_PLOT_RTT, PANEL_PLOT_LOSS };

struct panel_plot {
    struct panel base;
    const struct panel_plot_kind *kind;
    const struct series_set *set;
    struct cells cells;
    bool is_paused;
    double pause_t; /* newest time in view while paused */
};

void panel_plot_init(struct panel_plot *p, enum panel_plot_id id, const struct series_set *set);
void panel_plot_done(struct panel_plot *p);
/* Is this series shown here? */
bool panel_plot_wants(const struct panel_plot *p, const char *series_name);
/* Put a drawn plot on the screen, its first cell at (top, left) of the window. */
void panel_plot_cells(WINDOW *win, int top, int left, const struct cells *c);
void panel_plot_pause(struct panel_plot *p, bool is_paused);

#endif
