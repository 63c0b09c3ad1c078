/* The help: all actions of a screen with their keys and what they do, filtered by what is typed;
 * the selected one is run. A box over the screen. Thread: main only. */
#ifndef CCALAB_CONSOLE_HELP_H
#define CCALAB_CONSOLE_HELP_H

#include "console/line_editor.h"
#include "console/list_view.h"
#include "console/theme.h"

struct help {
    bool is_open;
    enum action_where where;
    struct line_editor filter;
    struct list_view list;
    enum action_id shown[ACTION_COUNT];
};

/* For the screen of that bit. */
void help_open(struct help *h, enum action_where where);
/* A key, as from wget_wch(3). Returns the action to be done, the help being closed then, or
 * ACTION_NONE. */
enum action_id help_key(struct help *h, bool is_code, wint_t key);
/* In the middle of the standard screen. */
void help_draw(struct help *h);

/* Is the action meant by the words typed: each in its name, its keys or what it does? */
bool help_matches(enum action_id id, const char *words);

#endif
