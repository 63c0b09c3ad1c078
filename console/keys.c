#include "console/keys.h"

#include <stdio.h>
#include <string.h>

void keys_draw_bar(WINDOW *win, int y, enum action_where where)
{
    int cols = getmaxx(win), x = 0;

    for (int i = 0; i < ACTION_COUNT; i++) {
        const char *label = keymap_label((enum action_id)i);

        if (!(actions[i].where & where) || !actions[i].bar ||
            x + (int)strlen(label) + 1 + (int)strlen(actions[i].bar) > cols)
            continue;
        /* The spaces tell keys and words apart where there is no colour that does. */
        x += text_put(win, y, x, cols - x, STYLE_KEY, label) + 1;
        x += text_put(win, y, x, cols - x, STYLE_NORMAL, actions[i].bar) + 2;
    }
}

void keys_draw_too_small(int min_cols, int min_rows)
{
    char text[80];
    int y = LINES / 2, x;

    snprintf(text, sizeof text, "terminal too small (%dx%d needed, have %dx%d)", min_cols, min_rows,
             COLS, LINES);
    werase(stdscr);
    x = ((int)strlen(text) < COLS) ? (COLS - (int)strlen(text)) / 2 : 0;
    y -= (int)strlen(text) / COLS / 2;
    if (y < 0)
        y = 0;
    for (size_t at = 0, n; text[at] && y < LINES; at += n, y++) {
        n = text_fit(text + at, COLS);
        text_put_n(stdscr, y, x, COLS, STYLE_NORMAL, text + at, n);
    }
    wnoutrefresh(stdscr);
}
