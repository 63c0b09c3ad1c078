/* Where in a lab file something was said: the lines of `name = ...` and of the `key = ...` inside
 * its braces, found without running it. Lua itself knows lines of instructions, not of fields. */
#ifndef CCALAB_LUA_LABFILE_LINES_H
#define CCALAB_LUA_LABFILE_LINES_H

#include <stddef.h>

#define LABFILE_LINES_MAX 256
#define LABFILE_WORD_MAX  32

struct labfile_lines {
    struct labfile_line {
        char name[LABFILE_WORD_MAX], key[LABFILE_WORD_MAX]; /* key "": the name itself */
        int line;
    } at[LABFILE_LINES_MAX];
    int n;
};

/* Read the source text: any bytes. What is beyond the bounds is left out. */
void labfile_lines_find(struct labfile_lines *l, const char *text, size_t len);
/* The line of `name.key`, else that of `name`, else 0; `key` may be NULL. The last one counts, as
 * it does when the file is run. */
int labfile_lines_of(const struct labfile_lines *l, const char *name, const char *key);

#endif
