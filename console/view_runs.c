/* The screen Runs: the flows of what runs now, as a table and as plots; what a policy that drives
 * them does; the runs of before, opened in their place, side by side as a table of what differs,
 * and exported. */
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console/console.h"
#include "console/panel_driven.h"
#include "console/panel_log.h"
#include "console/panel_plot.h"
#include "console/panel_text.h"
#include "console/past_runs.h"
#include "console/view.h"
#include "core/buf.h"
#include "core/json.h"
#include "core/log.h"

enum { THROUGHPUT, CWND, RTT, MARKS, WINDOWS, PLOTS }; /* WINDOWS: of a driven flow */
enum { FLOWS = PLOTS, TABLE, LOG_STRIP, PAST, DRIVEN };
enum { TOP, LEFT };
static const enum panel_plot_id plot_ids[PLOTS] = {
    PANEL_PLOT_THROUGHPUT, PANEL_PLOT_CWND, PANEL_PLOT_RTT, PANEL_PLOT_MARKS, PANEL_PLOT_WINDOW};

#define NAME_COLS   22  /* "drive/10.98.1.2:42236" */
#define WIDE_COLS   120 /* from here on the window's plot stands beside the driven flows */
#define DRIVEN_COLS 84  /* that their lines need */
#define PLOT_ROWS   5   /* of a plot that says something */
#define AIM_STEP    0.1 /* of the largest return */

struct view_runs {
    struct view base;
    struct panel_plot plots[PLOTS];
    struct panel flows, past;
    struct panel_text table; /* what differs */
    struct panel_log log;
    struct panel_driven driven;
    struct flow_table live;
    struct past_runs runs;
    struct list_view list;
    bool is_paused, has_past, has_table;
    /* The run that is open in place of the live ones. */
    bool is_open;
    struct series_set series;
    struct flow_table opened;
    char title[128];
};

#define OF(p, member) ((struct view_runs *)((char *)(p)-offsetof(struct view_runs, member)))

static struct past_run *selected(struct view_runs *r)
{
    return r->list.selected < r->runs.len ? &r->runs.of[r->list.selected] : NULL;
}

/* --- the table of flows ----------------------------------------------------------------------- */

static void number(double v, double scale, const char *format, char *out, size_t size)
{
    if (isfinite(v))
        snprintf(out, size, format, v * scale);
    else
        snprintf(out, size, "-");
}

static void draw_flows(struct panel *base)
{
    struct view_runs *r = OF(base, flows);
    const struct flow_table *t = r->is_open ? &r->opened : &r->live;
    int rows = getmaxy(base->win), cols = getmaxx(base->win);
    char line[160];

    if (!t->len) {
        text_put(base->win, 1, 0, cols, STYLE_DIM,
                 r->is_open ? "this run has no samples of flows" : "no flows yet");
        return;
    }
    snprintf(line, sizeof line, "%-*s %9s %9s %9s %9s %8s %8s", NAME_COLS, "flow", "Mbit/s", "mean",
             "CWND kB", "RTT ms", "CE echo", "retrans");
    text_put(base->win, 1, 0, cols, STYLE_DIM, line);
    for (size_t i = 0; i < t->len && (int)i + 2 < rows; i++) {
        const struct flow *f = &t->of[i];
        char cell[6][16];
        size_t n = text_fit(f->name, NAME_COLS);
        int x;

        number(f->rate_bps, 1e-6, "%.2f", cell[0], sizeof cell[0]);
        number(flow_mean_bps(f), 1e-6, "%.2f", cell[1], sizeof cell[1]);
        number(f->cwnd_bytes, 1e-3, "%.1f", cell[2], sizeof cell[2]);
        number(f->srtt_us, 1e-3, "%.1f", cell[3], sizeof cell[3]);
        number(flow_mark_share(f), 100, "%.2f %%", cell[4], sizeof cell[4]);
        number(f->retrans, 1, "%.0f", cell[5], sizeof cell[5]);
        x = text_put_n(base->win, (int)i + 2, 0, NAME_COLS, STYLE_NORMAL, f->name, n);
        snprintf(line, sizeof line, "%*s %9s %9s %9s %9s %8s %8s", NAME_COLS - x, "", cell[0],
                 cell[1], cell[2], cell[3], cell[4], cell[5]);
        text_put(base->win, (int)i + 2, x, cols - x, STYLE_NORMAL, line);
    }
}

static const struct panel_ops flows_ops = {.draw = draw_flows};

/* --- past runs -------------------------------------------------------------------------------- */

