#include "console/panel_log.h"

#include <stdlib.h>
#include <string.h>

#include "core/log.h"

#define LINE_MAX_BYTES 4096

static const struct {
    const char *prefix;
    enum style style;
} looks[] = {
    [PANEL_LOG_OUTPUT] = {"", STYLE_NORMAL},    [PANEL_LOG_INPUT] = {": ", STYLE_FOCUS},
    [PANEL_LOG_VALUE] = {"= ", STYLE_GOOD},     [PANEL_LOG_STRAY] = {"stderr: ", STYLE_DIM},
    [PANEL_LOG_DEBUG] = {"debug: ", STYLE_DIM}, [PANEL_LOG_INFO] = {"- ", STYLE_NORMAL},
    [PANEL_LOG_WARN] = {"warn: ", STYLE_WARN},  [PANEL_LOG_ERROR] = {"error: ", STYLE_BAD},
};

static struct panel_log_line *line_at(struct panel_log *p, size_t i)
{
    return &p->line[(p->first + i) % PANEL_LOG_LINES];
}

static void add_line(struct panel_log *p, enum panel_log_kind kind, const char *prefix,
                     const char *s, size_t len)
{
    char raw[LINE_MAX_BYTES], clean[LINE_MAX_BYTES];
    struct panel_log_line *line;
    char *text;

    if (len >= sizeof raw)
        len = sizeof raw - 1;
    memcpy(raw, s, len);
    raw[len] = '\0';
    log_escape(raw, clean, sizeof clean);
    text = malloc(strlen(prefix) + strlen(clean) + 1);
    if (!text)
        return;
    strcpy(stpcpy(text, prefix), clean);
    if (p->len == PANEL_LOG_LINES) {
        free(p->line[p->first].text);
        p->first = (p->first + 1) % PANEL_LOG_LINES;
        p->len--;
    }
    line = line_at(p, p->len++);
    line->kind = kind;
    line->text = text;
    if (p->back && p->back + 1 < p->len)
        p->back++; /* scrolled back: what is in view stays there */
    p->base.is_dirty = true;
}

void panel_log_add(struct panel_log *p, enum panel_log_kind kind, const char *text)
{
    const char *prefix = looks[kind].prefix;

    do {
        size_t len = strcspn(text, "\n");

        add_line(p, kind, prefix, text, len);
        text += len + (text[len] == '\n');
        prefix = "  "; /* the rest belongs to the first line */
    } while (*text);
}

void panel_log_output(struct panel_log *p, const char *text, size_t len)
{
    while (len) {
        const char *nl = memchr(text, '\n', len);
        size_t n = nl ? (size_t)(nl - text) : len;
        size_t room = LINE_MAX_BYTES - 1 - p->partial.len;
        size_t take = n < room ? n : room;

        buf_append(&p->partial, text, take);
        text += take;
        len -= take;
        if (take == n && !nl)
            return;
        add_line(p, PANEL_LOG_OUTPUT, "", p->partial.data, p->partial.len);
        buf_clear(&p->partial);
        if (take == n) {
            text++;
            len--;
        }
    }
}

static size_t rows_of(const char *text, int cols)
{
    size_t rows = 0;

    do {
        text += text_fit(text, cols);
        rows++;
    } while (*text);
    return rows;
}

static void draw(struct panel *base)
{
    struct panel_log *p = (struct panel_log *)base;
    int rows = getmaxy(base->win) - 1, cols = getmaxx(base->win);
    size_t end = p->len - p->back, i = end;
    int used = 0, y;

    while (i > 0 && used < rows)
        used += (int)rows_of(line_at(p, --i)->text, cols);
    /* The oldest line in view may begin above the panel. */
    for (y = used > rows ? rows - used : 0; i < end; i++) {
        const struct panel_log_line *line = line_at(p, i);
        const char *s = line->text;

        do {
            size_t n = text_fit(s, cols);

            if (y >= 0)
                text_put_n(base->win, 1 + y, 0, cols, looks[line->kind].style, s, n);
            y++;
            s += n;
        } while (*s);
    }
}

static bool act(struct panel *base, enum action_id id)
{
    struct panel_log *p = (struct panel_log *)base;
    size_t page = base->win && getmaxy(base->win) > 3 ? (size_t)getmaxy(base->win) - 2 : 1;

    switch (id) {
    case ACTION_LOG_UP:
        /* The oldest lines stay in view. */
        if (p->len > page)
            p->back = p->back + page < p->len - page ? p->back + page : p->len - page;
        break;
    case ACTION_LOG_DOWN:
        p->back = p->back > page ? p->back - page : 0;
        break;
    case ACTION_LOG_FOLLOW:
        p->back = 0;
        break;
    default:
        return false;
    }
    base->note = p->back ? "scrolled back, End follows" : NULL;
    base->is_dirty = true;
    return true;
}

static const struct panel_ops ops = {.draw = draw, .act = act};

void panel_log_init(struct panel_log *p)
{
    memset(p, 0, sizeof *p);
    p->base = (struct panel){.ops = &ops, .title = "Log", .is_dirty = true};
    buf_init(&p->partial, LINE_MAX_BYTES);
}

void panel_log_done(struct panel_log *p)
{
    for (size_t i = 0; i < p->len; i++)
        free(line_at(p, i)->text);
    buf_done(&p->partial);
    memset(p, 0, sizeof *p);
}
