#define NCURSES_WIDECHAR 1
#include "console/action.h"

#include <ncurses.h>
#include <stdio.h>
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

enum action_id action_of_key(enum action_where where, int code)
{
    for (size_t i = 0; i < action_keys_len; i++)
        if (action_keys[i].code == code && actions[action_keys[i].action].where & where)
            return action_keys[i].action;
    return ACTION_NONE;
}

char *action_labels(enum action_id id, char *out, size_t size)
{
    size_t len = 0;

    out[0] = '\0';
    for (size_t i = 0; i < action_keys_len && len < size; i++)
        if (action_keys[i].action == id)
            len += (size_t)snprintf(out + len, size - len, "%s%s", len ? " " : "",
                                    action_keys[i].label);
    return out;
}

const char *action_label(enum action_id id)
{
    for (size_t i = 0; i < action_keys_len; i++)
        if (action_keys[i].action == id)
            return action_keys[i].label;
    return "";
}
