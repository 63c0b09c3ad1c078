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
    le->is_searching = false;
}

size_t line_editor_line_start(const struct line_editor *le, size_t at)
{
    while (at > 0 && le->text[at - 1] != '\n')
        at--;
    return at;
}

size_t line_editor_line_end(const struct line_editor *le, size_t at)
{
    return at + strcspn(le->text + at, "\n");
}

static bool find_older(struct line_editor *le, size_t from);

bool line_editor_insert(struct line_editor *le, uint32_t cp)
{
    char bytes[4];
    size_t n = utf8_encode(cp, bytes), wanted = strlen(le->wanted);

    if ((cp < 0x20 && (cp != '\n' || le->is_single)) || (cp >= 0x7f && cp < 0xa0) || !n)
        return false;
    if (le->is_searching) {
        if (cp == '\n' || wanted + n >= sizeof le->wanted)
            return false;
        memcpy(le->wanted + wanted, bytes, n);
        le->wanted[wanted + n] = '\0';
        find_older(le, le->at + 1);
        return true;
    }
    if (le->len + n >= sizeof le->text)
        return false;
    memmove(le->text + le->cursor + n, le->text + le->cursor, le->len - le->cursor + 1);
    memcpy(le->text + le->cursor, bytes, n);
    le->len += n;
    le->cursor += n;
    return true;
}

bool line_editor_replace(struct line_editor *le, size_t start, const char *with)
{
    size_t n = strlen(with), cut = le->cursor - start;

    if (le->len - cut + n >= sizeof le->text)
        return false;
    memmove(le->text + start + n, le->text + le->cursor, le->len - le->cursor + 1);
    memcpy(le->text + start, with, n);
    le->len = le->len - cut + n;
    le->cursor = start + n;
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
        if (cp == '\n' || utf8_columns(cp) > 0)
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

        if (cp == '\n' || utf8_columns(cp) > 0)
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

    while (at > 0 && strchr(" \n", le->text[at - 1]))
        at--;
    while (at > 0 && !strchr(" \n", le->text[at - 1]))
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

/* To the nearest entry older than number `from` that has what is wanted in it. */
static bool find_older(struct line_editor *le, size_t from)
{
    size_t i = from < le->history->len ? from : le->history->len;

    le->has_match = !le->wanted[0];
    while (le->wanted[0] && i-- > 0) {
        const char *entry = history_at(le->history, i), *hit = strstr(entry, le->wanted);

        if (!hit)
            continue;
        recall(le, i);
        le->cursor = (size_t)(hit - entry);
        le->has_match = true;
        return true;
    }
    return false;
}

/* What an edit means while the history is searched; *is_done is false for one that ends the search
 * and is then to be done. */
static bool search(struct line_editor *le, enum line_edit what, bool *is_done)
{
    size_t wanted = strlen(le->wanted);
    char last;

    *is_done = true;
    switch (what) {
    case LINE_EDIT_SEARCH:
        return find_older(le, le->at);
    case LINE_EDIT_BACKSPACE:
        if (!wanted)
            return false;
        do {
            last = le->wanted[--wanted];
            le->wanted[wanted] = '\0';
        } while (wanted && (last & 0xc0) == 0x80);
        recall(le, le->history->len);
        find_older(le, le->history->len);
        return true;
    case LINE_EDIT_SEARCH_LEAVE:
        recall(le, le->history->len);
        le->is_searching = false;
        return true;
    case LINE_EDIT_SEARCH_KEEP:
        le->is_searching = false;
        return true;
    default:
        le->is_searching = *is_done = false;
        return false;
    }
}

/* To the same place in the line above (-1) or below (1). */
static bool move_line(struct line_editor *le, int step)
{
    size_t start = line_editor_line_start(le, le->cursor);
    size_t end = line_editor_line_end(le, le->cursor), column = 0, at;

    if (step < 0 ? !start : !le->text[end])
        return false;
    for (size_t i = start; i < le->cursor; i++)
        column += (le->text[i] & 0xc0) != 0x80;
    at = step < 0 ? line_editor_line_start(le, start - 1) : end + 1;
    for (; column && le->text[at] && le->text[at] != '\n'; column--)
        at = after(le, at);
    return move(le, at);
}

static bool kill_after(struct line_editor *le)
{
    size_t to = line_editor_line_end(le, le->cursor);

    return cut(le, le->cursor, to == le->cursor && le->text[to] ? to + 1 : to);
}

bool line_editor_do(struct line_editor *le, enum line_edit what)
{
    if (le->is_searching) {
        bool is_done, has_changed = search(le, what, &is_done);

        if (is_done)
            return has_changed;
    }
    switch (what) {
    case LINE_EDIT_LEFT:
        return move(le, before(le, le->cursor));
    case LINE_EDIT_RIGHT:
        return move(le, after(le, le->cursor));
    case LINE_EDIT_HOME:
        return move(le, line_editor_line_start(le, le->cursor));
    case LINE_EDIT_END:
        return move(le, line_editor_line_end(le, le->cursor));
    case LINE_EDIT_BACKSPACE:
        return cut(le, before(le, le->cursor), le->cursor);
    case LINE_EDIT_DELETE:
        return cut(le, le->cursor, after(le, le->cursor));
    case LINE_EDIT_KILL_WORD:
        return cut(le, word_start(le), le->cursor);
    case LINE_EDIT_KILL_BEFORE:
        return cut(le, line_editor_line_start(le, le->cursor), le->cursor);
    case LINE_EDIT_KILL_AFTER:
        return kill_after(le);
    case LINE_EDIT_OLDER:
        return move_line(le, -1) || (le->history && le->at > 0 && recall(le, le->at - 1));
    case LINE_EDIT_NEWER:
        return move_line(le, 1) ||
               (le->history && le->at < le->history->len && recall(le, le->at + 1));
    case LINE_EDIT_SEARCH:
        if (!le->history)
            return false;
        le->is_searching = le->has_match = true;
        le->wanted[0] = '\0';
        return true;
    case LINE_EDIT_SEARCH_KEEP:
    case LINE_EDIT_SEARCH_LEAVE:
        return false;
    }
    return false;
}
