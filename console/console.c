#include "console/console.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "console/keymap.h"
#include "console/term.h"
#include "console/utf8.h"
#include "core/buf.h"
#include "core/log.h"

#define LAYOUT_FILE_MAX (16u << 10)

/* --- what is said and asked ------------------------------------------------------------------- */

void console_hush(struct console *c)
{
    c->message[0] = '\0';
    c->command.message = NULL;
    c->command.is_dirty = true;
}

void console_say(struct console *c, const char *fmt, ...)
{
    char text[sizeof c->message];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    log_escape(text, c->message, sizeof c->message);
    c->command.message = c->message[0] ? c->message : NULL;
    c->command.is_dirty = true;
}

void console_say_error(struct console *c, const struct error *err)
{
    console_say(c, "%s%s%s", err->message, err->hint[0] ? "; " : "", err->hint);
}

static void close_line(struct console *c)
{
    if (c->palette.n)
        screen_touch(&c->screen);
    c->palette.n = 0;
    panel_command_close(&c->command);
    c->prompt.done = NULL;
}

static void give_up(struct console *c)
{
    struct console_prompt p = c->prompt;

    if (c->questions.is_shown) {
        questions_answer(&c->questions, false);
        return;
    }
    close_line(c);
    if (p.done)
        p.done(p.user, NULL);
}

bool console_give_up(struct console *c)
{
    struct view *v = c->screen.view;

    if (c->command.is_active)
        give_up(c);
    else
        return v->has_cursor && v->ops->key && v->ops->key(v, false, 3);
    return true;
}

void console_ask(struct console *c, const struct console_prompt *p)
{
    uint32_t cp;

    if (c->command.is_active)
        give_up(c);
    c->prompt = *p;
    panel_command_ask(&c->command, p->label, false);
    c->command.editor.history = p->history;
    line_editor_clear(&c->command.editor);
    for (const char *s = p->text ? p->text : ""; *s; s += utf8_decode(s, &cp)) {
        utf8_decode(s, &cp);
        line_editor_insert(&c->command.editor, cp);
    }
}

void console_confirm(struct console *c, const char *text, void (*fn)(void *user, bool is_yes),
                     void *user)
{
    console_say(c, "%s", text);
    c->confirmed = fn;
    c->confirmed_user = user;
}

/* --- searching -------------------------------------------------------------------------------- */

static void search(struct console *c, int step)
{
    struct view *v = c->screen.view;
    struct panel *p = v->panel[v->focus];

    if (!c->search[0])
        console_say(c, "nothing was searched for: / begins");
    else if (!p->ops->search)
        console_say(c, "there is nothing to search in this panel");
    else if (!p->ops->search(p, c->search, step))
        console_say(c, "not found: %s", c->search);
}

static bool search_done(void *user, const char *text)
{
    struct console *c = user;

    if (!text)
        return true;
    if (*text)
        snprintf(c->search, sizeof c->search, "%s", text);
    search(c, 0);
    return true;
}

/* --- actions and keys ------------------------------------------------------------------------- */

static const enum action_id show_action[] = {
#define X(id, name, label) [VIEW_##id] = ACTION_SCREEN_##id,
    CCALAB_VIEWS(X)
#undef X
};

void console_show(struct console *c, enum view_id id)
{
    struct view *from = c->screen.view, *to = c->view[id];

    if (from == to)
        return;
    c->current = id;
    screen_show(&c->screen, to);
    if (from && from->ops->show)
        from->ops->show(from, false);
    if (to->ops->show)
        to->ops->show(to, true);
}

static void act_in_view(struct console *c, enum action_id id)
{
    struct view *v = c->screen.view;
    struct panel *p = v->panel[v->focus];

    if (p->ops->act && p->ops->act(p, id))
        return;
    if (v->ops->act)
        v->ops->act(v, id);
}

static void share_set(struct view *v, int i, int share);

