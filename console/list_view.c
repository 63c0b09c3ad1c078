#include "console/list_view.h"

void list_view_select(struct list_view *l, uint64_t index)
{
    uint64_t rows = l->rows > 0 ? (uint64_t)l->rows : 1;

    l->selected = index < l->count ? index : l->count ? l->count - 1 : 0;
    if (l->selected < l->top)
        l->top = l->selected;
    if (l->selected >= l->top + rows)
        l->top = l->selected - rows + 1;
    if (l->count < l->top + rows) /* no blank rows while there are lines above */
        l->top = l->count > rows ? l->count - rows : 0;
}

void list_view_set(struct list_view *l, uint64_t count, int rows)
{
    l->count = count;
    l->rows = rows;
    list_view_select(l, l->selected);
}

bool list_view_act(struct list_view *l, enum action_id id)
{
    uint64_t page = l->rows > 1 ? (uint64_t)l->rows - 1 : 1, at = l->selected;

    switch (id) {
    case ACTION_UP:
        at -= at > 0;
        break;
    case ACTION_DOWN:
        at++;
        break;
    case ACTION_PAGE_UP:
        at = at > page ? at - page : 0;
        l->top = l->top > page ? l->top - page : 0;
        break;
    case ACTION_PAGE_DOWN:
        at += page;
        l->top += page;
        break;
    case ACTION_FIRST:
        at = 0;
        break;
    case ACTION_LAST:
        at = l->count ? l->count - 1 : 0;
        break;
    default:
        return false;
    }
    list_view_select(l, at);
    return true;
}
