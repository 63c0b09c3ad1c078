#include "console/panel_text.h"

static void draw(struct panel *base)
{
    struct panel_text *p = (struct panel_text *)base;
    struct rect r = {1, 0, getmaxy(base->win) - 1, getmaxx(base->win)};

    for (int i = 0; !p->text.nlines && i < 2 && i < r.rows; i++)
        if (p->empty[i])
            text_put(base->win, 1 + i, 0, r.cols, STYLE_DIM, p->empty[i]);
    text_view_draw(&p->text, base->win, &r, base->has_focus);
}

static bool act(struct panel *base, enum action_id id)
{
    bool is_ours = text_view_act(&((struct panel_text *)base)->text, id);

    base->is_dirty |= is_ours;
    return is_ours;
}

static bool search(struct panel *base, const char *text, int step)
{
    bool is_found = text_view_search(&((struct panel_text *)base)->text, text, step);

    base->is_dirty |= is_found;
    return is_found;
}

static bool copy(struct panel *base, char *out, size_t size)
{
    return text_view_copy(&((struct panel_text *)base)->text, out, size);
}

static void click(struct panel *base, int y)
{
    text_view_click(&((struct panel_text *)base)->text, y - 1);
    base->is_dirty = true;
}

static const struct panel_ops ops = {
    .draw = draw, .act = act, .search = search, .copy = copy, .click = click};

void panel_text_init(struct panel_text *p, const char *title)
{
    *p = (struct panel_text){.base = {.ops = &ops, .title = title, .is_dirty = true}};
}

void panel_text_done(struct panel_text *p)
{
    text_view_done(&p->text);
}
