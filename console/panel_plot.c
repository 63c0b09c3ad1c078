#include "console/panel_plot.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/paths.h"

#define ROLLING_S     60.0
#define ROLLING_MIN_S 10.0
#define JOIN_MAX_S    2.0
#define SPAN_MIN_S    1e-3
#define MARKS_SHOWN   64
#define CSV_MAX       (256u << 20)

static const struct panel_plot_kind kinds[] = {
    [PANEL_PLOT_THROUGHPUT] = {"Throughput [Mbit/s]", {"/throughput_bps"}, 1e-6, true},
    [PANEL_PLOT_CWND] = {"CWND [kB]", {"/cwnd_bytes"}, 1e-3, true},
    [PANEL_PLOT_RTT] = {"RTT [ms]", {"/srtt_us"}, 1e-3, true},
    [PANEL_PLOT_LOSS] = {"Loss", {"train/loss", "valid/loss"}, 1, false},
    [PANEL_PLOT_MARKS] = {"Marks [share]", {"/ce_ratio", "/prob"}, 1, true},
    [PANEL_PLOT_QUEUE] = {"Queue delay [ms]", {"/delay_l_us", "/delay_c_us"}, 1e-3, true},
    [PANEL_PLOT_LEARNING_RATE] = {"Learning rate", {"train/lr"}, 1, false},
    [PANEL_PLOT_GRADIENT] = {"Gradient norm", {"train/grad_norm"}, 1, false},
    [PANEL_PLOT_WINDOW] =
        {"Window [packets]", {"/wanted_pkts", "/cwnd_pkts"}, 1, true, {"wanted", "kernel"}},
};

/* Where the wanted ending begins in a series' name, or NULL; *which: of the endings. */
static const char *ending_in(const struct panel_plot_kind *kind, const char *name, int *which)
{
    size_t len = strlen(name);

    for (int i = 0; i < 3 && kind->endings[i]; i++) {
        size_t n = strlen(kind->endings[i]);

        *which = i;
        if (len >= n && !strcmp(name + len - n, kind->endings[i]))
            return name + len - n;
    }
    return NULL;
}

bool panel_plot_wants(const struct panel_plot *p, const char *series_name)
{
    int which;
    const char *end = ending_in(&p->kind, series_name, &which);
    size_t len = strlen(p->source);

    return end &&
           (!len || ((size_t)(end - series_name) == len && !strncmp(series_name, p->source, len)));
}

/* "client_x" of "client_x/srtt_us", "train" of "train/loss"; where a kind has several endings of
 * one source, which of them: "link/down L" of "link/down/delay_l_us" stays whole. Of a single
 * source the kind's own label. */
static void label_of(const struct panel_plot *p, const char *name, char *out, size_t size)
{
    const struct panel_plot_kind *kind = &p->kind;
    int which;
    const char *end = ending_in(kind, name, &which);

    if (p->source[0] && kind->labels[which]) {
        snprintf(out, size, "%s", kind->labels[which]);
        return;
    }
    if (end[0] != '/')
        end = strrchr(name, '/');
    else if (kind->endings[1])
        end = name + strlen(name);
    snprintf(out, size, "%.*s", (int)(end - name), name);
    log_escape(strdupa(out), out, size);
}

void panel_plot_cells(WINDOW *win, int top, int left, const struct cells *c)
{
    for (int y = 0; y < c->height; y++) {
        for (int x = 0; x < c->width; x++) {
            const struct cell *cell = &c->at[y * c->width + x];
            enum style style = cell->line >= 0              ? theme_line((size_t)cell->line)
                               : cell->line == CELLS_MARK   ? STYLE_WARN
                               : cell->line == CELLS_CURSOR ? STYLE_FOCUS
                                                            : STYLE_DIM;
            wchar_t text[2] = {cell->ch, 0};
            attr_t attr;
            cchar_t out;

            if (cell->ch == L' ')
                continue;
            attr = theme_attr(style);
            setcchar(&out, text, attr, (short)PAIR_NUMBER(attr), NULL);
            mvwadd_wch(win, top + y, left + x, &out);
        }
    }
}

/* --- what is in view -------------------------------------------------------------------------- */

struct content {
    struct plot plot;
    struct plot_line lines[PANEL_PLOT_LINES + PANEL_PLOT_LEVELS];
    char labels[PANEL_PLOT_LINES][SERIES_NAME_MAX];
    struct plot_mark marks[MARKS_SHOWN];
    double first, newest; /* of all samples */
};

