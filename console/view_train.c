/* The screen Train: a training as it runs, or from the events that one has left. */
#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "console/console.h"
#include "console/panel_log.h"
#include "console/panel_plot.h"
#include "console/training.h"
#include "console/view.h"
#include "core/json.h"
#include "core/paths.h"

#define SLICE_BYTES (256u << 10) /* of a file, before the screen has its turn */
#define FILE_SERIES 256

enum { LOSS, RATE, GRADIENT, STATE, LOG_STRIP };
enum { TOP, LEFT, UPPER };
static const enum panel_plot_id plot_ids[] = {PANEL_PLOT_LOSS, PANEL_PLOT_LEARNING_RATE,
                                              PANEL_PLOT_GRADIENT};
#define PLOTS 3

/* The events of a file. */
struct recorded {
    char path[CCALAB_PATH_MAX];
    FILE *file; /* NULL: read to its end */
    struct event_reader reader;
    struct series_set series;
    struct log_lines log;
    struct training training;
    size_t events;
};

struct view_train {
    struct view base;
    struct panel_plot plots[PLOTS];
    struct panel state;
    struct panel_log log;
    const struct log_lines *live_log;
    struct training live;
    struct recorded *recorded; /* NULL: live */
    char title[96];
};

static struct view_train *of_state(struct panel *p)
{
    return (struct view_train *)((char *)p - offsetof(struct view_train, state));
}

static const struct training *shown(const struct view_train *r)
{
    return r->recorded ? &r->recorded->training : &r->live;
}

/* --- the numbers ------------------------------------------------------------------------------ */

static void duration(double s, char *out, size_t size)
{
    if (!isfinite(s) || s < 0)
        snprintf(out, size, "-");
    else if (s < 120)
        snprintf(out, size, "%.0f s", s);
    else if (s < 7200)
        snprintf(out, size, "%.0f min", s / 60);
    else
        snprintf(out, size, "%.1f h", s / 3600);
}

static int put_row(WINDOW *win, int y, enum style style, const char *name, const char *text)
{
    if (y >= getmaxy(win))
        return y;
    text_put(win, y, 1, 12, STYLE_DIM, name);
    text_put(win, y, 13, getmaxx(win) - 13, style, text);
    return y + 1;
}

static int put_number(WINDOW *win, int y, const char *name, double v, const char *unit)
{
    char text[64], number[24];

    if (!isfinite(v))
        return put_row(win, y, STYLE_DIM, name, "-");
    plot_si(v, number, sizeof number);
    snprintf(text, sizeof text, "%s%s", number, unit);
    return put_row(win, y, STYLE_NORMAL, name, text);
}

static void draw_state(struct panel *base)
{
    const struct view_train *r = of_state(base);
    const struct training *t = shown(r);
    WINDOW *win = base->win;
    char text[320], eta[32];
    int y = 1;

    if (!t->is_known) {
        text_put(win, y, 0, getmaxx(win), STYLE_DIM,
                 !r->recorded        ? "no training yet"
                 : r->recorded->file ? "reading"
                                     : "no training in this file");
        if (!r->recorded && getmaxy(win) > 3)
            text_put(win, 2, 0, getmaxx(win), STYLE_DIM, "o opens that of a file");
        return;
    }
    snprintf(text, sizeof text, "%s", t->end[0] ? t->end : t->progress);
    y = put_row(win, y,
                t->has_failed ? STYLE_BAD
                : t->end[0]   ? STYLE_GOOD
                              : STYLE_NORMAL,
                t->has_failed ? "FAILED"
                : t->end[0]   ? "done"
                              : "running",
                text);
    if (t->fraction >= 0 && !t->end[0]) {
        duration(t->value[TRAINING_ETA_S], eta, sizeof eta);
        snprintf(text, sizeof text, "%.0f %%, %s left", 100 * t->fraction, eta);
        y = put_row(win, y, STYLE_NORMAL, "progress", text);
    }
    y = put_number(win, y, "loss", t->value[TRAINING_LOSS], "");
    if (isfinite(t->valid_loss)) {
        snprintf(text, sizeof text, "%.4g, best %.4g in epoch %.0f", t->valid_loss,
                 t->best_valid_loss, t->best_epoch);
        y = put_row(win, y, STYLE_NORMAL, "valid loss", text);
    }
    for (size_t i = 0; i < t->nbaselines; i++) {
        bool is_beaten = t->best_valid_loss < t->baseline[i].loss;

        snprintf(text, sizeof text, "%.4g, %s", t->baseline[i].loss,
                 is_beaten ? "beaten" : "better");
        y = put_row(win, y, is_beaten ? STYLE_NORMAL : STYLE_WARN, t->baseline[i].name, text);
    }
    y = put_number(win, y, "epoch", t->value[TRAINING_EPOCH], "");
    y = put_number(win, y, "step", t->value[TRAINING_STEP], "");
    y = put_number(win, y, "rate", t->value[TRAINING_LR], "");
    y = put_number(win, y, "gradient", t->value[TRAINING_GRAD_NORM], "");
    y = put_number(win, y, "tokens", t->value[TRAINING_TOKENS_S], "/s");
    y = put_number(win, y, "memory", t->value[TRAINING_RSS_MIB], " MiB");
}

