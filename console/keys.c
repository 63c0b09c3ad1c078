#include "console/keys.h"

#include <stdio.h>
#include <string.h>

static int count(enum action_where where)
{
    int n = 0;

    for (int i = 0; i < ACTION_COUNT; i++)
        n += (actions[i].where & where) != 0;
    return n;
}

void keys_draw_bar(WINDOW *win, int y, enum action_where where)
{
    int cols = getmaxx(win), x = 0;

    for (int i = 0; i < ACTION_COUNT; i++) {
        const char *label = action_label((enum action_id)i);

        if (!(actions[i].where & where) || !actions[i].bar ||
            x + (int)strlen(label) + 1 + (int)strlen(actions[i].bar) > cols)
            continue;
        /* The spaces tell keys and words apart where there is no colour that does. */
        x += text_put(win, y, x, cols - x, STYLE_KEY, label) + 1;
        x += text_put(win, y, x, cols - x, STYLE_NORMAL, actions[i].bar) + 2;
    }
}

void keys_draw_help(enum action_where where)
{
    int rows = count(where) + 2, cols = 68, y = 1;
    WINDOW *win;

    rows = rows < LINES ? rows : LINES;
    cols = cols < COLS ? cols : COLS;
    win = newwin(rows, cols, (LINES - rows) / 2, (COLS - cols) / 2);
    if (!win)
        return;
    wborder(win, '|', '|', '-', '-', '+', '+', '+', '+');
    text_put(win, 0, 2, cols - 4, STYLE_FOCUS, " Keys ");
    for (int i = 0; i < ACTION_COUNT && y < rows - 1; i++) {
        char labels[32];

        if (!(actions[i].where & where))
            continue;
        action_labels((enum action_id)i, labels, sizeof labels);
        text_put(win, y, 2, 14, STYLE_FOCUS, labels);
        text_put(win, y++, 17, cols - 19, STYLE_NORMAL, actions[i].help);
    }
    text_put(win, rows - 1, 2, cols - 4, STYLE_DIM, " any key closes this ");
    wnoutrefresh(win);
    delwin(win);
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
