/* What every screen says of its keys, from the table of action.def, and that it has too little
 * room. Thread: main only. */
#ifndef CCALAB_CONSOLE_KEYS_H
#define CCALAB_CONSOLE_KEYS_H

#include "console/action.h"
#include "console/keymap.h"
#include "console/theme.h"

/* The key bar, in row y of the window. What does not fit is left out. */
void keys_draw_bar(WINDOW *win, int y, enum action_where where);
/* "terminal too small", in the middle of the empty screen. */
void keys_draw_too_small(int min_cols, int min_rows);

#endif
