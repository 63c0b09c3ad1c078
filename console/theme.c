#include "console/theme.h"

#include <langinfo.h>
#include <stdlib.h>
#include <string.h>

#include "console/utf8.h"

static struct {
    bool is_utf8;
    enum cells_tier tier;
    attr_t attr[STYLE_COUNT];
} theme;

static const struct {
    attr_t attr;
    short color; /* -1: the terminal's own */
} looks[STYLE_COUNT] = {
    [STYLE_NORMAL] = {A_NORMAL, -1},
    [STYLE_DIM] = {A_DIM, -1},
    [STYLE_BAR] = {A_REVERSE, -1},
    [STYLE_RULE] = {A_NORMAL, COLOR_BLUE},
    [STYLE_FOCUS] = {A_BOLD, COLOR_YELLOW},
    [STYLE_KEY] = {A_REVERSE, -1},
    [STYLE_GOOD] = {A_NORMAL, COLOR_GREEN},
    [STYLE_WARN] = {A_NORMAL, COLOR_YELLOW},
    [STYLE_BAD] = {A_BOLD, COLOR_RED},
    [STYLE_LINE] = {A_NORMAL, COLOR_CYAN},
    [STYLE_LINE + 1] = {A_NORMAL, COLOR_YELLOW},
    [STYLE_LINE + 2] = {A_NORMAL, COLOR_GREEN},
    [STYLE_LINE + 3] = {A_NORMAL, COLOR_MAGENTA},
    [STYLE_LINE + 4] = {A_NORMAL, COLOR_RED},
    [STYLE_LINE + 5] = {A_NORMAL, COLOR_BLUE},
};

/* The fonts of the Linux console know blocks, but no braille. */
static enum cells_tier plot_tier(enum options_plot plot)
{
    const char *term = getenv("TERM");

    if (!theme.is_utf8 || plot == OPTIONS_PLOT_ASCII)
        return CELLS_ASCII;
    if (plot == OPTIONS_PLOT_BLOCK)
        return CELLS_BLOCK;
    return plot == OPTIONS_PLOT_AUTO && term && !strcmp(term, "linux") ? CELLS_BLOCK
                                                                       : CELLS_BRAILLE;
}

void theme_init(enum options_plot plot)
{
    const char *no_color = getenv("NO_COLOR");
    bool has_color = !(no_color && *no_color) && has_colors();

    theme.is_utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
    theme.tier = plot_tier(plot);
    if (has_color) {
        start_color();
        use_default_colors();
    }
    for (int i = 0; i < STYLE_COUNT; i++) {
        theme.attr[i] = looks[i].attr;
        if (has_color && looks[i].color >= 0) {
            init_pair((short)(i + 1), looks[i].color, -1);
            theme.attr[i] |= COLOR_PAIR(i + 1);
        }
    }
}

bool theme_is_utf8(void)
{
    return theme.is_utf8;
}

enum cells_tier theme_plot_tier(void)
{
    return theme.tier;
}

attr_t theme_attr(enum style style)
{
    return theme.attr[style];
}

enum style theme_line(size_t i)
{
    return (enum style)(STYLE_LINE + i % (STYLE_COUNT - STYLE_LINE));
}

size_t text_fit(const char *s, int columns)
{
    size_t at = 0, n;
    uint32_t cp;

    while ((n = utf8_decode(s + at, &cp))) {
        columns -= utf8_columns(cp);
        if (columns < 0 && at)
            break;
        at += n;
    }
    return at;
}

int text_columns(const char *s, size_t len)
{
    int columns = 0;
    uint32_t cp;

    for (size_t at = 0, n; at < len && (n = utf8_decode(s + at, &cp)); at += n)
        columns += utf8_columns(cp);
    return columns;
}

const char *text_find(const char *s, const char *what)
{
    return strcasestr(s, what);
}

int text_put_n(WINDOW *win, int y, int x, int columns, enum style style, const char *s, size_t len)
{
    wchar_t wide[512];
    size_t count = 0;
    int used = 0;
    uint32_t cp;

    for (size_t at = 0, n; at < len && count < sizeof wide / sizeof wide[0] - 1; at += n) {
        int w;

        n = utf8_decode(s + at, &cp);
        if (!n)
            break;
        w = utf8_columns(cp);
        if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || (cp > 0x7e && !theme.is_utf8)) {
            cp = '?';
            w = 1;
        }
        if (used + w > columns)
            break;
        wide[count++] = (wchar_t)cp;
        used += w;
    }
    wattrset(win, theme.attr[style]);
    mvwaddnwstr(win, y, x, wide, (int)count);
    wattrset(win, A_NORMAL);
    return used;
}

int text_put(WINDOW *win, int y, int x, int columns, enum style style, const char *s)
{
    return text_put_n(win, y, x, columns, style, s, strlen(s));
}

void text_fill(WINDOW *win, int y, int x, int columns, enum style style, const char *s)
{
    int used = text_put(win, y, x, columns, style, s);

    wattrset(win, theme.attr[style]);
    mvwhline(win, y, x + used, ' ', columns - used);
    wattrset(win, A_NORMAL);
}
