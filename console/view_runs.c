/* The screen Runs: the flows of what runs now, as plots, the log below. */
#include <stdio.h>
#include <stdlib.h>

#include "console/console.h"
#include "console/panel_log.h"
#include "console/panel_plot.h"
#include "console/view.h"

#define PLOTS 4
enum { LOG_STRIP = PLOTS };
enum { TOP, LEFT };

struct view_runs {
    struct view base;
    struct panel_plot plots[PLOTS];
    struct panel_log log;
    bool is_paused;
};

static void layout(struct view *v, struct rect area, struct rect out[])
{
    struct rect top, row[2];

    layout_rows(area, v->share[TOP], 8, 4, &top, &out[LOG_STRIP]);
    layout_rows(top, 500, 4, 4, &row[0], &row[1]);
    for (int i = 0; i < 2; i++)
        layout_columns(row[i], v->share[LEFT], 20, 20, &out[2 * i], &out[2 * i + 1]);
}

static bool act(struct view *v, enum action_id id)
{
    struct view_runs *r = (struct view_runs *)v;

    if (id != ACTION_PAUSE) /* plots have no lines: those of the log move */
        return r->log.base.ops->act(&r->log.base, id);
    r->is_paused = !r->is_paused;
    for (int i = 0; i < PLOTS; i++)
        panel_plot_pause(&r->plots[i], r->is_paused);
    return true;
}

static void event(struct view *v, const struct event *ev)
{
    struct view_runs *r = (struct view_runs *)v;
    const cJSON *value;

    if (ev->type != EVENT_SAMPLE || r->is_paused)
        return;
    cJSON_ArrayForEach(value, cJSON_GetObjectItemCaseSensitive(ev->body, "values"))
    {
        char name[SERIES_NAME_MAX];

        snprintf(name, sizeof name, "%s/%s", ev->src, value->string ? value->string : "");
        for (int i = 0; i < PLOTS; i++)
            r->plots[i].base.is_dirty |= panel_plot_wants(&r->plots[i], name);
    }
}

static bool look(struct view *v)
{
    panel_log_look(&((struct view_runs *)v)->log);
    return false;
}

static void done(struct view *v)
{
    struct view_runs *r = (struct view_runs *)v;

    for (int i = 0; i < PLOTS; i++)
        panel_plot_done(&r->plots[i]);
    free(r);
}

static const struct view_ops ops = {.name = "Runs",
                                    .where = ACTION_IN_RUNS,
                                    .layout = layout,
                                    .act = act,
                                    .event = event,
                                    .look = look,
                                    .done = done};

struct view *view_runs_new(const struct view_env *env)
{
    struct view_runs *r = calloc(1, sizeof *r);

    if (!r)
        return NULL;
    view_init(&r->base, &ops, env);
    view_share(&r->base, 700);
    view_share(&r->base, 500);
    for (int i = 0; i < PLOTS; i++) {
        panel_plot_init(&r->plots[i], (enum panel_plot_id)i, &env->session->series);
        view_add(&r->base, &r->plots[i].base, i % 2 ? -(LEFT + 1) : LEFT + 1);
    }
    panel_log_init(&r->log, env->log);
    r->base.focus = view_add(&r->base, &r->log.base, -(TOP + 1));
    return &r->base;
}