static void draw_past(struct panel *base)
{
    struct view_runs *r = OF(base, past);
    int rows = getmaxy(base->win) - 1, cols = getmaxx(base->win);

    list_view_set(&r->list, r->runs.len, rows);
    if (!r->runs.len)
        text_put(base->win, 1, 0, cols, STYLE_DIM, "no runs yet");
    for (int y = 0; y < rows && r->list.top + (uint64_t)y < r->runs.len; y++) {
        const struct past_run *run = &r->runs.of[r->list.top + (uint64_t)y];
        bool is_selected = run == selected(r), is_bad = strcmp(run->status, "ok") != 0;
        char line[512];

        snprintf(line, sizeof line, "%c%c %-11s %9s  %-38s %s", is_selected ? '>' : ' ',
                 run->is_marked ? '*' : ' ', run->status, run->took, run->id, run->figures);
        text_fill(base->win, 1 + y, 0, cols,
                  is_selected && base->has_focus ? STYLE_FOCUS
                  : is_bad                       ? STYLE_WARN
                                                 : STYLE_NORMAL,
                  line);
    }
}

static bool act_past(struct panel *base, enum action_id id)
{
    struct view_runs *r = OF(base, past);

    if (!list_view_act(&r->list, id))
        return false;
    base->is_dirty = true;
    return true;
}

static bool search_past(struct panel *base, const char *text, int step)
{
    struct view_runs *r = OF(base, past);

    for (size_t i = 0; i < r->runs.len; i++) {
        size_t n = r->runs.len,
               k = (r->list.selected + (step < 0 ? n - 1 - i : i + (step > 0))) % n;

        if (!text_find(r->runs.of[k].id, text) && !text_find(r->runs.of[k].status, text) &&
            !text_find(r->runs.of[k].figures, text))
            continue;
        list_view_select(&r->list, k);
        base->is_dirty = true;
        return true;
    }
    return false;
}

static bool copy_past(struct panel *base, char *out, size_t size)
{
    struct past_run *run = selected(OF(base, past));

    if (run)
        snprintf(out, size, "%s", run->dir);
    return run != NULL;
}

static void click_past(struct panel *base, int y)
{
    struct view_runs *r = OF(base, past);

    if (y > 0)
        list_view_select(&r->list, r->list.top + (uint64_t)y - 1);
    base->is_dirty = true;
}

static const struct panel_ops past_ops = {.draw = draw_past,
                                          .act = act_past,
                                          .search = search_past,
                                          .copy = copy_past,
                                          .click = click_past};

/* --- actions ---------------------------------------------------------------------------------- */

static void focus_on(struct view_runs *r, int panel)
{
    r->base.focus = panel;
    console_touch(r->base.console);
}

static bool read_list(struct view_runs *r)
{
    struct error err;

    if (!r->base.session->script)
        return false; /* Lua is not up yet */
    if (past_runs_read(&r->runs, r->base.session->script, &err) != STATUS_OK) {
        console_say_error(r->base.console, &err);
        return false;
    }
    return true;
}

static void toggle_past(struct view_runs *r)
{
    r->has_past = !r->has_past;
    if (r->has_past)
        read_list(r);
    focus_on(r, r->has_past ? PAST : LOG_STRIP);
}

static void show_data(struct view_runs *r)
{
    const struct series_set *set = r->is_open ? &r->series : &r->base.session->series;

    for (int i = 0; i < PLOTS; i++)
        panel_plot_show(&r->plots[i], set, !r->is_open);
    r->is_paused = false;
    r->flows.title = r->is_open ? r->title : "Flows";
    r->flows.is_dirty = true;
}

static void open_run(struct view_runs *r)
{
    const struct past_run *run = selected(r);
    struct error err;

    if (!run)
        return;
    r->is_open = true;
    r->has_table = false;
    snprintf(r->title, sizeof r->title, "Flows of %s", run->id);
    if (past_run_samples(run, &r->series, &r->opened, &err) != STATUS_OK)
        console_say_error(r->base.console, &err);
    show_data(r);
    console_touch(r->base.console);
}

/* Back: from the table, then from an opened run, then from the list. */
static void close_one(struct view_runs *r)
{
    if (r->has_table) {
        r->has_table = false;
        focus_on(r, r->has_past ? PAST : LOG_STRIP);
    } else if (r->is_open) {
        r->is_open = false;
        show_data(r);
        console_touch(r->base.console); /* driven flows have their place again */
        series_set_done(&r->series);
        series_set_init(&r->series, 0);
        flow_table_clear(&r->opened);
    } else if (r->has_past) {
        toggle_past(r);
    }
}

static cJSON *ask_about(struct view_runs *r, const char *what, bool is_all)
{
    cJSON *ids = past_runs_chosen(&r->runs, is_all ? NULL : selected(r)), *answer = NULL;
    struct error err;

    if (!cJSON_GetArraySize(ids))
        console_say(r->base.console, "no run is marked: r lists them, m marks");
    else if (script_ask(r->base.session->script, what, ids, &answer, &err) != STATUS_OK)
        console_say_error(r->base.console, &err);
    cJSON_Delete(ids);
    return answer;
}

