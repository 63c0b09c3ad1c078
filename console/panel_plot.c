#include "console/panel_plot.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/log.h"

#define ROLLING_S     60.0
#define ROLLING_MIN_S 10.0
#define JOIN_MAX_S    2.0

static const struct panel_plot_kind kinds[] = {
    [PANEL_PLOT_THROUGHPUT] = {"Throughput [Mbit/s]", {"/throughput_bps"}, 1e-6, true},
    [PANEL_PLOT_CWND] = {"CWND [kB]", {"/cwnd_bytes"}, 1e-3, true},
    [PANEL_PLOT_RTT] = {"RTT [ms]", {"/srtt_us"}, 1e-3, true},
    [PANEL_PLOT_LOSS] = {"Loss", {"train/loss", "valid/loss"}, 1, false},
};

/* Where the wanted ending begins in a series' name, or NULL. */
static const char *ending_in(const struct panel_plot_kind *kind, const char *name)
{
    size_t len = strlen(name);

    for (int i = 0; kind->endings[i]; i++) {
        size_t n = strlen(kind->endings[i]);

        if (len >= n && !strcmp(name + len - n, kind->endings[i]))
            return name + len - n;
    }
    return NULL;
}

bool panel_plot_wants(const struct panel_plot *p, const char *series_name)
{
    return ending_in(p->kind, series_name) != NULL;
}

/* "client_x" of "client_x/srtt_us", "train" of "train/loss". */
static void label_of(const struct panel_plot_kind *kind, const char *name, char *out, size_t size)
{
    const char *end = ending_in(kind, name);

    if (end[0] != '/')
        end = strrchr(name, '/');
    snprintf(out, size, "%.*s", (int)(end - name), name);
    log_escape(strdupa(out), out, size);
    for (char *c = out; *c; c++) /* the cells of a plot are ASCII or braille */
        if ((unsigned char)*c > 0x7e)
            *c = '?';
}

void panel_plot_cells(WINDOW *win, int top, int left, const struct cells *c)
{
    for (int y = 0; y < c->height; y++) {
        for (int x = 0; x < c->width; x++) {
            const struct cell *cell = &c->at[y * c->width + x];
            wchar_t text[2] = {cell->ch, 0};
            cchar_t out;

            if (cell->ch == L' ')
                continue;
            attr_t attr = theme_attr(cell->line < 0 ? STYLE_DIM : theme_line((size_t)cell->line));
            setcchar(&out, text, attr, (short)PAIR_NUMBER(attr), NULL);
            mvwadd_wch(win, top + y, left + x, &out);
        }
    }
}

static void draw(struct panel *base)
{
    struct panel_plot *p = (struct panel_plot *)base;
    struct plot_line lines[PANEL_PLOT_LINES];
    char labels[PANEL_PLOT_LINES][SERIES_NAME_MAX];
    struct plot plot = {.title = p->kind->title,
                        .lines = lines,
                        .has_zero = true,
                        .x_label = "time [s]",
                        .join_max_s = p->kind->is_rolling ? JOIN_MAX_S : 0};
    double first = INFINITY, newest = -INFINITY;

    if (!cells_resize(&p->cells, getmaxx(base->win), getmaxy(base->win) - 1))
        return;
    for (const struct series *s = p->set->first; s; s = s->next) {
        if (!s->len || !panel_plot_wants(p, s->name) || plot.nlines == PANEL_PLOT_LINES)
            continue;
        label_of(p->kind, s->name, labels[plot.nlines], sizeof labels[0]);
        lines[plot.nlines] = (struct plot_line){labels[plot.nlines], s, p->kind->scale};
        plot.nlines++;
        first = fmin(first, s->t[0]);
        newest = fmax(newest, s->t[s->len - 1]);
    }
    if (!plot.nlines) {
        text_put(base->win, 1, 0, getmaxx(base->win), STYLE_DIM, "no data yet");
        return;
    }
    if (p->is_paused && p->pause_t < newest)
        newest = fmax(first, p->pause_t);
    plot.x_zero = first;
    plot.x0 = first;
    plot.x1 = newest;
    if (p->kind->is_rolling) {
        plot.x0 = fmax(first, newest - ROLLING_S);
        if (!p->is_paused) /* room for what comes next */
            plot.x1 = fmax(newest, plot.x0 + ROLLING_MIN_S);
    }
    cells_plot(&p->cells, &plot, theme_plot_tier());
    panel_plot_cells(base->win, 1, 0, &p->cells);
}

static const struct panel_ops ops = {.draw = draw};

void panel_plot_init(struct panel_plot *p, enum panel_plot_id id, const struct series_set *set)
{
    *p = (struct panel_plot){
        .base = {.ops = &ops, .title = kinds[id].title, .is_dirty = true},
        .kind = &kinds[id],
        .set = set,
    };
}

void panel_plot_done(struct panel_plot *p)
{
    cells_done(&p->cells);
}

void panel_plot_pause(struct panel_plot *p, bool is_paused)
{
    p->pause_t = -INFINITY;
    for (const struct series *s = p->set->first; s; s = s->next)
        if (s->len && panel_plot_wants(p, s->name))
            p->pause_t = fmax(p->pause_t, s->t[s->len - 1]);
    p->is_paused = is_paused;
    p->base.note = is_paused ? "paused" : NULL;
    p->base.is_dirty = true;
}
