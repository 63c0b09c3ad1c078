/* The command line at the bottom: Lua with its history and help (lua_line.h), or a question, or a
 * hint. It is one row, without a panel's title; of a text of several lines it shows the one with
 * the cursor. */
#ifndef CCALAB_CONSOLE_PANEL_COMMAND_H
#define CCALAB_CONSOLE_PANEL_COMMAND_H

#include "console/history.h"
#include "console/line_editor.h"
#include "console/lua_line.h"
#include "console/theme.h"

enum panel_command_key {
    PANEL_COMMAND_OTHER, /* edited, or ignored */
    PANEL_COMMAND_ENTER, /* the text is complete: read editor.text */
    PANEL_COMMAND_LEAVE, /* given up */
};

struct panel_command {
    struct history history;
    struct line_editor editor;
    struct lua_line lua; /* its script is set by the owner */
    bool is_active;
    const char *prompt;  /* while active: in place of ':', and nothing goes to the history */
    bool is_secret;      /* with prompt: do not show what is typed */
    const char *message; /* shown while it is not active; borrowed, or NULL */
    bool is_dirty;
};

/* `history_path` may be NULL. The history is read by panel_command_load(), not here. */
void panel_command_init(struct panel_command *p);
void panel_command_load(struct panel_command *p, const char *history_path);
void panel_command_done(struct panel_command *p);
void panel_command_open(struct panel_command *p);
/* Ask; `prompt` is borrowed until it is closed. */
void panel_command_ask(struct panel_command *p, const char *prompt, bool is_secret);
/* Leaves editor.text as it is; what was an answer to wipe is wiped by the next open or ask. */
void panel_command_close(struct panel_command *p);
/* A key, as from wget_wch(3): `is_code` for the KEY_ values. */
enum panel_command_key panel_command_key(struct panel_command *p, bool is_code, wint_t key);
/* Draw into the one-row window; the cursor is left where the next character goes. */
void panel_command_draw(struct panel_command *p, WINDOW *win);

#endif
