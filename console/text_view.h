/* Lines of text, each with a style, wrapped at the width: to scroll, select, search and copy.
 * Panels fill one and draw it. Thread: main only. */
#ifndef CCALAB_CONSOLE_TEXT_VIEW_H
#define CCALAB_CONSOLE_TEXT_VIEW_H

#include "console/layout.h"
#include "console/list_view.h"
#include "console/theme.h"

struct text_view_line {
    enum style style;
    int indent; /* columns in front of what is wrapped */
    char *text; /* escaped by who added it */
    int tag;    /* of who added it */
};

struct text_view_row { /* a piece of a line, one row of the screen */
    uint32_t line;
    uint32_t from, len; /* bytes */
};

struct text_view {
    struct list_view list; /* of rows */
    struct text_view_line *line;
    size_t nlines, lines_cap;
    struct text_view_row *row;
    size_t nrows, rows_cap;
    int wrapped_cols; /* what the rows are made for; 0: not made */
    int cols;         /* of the last drawing */
};

/* All zero is an empty one. */
void text_view_done(struct text_view *t);
/* Remove the lines; the place in the list stays. */
void text_view_clear(struct text_view *t);
/* Add a line (copied), with `indent` columns before it where it goes on below; TEXT_VIEW_CUT: it
 * does not, what does not fit is cut. Nothing is added when memory is out. */
#define TEXT_VIEW_CUT (-1)
void text_view_add(struct text_view *t, enum style style, int indent, int tag, const char *text);
/* Those of list_view_act(). */
bool text_view_act(struct text_view *t, enum action_id id);
/* The line selected, or NULL. */
const struct text_view_line *text_view_selected(const struct text_view *t);
/* Select the first line with that tag; false: there is none. */
bool text_view_select(struct text_view *t, int tag);
/* Select the first row, the last one: of what is there at the next drawing. */
void text_view_first(struct text_view *t);
void text_view_last(struct text_view *t);
/* The rows it takes at that width. */
size_t text_view_rows(struct text_view *t, int cols);
/* As panel_ops.search() and copy(): the whole line, however it is wrapped. */
bool text_view_search(struct text_view *t, const char *text, int step);
bool text_view_copy(const struct text_view *t, char *out, size_t size);
/* The row `y` of the view, from 0. */
void text_view_click(struct text_view *t, int y);
/* `has_focus`: mark the selected row. */
void text_view_draw(struct text_view *t, WINDOW *win, const struct rect *r, bool has_focus);

#endif
