#include "console/line_editor.h"

#include <stdio.h>
#include <string.h>

#include "console/utf8.h"

void line_editor_init(struct line_editor *le, const struct history *history)
{
    le->history = history;
    line_editor_clear(le);
}

void line_editor_clear(struct line_editor *le)
{
    le->text[0] = le->draft[0] = '\0';
    le->len = le->cursor = 0;
    le->at = le->history ? le->history->len : 0;
}

bool line_editor_insert(struct line_editor *le, uint32_t cp)
{
    char bytes[4];
    size_t n = utf8_encode(cp, bytes);

    if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || !n || le->len + n >= sizeof le->text)
        return false;
    memmove(le->text + le->cursor + n, le->text + le->cursor, le->len - le->cursor + 1);
    memcpy(le->text + le->cursor, bytes, n);
    le->len += n;
    le->cursor += n;
    return true;
}

/* Start of the character before `at`: a base character with its combining marks is one. */
static size_t before(const struct line_editor *le, size_t at)
{
    uint32_t cp;

    while (at > 0) {
        do {
            at--;
        } while (at > 0 && (le->text[at] & 0xc0) == 0x80);
        utf8_decode(le->text + at, &cp);
        if (utf8_columns(cp) > 0)
            break;
    }
    return at;
}

static size_t after(const struct line_editor *le, size_t at)
{
    uint32_t cp;

    at += utf8_decode(le->text + at, &cp);
    while (at < le->len) {
        size_t n = utf8_decode(le->text + at, &cp);

        if (utf8_columns(cp) > 0)
            break;
        at += n;
    }
    return at;
}

static bool cut(struct line_editor *le, size_t from, size_t to)
{
    if (from == to)
        return false;
    memmove(le->text + from, le->text + to, le->len - to + 1);
    le->len -= to - from;
    le->cursor = from;
    return true;
}

static bool move(struct line_editor *le, size_t to)
{
    if (to == le->cursor)
        return false;
    le->cursor = to;
    return true;
}

static size_t word_start(const struct line_editor *le)
{
    size_t at = le->cursor;

    while (at > 0 && le->text[at - 1] == ' ')
        at--;
    while (at > 0 && le->text[at - 1] != ' ')
        at--;
    return at;
}

static bool recall(struct line_editor *le, size_t at)
{
    const char *line = le->draft;

    if (at == le->at)
        return false;
    if (le->at == le->history->len)
        memcpy(le->draft, le->text, le->len + 1);
    if (at < le->history->len)
        line = history_at(le->history, at);
    le->at = at;
    snprintf(le->text, sizeof le->text, "%s", line);
    le->len = le->cursor = strlen(le->text);
    return true;
}

bool line_editor_do(struct line_editor *le, enum line_edit what)
{
    switch (what) {
    case LINE_EDIT_LEFT:
        return move(le, before(le, le->cursor));
    case LINE_EDIT_RIGHT:
        return move(le, after(le, le->cursor));
    case LINE_EDIT_HOME:
        return move(le, 0);
    case LINE_EDIT_END:
        return move(le, le->len);
    case LINE_EDIT_BACKSPACE:
        return cut(le, before(le, le->cursor), le->cursor);
    case LINE_EDIT_DELETE:
        return cut(le, le->cursor, after(le, le->cursor));
    case LINE_EDIT_KILL_WORD:
        return cut(le, word_start(le), le->cursor);
    case LINE_EDIT_KILL_BEFORE:
        return cut(le, 0, le->cursor);
    case LINE_EDIT_KILL_AFTER:
        return cut(le, le->cursor, le->len);
    case LINE_EDIT_OLDER:
        return le->history && le->at > 0 && recall(le, le->at - 1);
    case LINE_EDIT_NEWER:
        return le->history && le->at < le->history->len && recall(le, le->at + 1);
    }
    return false;
}
