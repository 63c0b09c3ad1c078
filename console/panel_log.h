/* The log: what the script prints, log lines, and what was typed, newest at the bottom. */
#ifndef CCALAB_CONSOLE_PANEL_LOG_H
#define CCALAB_CONSOLE_PANEL_LOG_H

#include "console/panel.h"
#include "core/buf.h"

#define PANEL_LOG_LINES 5000

enum panel_log_kind {
    PANEL_LOG_OUTPUT, /* of the script */
    PANEL_LOG_INPUT,  /* typed after the ':' */
    PANEL_LOG_VALUE,  /* what it came to */
    PANEL_LOG_STRAY,  /* somebody wrote to standard error */
    PANEL_LOG_DEBUG,
    PANEL_LOG_INFO,
    PANEL_LOG_WARN,
    PANEL_LOG_ERROR,
};

struct panel_log_line {
    enum panel_log_kind kind;
    char *text; /* escaped */
};

struct panel_log {
    struct panel base;
    struct panel_log_line line[PANEL_LOG_LINES]; /* a ring */
    size_t first, len;
    size_t back;        /* lines scrolled back from the newest; 0: follow */
    struct buf partial; /* of PANEL_LOG_OUTPUT, up to the next newline */
};

void panel_log_init(struct panel_log *p);
void panel_log_done(struct panel_log *p);
/* Add text of one or several lines; escaped here. */
void panel_log_add(struct panel_log *p, enum panel_log_kind kind, const char *text);
/* Add output as it comes: lines are shown when they are complete. */
void panel_log_output(struct panel_log *p, const char *text, size_t len);

#endif
