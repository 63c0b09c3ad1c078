/* A panel is a rectangle of the screen with something to show. The screen manager (screen.h) owns
 * its window and place, draws its name, and asks it to draw the rest when it is dirty. */
#ifndef CCALAB_CONSOLE_PANEL_H
#define CCALAB_CONSOLE_PANEL_H

#include <stdbool.h>

#include "console/action.h"
#include "console/theme.h"

struct panel;

struct panel_ops {
    /* Draw all of p->win but row 0. The window is blank. */
    void (*draw)(struct panel *p);
    /* Do an action if it is one of the panel's; false if it is not. Sets is_dirty where the panel
     * then looks different. May be NULL. */
    bool (*act)(struct panel *p, enum action_id id);
};

struct panel {
    const struct panel_ops *ops;
    const char *title; /* with the unit: "RTT [ms]" */
    const char *note;  /* behind the title, "paused"; or NULL */
    WINDOW *win;       /* NULL while it is not on the screen */
    bool is_dirty;
    bool has_focus;
};

#endif