static const struct panel_ops state_ops = {.draw = draw_state};

/* --- whose training --------------------------------------------------------------------------- */

static void show_levels(struct view_train *r)
{
    const struct training *t = shown(r);

    for (size_t i = 0; i < t->nbaselines; i++)
        panel_plot_level(&r->plots[LOSS], t->baseline[i].name, t->baseline[i].loss);
}

static void show_data(struct view_train *r)
{
    const struct recorded *rec = r->recorded;
    const struct series_set *set = rec ? &rec->series : &r->base.session->series;
    const char *path;

    for (int i = 0; i < PLOTS; i++)
        panel_plot_show(&r->plots[i], set, false);
    r->plots[LOSS].nlevels = 0;
    show_levels(r);
    r->log.lines = rec ? &rec->log : r->live_log;
    r->log.seen = 0;
    r->log.is_back = false;
    snprintf(r->log.source, sizeof r->log.source, "%.31s", rec ? "" : r->live.job);
    path = rec ? rec->path : "";
    if (strlen(path) > 60)
        path += strlen(path) - 60; /* the end says which */
    snprintf(r->title, sizeof r->title, "Training%s%.60s", rec ? " of " : "", path);
    r->log.base.is_dirty = r->state.is_dirty = true;
}

static void dirty(struct view_train *r)
{
    for (int i = 0; i < PLOTS; i++)
        r->plots[i].base.is_dirty = true;
    r->state.is_dirty = true;
}

static void close_recorded(struct view_train *r)
{
    struct recorded *rec = r->recorded;

    if (!rec)
        return;
    if (rec->file)
        fclose(rec->file);
    event_reader_done(&rec->reader);
    series_set_done(&rec->series);
    log_lines_done(&rec->log);
    free(rec);
    r->recorded = NULL;
}

static void on_recorded(void *user, const struct event *ev, const char *line)
{
    struct recorded *rec = user;

    (void)line;
    if (!ev)
        return;
    rec->events++;
    training_event(&rec->training, ev);
    if (ev->type == EVENT_SAMPLE && (!strcmp(ev->src, "train") || !strcmp(ev->src, "valid")))
        series_set_add_event(&rec->series, ev);
    else if (ev->type == EVENT_LOG)
        log_lines_add(&rec->log, LOG_INFO, json_str(ev->body, "text", ""));
    else if (ev->type == EVENT_ERROR)
        log_lines_add(&rec->log, LOG_ERROR, json_str(ev->body, "message", ""));
}

/* The next slice of the file. True: there is more. */
static bool read_on(struct view_train *r)
{
    static char bytes[SLICE_BYTES];
    struct recorded *rec = r->recorded;
    size_t n = fread(bytes, 1, sizeof bytes, rec->file);

    event_reader_feed(&rec->reader, bytes, n, "", on_recorded, rec);
    if (n == sizeof bytes)
        return true;
    event_reader_end(&rec->reader, "", on_recorded, rec);
    fclose(rec->file);
    rec->file = NULL;
    show_levels(r);
    console_say(r->base.console, "%zu events of %s", rec->events, rec->path);
    return false;
}

