#include "console/filter_complete.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "capture/field.h"

static bool is_of_name(char c)
{
    return isalnum((unsigned char)c) || c == '.' || c == '_';
}

void filter_complete(struct line_editor *le, char *out, size_t size)
{
    size_t start = le->cursor, len, common = 0, used = 0, count = 0;
    const char *first = NULL;
    const struct field *f;

    out[0] = '\0';
    while (start > 0 && is_of_name(le->text[start - 1]))
        start--;
    len = le->cursor - start;
    for (size_t i = 0; (f = field_at(i)); i++) {
        if (strncmp(f->name, le->text + start, len) != 0)
            continue;
        if (!first) {
            first = f->name;
            common = strlen(first);
        }
        for (size_t k = 0; k < common; k++)
            if (first[k] != f->name[k])
                common = k;
        if (used < size)
            used += (size_t)snprintf(out + used, size - used, "%s%s", count ? " " : "", f->name);
        count++;
    }
    if (!first) {
        snprintf(out, size, "no field begins like that");
        return;
    }
    for (size_t k = len; k < common; k++)
        line_editor_insert(le, (uint32_t)first[k]);
    if (count == 1) {
        line_editor_insert(le, ' ');
        out[0] = '\0';
    }
}
