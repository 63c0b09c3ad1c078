/* The screen manager: windows, their places, focus, zoom, and what has to be drawn. It alone
 * decides when the terminal is painted. */
#ifndef CCALAB_CONSOLE_SCREEN_H
#define CCALAB_CONSOLE_SCREEN_H

#include "console/layout.h"
#include "console/panel.h"
#include "console/panel_command.h"

struct title; /* title.h */

struct screen {
    struct panel *panel[LAYOUT_PANELS]; /* borrowed */
    struct panel_command *command;      /* borrowed */
    struct title *title;                /* borrowed */
    struct layout layout;
    WINDOW *title_win, *command_win, *keys_win;
    int focus, zoomed; /* enum layout_panel; zoomed -1: none */
    bool has_help;
    bool is_layout_dirty;
};

/* After term_open(); the caller sets the borrowed pointers, then all is drawn at the first
 * screen_draw(). */
void screen_init(struct screen *s);
void screen_done(struct screen *s);
bool screen_is_dirty(const struct screen *s);
/* Draw what is dirty. */
void screen_draw(struct screen *s);
/* Everything, at the size curses knows now. */
void screen_touch(struct screen *s);
/* The next (1) or previous (-1) panel. */
void screen_focus(struct screen *s, int step);
void screen_zoom(struct screen *s);
void screen_help(struct screen *s, bool is_shown);

#endif