static void add_lines(const struct panel_plot *p, struct content *c)
{
    for (const struct series *s = p->set->first; s; s = s->next) {
        size_t n = c->plot.nlines;

        if (!s->len || n == PANEL_PLOT_LINES || !panel_plot_wants(p, s->name))
            continue;
        label_of(p, s->name, c->labels[n], sizeof c->labels[0]);
        c->lines[c->plot.nlines++] = (struct plot_line){c->labels[n], s, p->kind.scale};
        c->first = fmin(c->first, s->t[0]);
        c->newest = fmax(c->newest, s->t[s->len - 1]);
    }
    for (size_t i = 0; i < p->nlevels; i++)
        c->lines[c->plot.nlines++] = (struct plot_line){
            .label = p->levels[i].label, .is_level = true, .level = p->levels[i].value};
}

/* Those of a training belong to its plots, those of the network to the others; the latest. */
static void add_marks(const struct panel_plot *p, struct content *c)
{
    const struct plot_marks *all = &p->set->marks;

    for (size_t i = all->n; i-- > 0 && c->plot.nmarks < MARKS_SHOWN;) {
        bool is_training = all->at[i].kind == PLOT_MARK_CHECKPOINT;

        if (all->at[i].x < c->plot.x0 || all->at[i].x > c->plot.x1 ||
            (all->at[i].kind != PLOT_MARK_OTHER && is_training == p->kind.is_rolling))
            continue;
        c->marks[c->plot.nmarks++] = all->at[i];
    }
}

/* False without any data. */
static bool collect(struct panel_plot *p, struct content *c)
{
    double end, span;

    memset(c, 0, sizeof *c);
    c->first = INFINITY;
    c->newest = -INFINITY;
    c->plot = (struct plot){.title = p->kind.title,
                            .x_label = "time [s]",
                            .y_label = p->kind.title,
                            .has_zero = true,
                            .is_log_y = p->is_log_y,
                            .join_max_s = p->kind.is_rolling ? JOIN_MAX_S : 0,
                            .has_cursor = p->has_cursor,
                            .cursor_x = p->cursor_t,
                            .lines = c->lines,
                            .marks = c->marks};
    add_lines(p, c);
    if (!isfinite(c->first))
        return false;
    end = p->is_paused ? fmin(p->end_t, c->newest) : c->newest;
    end = fmax(end, c->first);
    span = p->span_s > 0 ? p->span_s : p->kind.is_rolling ? ROLLING_S : end - c->first;
    c->plot.x_zero = c->first;
    c->plot.x0 = fmax(c->first, end - span);
    c->plot.x1 = end;
    if (p->kind.is_rolling && !p->is_paused && p->span_s <= 0) /* room for what comes next */
        c->plot.x1 = fmax(end, c->plot.x0 + ROLLING_MIN_S);
    add_marks(p, c);
    return true;
}

static void draw(struct panel *base)
{
    struct panel_plot *p = (struct panel_plot *)base;
    struct content c;

    if (!cells_resize(&p->cells, getmaxx(base->win), getmaxy(base->win) - 1))
        return;
    if (!collect(p, &c)) {
        text_put(base->win, 1, 0, getmaxx(base->win), STYLE_DIM, "no data yet");
        return;
    }
    c.plot.y_label = NULL; /* the title has the unit */
    cells_plot(&p->cells, &c.plot, theme_plot_tier());
    panel_plot_cells(base->win, 1, 0, &p->cells);
}

/* --- keys ------------------------------------------------------------------------------------- */

static void note(struct panel_plot *p)
{
    snprintf(p->note, sizeof p->note, "%s%s%s", p->is_paused ? "paused" : "",
             p->is_paused && p->is_log_y ? ", " : "", p->is_log_y ? "log y" : "");
    p->base.note = p->note[0] ? p->note : NULL;
    p->base.is_dirty = true;
}

void panel_plot_pause(struct panel_plot *p, bool is_paused)
{
    p->end_t = -INFINITY;
    for (const struct series *s = p->set->first; s; s = s->next)
        if (s->len && panel_plot_wants(p, s->name))
            p->end_t = fmax(p->end_t, s->t[s->len - 1]);
    p->is_paused = is_paused;
    p->has_cursor &= is_paused;
    note(p);
}

static void hold(struct panel_plot *p)
{
    if (!p->is_paused)
        panel_plot_pause(p, true);
}

static void move_cursor(struct panel_plot *p, const struct content *c, int columns)
{
    int width = p->cells.width > 20 ? p->cells.width - 8 : 20;
    double step = (c->plot.x1 - c->plot.x0) / width;

    hold(p);
    p->cursor_t = p->has_cursor ? p->cursor_t + columns * step : c->plot.x1;
    p->cursor_t = fmin(fmax(p->cursor_t, c->plot.x0), c->plot.x1);
    p->has_cursor = true;
}

