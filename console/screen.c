#include "console/screen.h"

#include <string.h>

#include "console/keys.h"
#include "console/title.h"

void screen_init(struct screen *s)
{
    memset(s, 0, sizeof *s);
    s->zoomed = -1;
    s->focus = LAYOUT_LOG;
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
    for (int i = 0; i < LAYOUT_PANELS; i++)
        if (s->panel[i])
            drop(&s->panel[i]->win);
}

void screen_done(struct screen *s)
{
    drop_all(s);
}

bool screen_is_dirty(const struct screen *s)
{
    bool is_dirty = s->is_layout_dirty || s->title->is_dirty || s->command->is_dirty;

    for (int i = 0; i < LAYOUT_PANELS; i++)
        is_dirty |= s->panel[i]->win && s->panel[i]->is_dirty;
    return is_dirty;
}

static WINDOW *window(const struct rect *r)
{
    return r->rows > 0 && r->cols > 0 ? newwin(r->rows, r->cols, r->y, r->x) : NULL;
}

static void place(struct screen *s)
{
    drop_all(s);
    s->is_layout_dirty = false;
    layout_compute(COLS, LINES, s->zoomed, &s->layout);
    werase(stdscr);
    if (!s->layout.is_too_small) {
        s->title_win = window(&s->layout.title);
        s->command_win = window(&s->layout.command);
        s->keys_win = window(&s->layout.keys);
        for (int i = 0; i < LAYOUT_PANELS; i++) {
            s->panel[i]->win = window(&s->layout.panel[i]);
            s->panel[i]->is_dirty = true;
            s->panel[i]->has_focus = i == s->focus;
        }
    }
    wnoutrefresh(stdscr);
}

static void draw_panel(struct panel *p)
{
    int cols = getmaxx(p->win), x = 1;
    enum style style = p->has_focus ? STYLE_FOCUS : STYLE_RULE;

    p->is_dirty = false;
    werase(p->win);
    wattrset(p->win, theme_attr(style));
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
    if (getmaxy(p->win) > 1)
        p->ops->draw(p);
    wnoutrefresh(p->win);
}

void screen_draw(struct screen *s)
{
    if (s->is_layout_dirty)
        place(s);
    if (s->layout.is_too_small) {
        keys_draw_too_small(LAYOUT_MIN_COLS, LAYOUT_MIN_ROWS);
        s->title->is_dirty = s->command->is_dirty = false;
        curs_set(0);
        doupdate();
        return;
    }
    title_draw(s->title, s->title_win);
    werase(s->keys_win);
    keys_draw_bar(s->keys_win, 0, ACTION_IN_CONSOLE);
    wnoutrefresh(s->keys_win);
    for (int i = 0; i < LAYOUT_PANELS; i++)
        if (s->panel[i]->win && (s->panel[i]->is_dirty || s->has_help))
            draw_panel(s->panel[i]);
    if (s->has_help)
        keys_draw_help(ACTION_IN_CONSOLE);
    panel_command_draw(s->command, s->command_win);
    wnoutrefresh(s->command_win); /* last: the cursor is where it left it */
    curs_set(s->command->is_active);
    doupdate();
}

void screen_touch(struct screen *s)
{
    s->is_layout_dirty = true;
}

void screen_focus(struct screen *s, int step)
{
    s->panel[s->focus]->has_focus = false;
    s->panel[s->focus]->is_dirty = true;
    s->focus = (s->focus + step + LAYOUT_PANELS) % LAYOUT_PANELS;
    s->panel[s->focus]->has_focus = true;
    s->panel[s->focus]->is_dirty = true;
    if (s->zoomed >= 0) {
        s->zoomed = s->focus;
        s->is_layout_dirty = true;
    }
}

void screen_zoom(struct screen *s)
{
    s->zoomed = s->zoomed < 0 ? s->focus : -1;
    s->is_layout_dirty = true;
}

void screen_help(struct screen *s, bool is_shown)
{
    s->has_help = is_shown;
    s->is_layout_dirty = true;
}
