/* One line of text with a cursor and a history. It knows nothing of the terminal: the command-line
 * panel turns keys into these calls and draws the result. Thread: main only. */
#ifndef CCALAB_CONSOLE_LINE_EDITOR_H
#define CCALAB_CONSOLE_LINE_EDITOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "console/history.h"

#define LINE_EDITOR_MAX 4096

enum line_edit {
    LINE_EDIT_LEFT,
    LINE_EDIT_RIGHT,
    LINE_EDIT_HOME,
    LINE_EDIT_END,
    LINE_EDIT_BACKSPACE,
    LINE_EDIT_DELETE,
    LINE_EDIT_KILL_WORD,   /* the word left of the cursor */
    LINE_EDIT_KILL_BEFORE, /* all left of the cursor */
    LINE_EDIT_KILL_AFTER,  /* all right of it */
    LINE_EDIT_OLDER,       /* the history's previous line */
    LINE_EDIT_NEWER,
};

struct line_editor {
    char text[LINE_EDITOR_MAX]; /* UTF-8, NUL-terminated */
    size_t len;
    size_t cursor; /* byte offset, always at the start of a character */
    const struct history *history;
    size_t at;                   /* shown history line; history->len: the line being typed */
    char draft[LINE_EDITOR_MAX]; /* the line being typed while history is shown */
};

/* `history` is borrowed and may be NULL. */
void line_editor_init(struct line_editor *le, const struct history *history);
/* Empty the line and forget the place in the history. */
void line_editor_clear(struct line_editor *le);
/* Insert a character at the cursor. False for control characters and when the line is full. */
bool line_editor_insert(struct line_editor *le, uint32_t cp);
/* False if there was nothing to do. */
bool line_editor_do(struct line_editor *le, enum line_edit what);

#endif
