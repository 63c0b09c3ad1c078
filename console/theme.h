/* How things look: attributes, colours where they are wanted, and text that the terminal can show.
 * No meaning is carried by colour alone. Thread: main only. */
#ifndef CCALAB_CONSOLE_THEME_H
#define CCALAB_CONSOLE_THEME_H

#define NCURSES_WIDECHAR 1
#include <ncurses.h>
#include <stdbool.h>
#include <stddef.h>

#include "console/cells.h"
#include "console/options.h"

enum style {
    STYLE_NORMAL,
    STYLE_DIM,
    STYLE_BAR,   /* title bar */
    STYLE_RULE,  /* line with a panel's name */
    STYLE_FOCUS, /* the same, of the focused panel */
    STYLE_KEY,   /* a key in the key bar */
    STYLE_GOOD,
    STYLE_WARN,
    STYLE_BAD,
    STYLE_LINE, /* and the following: lines of a plot */
    STYLE_COUNT = STYLE_LINE + 6
};

/* After term_open(). The theme dark; mono where $NO_COLOR is set (no-color.org) or the terminal has
 * no colours; what a plot is drawn with from the option, else from the locale (nl_langinfo(3)): in
 * a locale without UTF-8 curses sends no braille, whatever the terminal could do. */
void theme_init(enum options_plot plot);
/* The names of the themes, and a NULL; and the same for options and messages. */
extern const char *const theme_names[];
#define THEME_NAMES "dark, light, mono or high-contrast"
/* Look different from now on; the screen is to be drawn anew. Without colours all are as mono but
 * for bold and reverse. False: no theme is called that. */
bool theme_set(const char *name);
const char *theme_name(void);
/* The one after that, by name. */
const char *theme_next(void);
bool theme_is_utf8(void);
enum cells_tier theme_plot_tier(void);
attr_t theme_attr(enum style style);
enum style theme_line(size_t i);

/* Bytes of `s` (UTF-8) that fit into `columns`; at least one character unless s is empty. */
size_t text_fit(const char *s, int columns);
int text_columns(const char *s, size_t len);
/* The first place of `what` in `s`, whatever the case of ASCII letters; NULL: none. */
const char *text_find(const char *s, const char *what);
/* Write at most `len` bytes of `s` into at most `columns` columns at (y, x). What cannot be shown
 * becomes '?'. Returns the columns used. */
int text_put_n(WINDOW *win, int y, int x, int columns, enum style style, const char *s, size_t len);
int text_put(WINDOW *win, int y, int x, int columns, enum style style, const char *s);
/* The same with the rest of the columns blanked. */
void text_fill(WINDOW *win, int y, int x, int columns, enum style style, const char *s);

#endif
