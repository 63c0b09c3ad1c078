/* The screen Packets: the last capture of this console's jobs, as it grows, or a file that is asked
 * for; all the rest is screen_packets.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console/console.h"
#include "console/keymap.h"
#include "console/screen_packets.h"
#include "console/view.h"
#include "core/json.h"
#include "core/paths.h"

struct view_packets {
    struct view base;
    struct panel panel;
    struct screen_packets screen;
    uv_async_t news;               /* from its threads */
    char path[CCALAB_PATH_MAX];    /* what is open; "": nothing */
    char latest[CCALAB_PATH_MAX];  /* the last capture that was told of; "": none */
    char job[96];                  /* that still writes it; "": it is complete */
    char history[CCALAB_PATH_MAX]; /* file of the filters typed before, or "" */
    bool is_chosen;                /* opened by name: a newer capture does not replace it */
};

static void on_news(uv_async_t *async)
{
    (void)async; /* the loop goes round, which is all */
}

static void wake(void *user)
{
    uv_async_send(user);
}

static void close_capture(struct view_packets *p)
{
    if (p->path[0])
        screen_packets_close(&p->screen);
    p->path[0] = '\0';
    p->base.has_cursor = false;
    p->panel.is_dirty = true;
}

static bool open_capture(struct view_packets *p, const char *path)
{
    struct screen_packets_opts opts = {.path = p->path,
                                       .is_inside = true,
                                       .is_followed = p->job[0] && !strcmp(path, p->latest),
                                       .history = p->history[0] ? p->history : NULL,
                                       .wake = wake,
                                       .user = &p->news};
    struct error err;

    close_capture(p);
    snprintf(p->path, sizeof p->path, "%s", path);
    if (screen_packets_open(&p->screen, &opts, &err) == STATUS_OK)
        return true;
    console_say_error(p->base.console, &err);
    close_capture(p);
    return false;
}

static bool asked(void *user, const char *path)
{
    struct view_packets *p = user;

    if (!path || !*path)
        return true;
    p->is_chosen = true;
    return open_capture(p, path);
}

static void ask(struct view_packets *p)
{
    console_ask(p->base.console,
                &(struct console_prompt){
                    .label = "Open the capture file: ", .text = p->path, .done = asked, .user = p});
}

/* --- the panel -------------------------------------------------------------------------------- */

static struct view_packets *of_panel(struct panel *panel)
{
    return (struct view_packets *)((char *)panel - offsetof(struct view_packets, panel));
}

static void draw(struct panel *panel)
{
    struct view_packets *p = of_panel(panel);

    if (p->path[0]) {
        screen_packets_draw_in(&p->screen, panel->win);
        return;
    }
    text_put(panel->win, 1, 1, getmaxx(panel->win) - 1, STYLE_DIM,
             "no capture yet: what lab.capture{write = ...} writes is shown here");
    text_put(panel->win, 2, 1, getmaxx(panel->win) - 1, STYLE_DIM, "o opens a file");
}

static bool copy(struct panel *panel, char *out, size_t size)
{
    struct view_packets *p = of_panel(panel);
    int i = p->path[0] ? tree_view_selected(&p->screen.tree) : -1;
    const struct screen_packets_row *row =
        p->path[0] ? screen_packets_row(&p->screen, p->screen.list.selected) : NULL;

    if (i >= 0 && p->screen.focus == PACKETS_TREE)
        snprintf(out, size, "%s", p->screen.tree.node[i].text);
    else if (row)
        snprintf(out, size, "%lu %.6f %s > %s %s %s", (unsigned long)row->line.number,
                 row->line.time_s, row->line.src, row->line.dst, row->line.protocol,
                 row->line.info);
    return row != NULL;
}

static const struct panel_ops panel_ops = {.draw = draw, .copy = copy};

/* --- the view --------------------------------------------------------------------------------- */

static void layout(struct view *v, struct rect area, struct rect out[])
{
    (void)v;
    out[0] = area;
}

