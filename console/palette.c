#include "console/palette.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "console/keymap.h"

#define BOX_COLS 72

/* How well `text` fits a name: 3 the whole, 2 its beginning, 1 the letters in their order, 0 no. */
static int rank(const char *name, const char *text)
{
    size_t len = strlen(text);

    if (!strncmp(name, text, len))
        return name[len] ? 2 : 3;
    for (; *text; text++, name++) {
        name = strchr(name, *text);
        if (!name)
            return 0;
    }
    return 1;
}

bool palette_find(struct palette *p, enum action_where where, const char *text)
{
    struct palette before = *p;

    p->n = 0;
    if (text[0] && text[strspn(text, "abcdefghijklmnopqrstuvwxyz-")] == '\0')
        for (int wanted = 3; wanted > 0; wanted--)
            for (int i = 0; i < ACTION_COUNT; i++)
                if (actions[i].where & where && rank(actions[i].name, text) == wanted)
                    p->found[p->n++] = (enum action_id)i;
    return before.n != p->n || memcmp(before.found, p->found, (size_t)p->n * sizeof p->found[0]);
}

bool palette_complete(const struct palette *p, struct line_editor *line)
{
    const char *first = p->n ? actions[p->found[0]].name : "";
    size_t typed = line->len, agreed = strlen(first);

    if (!p->n || line->cursor != line->len)
        return false;
    if (rank(first, line->text) >= 2) {
        for (int i = 1; i < p->n; i++) {
            const char *name = actions[p->found[i]].name;
            size_t same = 0;

            if (rank(name, line->text) < 2)
                continue;
            while (same < agreed && name[same] == first[same])
                same++;
            agreed = same;
        }
        if (agreed <= typed && p->n > 1)
            return false; /* the rest may be Lua: "lab" */
    }
    line_editor_do(line, LINE_EDIT_KILL_BEFORE);
    for (size_t i = 0; i < agreed; i++)
        line_editor_insert(line, (unsigned char)first[i]);
    return true;
}

enum action_id palette_action(const char *line, const char **argument)
{
    size_t len;
    const char *rest;
    enum action_id id;

    line += strspn(line, " ");
    len = strcspn(line, " ");
    rest = line + len + strspn(line + len, " ");
    id = action_named(line, len);
    *argument = rest;
    /* "packets = 3" and the like are Lua. */
    if (id != ACTION_NONE && *rest && !isalnum((unsigned char)*rest) && !strchr("/.~_-", *rest))
        return ACTION_NONE;
    return id;
}

void palette_draw(const struct palette *p, int y)
{
    int rows = p->n < PALETTE_ROWS ? p->n : PALETTE_ROWS, cols = BOX_COLS < COLS ? BOX_COLS : COLS;
    WINDOW *win;

    if (rows > y)
        rows = y;
    win = rows > 0 ? newwin(rows, cols, y - rows, 0) : NULL;
    if (!win)
        return;
    for (int i = 0; i < rows; i++) {
        enum action_id id = p->found[i];
        char text[160], labels[64];

        snprintf(text, sizeof text, " %-14s %-12s %s", actions[id].name,
                 keymap_labels(id, labels, sizeof labels), actions[id].help);
        text_fill(win, i, 0, cols, i ? STYLE_NORMAL : STYLE_BAR, text);
    }
    wnoutrefresh(win);
    delwin(win);
}
