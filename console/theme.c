#include "console/theme.h"

#include <langinfo.h>
#include <stdlib.h>
#include <string.h>

#include "console/utf8.h"

static struct {
    bool is_utf8;
    enum cells_tier tier;
    bool has_color, is_started;
    short own_back; /* what stands for the terminal's own background */
    size_t now;     /* which theme */
    attr_t attr[STYLE_COUNT];
} theme;

/* Colours are the eight that every terminal with colours has; -1: the terminal's own. What a style
 * means is said in words or signs too. */
struct look {
    attr_t attr;
    short color;
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

const char *const theme_names[] = {"dark", "light", "mono", "high-contrast", NULL};

/* In the order of their names. */
static const struct {
    bool has_color;
    short back; /* -1: the terminal's own */
    struct look look[STYLE_COUNT];
} themes[] = {
    /* dark */
    {.has_color = true,
     .back = -1,
     .look = {[STYLE_NORMAL] = {A_NORMAL, -1},
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
              [STYLE_LINE + 5] = {A_NORMAL, COLOR_BLUE}}},
    /* light: no yellow, cyan or faint text: they cannot be read on white. */
    {.has_color = true,
     .back = -1,
     .look = {[STYLE_NORMAL] = {A_NORMAL, -1},
              [STYLE_DIM] = {A_NORMAL, -1},
              [STYLE_BAR] = {A_REVERSE, -1},
              [STYLE_RULE] = {A_NORMAL, COLOR_BLUE},
              [STYLE_FOCUS] = {A_BOLD, COLOR_BLUE},
              [STYLE_KEY] = {A_REVERSE, -1},
              [STYLE_GOOD] = {A_NORMAL, COLOR_GREEN},
              [STYLE_WARN] = {A_BOLD, COLOR_MAGENTA},
              [STYLE_BAD] = {A_BOLD, COLOR_RED},
              [STYLE_LINE] = {A_NORMAL, COLOR_BLUE},
              [STYLE_LINE + 1] = {A_NORMAL, COLOR_RED},
              [STYLE_LINE + 2] = {A_NORMAL, COLOR_GREEN},
              [STYLE_LINE + 3] = {A_NORMAL, COLOR_MAGENTA},
              [STYLE_LINE + 4] = {A_BOLD, COLOR_BLUE},
              [STYLE_LINE + 5] = {A_BOLD, COLOR_RED}}},
    /* mono */
    {.back = -1,
     .look = {[STYLE_NORMAL] = {A_NORMAL, -1},
              [STYLE_DIM] = {A_DIM, -1},
              [STYLE_BAR] = {A_REVERSE, -1},
              [STYLE_RULE] = {A_NORMAL, -1},
              [STYLE_FOCUS] = {A_BOLD, -1},
              [STYLE_KEY] = {A_REVERSE, -1},
              [STYLE_GOOD] = {A_NORMAL, -1},
              [STYLE_WARN] = {A_BOLD, -1},
              [STYLE_BAD] = {A_BOLD, -1},
              [STYLE_LINE] = {A_NORMAL, -1},
              [STYLE_LINE + 1] = {A_BOLD, -1},
              [STYLE_LINE + 2] = {A_NORMAL, -1},
              [STYLE_LINE + 3] = {A_BOLD, -1},
              [STYLE_LINE + 4] = {A_NORMAL, -1},
              [STYLE_LINE + 5] = {A_BOLD, -1}}},
    /* high-contrast: bright on black, nothing faint, only colours that differ in brightness too. */
    {.has_color = true,
     .back = COLOR_BLACK,
     .look = {[STYLE_NORMAL] = {A_BOLD, COLOR_WHITE},
              [STYLE_DIM] = {A_NORMAL, COLOR_WHITE},
              [STYLE_BAR] = {A_BOLD | A_REVERSE, COLOR_WHITE},
              [STYLE_RULE] = {A_BOLD, COLOR_WHITE},
              [STYLE_FOCUS] = {A_BOLD | A_REVERSE, COLOR_YELLOW},
              [STYLE_KEY] = {A_BOLD | A_REVERSE, COLOR_WHITE},
              [STYLE_GOOD] = {A_BOLD, COLOR_CYAN},
              [STYLE_WARN] = {A_BOLD, COLOR_YELLOW},
              [STYLE_BAD] = {A_BOLD | A_REVERSE, COLOR_RED},
              [STYLE_LINE] = {A_BOLD, COLOR_WHITE},
              [STYLE_LINE + 1] = {A_BOLD, COLOR_YELLOW},
              [STYLE_LINE + 2] = {A_BOLD, COLOR_CYAN},
              [STYLE_LINE + 3] = {A_BOLD, COLOR_GREEN},
              [STYLE_LINE + 4] = {A_BOLD, COLOR_MAGENTA},
              [STYLE_LINE + 5] = {A_BOLD, COLOR_RED}}},
};
#define NTHEMES (sizeof themes / sizeof themes[0])
_Static_assert(NTHEMES + 1 == sizeof theme_names / sizeof theme_names[0], "a name for each");

static void use(size_t i)
{
    theme.now = i;
    /* Not before colours are wanted: it tells the terminal of its default colours. */
    if (themes[i].has_color && theme.has_color && !theme.is_started) {
        theme.is_started = true;
        start_color();
        theme.own_back = use_default_colors() == OK ? -1 : COLOR_BLACK;
    }
    for (int k = 0; k < STYLE_COUNT; k++) {
        const struct look *l = &themes[i].look[k];
        short back = themes[i].back >= 0 ? themes[i].back : theme.own_back;

        theme.attr[k] = l->attr;
        if (!theme.has_color || !themes[i].has_color || (l->color < 0 && themes[i].back < 0))
            continue;
        init_pair((short)(k + 1), l->color >= 0 ? l->color : COLOR_WHITE, back);
        theme.attr[k] |= COLOR_PAIR(k + 1);
    }
}

void theme_init(enum options_plot plot)
{
    const char *no_color = getenv("NO_COLOR");

    theme.is_utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
    theme.tier = plot_tier(plot);
    theme.has_color = has_colors();
    theme.is_started = false;
    theme_set(!theme.has_color || (no_color && *no_color) ? "mono" : "dark");
}

bool theme_set(const char *name)
{
    for (size_t i = 0; i < NTHEMES; i++) {
        if (!strcmp(theme_names[i], name)) {
            use(i);
            return true;
        }
    }
    return false;
}

const char *theme_name(void)
{
    return theme_names[theme.now];
}

const char *theme_next(void)
{
    use((theme.now + 1) % NTHEMES);
    return theme_name();
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
