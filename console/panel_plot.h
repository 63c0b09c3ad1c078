/* One plot: every series whose name ends as asked, live or of a record, with a cursor, zoom, and
 * the moments that the event stream tells of (core/plot_marks.h). */
#ifndef CCALAB_CONSOLE_PANEL_PLOT_H
#define CCALAB_CONSOLE_PANEL_PLOT_H

#include "console/cells.h"
#include "console/panel.h"
#include "core/series.h"

#define PANEL_PLOT_LINES  32
#define PANEL_PLOT_LEVELS 6

struct panel_plot_kind {
    const char *title;
    const char *endings[3]; /* of series names, NULL-terminated */
    double scale;           /* to the unit in the title */
    bool is_rolling;        /* the last minute; otherwise everything there is */
    const char *labels[3];  /* of the endings, where one source is shown */
};

enum panel_plot_id {
    PANEL_PLOT_THROUGHPUT,
    PANEL_PLOT_CWND,
    PANEL_PLOT_RTT,
    PANEL_PLOT_LOSS,
    PANEL_PLOT_MARKS,
    PANEL_PLOT_QUEUE,
    PANEL_PLOT_LEARNING_RATE,
    PANEL_PLOT_GRADIENT,
    PANEL_PLOT_WINDOW,
};

struct panel_plot {
    struct panel base;
    struct panel_plot_kind kind;
    const struct series_set *set;
    char source[SERIES_NAME_MAX]; /* show only its series; "": those of all */
    struct cells cells;
    struct {
        char label[24];
        double value;
    } levels[PANEL_PLOT_LEVELS]; /* baselines */
    size_t nlevels;
    bool is_paused, is_log_y, has_cursor;
    double end_t;    /* right end of the view while paused */
    double span_s;   /* width of the view; 0: as the kind says */
    double cursor_t; /* with has_cursor */
    double x0, x1;   /* drawn last */
    char note[48];   /* base.note points here */
};

void panel_plot_init(struct panel_plot *p, enum panel_plot_id id, const struct series_set *set);
void panel_plot_done(struct panel_plot *p);
/* Show other data: live, or of a record. The view is that of a new panel. */
void panel_plot_show(struct panel_plot *p, const struct series_set *set, bool is_rolling);
/* Show the series of one source alone, "client_x"; "": of all. The source is cut where it is too
 * long for a series. */
void panel_plot_source(struct panel_plot *p, const char *source);
/* A baseline: a horizontal line, in the unit of the title. Replaces one of the same label; more
 * than PANEL_PLOT_LEVELS are left out. */
void panel_plot_level(struct panel_plot *p, const char *label, double value);
/* Is this series shown here? */
bool panel_plot_wants(const struct panel_plot *p, const char *series_name);
/* Put a drawn plot on the screen, its first cell at (top, left) of the window. */
void panel_plot_cells(WINDOW *win, int top, int left, const struct cells *c);
/* Hold it still, and back: it then follows what comes, without a cursor. */
void panel_plot_pause(struct panel_plot *p, bool is_paused);
/* Write what is in view as CSV (plot_csv()) into a new file TITLE-UTC.csv of the directory `dir`;
 * its path into `path`. Errors: STATUS_IO, STATUS_NOMEM. */
CCALAB_MUST_USE enum status panel_plot_export(struct panel_plot *p, const char *dir, char *path,
                                              size_t size, struct error *err);

#endif
