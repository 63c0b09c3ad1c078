/* The log, newest at the bottom: all of it, or what passes a level and a source. */
#ifndef CCALAB_CONSOLE_PANEL_LOG_H
#define CCALAB_CONSOLE_PANEL_LOG_H

#include "console/log_lines.h"
#include "console/panel.h"

struct panel_log {
    struct panel base;
    const struct log_lines *lines;
    uint64_t seen; /* lines->end, as it was drawn last */
    bool is_back;  /* scrolled back: does not follow */
    uint64_t at;   /* with is_back: number of the selected line, */
    uint64_t last; /* and of the lowest one in view */
    bool has_times;
    enum log_kind level;               /* LOG_WARN: warnings and errors alone; 0: all */
    char source[LOG_LINES_SOURCE_MAX]; /* "": all */
    char note[96];
};

void panel_log_init(struct panel_log *p, const struct log_lines *lines);
/* There may be new lines: become dirty if there are. Cheap. */
void panel_log_look(struct panel_log *p);
/* Warnings and errors only, errors only, all. */
void panel_log_next_level(struct panel_log *p);
/* The lines of the next source only (of those that are there now, by name), or of all. */
void panel_log_next_source(struct panel_log *p);
/* Does the line pass level and source? */
bool panel_log_shows(const struct panel_log *p, const struct log_line *line);

#endif