static void size_panel(struct console *c, enum action_id id)
{
    struct view *v = c->screen.view;
    int by = v->sized_by[v->focus], share = (by < 0 ? -by : by) - 1;
    int step = (id == ACTION_GROW) == (by > 0) ? 50 : -50;

    if (id == ACTION_EVEN) {
        memcpy(v->share, v->first_share, sizeof v->share);
    } else if (!by) {
        console_say(c, "this panel has the whole screen");
        return;
    } else {
        share_set(v, share, v->share[share] + step);
    }
    c->is_resized = true;
    screen_touch(&c->screen);
}

static void copy(struct console *c)
{
    struct view *v = c->screen.view;
    struct panel *p = v->panel[v->focus];
    char text[LINE_EDITOR_MAX];

    if (!p->ops->copy || !p->ops->copy(p, text, sizeof text))
        console_say(c, "nothing is selected in this panel");
    else if (!c->ops->copy || !c->ops->copy(c->user, text))
        console_say(c, "this terminal has no clipboard");
    else
        console_say(c, "copied: %s", text);
}

void console_mouse(struct console *c, bool is_on)
{
    c->has_mouse = c->ops->mouse && c->ops->mouse(c->user, is_on) && is_on;
}

/* A press on the tabs, a panel or the wheel over one. */
static void mouse_key(struct console *c)
{
    struct view *v = c->screen.view;
    enum action_id id;
    MEVENT m;
    int tab;

    if (getmouse(&m) != OK || c->screen.layout.is_too_small)
        return;
    tab = m.y == 0 && m.bstate & BUTTON1_PRESSED ? title_tab_at(&c->title, m.x) : -1;
    if (tab >= 0) {
        console_show(c, (enum view_id)tab);
        return;
    }
    for (int i = 0; i < v->panels; i++) {
        struct panel *p = v->panel[i];

        if (!p->win || !wenclose(p->win, m.y, m.x))
            continue;
        if (v->focus != i) {
            v->focus = i;
            screen_touch(&c->screen);
        }
        if (m.bstate & BUTTON1_PRESSED) {
            if (p->ops->click)
                p->ops->click(p, m.y - getbegy(p->win));
            return;
        }
        id = m.bstate & BUTTON4_PRESSED ? ACTION_UP : ACTION_DOWN;
        for (int k = 0; k < 3; k++)
            act_in_view(c, id);
        return;
    }
}

void console_act(struct console *c, enum action_id id)
{
    for (int i = 0; i < VIEW_COUNT; i++) {
        if (id == show_action[i]) {
            console_show(c, (enum view_id)i);
            return;
        }
    }
    switch (id) {
    case ACTION_NONE:
        break;
    case ACTION_HELP:
        help_open(&c->help, c->screen.view->ops->where);
        screen_touch(&c->screen);
        break;
    case ACTION_COMMAND:
        panel_command_open(&c->command);
        break;
    case ACTION_SEARCH:
        console_ask(c,
                    &(struct console_prompt){.label = "Search: ", .done = search_done, .user = c});
        break;
    case ACTION_SEARCH_NEXT:
        search(c, 1);
        break;
    case ACTION_SEARCH_PREV:
        search(c, -1);
        break;
    case ACTION_FOCUS_NEXT:
        screen_focus(&c->screen, 1);
        break;
    case ACTION_FOCUS_PREV:
        screen_focus(&c->screen, -1);
        break;
    case ACTION_ZOOM:
        screen_zoom(&c->screen);
        break;
    case ACTION_GROW:
    case ACTION_SHRINK:
    case ACTION_EVEN:
        size_panel(c, id);
        break;
    case ACTION_COPY:
        copy(c);
        break;
    case ACTION_MOUSE:
        console_mouse(c, !c->has_mouse);
        console_say(c, c->has_mouse ? "the mouse chooses; with Shift it selects text"
                                    : "the mouse is the terminal's");
        break;
    case ACTION_THEME:
        console_say(c, "theme %s", theme_next());
        screen_touch(&c->screen);
        break;
    case ACTION_CANCEL:
        c->ops->interrupt(c->user);
        break;
    case ACTION_QUIT:
        c->ops->quit(c->user);
        break;
    case ACTION_REDRAW:
        clearok(curscr, TRUE);
        screen_touch(&c->screen);
        break;
    default:
        act_in_view(c, id);
        break;
    }
}

