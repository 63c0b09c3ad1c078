#include "console/panel_command.h"

#include <string.h>

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
}

void panel_command_open(struct panel_command *p)
{
    line_editor_clear(&p->editor);
    p->is_active = p->is_dirty = true;
}

void panel_command_ask(struct panel_command *p, const char *prompt, bool is_secret)
{
    panel_command_open(p);
    p->editor.history = NULL;
    p->prompt = prompt;
    p->is_secret = is_secret;
}

void panel_command_close(struct panel_command *p)
{
    p->is_active = p->is_secret = false;
    p->prompt = NULL;
    p->editor.history = &p->history;
    p->is_dirty = true;
}

static const struct {
    bool is_code;
    wint_t key;
    enum line_edit edit;
} edits[] = {
    {true, KEY_LEFT, LINE_EDIT_LEFT},
    {true, KEY_RIGHT, LINE_EDIT_RIGHT},
    {true, KEY_HOME, LINE_EDIT_HOME},
    {true, KEY_END, LINE_EDIT_END},
    {true, KEY_UP, LINE_EDIT_OLDER},
    {true, KEY_DOWN, LINE_EDIT_NEWER},
    {true, KEY_BACKSPACE, LINE_EDIT_BACKSPACE},
    {true, KEY_DC, LINE_EDIT_DELETE},
    /* The control keys of readline(3). */
    {false, 127, LINE_EDIT_BACKSPACE},
    {false, 'H' - '@', LINE_EDIT_BACKSPACE},
    {false, 'A' - '@', LINE_EDIT_HOME},
    {false, 'B' - '@', LINE_EDIT_LEFT},
    {false, 'D' - '@', LINE_EDIT_DELETE},
    {false, 'E' - '@', LINE_EDIT_END},
    {false, 'F' - '@', LINE_EDIT_RIGHT},
    {false, 'K' - '@', LINE_EDIT_KILL_AFTER},
    {false, 'N' - '@', LINE_EDIT_NEWER},
    {false, 'P' - '@', LINE_EDIT_OLDER},
    {false, 'U' - '@', LINE_EDIT_KILL_BEFORE},
    {false, 'W' - '@', LINE_EDIT_KILL_WORD},
};

enum panel_command_key panel_command_key(struct panel_command *p, bool is_code, wint_t key)
{
    p->is_dirty = true;
    if ((!is_code && (key == '\r' || key == '\n')) || (is_code && key == KEY_ENTER))
        return PANEL_COMMAND_ENTER;
    if (!is_code && (key == 27 || key == 3))
        return PANEL_COMMAND_LEAVE;
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        if (edits[i].is_code != is_code || edits[i].key != key)
            continue;
        /* Rubbing out the ':' itself. */
        if (edits[i].edit == LINE_EDIT_BACKSPACE && !p->editor.len && !p->prompt)
            return PANEL_COMMAND_LEAVE;
        line_editor_do(&p->editor, edits[i].edit);
        return PANEL_COMMAND_OTHER;
    }
    if (!is_code)
        line_editor_insert(&p->editor, (uint32_t)key);
    return PANEL_COMMAND_OTHER;
}

void panel_command_draw(struct panel_command *p, WINDOW *win)
{
    const struct line_editor *le = &p->editor;
    const char *prompt = p->prompt ? p->prompt : ":";
    int width = text_columns(prompt, strlen(prompt));
    size_t from = 0;
    int x, cols;

    p->is_dirty = false;
    werase(win);
    if (!p->is_active) {
        text_put(win, 0, 0, getmaxx(win), p->message ? STYLE_WARN : STYLE_DIM,
                 p->message ? p->message : "press : for a line of Lua, ? for the keys");
        return;
    }
    /* Of a prompt that is too long the end is the question. */
    while (width > getmaxx(win) / 2) {
        prompt += text_fit(prompt, 1);
        width = text_columns(prompt, strlen(prompt));
    }
    cols = getmaxx(win) - 1 - width; /* and a place for the cursor at the end */
    text_put(win, 0, 0, width, STYLE_FOCUS, prompt);
    if (p->is_secret) {
        wmove(win, 0, width);
        return;
    }
    /* Scroll so that the cursor is in view. */
    while (text_columns(le->text + from, le->cursor - from) > cols)
        from += text_fit(le->text + from, 1);
    text_put(win, 0, width, cols, STYLE_NORMAL, le->text + from);
    x = width + text_columns(le->text + from, le->cursor - from);
    wmove(win, 0, x);
}