static void compare(struct view_runs *r)
{
    cJSON *lines = ask_about(r, "compare", false);
    const cJSON *line;

    if (!lines)
        return;
    text_view_clear(&r->table.text);
    cJSON_ArrayForEach(line, lines)
    {
        char text[1024];

        log_escape(cJSON_IsString(line) ? line->valuestring : "", text, sizeof text);
        text_view_add(&r->table.text, STYLE_NORMAL, 4, 0, text);
    }
    cJSON_Delete(lines);
    r->has_table = true;
    focus_on(r, TABLE);
}

static bool export(void *user, const char *path)
{
    struct view_runs *r = user;
    struct error err;
    cJSON *answer;
    const char *text;

    if (!path || !*path || !(answer = ask_about(r, "export", true)))
        return true;
    text = cJSON_GetStringValue(cJSON_GetArrayItem(answer, 0));
    text = text ? text : "";
    if (file_write_new(path, text, strlen(text), 0666, &err) != STATUS_OK)
        console_say_error(r->base.console, &err);
    else
        console_say(r->base.console, "written to %s", path);
    cJSON_Delete(answer);
    return true;
}

static void mark(struct view_runs *r)
{
    struct past_run *run = r->has_past ? selected(r) : NULL;

    if (!run)
        return;
    run->is_marked = !run->is_marked;
    list_view_act(&r->list, ACTION_DOWN);
    r->past.is_dirty = true;
}

static void pause_plots(struct view_runs *r)
{
    r->is_paused = !r->is_paused;
    for (int i = 0; i < PLOTS; i++)
        panel_plot_pause(&r->plots[i], r->is_paused);
}

/* As drive:aim() does. */
static void aim(struct view_runs *r, double by)
{
    cJSON *by_json, *answer = NULL;
    struct error err;

    if (!r->base.session->script || !(by_json = cJSON_CreateNumber(by)))
        return;
    if (script_ask(r->base.session->script, "aim", by_json, &answer, &err) != STATUS_OK)
        console_say_error(r->base.console, &err);
    else
        console_say(r->base.console, "aiming at %g of the largest return",
                    json_num(answer, "target", 0));
    cJSON_Delete(by_json);
    cJSON_Delete(answer);
}

static bool act(struct view *v, enum action_id id)
{
    struct view_runs *r = (struct view_runs *)v;

    switch (id) {
    case ACTION_PAUSE:
        pause_plots(r);
        return true;
    case ACTION_RUNS_PAST:
        toggle_past(r);
        return true;
    case ACTION_RUNS_MARK:
        mark(r);
        return true;
    case ACTION_RUNS_COMPARE:
        if (read_list(r))
            compare(r);
        return true;
    case ACTION_RUNS_EXPORT:
        if (read_list(r))
            console_ask(v->console,
                        &(struct console_prompt){
                            .label = "Export to the new CSV file: ", .done = export, .user = r});
        return true;
    case ACTION_AIM_HIGHER:
        aim(r, AIM_STEP);
        return true;
    case ACTION_AIM_LOWER:
        aim(r, -AIM_STEP);
        return true;
    case ACTION_OPEN:
        if (v->focus == PAST)
            open_run(r);
        return true;
    case ACTION_CLOSE:
        close_one(r);
        return true;
    default: /* plots have no lines: those of the list or the log move */
        return r->has_past ? act_past(&r->past, id) : r->log.base.ops->act(&r->log.base, id);
    }
}

/* --- the screen ------------------------------------------------------------------------------- */

/* The four plots; where `second` is another one than CWND, that is in its place. */
static void lay_plots(const struct view_runs *r, struct rect area, int second, struct rect out[])
{
    struct rect row[2];

    layout_rows(area, 500, 3, 3, &row[0], &row[1]);
    layout_columns(row[0], r->base.share[LEFT], 20, 20, &out[THROUGHPUT], &out[second]);
    layout_columns(row[1], r->base.share[LEFT], 20, 20, &out[RTT], &out[MARKS]);
}

static bool has_driven(const struct view_runs *r)
{
    return !r->is_open && panel_driven_has_flows(&r->driven);
}

