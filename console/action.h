/* The actions of the console and their keys, from action.def. */
#ifndef CCALAB_CONSOLE_ACTION_H
#define CCALAB_CONSOLE_ACTION_H

#include <stddef.h>

enum action_id {
    ACTION_NONE = -1,
#define ACTION(id, where, name, bar, help) ACTION_##id,
#define KEY(id, code, label)
#include "console/action.def"
#undef ACTION
#undef KEY
    ACTION_COUNT
};

/* The screens that know an action: a bit each, and names for some together. Two actions may have
 * the same key where they have no screen in common. */
enum action_where {
    ACTION_IN_LAB = 1 << 0,
    ACTION_IN_RUNS = 1 << 1,
    ACTION_IN_PACKETS = 1 << 2,
    ACTION_IN_TRAIN = 1 << 3,
    ACTION_IN_LABS = 1 << 4,
    ACTION_IN_LOG = 1 << 5,
    ACTION_IN_REPL = 1 << 6,
    ACTION_IN_ALONE = 1 << 7, /* ccalab packets: the screen without the console around it */
    ACTION_IN_CONSOLE = (1 << 7) - 1,
    ACTION_IN_ALL = (1 << 8) - 1,
    ACTION_IN_FILTERED = ACTION_IN_PACKETS | ACTION_IN_ALONE, /* by a display filter */
    ACTION_IN_WITHOUT_FILTER = ACTION_IN_CONSOLE & ~ACTION_IN_PACKETS,
    ACTION_IN_FOLLOWED = ACTION_IN_FILTERED | ACTION_IN_LOG,
    ACTION_IN_PLOTTED = ACTION_IN_RUNS | ACTION_IN_TRAIN,
};

struct action {
    enum action_where where;
    const char *name; /* "log-up" */
    const char *bar;  /* short text of the key bar; NULL: not there */
    const char *help; /* one sentence without a full stop */
};

struct action_key {
    enum action_id action;
    int code; /* as from wget_wch(3) */
    const char *label;
};

extern const struct action actions[ACTION_COUNT];
/* The keys as they are without the user's own; keymap.h has those in force. */
extern const struct action_key action_keys[];
extern const size_t action_keys_len;

/* ACTION_NONE: none is called that. */
enum action_id action_named(const char *name, size_t len);

#endif
