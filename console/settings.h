/* The person's own settings, from $XDG_CONFIG_HOME/ccalab/config: lines "theme light", "mouse on".
 * Empty lines and such that begin with '#' count for nothing. Thread: main only. */
#ifndef CCALAB_CONSOLE_SETTINGS_H
#define CCALAB_CONSOLE_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

struct settings {
    const char *theme; /* its name, or NULL */
    bool has_mouse;
};

typedef void (*settings_fault_fn)(void *user, int line, const char *text);

/* Take over what `text` says; each line that says nothing known is told of. A theme that is set
 * already (by an option) stays, and where $NO_COLOR is set the text has no say in it. */
void settings_take(struct settings *s, const char *text, settings_fault_fn fault, void *user);
/* Read the file, if there is one; `path` (CCALAB_PATH_MAX bytes) becomes its name, and is what
 * `fault` is called with. */
void settings_load(struct settings *s, settings_fault_fn fault, char *path);

#endif
