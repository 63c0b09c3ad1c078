#include "console/help.h"

#include <stdio.h>
#include <string.h>

#include "console/keymap.h"

#define BOX_COLS 72

bool help_matches(enum action_id id, const char *words)
{
    char labels[64], all[256];

    snprintf(all, sizeof all, "%s %s %s", actions[id].name,
             keymap_labels(id, labels, sizeof labels), actions[id].help);
    while (*(words += strspn(words, " "))) {
        size_t len = strcspn(words, " ");
        char word[64];

        snprintf(word, sizeof word, "%.*s", (int)len, words);
        if (!text_find(all, word))
            return false;
        words += len;
    }
    return true;
}

static int count_all(const struct help *h)
{
    int n = 0;

    for (int i = 0; i < ACTION_COUNT; i++)
        n += (actions[i].where & h->where) != 0;
    return n;
}

static void find(struct help *h)
{
    uint64_t n = 0;

    for (int i = 0; i < ACTION_COUNT; i++)
        if (actions[i].where & h->where && help_matches((enum action_id)i, h->filter.text))
            h->shown[n++] = (enum action_id)i;
    list_view_set(&h->list, n, h->list.rows);
}

void help_open(struct help *h, enum action_where where)
{
    *h = (struct help){.is_open = true, .where = where, .list.rows = 1};
    line_editor_init(&h->filter, NULL);
    find(h);
}

static bool walk(struct help *h, wint_t key)
{
    static const struct {
        wint_t key;
        enum action_id id;
    } moves[] = {
        {KEY_UP, ACTION_UP},           {KEY_DOWN, ACTION_DOWN},  {KEY_PPAGE, ACTION_PAGE_UP},
        {KEY_NPAGE, ACTION_PAGE_DOWN}, {KEY_HOME, ACTION_FIRST}, {KEY_END, ACTION_LAST},
    };

    for (size_t i = 0; i < sizeof moves / sizeof moves[0]; i++)
        if (moves[i].key == key)
            return list_view_act(&h->list, moves[i].id);
    return false;
}

enum action_id help_key(struct help *h, bool is_code, wint_t key)
{
    if ((!is_code && (key == '\r' || key == '\n')) || (is_code && key == KEY_ENTER)) {
        h->is_open = false;
        return h->list.count ? h->shown[h->list.selected] : ACTION_NONE;
    }
    if (!is_code && (key == 27 || key == 3)) {
        h->is_open = false;
    } else if ((is_code && key == KEY_BACKSPACE) || (!is_code && (key == 127 || key == 8))) {
        line_editor_do(&h->filter, LINE_EDIT_BACKSPACE);
        find(h);
    } else if (is_code) {
        if (!walk(h, key))
            h->is_open = false;
    } else {
        line_editor_insert(&h->filter, (uint32_t)key);
        h->list.selected = 0;
        find(h);
    }
    return ACTION_NONE;
}

static void draw_row(const struct help *h, WINDOW *win, int y, int cols, uint64_t i)
{
    bool is_selected = i == h->list.selected;
    enum action_id id = h->shown[i];
    char labels[64];

    if (is_selected)
        text_fill(win, y, 1, cols - 2, STYLE_BAR, ">");
    text_put(win, y, 2, 16, is_selected ? STYLE_BAR : STYLE_FOCUS,
             keymap_labels(id, labels, sizeof labels));
    text_put(win, y, 19, cols - 21, is_selected ? STYLE_BAR : STYLE_NORMAL, actions[id].help);
}

void help_draw(struct help *h)
{
    int rows = count_all(h) + 3, cols = BOX_COLS < COLS ? BOX_COLS : COLS;
    int most = LINES - 2; /* below are the command line and the key bar */
    WINDOW *win;

    rows = rows < most ? rows : most;
    win = rows > 3 ? newwin(rows, cols, (most - rows) / 2, (COLS - cols) / 2) : NULL;
    if (!win)
        return;
    wborder(win, '|', '|', '-', '-', '+', '+', '+', '+');
    text_put(win, 0, 2, cols - 4, STYLE_FOCUS, " Keys ");
    text_put(win, 1, 2, cols - 4, STYLE_DIM, "search: ");
    text_put(win, 1, 10, cols - 12, STYLE_FOCUS, h->filter.text);
    list_view_set(&h->list, h->list.count, rows - 3);
    for (int y = 0; y < h->list.rows && h->list.top + (uint64_t)y < h->list.count; y++)
        draw_row(h, win, 2 + y, cols, h->list.top + (uint64_t)y);
    if (!h->list.count)
        text_put(win, 2, 2, cols - 4, STYLE_WARN, "nothing is called that");
    text_put(win, rows - 1, 2, cols - 4, STYLE_DIM, " type to search, Enter runs, Esc closes ");
    wnoutrefresh(win);
    delwin(win);
}
