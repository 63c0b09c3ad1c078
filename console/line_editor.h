/* A text of one or several lines with a cursor, a history and a search in it. It knows nothing of
 * the terminal: line_keys.h turns keys into these calls, panels draw the result. Thread: main
 * only. */
#ifndef CCALAB_CONSOLE_LINE_EDITOR_H
#define CCALAB_CONSOLE_LINE_EDITOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "console/history.h"

#define LINE_EDITOR_MAX        65536
#define LINE_EDITOR_SEARCH_MAX 128

enum line_edit {
    LINE_EDIT_LEFT,
    LINE_EDIT_RIGHT,
    LINE_EDIT_HOME, /* of the line that the cursor is in */
    LINE_EDIT_END,
    LINE_EDIT_BACKSPACE,
    LINE_EDIT_DELETE,
    LINE_EDIT_KILL_WORD,   /* the word left of the cursor */
    LINE_EDIT_KILL_BEFORE, /* all left of the cursor in its line */
    LINE_EDIT_KILL_AFTER,  /* all right of it; at the line's end its newline */
    LINE_EDIT_OLDER,       /* the line above; above the first the history's previous entry */
    LINE_EDIT_NEWER,
    LINE_EDIT_SEARCH,       /* search the history backwards, or go on to the next older match */
    LINE_EDIT_SEARCH_KEEP,  /* end the search, with what it has found */
    LINE_EDIT_SEARCH_LEAVE, /* end it, with the text as it was before */
};

struct line_editor {
    char text[LINE_EDITOR_MAX]; /* UTF-8, NUL-terminated, lines separated by '\n' */
    size_t len;
    size_t cursor; /* byte offset, always at the start of a character */
    const struct history *history;
    size_t at;                   /* shown history entry; history->len: the text being typed */
    char draft[LINE_EDITOR_MAX]; /* the text being typed while history is shown */
    bool is_searching, has_match;
    char wanted[LINE_EDITOR_SEARCH_MAX]; /* what is searched for */
    bool is_single;                      /* one line: newlines are refused */
    bool is_pasting;                     /* what comes is text that was pasted (line_keys.h) */
    uint32_t pasted;                     /* its last character */
    uint64_t pasted_ns;                  /* and when that came */
};

/* `history` is borrowed and may be NULL. */
void line_editor_init(struct line_editor *le, const struct history *history);
/* Empty the text and forget the place in the history. */
void line_editor_clear(struct line_editor *le);
/* Insert a character at the cursor, or while searching behind what is searched for. False for
 * control characters other than '\n' and when the text is full. */
bool line_editor_insert(struct line_editor *le, uint32_t cp);
/* Replace the bytes from `start` to the cursor. False when the text is full. */
bool line_editor_replace(struct line_editor *le, size_t start, const char *with);
/* False if there was nothing to do. */
bool line_editor_do(struct line_editor *le, enum line_edit what);
/* Where the line that `at` is in begins and ends (at its '\n' or the text's end). */
size_t line_editor_line_start(const struct line_editor *le, size_t at);
size_t line_editor_line_end(const struct line_editor *le, size_t at);

#endif
