#include "console/text_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void text_view_clear(struct text_view *t)
{
    for (size_t i = 0; i < t->nlines; i++)
        free(t->line[i].text);
    t->nlines = t->nrows = 0;
    t->wrapped_cols = 0;
}

void text_view_done(struct text_view *t)
{
    text_view_clear(t);
    free(t->line);
    free(t->row);
    *t = (struct text_view){0};
}

/* Room for one more of `size` bytes each. */
static bool grow(void **at, size_t n, size_t *cap, size_t size)
{
    size_t more = *cap ? 2 * *cap : 64;
    void *p;

    if (n < *cap)
        return true;
    p = realloc(*at, more * size);
    if (!p)
        return false;
    *at = p;
    *cap = more;
    return true;
}

void text_view_add(struct text_view *t, enum style style, int indent, int tag, const char *text)
{
    char *copy = strdup(text);

    if (!copy || !grow((void **)&t->line, t->nlines, &t->lines_cap, sizeof *t->line)) {
        free(copy);
        return;
    }
    t->line[t->nlines++] =
        (struct text_view_line){.style = style, .indent = indent, .text = copy, .tag = tag};
    t->wrapped_cols = 0;
}

/* Bytes of `s` for a row: up to the last blank that fits, else as much as fits. */
static size_t row_len(const char *s, int cols)
{
    size_t len = text_fit(s, cols), at = len;

    if (!s[len] || s[len] == ' ')
        return len;
    while (at > 0 && s[at - 1] != ' ')
        at--;
    return at > 0 && strspn(s, " ") < at ? at : len;
}

static bool add_row(struct text_view *t, size_t line, size_t from, size_t len)
{
    if (!grow((void **)&t->row, t->nrows, &t->rows_cap, sizeof *t->row))
        return false;
    t->row[t->nrows++] = (struct text_view_row){(uint32_t)line, (uint32_t)from, (uint32_t)len};
    return true;
}

static void wrap(struct text_view *t, int cols)
{
    /* The selected line stays selected. */
    size_t line = t->list.selected < t->nrows ? t->row[t->list.selected].line : SIZE_MAX;
    uint64_t selected = t->list.selected;

    if (t->wrapped_cols == cols)
        return;
    t->nrows = 0;
    for (size_t i = 0; i < t->nlines; i++) {
        const char *text = t->line[i].text;
        int indent = t->line[i].indent < cols / 2 ? t->line[i].indent : 0;
        size_t from = 0;

        if (i == line)
            selected = t->nrows;
        if (indent == TEXT_VIEW_CUT) {
            if (!add_row(t, i, 0, text_fit(text, cols)))
                return;
            continue;
        }
        do {
            size_t len = row_len(text + from, from ? cols - indent : cols);

            if (!add_row(t, i, from, len))
                return;
            from += len;
            from += strspn(text + from, " ");
        } while (text[from]);
    }
    t->wrapped_cols = cols;
    t->list.selected = selected;
}

size_t text_view_rows(struct text_view *t, int cols)
{
    wrap(t, cols);
    return t->nrows;
}

static void fit(struct text_view *t)
{
    list_view_set(&t->list, t->nrows, t->list.rows);
}

bool text_view_act(struct text_view *t, enum action_id id)
{
    return list_view_act(&t->list, id);
}

const struct text_view_line *text_view_selected(const struct text_view *t)
{
    return t->list.selected < t->nrows ? &t->line[t->row[t->list.selected].line] : NULL;
}

static void select_line(struct text_view *t, size_t line)
{
    if (t->cols) { /* what was added since is not in rows yet */
        wrap(t, t->cols);
        fit(t);
    }
    for (size_t i = 0; i < t->nrows; i++) {
        if (t->row[i].line == line) {
            list_view_select(&t->list, i);
            return;
        }
    }
}

bool text_view_select(struct text_view *t, int tag)
{
    for (size_t i = 0; i < t->nlines; i++) {
        if (t->line[i].tag == tag) {
            select_line(t, i);
            return true;
        }
    }
    return false;
}

void text_view_first(struct text_view *t)
{
    t->list.top = t->list.selected = 0;
}

void text_view_last(struct text_view *t)
{
    t->list.selected = UINT64_MAX; /* what is too much is cut when rows are made */
}

bool text_view_search(struct text_view *t, const char *text, int step)
{
    size_t start = t->list.selected < t->nrows ? t->row[t->list.selected].line : 0;

    for (size_t k = step ? 1 : 0; t->nrows && k < t->nlines + (step ? 1 : 0); k++) {
        size_t i = (start + (step < 0 ? t->nlines - k : k)) % t->nlines;

        if (text_find(t->line[i].text, text)) {
            select_line(t, i);
            return true;
        }
    }
    return false;
}

bool text_view_copy(const struct text_view *t, char *out, size_t size)
{
    const struct text_view_line *line = text_view_selected(t);

    if (line)
        snprintf(out, size, "%s", line->text + strspn(line->text, " "));
    return line != NULL;
}

void text_view_click(struct text_view *t, int y)
{
    if (y >= 0 && t->list.top + (uint64_t)y < t->list.count)
        list_view_select(&t->list, t->list.top + (uint64_t)y);
}

void text_view_draw(struct text_view *t, WINDOW *win, const struct rect *r, bool has_focus)
{
    t->list.rows = r->rows;
    t->cols = r->cols;
    wrap(t, r->cols);
    fit(t);
    for (int y = 0; y < r->rows && t->list.top + (uint64_t)y < t->list.count; y++) {
        uint64_t i = t->list.top + (uint64_t)y;
        const struct text_view_row *row = &t->row[i];
        const struct text_view_line *line = &t->line[row->line];
        int x = row->from && line->indent < r->cols / 2 ? line->indent : 0;
        bool is_marked = has_focus && i == t->list.selected;

        if (is_marked)
            text_fill(win, r->y + y, r->x, r->cols, STYLE_BAR, "");
        text_put_n(win, r->y + y, r->x + x, r->cols - x, is_marked ? STYLE_BAR : line->style,
                   line->text + row->from, row->len);
        if (line->indent == TEXT_VIEW_CUT && line->text[row->len])
            text_put(win, r->y + y, r->x + r->cols - 1, 1, is_marked ? STYLE_BAR : line->style,
                     "~");
    }
}
