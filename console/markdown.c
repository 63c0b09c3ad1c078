#include "console/markdown.h"

#include <ctype.h>
#include <string.h>

#include "core/buf.h"

#define CODE_INDENT 2
#define NESTED      2 /* columns of source that make a list one level deeper */

struct writer {
    markdown_fn fn;
    void *user;
    struct buf block; /* of the paragraph or item that goes on */
    enum markdown_kind kind;
    int indent;
    bool is_open;   /* there is such a block */
    bool has_lines; /* anything was shown */
    bool wants_gap; /* a blank line comes before the next one */
};

#define MARK_MAX 3 /* stars: "***both***" */

/* Is the star at s[i] a mark of emphasis, and not a product or an item? */
static bool is_mark(const char *s, size_t i)
{
    size_t from = i, to = i;

    /* One more than counts: a line of stars is no reason to read it once for each. */
    while (from > 0 && i - from < MARK_MAX && s[from - 1] == '*')
        from--;
    while (to - i < MARK_MAX && s[to + 1] == '*')
        to++;
    bool is_after_blank = from == 0 || isspace((unsigned char)s[from - 1]);
    bool is_before_blank = !s[to + 1] || isspace((unsigned char)s[to + 1]);
    return to - from < MARK_MAX && !(is_after_blank && is_before_blank);
}

/* Append without marks of emphasis (outside of backticks) and control characters. */
static void append_plain(struct buf *b, const char *s, bool is_code)
{
    bool is_quoted = is_code;

    for (size_t i = 0; s[i] && b->len < MARKDOWN_LINE_MAX; i++) {
        if (s[i] == '`' && !is_code)
            is_quoted = !is_quoted;
        if (s[i] == '*' && !is_quoted && is_mark(s, i))
            continue;
        if ((unsigned char)s[i] >= ' ' && s[i] != 0x7f)
            buf_append(b, &s[i], 1);
        else if (s[i] == '\t')
            buf_puts(b, "    ");
    }
}

static void emit(struct writer *w, enum markdown_kind kind, int indent, const char *text)
{
    if (w->wants_gap && w->has_lines)
        w->fn(w->user, MARKDOWN_BLANK, 0, "");
    w->wants_gap = false;
    w->has_lines = true;
    w->fn(w->user, kind, indent, text);
}

static void flush(struct writer *w)
{
    if (w->is_open)
        emit(w, w->kind, w->indent, w->block.data);
    buf_clear(&w->block);
    w->is_open = false;
}

static void begin(struct writer *w, enum markdown_kind kind, int indent, const char *text)
{
    flush(w);
    w->is_open = true;
    w->kind = kind;
    w->indent = indent;
    append_plain(&w->block, text, false);
}

static void code(struct writer *w, const char *text)
{
    flush(w);
    append_plain(&w->block, text, true);
    emit(w, MARKDOWN_CODE, CODE_INDENT, w->block.data);
    buf_clear(&w->block);
}

/* The length of "- ", "* " or "12. " at the beginning; 0: no item. */
static size_t item_mark(const char *s)
{
    size_t n = strspn(s, "0123456789");

    if (n > 0 && n < 4 && s[n] == '.' && s[n + 1] == ' ')
        return n + 2;
    return (s[0] == '-' || s[0] == '*') && s[1] == ' ' ? 2 : 0;
}

static void item(struct writer *w, const char *s, size_t mark, size_t indent)
{
    int level = (int)(indent / NESTED) * NESTED;

    begin(w, MARKDOWN_ITEM, level + (int)mark, "");
    if (s[0] == '*')
        buf_puts(&w->block, "- ");
    else
        buf_append(&w->block, s, mark);
    append_plain(&w->block, s + mark, false);
}

static bool is_rule_of_table(const char *s)
{
    return s[strspn(s, "|-: ")] == '\0';
}

static void line(struct writer *w, const char *s)
{
    size_t indent = strspn(s, " ");
    const char *rest = s + indent;
    size_t mark = item_mark(rest);

    if (!*rest) {
        flush(w);
        w->wants_gap = true;
    } else if (indent >= 4 && !w->is_open) {
        code(w, s + 4);
    } else if (rest[0] == '#' && indent < 4 && strspn(rest, "#") < 7 &&
               rest[strspn(rest, "#")] == ' ') {
        const char *title = rest + strspn(rest, "# ");

        flush(w);
        w->wants_gap = true;
        begin(w, MARKDOWN_HEADING, 0, title);
        flush(w);
        w->wants_gap = true;
    } else if (rest[0] == '|') {
        flush(w);
        if (!is_rule_of_table(rest)) {
            begin(w, MARKDOWN_TABLE, 0, rest);
            flush(w);
        }
    } else if (mark > 0) {
        item(w, rest, mark, indent);
    } else if (w->is_open) {
        buf_puts(&w->block, " ");
        append_plain(&w->block, rest, false);
    } else {
        begin(w, MARKDOWN_TEXT, 0, rest);
    }
}

void markdown_each(const char *text, markdown_fn fn, void *user)
{
    struct writer w = {.fn = fn, .user = user};
    struct buf one;
    bool is_fenced = false;

    buf_init(&w.block, 2 * MARKDOWN_LINE_MAX);
    buf_init(&one, MARKDOWN_LINE_MAX);
    while (*text) {
        size_t len = strcspn(text, "\n");

        buf_clear(&one);
        buf_append(&one, text, len < MARKDOWN_LINE_MAX ? len : MARKDOWN_LINE_MAX);
        while (one.len > 0 && strchr(" \r", one.data[one.len - 1]))
            one.data[--one.len] = '\0';
        if (!strncmp(one.data, "```", 3)) {
            flush(&w);
            is_fenced = !is_fenced;
        } else if (is_fenced) {
            code(&w, one.data);
        } else {
            line(&w, one.data);
        }
        text += len + (text[len] == '\n');
    }
    flush(&w);
    buf_done(&one);
    buf_done(&w.block);
}
