#include "console/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console/theme.h"
#include "core/buf.h"
#include "core/log.h"
#include "core/paths.h"
#include "core/suggest.h"

#define SETTINGS_FILE_MAX (64u << 10)

static const char *const names[] = {"theme", "mouse", NULL};

static const char *find(const char *const *list, const char *word)
{
    for (; *list; list++)
        if (!strcmp(*list, word))
            return *list;
    return NULL;
}

/* NULL: the line is right; else what is wrong, in `out`. */
static const char *take_line(struct settings *s, const char *name, const char *value, char *out,
                             size_t size)
{
    const char *no_color = getenv("NO_COLOR"), *theme = find(theme_names, value), *meant;

    if (!strcmp(name, "theme") && theme) {
        if (!s->theme && !(no_color && *no_color))
            s->theme = theme;
        return NULL;
    }
    if (!strcmp(name, "mouse") && (!strcmp(value, "on") || !strcmp(value, "off"))) {
        s->has_mouse = !strcmp(value, "on");
        return NULL;
    }
    if (!strcmp(name, "theme")) {
        snprintf(out, size, "no theme is called '%s': " THEME_NAMES, value);
    } else if (!strcmp(name, "mouse")) {
        snprintf(out, size, "mouse is on or off, not '%s'", value);
    } else {
        meant = did_you_mean(name, names);
        snprintf(out, size, "no setting is called %s%s%s%s", name, meant ? "; did you mean " : "",
                 meant ? meant : "", meant ? "?" : "");
    }
    return out;
}

void settings_take(struct settings *s, const char *text, settings_fault_fn fault, void *user)
{
    for (int line = 1; *text; line++) {
        char name[32] = "", value[64] = "", wrong[256], clean[256], row[256];
        size_t len = strcspn(text, "\n");

        snprintf(row, sizeof row, "%.*s", (int)len, text);
        if (sscanf(row, "%31s %63s", name, value) >= 1 && name[0] != '#' &&
            take_line(s, name, value, wrong, sizeof wrong))
            fault(user, line, log_escape(wrong, clean, sizeof clean));
        text += len + (text[len] == '\n');
    }
}

void settings_load(struct settings *s, settings_fault_fn fault, char *path)
{
    char dir[CCALAB_PATH_MAX];
    struct buf b;

    if (!paths_config(dir, sizeof dir) || !path_join(path, CCALAB_PATH_MAX, dir, "config"))
        return;
    if (buf_read_file(&b, path, SETTINGS_FILE_MAX, NULL) == STATUS_OK)
        settings_take(s, b.data, fault, path);
    buf_done(&b);
}