void console_run_line(struct console *c, const char *line)
{
    const char *argument;
    enum action_id id = palette_action(line, &argument);

    if (id == ACTION_THEME && *argument) {
        history_add(&c->command.history, line);
        if (theme_set(argument))
            screen_touch(&c->screen);
        else
            console_say(c, "no theme is called %s: " THEME_NAMES, argument);
        return;
    }
    if (id == ACTION_NONE || *argument) {
        if (line[strspn(line, " ")])
            c->ops->eval(c->user, line);
        return;
    }
    history_add(&c->command.history, line);
    if (actions[id].where & c->screen.view->ops->where)
        console_act(c, id);
    else
        console_say(c, "%s is for other screens: %s", actions[id].name, actions[id].help);
}

static void enter_line(struct console *c)
{
    struct console_prompt p = c->prompt;
    const char *text = c->command.editor.text;
    char copy[LINE_EDITOR_MAX];

    if (c->questions.is_shown) {
        questions_answer(&c->questions, true);
        return;
    }
    snprintf(copy, sizeof copy, "%s", text);
    if (!p.done) {
        close_line(c);
        console_run_line(c, copy);
        return;
    }
    close_line(c);
    if (p.done(p.user, copy))
        return;
    p.text = copy;
    console_ask(c, &p);
}

static void renew_palette(struct console *c)
{
    bool is_lua = !c->prompt.done && !c->questions.is_shown;

    c->command.is_dirty = true;
    if (palette_find(&c->palette, c->screen.view->ops->where, is_lua ? c->command.editor.text : ""))
        screen_touch(&c->screen);
}

static void line_key(struct console *c, bool is_code, wint_t key)
{
    bool is_tab = !is_code && key == '\t' && !c->command.editor.is_pasting;

    console_hush(c);
    if (c->prompt.done && c->prompt.complete && is_tab) {
        c->prompt.complete(c->prompt.user, &c->command.editor);
        c->command.is_dirty = true;
        return;
    }
    if (!c->prompt.done && is_tab && palette_complete(&c->palette, &c->command.editor)) {
        renew_palette(c);
        return;
    }
    switch (panel_command_key(&c->command, is_code, key)) {
    case PANEL_COMMAND_ENTER:
        enter_line(c);
        break;
    case PANEL_COMMAND_LEAVE:
        give_up(c);
        break;
    case PANEL_COMMAND_OTHER:
        if (c->prompt.done && c->prompt.changed)
            c->prompt.changed(c->prompt.user, c->command.editor.text);
        renew_palette(c);
        break;
    }
}

void console_key(struct console *c, bool is_code, wint_t key)
{
    struct view *v = c->screen.view;

    /* Pasted text is no answer and no actions: it is to be edited. */
    if (is_code && key == TERM_KEY_PASTE && !c->command.is_active) {
        if (c->confirmed)
            console_key(c, false, 'n');
        if (c->help.is_open) {
            help_key(&c->help, false, 27);
            screen_touch(&c->screen);
        }
        if (!v->ops->key || !v->ops->key(v, is_code, key)) {
            panel_command_open(&c->command);
            line_key(c, is_code, key);
        }
        return;
    }
    if (c->confirmed) {
        void (*fn)(void *user, bool is_yes) = c->confirmed;

        c->confirmed = NULL;
        console_hush(c);
        fn(c->confirmed_user, !is_code && (key == 'y' || key == 'Y'));
        return;
    }
    if (c->command.is_active) {
        if (!is_code || key != KEY_MOUSE)
            line_key(c, is_code, key);
        return;
    }
    if (c->help.is_open) {
        enum action_id id = help_key(&c->help, is_code, key);

        screen_touch(&c->screen);
        console_act(c, id);
        return;
    }
    if (c->message[0])
        console_hush(c);
    if (is_code && key == KEY_MOUSE) {
        mouse_key(c);
        return;
    }
    if (v->ops->key && v->ops->key(v, is_code, key))
        return;
    /* Above ASCII the codes of characters and of function keys overlap. */
    if (is_code || key < 0x80)
        console_act(c, keymap_action(v->ops->where, (int)key));
}

