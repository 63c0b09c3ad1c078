#include "console/panel_log.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/log.h"

static const enum style styles[] = {
    [LOG_OUTPUT] = STYLE_NORMAL, [LOG_INPUT] = STYLE_FOCUS, [LOG_VALUE] = STYLE_GOOD,
    [LOG_STRAY] = STYLE_DIM,     [LOG_DEBUG] = STYLE_DIM,   [LOG_INFO] = STYLE_NORMAL,
    [LOG_WARN] = STYLE_WARN,     [LOG_ERROR] = STYLE_BAD,
};

#define NONE UINT64_MAX

bool panel_log_shows(const struct panel_log *p, const struct log_line *line)
{
    return line->kind >= p->level && (!p->source[0] || !strcmp(p->source, line->source));
}

/* The next line shown after (step 1) or before (-1) number n, or NONE. */
static uint64_t next(const struct panel_log *p, uint64_t n, int step)
{
    for (;;) {
        if (step > 0 ? n + 1 >= p->lines->end : n <= p->lines->first)
            return NONE;
        n = step > 0 ? n + 1 : n - 1;
        if (panel_log_shows(p, log_lines_at(p->lines, n)))
            return n;
    }
}

static uint64_t newest(const struct panel_log *p)
{
    return next(p, p->lines->end, -1);
}

static uint64_t oldest(const struct panel_log *p)
{
    uint64_t n = p->lines->first;

    if (n < p->lines->end && panel_log_shows(p, log_lines_at(p->lines, n)))
        return n;
    return n < p->lines->end ? next(p, n, 1) : NONE;
}

static int margin(const struct panel_log *p)
{
    return p->has_times ? 9 : 0;
}

static int rows_of(const struct panel_log *p, uint64_t n, int cols)
{
    const char *text = log_lines_at(p->lines, n)->text;
    int rows = 0;

    do {
        text += text_fit(text, cols - margin(p));
        rows++;
    } while (*text);
    return rows;
}

/* The uppermost line in view when `last` is the lowest; *skip: its rows above the panel. */
static uint64_t top_of(const struct panel_log *p, uint64_t last, int *skip)
{
    int room = getmaxy(p->base.win) - 1, cols = getmaxx(p->base.win);
    uint64_t top = last;

    for (uint64_t n = last; n != NONE && room > 0; n = next(p, n, -1)) {
        room -= rows_of(p, n, cols);
        top = n;
    }
    *skip = room < 0 ? -room : 0;
    return top;
}

static void draw_line(const struct panel_log *p, uint64_t n, int *y, int rows, int cols)
{
    const struct log_line *line = log_lines_at(p->lines, n);
    bool is_selected = p->is_back && n == p->at && p->base.has_focus;
    enum style style = is_selected ? STYLE_BAR : styles[line->kind];
    const char *s = line->text;
    int x = margin(p);
    time_t t = (time_t)line->t;
    char clock[16];
    struct tm tm;

    if (x && *y >= 0 && !line->goes_on && localtime_r(&t, &tm) &&
        strftime(clock, sizeof clock, "%H:%M:%S", &tm))
        text_put(p->base.win, 1 + *y, 0, x, STYLE_DIM, clock);
    do {
        size_t len = text_fit(s, cols - x);

        if (*y >= 0 && *y < rows)
            text_put_n(p->base.win, 1 + *y, x, cols - x, style, s, len);
        ++*y;
        s += len;
    } while (*s);
}

static void draw(struct panel *base)
{
    struct panel_log *p = (struct panel_log *)base;
    int rows = getmaxy(base->win) - 1, cols = getmaxx(base->win), skip, y;
    uint64_t last = p->is_back ? p->last : newest(p), n;

    p->seen = p->lines->end;
    if (last == NONE) {
        text_put(base->win, 1, 0, cols, STYLE_DIM, "nothing yet");
        return;
    }
    n = top_of(p, last, &skip);
    for (y = -skip; n != NONE && n <= last; n = next(p, n, 1))
        draw_line(p, n, &y, rows, cols);
}

static void renew_note(struct panel_log *p)
{
    static const char *const levels[] = {
        [LOG_OUTPUT] = "", [LOG_WARN] = "warnings and errors", [LOG_ERROR] = "errors"};
    int n = snprintf(p->note, sizeof p->note, "%s%s%s", levels[p->level],
                     p->level && p->source[0] ? " of " : "", p->source);

    if (p->is_back)
        snprintf(p->note + n, sizeof p->note - (size_t)n, "%sscrolled back, End follows",
                 n ? "; " : "");
    p->base.note = p->note[0] ? p->note : NULL;
    p->base.is_dirty = true;
}

/* The selected line into view; one that is no longer there, or is not shown, is the next that is.
 */