/* The events of a run directory, or a file of events. */
static bool open_recorded(void *user, const char *path)
{
    struct view_train *r = user;
    struct recorded *rec;
    struct error err;
    struct stat st;

    if (!path || !*path)
        return true;
    rec = calloc(1, sizeof *rec);
    if (!rec)
        return true;
    snprintf(rec->path, sizeof rec->path, "%s", path);
    if (!stat(path, &st) && S_ISDIR(st.st_mode) &&
        !path_join(rec->path, sizeof rec->path, path, "events.jsonl"))
        snprintf(rec->path, sizeof rec->path, "%s", path);
    rec->file = stat(rec->path, &st) || !S_ISREG(st.st_mode) ? NULL : fopen(rec->path, "re");
    if (!rec->file) {
        error_sys(&err, STATUS_IO, errno ? errno : EINVAL, "train", "%s", rec->path);
        console_say_error(r->base.console, &err);
        free(rec);
        return true;
    }
    event_reader_init(&rec->reader);
    series_set_init(&rec->series, FILE_SERIES);
    log_lines_init(&rec->log);
    training_init(&rec->training);
    close_recorded(r);
    r->recorded = rec;
    show_data(r);
    return true;
}

/* --- the screen ------------------------------------------------------------------------------- */

static void layout(struct view *v, struct rect area, struct rect out[])
{
    struct rect top, left, right;

    layout_rows(area, v->share[TOP], 12, 3, &top, &out[LOG_STRIP]);
    layout_columns(top, v->share[LEFT], 30, 24, &left, &right);
    layout_rows(left, v->share[UPPER], 6, 4, &out[LOSS], &left);
    layout_columns(left, 500, 20, 20, &out[RATE], &out[GRADIENT]);
    out[STATE] = right;
}

static bool act(struct view *v, enum action_id id)
{
    struct view_train *r = (struct view_train *)v;

    switch (id) {
    case ACTION_TRAIN_OPEN:
        console_ask(v->console,
                    &(struct console_prompt){.label = "Events of a training (file or run): ",
                                             .text = r->recorded ? r->recorded->path : NULL,
                                             .done = open_recorded,
                                             .user = r});
        return true;
    case ACTION_TRAIN_LIVE:
        close_recorded(r);
        show_data(r);
        return true;
    default:
        return r->log.base.ops->act(&r->log.base, id);
    }
}

static void event(struct view *v, const struct event *ev)
{
    struct view_train *r = (struct view_train *)v;
    size_t baselines = r->live.nbaselines;
    bool was_known = r->live.is_known;

    if (!training_event(&r->live, ev) || r->recorded)
        return;
    if (!was_known || baselines != r->live.nbaselines || ev->type == EVENT_RESULT)
        show_data(r);
    dirty(r);
}

static bool look(struct view *v)
{
    struct view_train *r = (struct view_train *)v;
    bool has_more = r->recorded && r->recorded->file && (dirty(r), read_on(r));

    panel_log_look(&r->log);
    return has_more;
}

static void done(struct view *v)
{
    struct view_train *r = (struct view_train *)v;

    close_recorded(r);
    for (int i = 0; i < PLOTS; i++)
        panel_plot_done(&r->plots[i]);
    free(r);
}

static const struct view_ops ops = {.where = ACTION_IN_TRAIN,
                                    .layout = layout,
                                    .act = act,
                                    .event = event,
                                    .look = look,
                                    .done = done};

struct view *view_train_new(const struct view_env *env)
{
    struct view_train *r = calloc(1, sizeof *r);

    if (!r)
        return NULL;
    view_init(&r->base, &ops, env);
    view_share(&r->base, 750);
    view_share(&r->base, 650);
    view_share(&r->base, 600);
    training_init(&r->live);
    r->live_log = env->log;
    for (int i = 0; i < PLOTS; i++) {
        panel_plot_init(&r->plots[i], plot_ids[i], &env->session->series);
        view_add(&r->base, &r->plots[i].base, i == LOSS ? UPPER + 1 : -(UPPER + 1));
    }
    r->state = (struct panel){.ops = &state_ops, .title = r->title};
    view_add(&r->base, &r->state, -(LEFT + 1));
    panel_log_init(&r->log, env->log);
    r->base.focus = view_add(&r->base, &r->log.base, -(TOP + 1));
    show_data(r);
    return &r->base;
}
