/* A panel of lines of text (text_view.h), drawn, scrolled, searched, copied from and clicked on.
 * Who owns it fills `text` and marks `base` dirty. Thread: main only. */
#ifndef CCALAB_CONSOLE_PANEL_TEXT_H
#define CCALAB_CONSOLE_PANEL_TEXT_H

#include "console/panel.h"
#include "console/text_view.h"

struct panel_text {
    struct panel base;
    struct text_view text;
    const char *empty[2]; /* rows that stand there without any line; NULL: blank */
};

/* `title` is borrowed. */
void panel_text_init(struct panel_text *p, const char *title);
void panel_text_done(struct panel_text *p);

#endif
