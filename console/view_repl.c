/* The screen REPL: Lua as blocks of lines, what came of them above. While the editor has the focus
 * all keys are text: Esc, S-Tab or the function keys lead out of it. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "console/console.h"
#include "console/panel_log.h"
#include "console/term.h"
#include "console/view.h"

enum { RESULTS, EDITOR };

#define HINT_ROWS 2

struct view_repl {
    struct view base;
    struct panel_log results;
    struct panel editor_panel;
    struct line_editor editor;
    struct lua_line lua;
    int lines; /* of the text, when it was laid out last */
};

static struct view_repl *of_panel(struct panel *p)
{
    return (struct view_repl *)((char *)p - offsetof(struct view_repl, editor_panel));
}

static int lines_before(const struct line_editor *le, size_t end)
{
    int n = 0;

    for (size_t i = 0; i < end; i++)
        n += le->text[i] == '\n';
    return n;
}

/* --- the editor as a panel -------------------------------------------------------------------- */

/* One line of the text; `cursor` is a byte offset into it, or -1. */
static void draw_line(WINDOW *win, int y, const char *prompt, const char *s, size_t len,
                      long cursor)
{
    int x = text_put(win, y, 0, getmaxx(win), STYLE_FOCUS, prompt), cols = getmaxx(win) - x - 1;
    size_t from = 0;
    int at;

    /* Scroll so that the cursor is in view. */
    while (cursor >= 0 && text_columns(s + from, (size_t)cursor - from) > cols)
        from += text_fit(s + from, 1);
    text_put_n(win, y, x, cols, STYLE_NORMAL, s + from, len - from);
    if (cursor < 0)
        return;
    at = x + text_columns(s + from, (size_t)cursor - from);
    mvwchgat(win, y, at, 1, A_REVERSE, 0, NULL);
}

static void draw_editor(struct panel *base)
{
    struct view_repl *r = of_panel(base);
    const struct line_editor *le = &r->editor;
    int rows = getmaxy(base->win) - 1 - HINT_ROWS, at = lines_before(le, le->cursor);
    int top = at >= rows ? at - rows + 1 : 0, line = 0;
    char offer[1024];
    const char *s = le->text;

    for (; line < top; line++)
        s = strchr(s, '\n') + 1;
    for (int y = 0; y < rows; y++, line++) {
        size_t len = strcspn(s, "\n");

        draw_line(base->win, 1 + y, line ? ">> " : "> ", s, len,
                  base->has_focus && line == at ? (long)(le->text + le->cursor - s) : -1);
        if (!s[len])
            break;
        s += len + 1;
    }
    if (le->is_searching) {
        int x = text_put(base->win, rows + 1, 2, getmaxx(base->win) - 2, STYLE_FOCUS,
                         le->has_match ? "search: " : "not found: ");

        text_put(base->win, rows + 1, 2 + x, getmaxx(base->win) - 2 - x, STYLE_NORMAL, le->wanted);
        return;
    }
    if (r->lua.words.hint)
        text_put(base->win, rows + 1, 2, getmaxx(base->win) - 2, STYLE_DIM, r->lua.words.hint);
    text_put(base->win, rows + 2, 2, getmaxx(base->win) - 2, STYLE_DIM,
             lua_line_offer(&r->lua, offer, sizeof offer));
}

static const struct panel_ops editor_ops = {.draw = draw_editor};

/* --- the screen ------------------------------------------------------------------------------- */

static void layout(struct view *v, struct rect area, struct rect out[])
{
    struct view_repl *r = (struct view_repl *)v;
    int rows = 1 + r->lines + HINT_ROWS, most = area.rows * 2 / 3;

    rows = rows < most ? rows : most;
    out[RESULTS] = out[EDITOR] = area;
    out[RESULTS].rows = area.rows - rows;
    out[EDITOR].y = area.y + area.rows - rows;
    out[EDITOR].rows = rows;
}

static void enter(struct view_repl *r)
{
    struct console *c = r->base.console;
    char *text = strdup(r->editor.text);

    if (text && text[strspn(text, " \n")]) {
        line_editor_clear(&r->editor); /* before the evaluation, which draws */
        lua_line_clear(&r->lua);
        r->results.is_back = false;
        c->ops->eval(c->user, text);
    }
    free(text);
    line_editor_clear(&r->editor);
}

/* Keys that are no text, and mean what they mean elsewhere. */
static bool is_for_console(bool is_code, wint_t key)
{
    if (!is_code)
        return key == 3 || key == 12;
    return key == KEY_BTAB || key == KEY_PPAGE || key == KEY_NPAGE || key == KEY_MOUSE ||
           (key >= KEY_F0 && key <= KEY_F(63));
}

static bool key(struct view *v, bool is_code, wint_t code)
{
    struct view_repl *r = (struct view_repl *)v;

    if (v->focus != EDITOR && !(is_code && code == TERM_KEY_PASTE))
        return false;
    if (!r->editor.is_pasting && is_for_console(is_code, code))
        return false;
    if (v->focus != EDITOR)
        screen_focus(&v->console->screen, EDITOR - v->focus);
    r->lua.script = v->session->script;
    switch (lua_line_key(&r->lua, &r->editor, is_code, code)) {
    case LINE_KEY_ENTER:
        enter(r);
        break;
    case LINE_KEY_LEAVE:
        if (!r->editor.len)
            screen_focus(&v->console->screen, RESULTS - v->focus);
        line_editor_clear(&r->editor);
        lua_line_clear(&r->lua);
        break;
    default:
        break;
    }
    r->editor_panel.is_dirty = true;
    if (lines_before(&r->editor, r->editor.len) + 1 != r->lines) {
        r->lines = lines_before(&r->editor, r->editor.len) + 1;
        console_touch(v->console);
    }
    return true;
}

static bool act(struct view *v, enum action_id id)
{
    struct view_repl *r = (struct view_repl *)v;

    if (id == ACTION_OPEN && v->focus != EDITOR) {
        screen_focus(&v->console->screen, EDITOR - v->focus);
        return true;
    }
    return r->results.base.ops->act(&r->results.base, id);
}

static bool look(struct view *v)
{
    panel_log_look(&((struct view_repl *)v)->results);
    return false;
}

static void show(struct view *v, bool is_shown)
{
    struct view_repl *r = (struct view_repl *)v;

    if (is_shown && !r->editor.len) /* the history may have grown */
        line_editor_clear(&r->editor);
}

static void done(struct view *v)
{
    lua_line_done(&((struct view_repl *)v)->lua);
    free(v);
}

static const struct view_ops ops = {.where = ACTION_IN_REPL,
                                    .layout = layout,
                                    .key = key,
                                    .act = act,
                                    .look = look,
                                    .show = show,
                                    .done = done};

struct view *view_repl_new(const struct view_env *env)
{
    struct view_repl *r = calloc(1, sizeof *r);

    if (!r)
        return NULL;
    view_init(&r->base, &ops, env);
    line_editor_init(&r->editor, &env->console->command.history);
    r->lines = 1;
    panel_log_init(&r->results, env->log);
    r->results.base.title = "Results";
    r->editor_panel = (struct panel){.ops = &editor_ops,
                                     .title = "Lua (Enter runs, ^R history, ^O new line, Esc out)"};
    view_add(&r->base, &r->results.base, 0);
    r->base.focus = view_add(&r->base, &r->editor_panel, 0);
    return &r->base;
}