/* Around the cursor, else with the right end held. */
static void zoom(struct panel_plot *p, const struct content *c, double factor)
{
    double span = c->plot.x1 - c->plot.x0, share = 1, all = c->newest - c->first;

    if (p->has_cursor && span > 0)
        share = (p->cursor_t - c->plot.x0) / span;
    if (p->has_cursor)
        p->end_t = p->cursor_t + (1 - share) * span * factor;
    p->span_s = fmax(span * factor, SPAN_MIN_S);
    if (p->span_s >= all)
        p->span_s = all > 0 ? all : 0;
    p->end_t = fmin(fmax(p->end_t, c->first + p->span_s), c->newest);
}

static void pan(struct panel_plot *p, const struct content *c, double share)
{
    double span = c->plot.x1 - c->plot.x0;

    hold(p);
    p->end_t = fmin(fmax(c->plot.x1 + share * span, c->first + span), c->newest);
    p->span_s = span;
    if (p->has_cursor)
        p->cursor_t = fmin(fmax(p->cursor_t, p->end_t - span), p->end_t);
}

static bool act(struct panel *base, enum action_id id)
{
    struct panel_plot *p = (struct panel_plot *)base;
    struct content c;

    if (id == ACTION_PLOT_LOG) {
        p->is_log_y = !p->is_log_y;
        note(p);
        return true;
    }
    if (!collect(p, &c))
        return false;
    switch (id) {
    case ACTION_CLOSE:
        move_cursor(p, &c, -1);
        break;
    case ACTION_OPEN:
        move_cursor(p, &c, 1);
        break;
    case ACTION_PLOT_IN:
        zoom(p, &c, 0.5);
        break;
    case ACTION_PLOT_OUT:
        zoom(p, &c, 2);
        break;
    case ACTION_PAGE_UP:
        pan(p, &c, -0.5);
        break;
    case ACTION_PAGE_DOWN:
        pan(p, &c, 0.5);
        break;
    case ACTION_FIRST:
        pan(p, &c, -1e9);
        break;
    case ACTION_LAST:
        p->span_s = 0;
        panel_plot_pause(p, false);
        break;
    case ACTION_PLOT_EXPORT: {
        char path[CCALAB_PATH_MAX];
        struct error err;

        if (panel_plot_export(p, ".", path, sizeof path, &err) == STATUS_OK)
            log_info("plot: %s", path);
        else
            log_error("%s", err.message);
        break;
    }
    default:
        return false;
    }
    base->is_dirty = true;
    return true;
}

enum status panel_plot_export(struct panel_plot *p, const char *dir, char *path, size_t size,
                              struct error *err)
{
    char name[64], utc[32];
    struct content c;
    struct plot_range r;
    struct buf out;
    enum status st;
    int n = 0;

    for (const char *s = p->kind.title; *s && *s != '[' && n < 24; s++)
        if (isalnum((unsigned char)*s))
            name[n++] = (char)tolower((unsigned char)*s);
    clock_format_utc(clock_wall_s(), utc, sizeof utc);
    snprintf(name + n, sizeof name - (size_t)n, "-%s.csv", utc);
    if (!path_join(path, size, dir, name))
        return error_set(err, STATUS_IO, "plot", "%s: the path is too long", dir);
    buf_init(&out, CSV_MAX);
    collect(p, &c);
    plot_fit(&c.plot, &r);
    plot_csv(&c.plot, &r, &out);
    st = out.is_failed ? error_set(err, STATUS_NOMEM, "plot", "more than %u MiB", CSV_MAX >> 20)
                       : file_write_atomic(path, out.data, out.len, err);
    buf_done(&out);
    return st;
}

/* --- life ------------------------------------------------------------------------------------- */

static const struct panel_ops ops = {.draw = draw, .act = act};

void panel_plot_init(struct panel_plot *p, enum panel_plot_id id, const struct series_set *set)
{
    *p = (struct panel_plot){
        .base = {.ops = &ops, .title = kinds[id].title, .is_dirty = true},
        .kind = kinds[id],
        .set = set,
    };
}

void panel_plot_done(struct panel_plot *p)
{
    cells_done(&p->cells);
}

void panel_plot_show(struct panel_plot *p, const struct series_set *set, bool is_rolling)
{
    p->set = set;
    p->kind.is_rolling = is_rolling;
    p->is_paused = p->has_cursor = false;
    p->span_s = 0;
    note(p);
}

void panel_plot_source(struct panel_plot *p, const char *source)
{
    snprintf(p->source, sizeof p->source, "%s", source);
    p->base.is_dirty = true;
}

void panel_plot_level(struct panel_plot *p, const char *label, double value)
{
    size_t i = 0;

    while (i < p->nlevels && strcmp(p->levels[i].label, label))
        i++;
    if (i == PANEL_PLOT_LEVELS)
        return;
    snprintf(p->levels[i].label, sizeof p->levels[i].label, "%s", label);
    p->levels[i].value = value;
    p->nlevels += i == p->nlevels;
    p->base.is_dirty = true;
}
