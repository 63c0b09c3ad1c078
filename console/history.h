/* Lines typed before: in memory and in a file, newest last. A line equal to the one before it is
 * not kept twice. Thread: main only. */
#ifndef CCALAB_CONSOLE_HISTORY_H
#define CCALAB_CONSOLE_HISTORY_H

#include <stddef.h>

#define HISTORY_MAX 1000

struct history {
    char *line[HISTORY_MAX];
    size_t len;
    char *path; /* NULL: memory only */
};

/* Load from a file, which need not exist; its directory is made at the first history_add(). `path`
 * NULL keeps the history in memory only. An unreadable file is an empty history. */
void history_init(struct history *h, const char *path);
void history_done(struct history *h);
/* Remember a line and append it to the file. A file that cannot be written is logged once, and not
 * tried again. Empty lines are ignored. */
void history_add(struct history *h, const char *line);
/* Line number i (0 is the oldest), or NULL. */
const char *history_at(const struct history *h, size_t i);

#endif
