#include "lua/labfile_lines.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct source {
    const char *at, *end;
    int line;
};

static char look(const struct source *s, size_t ahead)
{
    return (size_t)(s->end - s->at) > ahead ? s->at[ahead] : '\0';
}

static void skip(struct source *s, size_t n)
{
    for (; n && s->at < s->end; n--)
        s->line += *s->at++ == '\n';
}

/* "[==[" and so on: the number of '=', or -1. */
static int long_level(const struct source *s)
{
    size_t n = 1;
    if (look(s, 0) != '[')
        return -1;
    while (look(s, n) == '=')
        n++;
    return look(s, n) == '[' ? (int)n - 1 : -1;
}

static void skip_long(struct source *s, int level)
{
    skip(s, (size_t)level + 2);
    while (s->at < s->end) {
        if (look(s, 0) == ']') {
            size_t n = 1;
            while (look(s, n) == '=')
                n++;
            if (look(s, n) == ']' && (int)n - 1 == level) {
                skip(s, n + 1);
                return;
            }
        }
        skip(s, 1);
    }
}

static void skip_string(struct source *s)
{
    char quote = look(s, 0);
    skip(s, 1);
    while (s->at < s->end && look(s, 0) != quote && look(s, 0) != '\n')
        skip(s, look(s, 0) == '\\' ? 2 : 1);
    if (look(s, 0) == quote)
        skip(s, 1);
}

/* White space, comments and strings. False: there is something else. */
static bool skip_dull(struct source *s)
{
    char c = look(s, 0);
    if (isspace((unsigned char)c)) {
        skip(s, 1);
    } else if (c == '-' && look(s, 1) == '-') {
        skip(s, 2);
        int level = long_level(s);
        if (level >= 0)
            skip_long(s, level);
        else
            while (s->at < s->end && *s->at != '\n')
                skip(s, 1);
    } else if (c == '"' || c == '\'') {
        skip_string(s);
    } else if (long_level(s) >= 0) {
        skip_long(s, long_level(s));
    } else {
        return false;
    }
    return true;
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* "name =": what follows a word decides what it is. */
static bool is_assigned(struct source s)
{
    while (s.at < s.end && skip_dull(&s))
        ;
    return look(&s, 0) == '=' && look(&s, 1) != '=';
}

static void add(struct labfile_lines *l, const char *name, const char *key, int line)
{
    struct labfile_line *at = &l->at[l->n];
    if (l->n == LABFILE_LINES_MAX)
        return;
    snprintf(at->name, sizeof at->name, "%s", name);
    snprintf(at->key, sizeof at->key, "%s", key);
    at->line = line;
    l->n++;
}

void labfile_lines_find(struct labfile_lines *l, const char *text, size_t len)
{
    struct source s = {text, text + len, 1};
    char name[LABFILE_WORD_MAX] = "", word[LABFILE_WORD_MAX];
    int depth = 0;
    l->n = 0;
    while (s.at < s.end) {
        char c = look(&s, 0);
        if (skip_dull(&s))
            continue;
        if (!is_word(c)) {
            depth += (c == '{') - (c == '}');
            skip(&s, 1);
            continue;
        }
        size_t n = 1;
        while (is_word(look(&s, n)))
            n++;
        snprintf(word, sizeof word, "%.*s", (int)(n < sizeof word ? n : sizeof word), s.at);
        int line = s.line;
        skip(&s, n);
        if (depth > 1 || !is_assigned(s))
            continue;
        if (depth == 0)
            memcpy(name, word, sizeof name);
        add(l, name, depth == 0 ? "" : word, line);
    }
}

int labfile_lines_of(const struct labfile_lines *l, const char *name, const char *key)
{
    int of_name = 0, of_key = 0;
    for (int i = 0; i < l->n; i++) {
        if (strcmp(l->at[i].name, name) != 0)
            continue;
        if (l->at[i].key[0] == '\0') {
            of_name = l->at[i].line;
            of_key = 0;
        } else if (key && strcmp(l->at[i].key, key) == 0) {
            of_key = l->at[i].line;
        }
    }
    return of_key ? of_key : of_name;
}
