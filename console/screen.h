/* The screen manager: the windows of the view that is shown and of the rows around it, and what has
 * to be drawn. It alone decides when the terminal is painted. Thread: main only. */
#ifndef CCALAB_CONSOLE_SCREEN_H
#define CCALAB_CONSOLE_SCREEN_H

#include "console/help.h"
#include "console/palette.h"
#include "console/panel_command.h"
#include "console/title.h"
#include "console/view.h"

struct screen {
    struct view *view;             /* borrowed: the one that is shown */
    struct panel_command *command; /* borrowed */
    struct title *title;           /* borrowed */
    struct layout layout;
    WINDOW *title_win, *command_win, *keys_win;
    struct help *help;       /* borrowed; drawn over the panels while it is open */
    struct palette *palette; /* borrowed; while the command line is typed */
    bool is_layout_dirty;
};

/* After the terminal is open; the caller sets the borrowed pointers, then all is drawn at the first
 * screen_draw(). */
void screen_init(struct screen *s);
void screen_done(struct screen *s);
bool screen_is_dirty(const struct screen *s);
/* Draw what is dirty. */
void screen_draw(struct screen *s);
/* Everything, at the size curses knows now. */
void screen_touch(struct screen *s);
/* Another view. */
void screen_show(struct screen *s, struct view *v);
/* The next (1) or previous (-1) panel of the view. */
void screen_focus(struct screen *s, int step);
void screen_zoom(struct screen *s);

#endif
