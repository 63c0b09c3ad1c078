#include "console/screen.h"

#include <string.h>

#include "console/keys.h"

void screen_init(struct screen *s)
{
    memset(s, 0, sizeof *s);
    s->is_layout_dirty = true;
}

static void drop(WINDOW **win)
{
    if (*win)
        delwin(*win);
    *win = NULL;
}

static void drop_all(struct screen *s)
{
    drop(&s->title_win);
    drop(&s->command_win);
    drop(&s->keys_win);
    for (int i = 0; s->view && i < s->view->panels; i++)
        drop(&s->view->panel[i]->win);
}

void screen_done(struct screen *s)
{
    drop_all(s);
}

bool screen_is_dirty(const struct screen *s)
{
    bool is_dirty = s->is_layout_dirty || s->title->is_dirty || s->command->is_dirty;

    for (int i = 0; i < s->view->panels; i++)
        is_dirty |= s->view->panel[i]->win && s->view->panel[i]->is_dirty;
    return is_dirty;
}

static WINDOW *window(const struct rect *r)
{
    return r->rows > 0 && r->cols > 0 ? newwin(r->rows, r->cols, r->y, r->x) : NULL;
}

static void find_places(const struct screen *s, struct rect at[VIEW_PANELS_MAX])
{
    struct view *v = s->view;

    memset(at, 0, VIEW_PANELS_MAX * sizeof *at);
    if (v->is_zoomed)
        at[v->focus] = s->layout.body;
    else if (!s->layout.is_too_small)
        v->ops->layout(v, s->layout.body, at);
}

static void place_panels(struct screen *s)
{
    struct view *v = s->view;
    struct rect at[VIEW_PANELS_MAX];

    find_places(s, at);
    for (int i = 0; i < v->panels; i++) {
        v->panel[i]->win = window(&at[i]);
        v->panel[i]->is_dirty = true;
        v->panel[i]->has_focus = i == v->focus;
    }
}

static void place(struct screen *s)
{
    drop_all(s);
    s->is_layout_dirty = false;
    layout_compute(COLS, LINES, &s->layout);
    werase(stdscr);
    if (!s->layout.is_too_small) {
        s->title_win = window(&s->layout.title);
        s->command_win = window(&s->layout.command);
        s->keys_win = window(&s->layout.keys);
        place_panels(s);
    }
    wnoutrefresh(stdscr);
}

static void draw_panel(struct panel *p)
{
    int cols = getmaxx(p->win), x = 1;
    enum style style = p->has_focus ? STYLE_FOCUS : STYLE_RULE;

    p->is_dirty = false;
    werase(p->win);
    if (!p->is_bare) {
        for (int i = 0; i < cols; i++)
            text_put(p->win, 0, i, 1, style, theme_is_utf8() ? "\u2500" : "-");
        x += text_put(p->win, 0, x, cols - x, style, p->has_focus ? "[" : " ");
        x += text_put(p->win, 0, x, cols - x, style, p->title);
        x += text_put(p->win, 0, x, cols - x, style, p->has_focus ? "]" : " ");
        if (p->note) {
            x += text_put(p->win, 0, x, cols - x, style, "(");
            x += text_put(p->win, 0, x, cols - x, STYLE_WARN, p->note);
            text_put(p->win, 0, x, cols - x, style, ") ");
        }
    }
    if (p->is_bare || getmaxy(p->win) > 1)
        p->ops->draw(p);
    wnoutrefresh(p->win);
}

void screen_draw(struct screen *s)
{
    /* What lies over the panels is drawn after them, so they are all drawn. */
    bool has_box = s->help->is_open || (s->command->is_active && s->palette->n), has_cursor;

    if (s->is_layout_dirty)
        place(s);
    if (s->layout.is_too_small) {
        keys_draw_too_small(LAYOUT_MIN_COLS, LAYOUT_MIN_ROWS);
        s->title->is_dirty = s->command->is_dirty = false;
        curs_set(0);
        doupdate();
        return;
    }
    title_draw(s->title, s->title_win, s->view->ops->where);
    werase(s->keys_win);
    if (s->command->is_active && s->command->message) /* of what is typed: no room above */
        text_put(s->keys_win, 0, 0, getmaxx(s->keys_win), STYLE_WARN, s->command->message);
    else
        keys_draw_bar(s->keys_win, 0, s->view->ops->where);
    wnoutrefresh(s->keys_win);
    for (int i = 0; i < s->view->panels; i++)
        if (s->view->panel[i]->win && (s->view->panel[i]->is_dirty || has_box))
            draw_panel(s->view->panel[i]);
    if (s->help->is_open)
        help_draw(s->help);
    else if (has_box)
        palette_draw(s->palette, s->layout.command.y);
    panel_command_draw(s->command, s->command_win);
    wnoutrefresh(s->command_win);
    /* What is refreshed last has the cursor. */
    has_cursor = s->view->has_cursor && s->view->panel[s->view->focus]->win && !s->help->is_open;
    if (has_cursor && !s->command->is_active)
        wnoutrefresh(s->view->panel[s->view->focus]->win);
    curs_set(s->command->is_active || has_cursor);
    doupdate();
}

void screen_touch(struct screen *s)
{
    s->is_layout_dirty = true;
}

void screen_show(struct screen *s, struct view *v)
{
    drop_all(s); /* only the view that is shown has windows */
    s->view = v;
    s->is_layout_dirty = true;
}

void screen_focus(struct screen *s, int step)
{
    struct view *v = s->view;
    struct rect at[VIEW_PANELS_MAX];
    int before = v->focus;

    do {
        v->focus = (v->focus + step + v->panels) % v->panels;
        find_places(s, at); /* who has the focus may have a place for that alone */
    } while (!at[v->focus].rows && v->focus != before);
    s->is_layout_dirty = true;
}

void screen_zoom(struct screen *s)
{
    s->view->is_zoomed = !s->view->is_zoomed;
    s->is_layout_dirty = true;
}