/* The driven flows above the plots, with their own beside them, on narrow screens below. */
static void lay_driven(const struct view_runs *r, struct rect area, struct rect out[])
{
    int wanted = panel_driven_rows(&r->driven);
    int most = area.rows < 4 * PLOT_ROWS ? area.rows - PLOT_ROWS : area.rows / 2;
    struct rect upper, lower;

    if (area.rows < 2 * PLOT_ROWS) {
        out[DRIVEN] = area;
        return;
    }
    if (area.cols >= WIDE_COLS && wanted < 2 * PLOT_ROWS)
        wanted = 2 * PLOT_ROWS;
    upper = lower = area;
    upper.rows = wanted < most ? wanted : most;
    lower.y += upper.rows;
    lower.rows -= upper.rows;
    if (area.cols >= WIDE_COLS) {
        layout_columns(upper, r->base.share[LEFT], DRIVEN_COLS, 30, &out[DRIVEN], &out[WINDOWS]);
        lay_plots(r, lower, CWND, out);
    } else {
        out[DRIVEN] = upper;
        if (lower.rows >= 2 * PLOT_ROWS)
            lay_plots(r, lower, WINDOWS, out);
        else
            layout_columns(lower, r->base.share[LEFT], 20, 20, &out[WINDOWS], &out[RTT]);
    }
}

static void layout(struct view *v, struct rect area, struct rect out[])
{
    struct view_runs *r = (struct view_runs *)v;
    const struct flow_table *t = r->is_open ? &r->opened : &r->live;
    int wanted = 2 + (int)(t->len ? t->len : 0), most = area.rows / 4;
    struct rect top, plots;

    layout_rows(area, v->share[TOP], 8, 4, &top, &out[r->has_past ? PAST : LOG_STRIP]);
    wanted = wanted < most ? wanted : most;
    out[FLOWS] = plots = top;
    out[FLOWS].rows = wanted > 2 ? wanted : 2;
    plots.y += out[FLOWS].rows;
    plots.rows -= out[FLOWS].rows;
    if (r->has_table)
        out[TABLE] = plots;
    else if (has_driven(r))
        lay_driven(r, plots, out);
    else
        lay_plots(r, plots, CWND, out);
}

static void event(struct view *v, const struct event *ev)
{
    struct view_runs *r = (struct view_runs *)v;
    size_t flows = r->live.len;
    const cJSON *value;

    driven_event(&r->driven.driven, ev);
    if (ev->type != EVENT_SAMPLE)
        return;
    cJSON_ArrayForEach(value, json_get(ev->body, "values"))
    {
        const char *key = value->string ? value->string : "";
        char name[SERIES_NAME_MAX];

        if (flow_table_add(&r->live, ev->src, key,
                           cJSON_IsNumber(value) ? value->valuedouble : (double)NAN))
            r->flows.is_dirty |= !r->is_open;
        snprintf(name, sizeof name, "%s/%s", ev->src, key);
        for (int i = 0; i < PLOTS && !r->is_open && !r->is_paused; i++)
            r->plots[i].base.is_dirty |= panel_plot_wants(&r->plots[i], name);
    }
    if (flows != r->live.len && v->console->screen.view == v)
        console_touch(v->console); /* a row more */
}

static bool look(struct view *v)
{
    struct view_runs *r = (struct view_runs *)v;
    const struct driven_flow *f;

    panel_log_look(&r->log);
    if (panel_driven_look(&r->driven)) {
        if (!has_driven(r) && (v->focus == DRIVEN || v->focus == WINDOWS))
            v->focus = LOG_STRIP;
        if (v->console->screen.view == v)
            console_touch(v->console);
    }
    f = panel_driven_selected(&r->driven);
    if (f && strcmp(r->plots[WINDOWS].source, f->src))
        panel_plot_source(&r->plots[WINDOWS], f->src);
    return false;
}

static void done(struct view *v)
{
    struct view_runs *r = (struct view_runs *)v;

    for (int i = 0; i < PLOTS; i++)
        panel_plot_done(&r->plots[i]);
    past_runs_done(&r->runs);
    panel_driven_done(&r->driven);
    panel_text_done(&r->table);
    series_set_done(&r->series);
    free(r);
}

static const struct view_ops ops = {.where = ACTION_IN_RUNS,
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
    series_set_init(&r->series, 0);
    for (int i = 0; i < PLOTS; i++) {
        panel_plot_init(&r->plots[i], plot_ids[i], &env->session->series);
        view_add(&r->base, &r->plots[i].base, i % 2 ? -(LEFT + 1) : LEFT + 1);
    }
    r->flows = (struct panel){.ops = &flows_ops, .title = "Flows"};
    panel_text_init(&r->table, "Side by side");
    r->past =
        (struct panel){.ops = &past_ops, .title = "Past runs (Enter opens, m marks, c compares)"};
    view_add(&r->base, &r->flows, TOP + 1);
    view_add(&r->base, &r->table.base, TOP + 1);
    panel_log_init(&r->log, env->log);
    r->base.focus = view_add(&r->base, &r->log.base, -(TOP + 1));
    view_add(&r->base, &r->past, -(TOP + 1));
    panel_driven_init(&r->driven);
    view_add(&r->base, &r->driven.lines.base, TOP + 1);
    return &r->base;
}
