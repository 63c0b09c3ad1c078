/* A long list of which a window is shown and one line is selected: the arithmetic of it. Whoever
 * has the lines draws them. Thread: main only. */
#ifndef CCALAB_CONSOLE_LIST_VIEW_H
#define CCALAB_CONSOLE_LIST_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "console/action.h"

struct list_view {
    uint64_t count;    /* lines */
    uint64_t top;      /* the first one shown */
    uint64_t selected; /* always shown; 0 in an empty list */
    int rows;          /* of the window */
};

/* So many lines, so many rows for them: the selected one stays, as far as it is there. */
void list_view_set(struct list_view *l, uint64_t count, int rows);
void list_view_select(struct list_view *l, uint64_t index);
/* ACTION_UP, _DOWN, _PAGE_UP, _PAGE_DOWN, _FIRST, _LAST; false: another one. */
bool list_view_act(struct list_view *l, enum action_id id);

#endif
