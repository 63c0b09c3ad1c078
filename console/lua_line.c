#include "console/lua_line.h"

#include <stdio.h>
#include <string.h>

void lua_line_clear(struct lua_line *l)
{
    script_words_done(&l->words);
    l->is_offering = false;
}

void lua_line_done(struct lua_line *l)
{
    lua_line_clear(l);
    l->script = NULL;
}

static void look_up(struct lua_line *l, const struct line_editor *le)
{
    lua_line_clear(l);
    if (l->script && le->len && !le->is_searching && !le->is_pasting)
        script_complete(l->script, le->text, le->cursor, &l->words);
}

/* As many bytes as all words have in common. */
static size_t common(const struct script_words *w)
{
    size_t n = strlen(w->word[0]);

    for (size_t i = 1; i < w->len; i++)
        for (size_t k = 0; k < n; k++)
            if (w->word[i][k] != w->word[0][k])
                n = k;
    return n;
}

static void complete(struct lua_line *l, struct line_editor *le)
{
    bool is_one;
    char word[256];

    look_up(l, le);
    if (!l->words.len)
        return;
    is_one = l->words.len == 1;
    snprintf(word, sizeof word, "%.*s", (int)common(&l->words), l->words.word[0]);
    if (strlen(word) > le->cursor - l->words.start) {
        line_editor_replace(le, l->words.start, word);
        look_up(l, le);
    }
    l->is_offering = !is_one;
}

/* A new line, indented as the one before it. */
static void break_line(struct line_editor *le)
{
    size_t start = line_editor_line_start(le, le->cursor);
    size_t indent = strspn(le->text + start, " ");

    if (start + indent > le->cursor)
        indent = le->cursor - start;
    line_editor_insert(le, '\n');
    while (indent--)
        line_editor_insert(le, ' ');
}

enum line_key lua_line_key(struct lua_line *l, struct line_editor *le, bool is_code, wint_t key)
{
    enum line_key what = line_keys_do(le, is_code, key);

    switch (what) {
    case LINE_KEY_COMPLETE:
        complete(l, le);
        return LINE_KEY_OTHER;
    case LINE_KEY_ENTER:
        if (l->script && script_is_incomplete(l->script, le->text)) {
            break_line(le);
            what = LINE_KEY_OTHER;
        }
        break;
    default:
        break;
    }
    look_up(l, le);
    return what;
}

char *lua_line_offer(const struct lua_line *l, char *out, size_t size)
{
    size_t n = 0;

    out[0] = '\0';
    for (size_t i = 0; l->is_offering && i < l->words.len && n < size; i++)
        n += (size_t)snprintf(out + n, size - n, "%s%s", i ? "  " : "", l->words.word[i]);
    return out;
}
