/* Markdown as the labs use it, cut into lines to show: headings, paragraphs, lists, code, tables.
 * A part of CommonMark 0.31; what it does not know is shown as it is. Thread: any. */
#ifndef CCALAB_CONSOLE_MARKDOWN_H
#define CCALAB_CONSOLE_MARKDOWN_H

#include <stdbool.h>
#include <stddef.h>

enum markdown_kind {
    MARKDOWN_BLANK,   /* between blocks; never first, never two together */
    MARKDOWN_HEADING, /* without its # */
    MARKDOWN_TEXT,    /* a whole paragraph, to be wrapped */
    MARKDOWN_ITEM,    /* of a list, with "- " or its number in front */
    MARKDOWN_CODE,    /* a line of code, not to be joined with others */
    MARKDOWN_TABLE,   /* a row as it is written; the row of dashes is left out */
};

/* A line; `indent` columns before it (before what of it is wrapped, for an item). `text` is valid
 * during the call; control characters but tabs are taken out of it. */
typedef void (*markdown_fn)(void *user, enum markdown_kind kind, int indent, const char *text);

/* The longest paragraph; what is longer is cut. */
#define MARKDOWN_LINE_MAX 16384

/* Call `fn` for each line of `text` (UTF-8), in order. Marks of emphasis are taken out, backticks
 * stay: they say what is to be typed. */
void markdown_each(const char *text, markdown_fn fn, void *user);

#endif