static void settle(struct panel_log *p)
{
    uint64_t end = newest(p), start = oldest(p);
    int skip;

    if (p->is_back && end != NONE) {
        if (p->at < start)
            p->at = start;
        if (!panel_log_shows(p, log_lines_at(p->lines, p->at)))
            p->at = next(p, p->at, 1) != NONE ? next(p, p->at, 1) : end;
        if (p->last < p->at)
            p->last = p->at;
        if (p->base.win && getmaxy(p->base.win) > 1)
            while (p->last > p->at && p->at < top_of(p, p->last, &skip))
                p->last = next(p, p->last, -1);
        /* No blank rows while there are lines to fill them. */
        if (p->base.win && getmaxy(p->base.win) > 1) {
            int room = getmaxy(p->base.win) - 1, cols = getmaxx(p->base.win);
            uint64_t n = start;

            while (n != NONE && (room -= rows_of(p, n, cols)) > 0 && next(p, n, 1) != NONE)
                n = next(p, n, 1);
            if (p->last < n)
                p->last = n;
        }
    } else {
        p->is_back = false;
    }
    renew_note(p);
}

void panel_log_look(struct panel_log *p)
{
    if (p->seen == p->lines->end)
        return;
    if (p->is_back && (p->at < p->lines->first || p->last < p->lines->first))
        settle(p);
    p->base.is_dirty = true;
}

/* Let the selection stand still. */
static bool go_back(struct panel_log *p)
{
    if (!p->is_back && newest(p) != NONE) {
        p->is_back = true;
        p->at = p->last = newest(p);
    }
    return p->is_back;
}

static void go(struct panel_log *p, int step)
{
    uint64_t n = next(p, p->at, step);

    if (n != NONE)
        p->at = n;
    else if (step > 0)
        p->is_back = false;
}

static void page(struct panel_log *p, int step)
{
    int rows = p->base.win ? getmaxy(p->base.win) - 2 : 1,
        cols = p->base.win ? getmaxx(p->base.win) : 80;

    do {
        uint64_t n = next(p, p->last, step);

        if (n == NONE)
            break;
        rows -= rows_of(p, n, cols);
        p->last = n;
    } while (rows > 0);
    p->at = p->last;
    if (step > 0 && next(p, p->last, 1) == NONE)
        p->is_back = false;
}

static bool act(struct panel *base, enum action_id id)
{
    struct panel_log *p = (struct panel_log *)base;

    switch (id) {
    case ACTION_UP:
    case ACTION_DOWN:
        if ((id == ACTION_UP || p->is_back) && go_back(p))
            go(p, id == ACTION_UP ? -1 : 1);
        break;
    case ACTION_PAGE_UP:
    case ACTION_PAGE_DOWN:
        if ((id == ACTION_PAGE_UP || p->is_back) && go_back(p))
            page(p, id == ACTION_PAGE_UP ? -1 : 1);
        break;
    case ACTION_FIRST:
        if (go_back(p))
            p->at = p->last = oldest(p);
        break;
    case ACTION_LAST:
        p->is_back = false;
        break;
    case ACTION_FOLLOW:
        if (p->is_back || !go_back(p))
            p->is_back = false;
        break;
    default:
        return false;
    }
    settle(p);
    return true;
}

static bool search(struct panel *base, const char *text, int step)
{
    struct panel_log *p = (struct panel_log *)base;
    uint64_t start = p->is_back ? p->at : newest(p), n = start;
    int dir = step < 0 ? -1 : 1;

    if (start == NONE)
        return false;
    /* Someone who sees the newest lines looks for what was before them. */
    if (!p->is_back && !step)
        dir = -1;
    if (step)
        n = next(p, n, dir);
    for (int rounds = 0; rounds < 2; rounds++) {
        for (; n != NONE; n = next(p, n, dir)) {
            if (!text_find(log_lines_at(p->lines, n)->text, text))
                continue;
            go_back(p);
            p->at = n;
            settle(p);
            return true;
        }
        n = dir > 0 ? oldest(p) : newest(p);
    }
    return false;
}

static bool copy(struct panel *base, char *out, size_t size)
{
    struct panel_log *p = (struct panel_log *)base;
    uint64_t n = p->is_back ? p->at : newest(p);

    if (n == NONE)
        return false;
    snprintf(out, size, "%s", log_lines_at(p->lines, n)->text);
    return true;
}

static void click(struct panel *base, int y)
{
    struct panel_log *p = (struct panel_log *)base;
    int skip, row;
    uint64_t n;

    if (!go_back(p))
        return;
    n = top_of(p, p->last, &skip);
    row = 1 - skip;
    for (uint64_t k; n < p->last && (row += rows_of(p, n, getmaxx(base->win))) <= y; n = k)
        if ((k = next(p, n, 1)) == NONE)
            break;
    p->at = n;
    settle(p);
}

static const struct panel_ops ops = {
    .draw = draw, .act = act, .search = search, .copy = copy, .click = click};

void panel_log_init(struct panel_log *p, const struct log_lines *lines)
{
    *p =
        (struct panel_log){.base = {.ops = &ops, .title = "Log", .is_dirty = true}, .lines = lines};
}

void panel_log_next_level(struct panel_log *p)
{
    p->level = p->level == LOG_OUTPUT ? LOG_WARN : p->level == LOG_WARN ? LOG_ERROR : LOG_OUTPUT;
    settle(p);
}

void panel_log_next_source(struct panel_log *p)
{
    const char *best = "";

    for (uint64_t n = p->lines->first; n < p->lines->end; n++) {
        const char *source = log_lines_at(p->lines, n)->source;

        if (strcmp(source, p->source) > 0 && (!*best || strcmp(source, best) < 0))
            best = source;
    }
    snprintf(p->source, sizeof p->source, "%s", best);
    settle(p);
}
