/* The keys in force: those of action.def, and over them the user's own, from the file
 * $XDG_CONFIG_HOME/ccalab/keys. There is one map. Thread: main only.
 *
 * The file has a line "KEY ACTION" for each: "F2 zoom", "^P command", "x none" (no action at all).
 * A key of the file replaces what that key does on the screens that know the action; the action
 * keeps its other keys. Lines that are empty or begin with "# " or are "#" alone count for nothing.
 */
#ifndef CCALAB_CONSOLE_KEYMAP_H
#define CCALAB_CONSOLE_KEYMAP_H

#include <stdbool.h>
#include <stdio.h>

#include "console/action.h"
#include "core/error.h"

#define KEYMAP_NAME_MAX 12
#define KEYMAP_FILE_MAX (64u << 10)

/* The action of a key on that screen (one bit), or ACTION_NONE. */
enum action_id keymap_action(enum action_where where, int code);
/* The keys of an action, separated by spaces ("? F1"). Returns `out`. */
char *keymap_labels(enum action_id id, char *out, size_t size);
/* The first key, "" if it has none. */
const char *keymap_label(enum action_id id);

/* "^B", "F10", "PgUp", "Space", "x": the code as from wget_wch(3). False: no key is called that. */
bool keymap_parse_key(const char *name, size_t len, int *code);

/* Something is wrong in that line of the file; 0: in no line. */
typedef void (*keymap_fault_fn)(void *user, int line, const char *text);

/* Back to the keys of action.def. */
void keymap_reset(void);
/* Take over the lines of `text`: unknown keys and actions, and lines that want one key for two
 * actions of one screen, are told of and do not count; an action that is left without a key is told
 * of. Returns the number of faults. */
int keymap_take(const char *text, keymap_fault_fn fault, void *user);
/* Read the user's file, if there is one. */
int keymap_load(keymap_fault_fn fault, void *user);
/* Where that is. False: there is no such place. */
bool keymap_path(char *out, size_t size);

/* ccalab keys */
int keymap_main(int argc, char **argv);

#endif
