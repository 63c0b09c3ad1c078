/* A panel is a rectangle of the screen with something to show. The screen manager (screen.h) owns
 * its window and place, draws its name, and asks it to draw the rest when it is dirty. */
#ifndef CCALAB_CONSOLE_PANEL_H
#define CCALAB_CONSOLE_PANEL_H

#include <stdbool.h>

#include "console/action.h"
#include "console/theme.h"

struct panel;

struct panel_ops {
    /* Draw all of p->win but row 0 (with is_bare: all of it). The window is blank. */
    void (*draw)(struct panel *p);
    /* Do an action if it is one of the panel's; false if it is not. Sets is_dirty where the panel
     * then looks different. May be NULL. */
    bool (*act)(struct panel *p, enum action_id id);
    /* Select the next (step 1) or previous (-1) line that has `text` in it, whatever its case,
     * going round at the end; with step 0 the selected one counts too. False: there is none. NULL:
     * nothing to search in. text_find() compares. */
    bool (*search)(struct panel *p, const char *text, int step);
    /* The selected line or value as text, for the clipboard; false: nothing is selected. May be
     * NULL. */
    bool (*copy)(struct panel *p, char *out, size_t size);
    /* Row `y` of the window was clicked on: select what is there. May be NULL. */
    void (*click)(struct panel *p, int y);
};

struct panel {
    const struct panel_ops *ops;
    const char *title; /* with the unit: "RTT [ms]" */
    const char *note;  /* behind the title, "paused"; or NULL */
    WINDOW *win;       /* NULL while it is not on the screen */
    bool is_bare;      /* no row with the title */
    bool is_dirty;
    bool has_focus;
};

#endif
