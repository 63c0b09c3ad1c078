/* The screen Log: all of it with the times, by level and source; to search, follow and save. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "console/console.h"
#include "console/panel_log.h"
#include "console/view.h"
#include "core/buf.h"

#define TEXT_MAX (64u << 20) /* more than LOG_LINES_MAX lines can be */

struct view_log {
    struct view base;
    struct panel_log log;
};

static void layout(struct view *v, struct rect area, struct rect out[])
{
    (void)v;
    out[0] = area;
}

static unsigned write_lines(const struct panel_log *p, struct buf *out)
{
    unsigned count = 0;

    for (uint64_t n = p->lines->first; n < p->lines->end; n++) {
        const struct log_line *line = log_lines_at(p->lines, n);
        time_t t = (time_t)line->t;
        char stamp[32] = "";
        struct tm tm;

        if (!panel_log_shows(p, line))
            continue;
        if (gmtime_r(&t, &tm))
            strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", &tm);
        buf_printf(out, "%s %s\n", stamp, line->text);
        count++;
    }
    return count;
}

static bool save(void *user, const char *path)
{
    struct view_log *l = user;
    struct error err;
    unsigned count;
    struct buf text;
    enum status st;

    if (!path || !*path)
        return true;
    buf_init(&text, TEXT_MAX);
    count = write_lines(&l->log, &text);
    st = text.is_failed ? error_set(&err, STATUS_NOMEM, "log", "out of memory")
                        : file_write_new(path, text.data, text.len, 0666, &err);
    if (st != STATUS_OK)
        console_say_error(l->base.console, &err);
    else
        console_say(l->base.console, "%u lines written to %s", count, path);
    buf_done(&text);
    return st == STATUS_OK;
}

static bool act(struct view *v, enum action_id id)
{
    struct view_log *l = (struct view_log *)v;

    switch (id) {
    case ACTION_LOG_LEVEL:
        panel_log_next_level(&l->log);
        return true;
    case ACTION_LOG_SOURCE:
        panel_log_next_source(&l->log);
        return true;
    case ACTION_SAVE:
        console_ask(v->console, &(struct console_prompt){
                                    .label = "Save to the new file: ", .done = save, .user = l});
        return true;
    default:
        return false;
    }
}

static bool look(struct view *v)
{
    panel_log_look(&((struct view_log *)v)->log);
    return false;
}

static void done(struct view *v)
{
    free(v);
}

static const struct view_ops ops = {
    .where = ACTION_IN_LOG, .layout = layout, .act = act, .look = look, .done = done};

struct view *view_log_new(const struct view_env *env)
{
    struct view_log *l = calloc(1, sizeof *l);

    if (!l)
        return NULL;
    view_init(&l->base, &ops, env);
    panel_log_init(&l->log, env->log);
    l->log.has_times = true;
    view_add(&l->base, &l->log.base, 0);
    return &l->base;
}
