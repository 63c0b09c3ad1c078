/* What was typed before, lines or blocks of lines: in memory and in a file, newest last. An entry
 * equal to the one before it is not kept twice. In the file a line that begins with a tab goes on
 * with the entry above it. Thread: main only. */
#ifndef CCALAB_CONSOLE_HISTORY_H
#define CCALAB_CONSOLE_HISTORY_H

#include <stddef.h>

#define HISTORY_MAX       1000
#define HISTORY_ENTRY_MAX 8192 /* what is longer is not kept */

struct history {
    char *line[HISTORY_MAX];
    size_t len;
    char *path; /* NULL: memory only */
};

/* Load from a file, which need not exist; its directory is made at the first history_add(). `path`
 * NULL keeps the history in memory only. An unreadable file is an empty history. */
void history_init(struct history *h, const char *path);
void history_done(struct history *h);
/* Remember an entry, without tabs before its first line, and append it to the file. A file that
 * cannot be written is logged once, and not tried again. Empty entries are ignored. */
void history_add(struct history *h, const char *entry);
/* Entry number i (0 is the oldest), or NULL. */
const char *history_at(const struct history *h, size_t i);

#endif
