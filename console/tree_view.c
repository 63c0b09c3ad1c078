#include "console/tree_view.h"

#include <stdio.h>
#include <string.h>

static char *find_closed(struct tree_view *t, const char *name)
{
    for (int i = 0; i < TREE_VIEW_CLOSED; i++)
        if (!strcmp(t->closed[i], name))
            return t->closed[i];
    return NULL;
}

static void close_name(struct tree_view *t, const char *name)
{
    char *place = find_closed(t, "");

    if (place && !find_closed(t, name))
        snprintf(place, sizeof t->closed[0], "%s", name);
}

void tree_view_init(struct tree_view *t, const char *const *closed)
{
    memset(t, 0, sizeof *t);
    for (; *closed; closed++)
        close_name(t, *closed);
}

static bool has_children(const struct tree_view *t, size_t i)
{
    return i + 1 < t->n && t->node[i + 1].depth > t->node[i].depth;
}

static void find_visible(struct tree_view *t)
{
    uint64_t count = 0;

    for (size_t i = 0; i < t->n;) {
        size_t next = i + 1;

        t->visible[count++] = (uint16_t)i;
        if (has_children(t, i) && find_closed(t, t->node[i].name))
            while (next < t->n && t->node[next].depth > t->node[i].depth)
                next++;
        i = next;
    }
    list_view_set(&t->list, count, t->list.rows);
}

int tree_view_selected(const struct tree_view *t)
{
    return t->list.count ? t->visible[t->list.selected] : -1;
}

bool tree_view_select(struct tree_view *t, const char *name)
{
    for (uint64_t i = 0; i < t->list.count; i++) {
        if (!strcmp(t->node[t->visible[i]].name, name)) {
            list_view_select(&t->list, i);
            return true;
        }
    }
    return false;
}

void tree_view_set(struct tree_view *t, const struct tree_node *nodes, size_t n)
{
    int at = tree_view_selected(t);
    char name[48] = "";

    if (at >= 0)
        snprintf(name, sizeof name, "%s", t->node[at].name);
    t->n = n < TREE_VIEW_NODES ? n : TREE_VIEW_NODES;
    memcpy(t->node, nodes, t->n * sizeof *nodes);
    find_visible(t);
    tree_view_select(t, name);
}

static void toggle(struct tree_view *t, size_t i)
{
    char *place = find_closed(t, t->node[i].name);

    if (place)
        place[0] = '\0';
    else
        close_name(t, t->node[i].name);
    find_visible(t);
}

bool tree_view_act(struct tree_view *t, enum action_id id)
{
    int at = tree_view_selected(t);
    bool is_closed;

    if (id != ACTION_OPEN && id != ACTION_CLOSE)
        return list_view_act(&t->list, id);
    if (at < 0)
        return true;
    is_closed = !has_children(t, (size_t)at) || find_closed(t, t->node[at].name);
    if (id == ACTION_OPEN && is_closed && has_children(t, (size_t)at)) {
        toggle(t, (size_t)at);
    } else if (id == ACTION_CLOSE && !is_closed) {
        toggle(t, (size_t)at);
    } else if (id == ACTION_CLOSE) {
        uint64_t i = t->list.selected;

        while (i > 0 && t->node[t->visible[i]].depth >= t->node[at].depth)
            i--;
        list_view_select(&t->list, i);
    }
    return true;
}

void tree_view_draw(struct tree_view *t, WINDOW *win, const struct rect *r, bool has_focus)
{
    list_view_set(&t->list, t->list.count, r->rows);
    for (int y = 0; y < r->rows && t->list.top + (uint64_t)y < t->list.count; y++) {
        size_t i = t->visible[t->list.top + (uint64_t)y];
        bool is_selected = t->list.top + (uint64_t)y == t->list.selected;
        const struct tree_node *n = &t->node[i];
        const char *mark = !has_children(t, i) ? " " : find_closed(t, n->name) ? "+" : "-";
        char text[512];

        snprintf(text, sizeof text, "%s%*s%s %s", is_selected ? ">" : " ", 2 * n->depth, "", mark,
                 n->text);
        if (is_selected && has_focus)
            text_fill(win, r->y + y, r->x, r->cols, STYLE_BAR, text);
        else
            text_put(win, r->y + y, r->x, r->cols, is_selected ? STYLE_FOCUS : STYLE_NORMAL, text);
    }
}