static bool act(struct view *v, enum action_id id)
{
    struct view_packets *p = (struct view_packets *)v;

    p->panel.is_dirty = true;
    if (id == ACTION_CAPTURE)
        ask(p);
    else if (p->path[0])
        screen_packets_act(&p->screen, id);
    return true;
}

/* What is typed into its line, and what moves between its parts, which the console takes for one
 * panel. */
static bool key(struct view *v, bool is_code, wint_t code)
{
    struct view_packets *p = (struct view_packets *)v;
    enum action_id id =
        is_code || code < 0x80 ? keymap_action(ACTION_IN_PACKETS, (int)code) : ACTION_NONE;
    bool is_ours = p->path[0] && (p->screen.line != PACKETS_NO_LINE || id == ACTION_FOCUS_NEXT ||
                                  id == ACTION_FOCUS_PREV || id == ACTION_ZOOM);

    if (p->path[0])
        p->screen.message[0] = '\0';
    if (is_ours)
        screen_packets_key(&p->screen, is_code, code);
    p->base.has_cursor = p->path[0] && p->screen.line != PACKETS_NO_LINE;
    p->panel.is_dirty = true;
    return is_ours;
}

static void event(struct view *v, const struct event *ev)
{
    struct view_packets *p = (struct view_packets *)v;
    const cJSON *data = json_get(ev->body, "data"), *files = json_get(data, "files");
    const char *file = json_str(data, "file", NULL);

    if (ev->type != EVENT_RESULT)
        return;
    if (cJSON_IsArray(files) && cJSON_GetArraySize(files) > 0) {
        const cJSON *last = cJSON_GetArrayItem(files, cJSON_GetArraySize(files) - 1);

        file = cJSON_IsString(last) ? last->valuestring : NULL;
        if (file && !strcmp(p->job, ev->job))
            p->job[0] = '\0';
    } else if (file) {
        snprintf(p->job, sizeof p->job, "%s", ev->job);
    }
    if (file)
        snprintf(p->latest, sizeof p->latest, "%s", file);
}

static bool look(struct view *v)
{
    struct view_packets *p = (struct view_packets *)v;
    bool has_more;

    /* What is not seen is not read. */
    if (!p->path[0] || !p->panel.win)
        return false;
    getmaxyx(p->panel.win, p->screen.rows, p->screen.cols); /* it may not have been drawn yet */
    has_more = screen_packets_look(&p->screen);
    p->panel.is_dirty |= p->screen.is_dirty;
    p->base.has_cursor = p->screen.line != PACKETS_NO_LINE;
    return has_more;
}

static void show(struct view *v, bool is_shown)
{
    struct view_packets *p = (struct view_packets *)v;

    if (is_shown && p->latest[0] && !p->is_chosen && strcmp(p->latest, p->path))
        open_capture(p, p->latest);
}

static void free_it(uv_handle_t *handle)
{
    free(handle->data);
}

static void done(struct view *v)
{
    struct view_packets *p = (struct view_packets *)v;

    close_capture(p);
    uv_close((uv_handle_t *)&p->news, free_it); /* the handle lies in it */
}

static const struct view_ops ops = {.where = ACTION_IN_PACKETS,
                                    .layout = layout,
                                    .key = key,
                                    .act = act,
                                    .event = event,
                                    .look = look,
                                    .show = show,
                                    .done = done};

struct view *view_packets_new(const struct view_env *env)
{
    struct view_packets *p = calloc(1, sizeof *p);
    char dir[CCALAB_PATH_MAX];

    if (!p)
        return NULL;
    view_init(&p->base, &ops, env);
    if (uv_async_init(&env->session->loop, &p->news, on_news)) {
        free(p);
        return NULL;
    }
    p->news.data = p;
    uv_unref((uv_handle_t *)&p->news);
    if (!paths_state(dir, sizeof dir) ||
        !path_join(p->history, sizeof p->history, dir, "filter_history"))
        p->history[0] = '\0';
    p->panel = (struct panel){.ops = &panel_ops, .title = "Packets", .is_bare = true};
    view_add(&p->base, &p->panel, 0);
    return &p->base;
}
