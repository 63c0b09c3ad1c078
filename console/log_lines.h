/* The lines of the log: what scripts print, log lines, what was typed and what it came to. Panels
 * show them (panel_log.h), each its own part. Thread: main only. */
#ifndef CCALAB_CONSOLE_LOG_LINES_H
#define CCALAB_CONSOLE_LOG_LINES_H

#include <stdint.h>

#include "core/buf.h"

#define LOG_LINES_MAX        5000
#define LOG_LINES_SOURCE_MAX 32

enum log_kind {
    LOG_OUTPUT, /* of the script */
    LOG_INPUT,  /* typed after the ':' */
    LOG_VALUE,  /* what it came to */
    LOG_STRAY,  /* somebody wrote to standard error */
    LOG_DEBUG,
    LOG_INFO,
    LOG_WARN,
    LOG_ERROR,
};

struct log_line {
    enum log_kind kind;
    bool goes_on;                      /* belongs to the line before it */
    double t;                          /* seconds since the epoch */
    char source[LOG_LINES_SOURCE_MAX]; /* "output", "typed", "stderr", a job, a part of the program
                                        */
    char *text;                        /* escaped */
};

struct log_lines {
    struct log_line line[LOG_LINES_MAX]; /* a ring */
    uint64_t first, end; /* numbers of the oldest line kept and of the next to come */
    struct buf partial;  /* of LOG_OUTPUT, up to the next newline */
};

void log_lines_init(struct log_lines *l);
void log_lines_done(struct log_lines *l);
/* Add text of one or several lines; escaped here. The source of a log line is what stands before
 * its first ": ". */
void log_lines_add(struct log_lines *l, enum log_kind kind, const char *text);
/* Add output as it comes: lines are shown when they are complete. */
void log_lines_output(struct log_lines *l, const char *text, size_t len);
/* The line of that number, first <= n < end. */
const struct log_line *log_lines_at(const struct log_lines *l, uint64_t n);

#endif