/* --- life ------------------------------------------------------------------------------------- */

void console_event(struct console *c, const struct event *ev)
{
    title_event(&c->title, ev);
    for (int i = 0; i < VIEW_COUNT; i++)
        if (c->view[i]->ops->event)
            c->view[i]->ops->event(c->view[i], ev);
}

bool console_look(struct console *c)
{
    bool has_more = false;

    questions_look(&c->questions);
    for (int i = 0; i < VIEW_COUNT; i++)
        if (c->view[i]->ops->look)
            has_more |= c->view[i]->ops->look(c->view[i]);
    return has_more;
}

bool console_is_dirty(const struct console *c)
{
    return screen_is_dirty(&c->screen);
}

void console_draw(struct console *c)
{
    screen_draw(&c->screen);
}

void console_touch(struct console *c)
{
    screen_touch(&c->screen);
}

static void share_set(struct view *v, int i, int share)
{
    v->share[i] = share < 50 ? 50 : share > 950 ? 950 : share;
}

void console_keep_layout(struct console *c, const char *path)
{
    struct buf b;

    snprintf(c->layout_path, sizeof c->layout_path, "%s", path);
    if (buf_read_file(&b, path, LAYOUT_FILE_MAX, NULL) == STATUS_OK) {
        for (const char *s = b.data; *s; s += strcspn(s, "\n"), s += *s == '\n') {
            char name[16];
            int i, share;

            if (sscanf(s, "%15[A-Za-z] %4d %6d", name, &i, &share) != 3)
                continue;
            for (int k = 0; k < VIEW_COUNT; k++)
                if (!strcmp(view_label((enum view_id)k), name) && i >= 0 && i < c->view[k]->shares)
                    share_set(c->view[k], i, share);
        }
    }
    buf_done(&b);
    screen_touch(&c->screen);
}

/* Lines "Lab 0 650": screen, which of its shares, thousandths. */
static void write_layout(const struct console *c)
{
    struct error err;
    struct buf b;

    if (!c->is_resized || !c->layout_path[0])
        return;
    buf_init(&b, LAYOUT_FILE_MAX);
    for (int k = 0; k < VIEW_COUNT; k++)
        for (int i = 0; c->view[k] && i < c->view[k]->shares; i++)
            buf_printf(&b, "%s %d %d\n", view_label((enum view_id)k), i, c->view[k]->share[i]);
    if (path_mkdirs_above(c->layout_path, &err) != STATUS_OK ||
        file_write_atomic(c->layout_path, b.data, b.len, &err) != STATUS_OK)
        log_err(&err);
    buf_done(&b);
}

enum status console_init(struct console *c, struct session *session, enum view_id first,
                         const struct console_ops *ops, void *user, struct error *err)
{
    static struct view *(*const make[])(const struct view_env *env) = {
#define X(id, name, label) [VIEW_##id] = view_##name##_new,
        CCALAB_VIEWS(X)
#undef X
    };
    struct view_env env = {.console = c, .session = session, .log = &c->log};

    memset(c, 0, sizeof *c);
    c->session = session;
    c->ops = ops;
    c->user = user;
    log_lines_init(&c->log);
    panel_command_init(&c->command);
    questions_init(&c->questions, &c->command);
    title_init(&c->title, session);
    screen_init(&c->screen);
    c->screen.title = &c->title;
    c->screen.command = &c->command;
    c->screen.help = &c->help;
    c->screen.palette = &c->palette;
    for (int i = 0; i < VIEW_COUNT; i++) {
        c->view[i] = make[i](&env);
        if (!c->view[i])
            return error_set(err, STATUS_NOMEM, "console", "out of memory");
    }
    console_show(c, first);
    return STATUS_OK;
}

void console_done(struct console *c)
{
    if (!c->ops)
        return;
    write_layout(c);
    screen_done(&c->screen);
    for (int i = 0; i < VIEW_COUNT; i++)
        if (c->view[i])
            c->view[i]->ops->done(c->view[i]);
    log_lines_done(&c->log);
    questions_done(&c->questions);
    panel_command_done(&c->command);
    c->ops = NULL;
}
