/* Asking what a pickle says. */
#include <string.h>

#include "model/pickle.h"

bool pickle_is_text(const struct pickle_value *v, const char *text)
{
    return v && v->kind == PICKLE_TEXT && v->bytes.len == strlen(text) &&
           !memcmp(v->bytes.data, text, v->bytes.len);
}

bool pickle_is_int(const struct pickle_value *v, int64_t integer)
{
    return v && v->kind == PICKLE_INT && v->integer == integer;
}

bool pickle_is_call(const struct pickle_value *v, const char *global, int nargs)
{
    return v && v->kind == PICKLE_OBJECT && !strcmp(v->object.global, global) &&
           (nargs < 0 || v->object.args->items.count == (size_t)nargs);
}

const struct pickle_value *pickle_item(const struct pickle_value *v, size_t index)
{
    if (v && v->kind == PICKLE_OBJECT)
        v = v->object.args;
    if (!v || (v->kind != PICKLE_TUPLE && v->kind != PICKLE_LIST))
        return NULL;
    return index < v->items.count ? v->items.at[index] : NULL;
}

const struct pickle_value *pickle_get(const struct pickle_value *dict, const char *key)
{
    if (!dict || dict->kind != PICKLE_DICT)
        return NULL;
    for (size_t i = dict->items.count; i >= 2; i -= 2)
        if (pickle_is_text(dict->items.at[i - 2], key))
            return dict->items.at[i - 1];
    return NULL;
}
