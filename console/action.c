#define NCURSES_WIDECHAR 1
#include "console/action.h"

#include <ncurses.h>
#include <string.h>

const struct action actions[ACTION_COUNT] = {
#define ACTION(id, where, name, bar, help) [ACTION_##id] = {ACTION_IN_##where, name, bar, help},
#define KEY(id, code, label)
#include "console/action.def"
#undef ACTION
#undef KEY
};

const struct action_key action_keys[] = {
#define ACTION(id, where, name, bar, help)
#define KEY(id, code, label) {ACTION_##id, code, label},
#include "console/action.def"
#undef ACTION
#undef KEY
};

const size_t action_keys_len = sizeof action_keys / sizeof action_keys[0];

enum action_id action_named(const char *name, size_t len)
{
    for (int i = 0; i < ACTION_COUNT; i++)
        if (strlen(actions[i].name) == len && !strncmp(actions[i].name, name, len))
            return (enum action_id)i;
    return ACTION_NONE;
}
