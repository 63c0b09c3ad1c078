/* The screen Lab: the laboratory drawn, what the checks found, the log. */
#include <stdlib.h>
#include <string.h>

#include "console/console.h"
#include "console/panel_checks.h"
#include "console/panel_log.h"
#include "console/panel_topology.h"
#include "console/view.h"

enum { TOPOLOGY, CHECKS, LOG_STRIP };
enum { TOP, LEFT };

#define WIDE_COLS 120

struct view_lab {
    struct view base;
    struct panel_topology topology;
    struct panel_checks checks;
    struct panel_log log;
    char selected[64]; /* the host whose checks are shown */
};

static void layout(struct view *v, struct rect area, struct rect out[])
{
    struct rect rest;

    layout_rows(area, v->share[TOP], 8, 4, &rest, &out[LOG_STRIP]);
    if (area.cols >= WIDE_COLS)
        layout_columns(rest, v->share[LEFT], 60, 30, &out[TOPOLOGY], &out[CHECKS]);
    else if (rest.rows >= 13) /* the drawing needs the width */
        layout_rows(rest, v->share[LEFT], 9, 4, &out[TOPOLOGY], &out[CHECKS]);
    else
        out[v->focus == CHECKS ? CHECKS : TOPOLOGY] = rest;
}

static bool act(struct view *v, enum action_id id)
{
    struct view_lab *l = (struct view_lab *)v;

    /* The topology has no pages: they are the log's. */
    return l->log.base.ops->act(&l->log.base, id);
}

static bool look(struct view *v)
{
    struct view_lab *l = (struct view_lab *)v;

    panel_topology_look(&l->topology);
    panel_checks_look(&l->checks);
    panel_log_look(&l->log);
    if (strcmp(l->selected, l->topology.selected)) {
        strcpy(l->selected, l->topology.selected);
        panel_checks_select(&l->checks, l->selected);
    }
    return false;
}

static void done(struct view *v)
{
    struct view_lab *l = (struct view_lab *)v;

    panel_checks_done(&l->checks);
    free(l);
}

static const struct view_ops ops = {
    .where = ACTION_IN_LAB, .layout = layout, .act = act, .look = look, .done = done};

struct view *view_lab_new(const struct view_env *env)
{
    struct view_lab *l = calloc(1, sizeof *l);

    if (!l)
        return NULL;
    view_init(&l->base, &ops, env);
    view_share(&l->base, 700);
    view_share(&l->base, 600);
    panel_topology_init(&l->topology, env->session);
    panel_checks_init(&l->checks, &env->session->checks);
    panel_log_init(&l->log, env->log);
    view_add(&l->base, &l->topology.base, LEFT + 1);
    view_add(&l->base, &l->checks.lines.base, -(LEFT + 1));
    view_add(&l->base, &l->log.base, -(TOP + 1));
    return &l->base;
}
