#include "console/panel_command.h"

#include <stdio.h>
#include <string.h>

#define TEXT_MIN_COLS 20 /* left beside a prompt */

void panel_command_init(struct panel_command *p)
{
    memset(p, 0, sizeof *p);
    line_editor_init(&p->editor, &p->history);
    p->is_dirty = true;
}

void panel_command_load(struct panel_command *p, const char *history_path)
{
    history_init(&p->history, history_path);
    line_editor_clear(&p->editor);
}

void panel_command_done(struct panel_command *p)
{
    history_done(&p->history);
    lua_line_done(&p->lua);
}

void panel_command_open(struct panel_command *p)
{
    line_editor_clear(&p->editor);
    lua_line_clear(&p->lua);
    p->is_active = p->is_dirty = true;
}

void panel_command_ask(struct panel_command *p, const char *prompt, bool is_secret)
{
    panel_command_open(p);
    p->editor.history = NULL;
    p->editor.is_single = true;
    p->prompt = prompt;
    p->is_secret = is_secret;
}

void panel_command_close(struct panel_command *p)
{
    p->is_active = p->is_secret = false;
    p->prompt = NULL;
    p->editor.history = &p->history;
    p->editor.is_single = p->editor.is_pasting = false;
    p->is_dirty = true;
}

enum panel_command_key panel_command_key(struct panel_command *p, bool is_code, wint_t key)
{
    bool is_rubout = is_code ? key == KEY_BACKSPACE : key == 127 || key == 'H' - '@';
    enum line_key what;

    p->is_dirty = true;
    /* Rubbing out the ':' itself. */
    if (is_rubout && !p->editor.len && !p->editor.is_searching && !p->prompt)
        return PANEL_COMMAND_LEAVE;
    what = p->prompt ? line_keys_do(&p->editor, is_code, key)
                     : lua_line_key(&p->lua, &p->editor, is_code, key);
    return what == LINE_KEY_ENTER   ? PANEL_COMMAND_ENTER
           : what == LINE_KEY_LEAVE ? PANEL_COMMAND_LEAVE
                                    : PANEL_COMMAND_OTHER;
}

/* What stands before the text, and is more than a colon for a search and for several lines. */
static const char *prompt_of(const struct panel_command *p, char *out, size_t size)
{
    const struct line_editor *le = &p->editor;
    int line = 1, lines = 1;

    if (p->prompt)
        return p->prompt;
    for (size_t i = 0; i < le->len; i++) {
        lines += le->text[i] == '\n';
        line += le->text[i] == '\n' && i < le->cursor;
    }
    if (le->is_searching)
        snprintf(out, size, "(%s '%s')", le->has_match ? "search" : "not found", le->wanted);
    else if (lines > 1)
        snprintf(out, size, "%d/%d:", line, lines);
    else
        return ":";
    return out;
}

void panel_command_draw(struct panel_command *p, WINDOW *win)
{
    const struct line_editor *le = &p->editor;
    char prompt_text[LINE_EDITOR_SEARCH_MAX + 16], offer[512];
    const char *prompt = prompt_of(p, prompt_text, sizeof prompt_text), *more;
    int width = text_columns(prompt, strlen(prompt));
    size_t from, end;
    int x, cols;

    p->is_dirty = false;
    werase(win);
    if (!p->is_active) {
        text_put(win, 0, 0, getmaxx(win), p->message ? STYLE_WARN : STYLE_DIM,
                 p->message ? p->message : "press : for a line of Lua, ? for the keys");
        return;
    }
    /* Of a prompt that is too long the end is the question. */
    while (width > 0 && width > getmaxx(win) - TEXT_MIN_COLS) {
        prompt += text_fit(prompt, 1);
        width = text_columns(prompt, strlen(prompt));
    }
    cols = getmaxx(win) - 1 - width; /* and a place for the cursor at the end */
    text_put(win, 0, 0, width, STYLE_FOCUS, prompt);
    if (p->is_secret) {
        wmove(win, 0, width);
        return;
    }
    from = line_editor_line_start(le, le->cursor);
    end = line_editor_line_end(le, le->cursor);
    /* Scroll so that the cursor is in view. */
    while (text_columns(le->text + from, le->cursor - from) > cols)
        from += text_fit(le->text + from, 1);
    x = width + text_put_n(win, 0, width, cols, STYLE_NORMAL, le->text + from, end - from);
    more = lua_line_offer(&p->lua, offer, sizeof offer);
    if (!*more && p->lua.words.hint)
        more = p->lua.words.hint;
    if (!p->prompt && x + 12 < getmaxx(win))
        text_put(win, 0, x + 3, getmaxx(win) - x - 3, STYLE_DIM, more);
    wmove(win, 0, width + text_columns(le->text + from, le->cursor - from));
}
