#include "console/panel_driven.h"

#include <math.h>
#include <string.h>

#include "console/keymap.h"
#include "core/plot.h"
#include "remote/job.h"

#define LINES_A_FLOW 4
#define NUMBER_MAX   32

/* "83.2"; "-" for what was not measured. */
static const char *number(double v, double scale, int digits, char out[NUMBER_MAX])
{
    if (!isfinite(v))
        snprintf(out, NUMBER_MAX, "-");
    else if (fabs(v * scale) < 1e6)
        snprintf(out, NUMBER_MAX, "%.*f", digits, v * scale);
    else
        plot_si(v * scale, out, NUMBER_MAX);
    return out;
}

static void add_state(struct panel_driven *p, const struct driven_flow *f, int tag)
{
    bool is_driven = f->value[DRIVEN_IS_DRIVEN] > 0;
    char name[SERIES_NAME_MAX], line[256], a[NUMBER_MAX], b[NUMBER_MAX];
    enum style style = STYLE_DIM;

    log_escape(f->src + strlen("drive/"), name, sizeof name);
    if (p->driven.has_ended) {
        snprintf(line, sizeof line, "%s: ended", name);
    } else {
        style = is_driven ? STYLE_GOOD : STYLE_WARN;
        snprintf(line, sizeof line, "%s: the %s has the window, decided %s ms ago, %s takeovers",
                 name, is_driven ? "policy" : "WATCHDOG", number(f->value[DRIVEN_AGE], 1e-3, 1, a),
                 number(f->value[DRIVEN_TAKEOVERS], 1, 0, b));
    }
    text_view_add(&p->lines.text, style, 2, tag, line);
}

static void add_seen(struct panel_driven *p, const struct driven_flow *f, int tag)
{
    const double *v = f->value;
    char line[320], n[7][NUMBER_MAX];

    snprintf(line, sizeof line,
             " saw    RTT %s ms, least %s, queue %s; %s Mbit/s; %s pkts, %s CE, %s lost",
             number(v[DRIVEN_SRTT], 1e-3, 1, n[0]), number(v[DRIVEN_MIN_RTT], 1e-3, 1, n[1]),
             number(v[DRIVEN_SRTT] - v[DRIVEN_MIN_RTT], 1e-3, 1, n[2]),
             number(v[DRIVEN_THROUGHPUT], 1e-6, 1, n[3]), number(v[DRIVEN_DELIVERED], 1, 0, n[4]),
             number(v[DRIVEN_CE], 1, 0, n[5]), number(v[DRIVEN_LOST], 1, 0, n[6]));
    text_view_add(&p->lines.text, STYLE_NORMAL, 8, tag, line);
}

static void add_chosen(struct panel_driven *p, const struct driven_flow *f, int tag)
{
    const double *v = f->value;
    double change = v[DRIVEN_CWND] > 0 ? v[DRIVEN_WANTED] / v[DRIVEN_CWND] - 1 : (double)NAN;
    char line[320], a[NUMBER_MAX], b[NUMBER_MAX];
    int n;

    n = snprintf(line, sizeof line, " chose  %s packets", number(v[DRIVEN_WANTED], 1, 1, a));
    if (isfinite(change))
        n += snprintf(line + n, sizeof line - (size_t)n, " (%s%s %%)", change >= 0 ? "+" : "",
                      number(change, 100, 1, a));
    if (isfinite(v[DRIVEN_TARGET_SCALE]))
        n += snprintf(line + n, sizeof line - (size_t)n, "; aims at %s of the largest return",
                      number(v[DRIVEN_TARGET_SCALE], 1, 2, a));
    if (isfinite(v[DRIVEN_TARGET]))
        snprintf(line + n, sizeof line - (size_t)n, ", %s to go",
                 number(v[DRIVEN_TARGET], 1, 1, b));
    text_view_add(&p->lines.text, STYLE_NORMAL, 8, tag, line);
}

static void add_kernel(struct panel_driven *p, const struct driven_flow *f, int tag)
{
    const double *v = f->value;
    char line[256], a[NUMBER_MAX], b[NUMBER_MAX], c[NUMBER_MAX];

    snprintf(line, sizeof line, " kernel %s packets, %s in flight, paced at %s Mbit/s",
             number(v[DRIVEN_CWND], 1, 0, a), number(v[DRIVEN_IN_FLIGHT], 1, 0, b),
             number(v[DRIVEN_PACING], 1e-6, 1, c));
    text_view_add(&p->lines.text, STYLE_NORMAL, 8, tag, line);
}

static void add_totals(struct panel_driven *p)
{
    const double *v = p->driven.total;
    char line[320], n[4][NUMBER_MAX];
    int len;

    len = snprintf(
        line, sizeof line, "%s decisions/s, event to window %s us (p99 %s); %s %% stale",
        number(v[DRIVEN_ALL_DECISIONS], 1, 0, n[0]), number(v[DRIVEN_ALL_EVENT_P50], 1, 0, n[1]),
        number(v[DRIVEN_ALL_EVENT_P99], 1, 0, n[2]), number(v[DRIVEN_ALL_WATCHDOG], 100, 0, n[3]));
    if (v[DRIVEN_ALL_REFUSED] > 0) /* what did not happen needs no room: 80 columns are full */
        len += snprintf(line + len, sizeof line - (size_t)len, ", %s refused",
                        number(v[DRIVEN_ALL_REFUSED], 1, 0, n[0]));
    if (v[DRIVEN_ALL_CLAMPED] > 0)
        snprintf(line + len, sizeof line - (size_t)len, ", %s clamped",
                 number(v[DRIVEN_ALL_CLAMPED], 1, 0, n[0]));
    text_view_add(&p->lines.text, STYLE_DIM, 2, -1, line);
}

static void make_lines(struct panel_driven *p)
{
    const struct driven *d = &p->driven;
    char scale[NUMBER_MAX];

    text_view_clear(&p->lines.text);
    if (d->len)
        add_totals(p); /* first: of many flows the last are below the panel's end */
    for (size_t i = 0; i < d->len; i++) {
        add_state(p, &d->flow[i], (int)i);
        add_seen(p, &d->flow[i], (int)i);
        add_chosen(p, &d->flow[i], (int)i);
        add_kernel(p, &d->flow[i], (int)i);
    }
    if (isfinite(d->target_scale))
        snprintf(p->note, sizeof p->note, "%s, return %s, %s %s change it", d->policy,
                 number(d->target_scale, 1, 2, scale), keymap_label(ACTION_AIM_LOWER),
                 keymap_label(ACTION_AIM_HIGHER));
    else
        snprintf(p->note, sizeof p->note, "%s", d->policy);
    p->lines.base.is_dirty = true;
}

static bool has_job(const struct driven *d)
{
    if (!strcmp(d->job, "script"))
        return true; /* events of a script's own */
    for (struct job *j = job_first(); j; j = job_next(j))
        if (!strncmp(job_label(j), d->job, sizeof d->job - 1))
            return true;
    return false;
}

void panel_driven_init(struct panel_driven *p)
{
    *p = (struct panel_driven){0};
    panel_text_init(&p->lines, "Driven");
    p->lines.base.note = p->note;
}

void panel_driven_done(struct panel_driven *p)
{
    panel_text_done(&p->lines);
}

bool panel_driven_has_flows(const struct panel_driven *p)
{
    return p->driven.len > 0;
}

int panel_driven_rows(const struct panel_driven *p)
{
    return 2 + LINES_A_FLOW * (int)p->driven.len;
}

bool panel_driven_look(struct panel_driven *p)
{
    size_t before = p->lines.text.nlines;

    if (p->driven.is_up && !has_job(&p->driven))
        driven_down(&p->driven);
    if (p->driven.updates == p->seen)
        return false;
    p->seen = p->driven.updates;
    make_lines(p);
    return p->lines.text.nlines != before;
}

const struct driven_flow *panel_driven_selected(struct panel_driven *p)
{
    const struct text_view_line *line = text_view_selected(&p->lines.text); /* NULL while new */

    if (line && line->tag >= 0)
        p->selected = (size_t)line->tag;
    if (p->selected >= p->driven.len)
        p->selected = 0;
    return p->driven.len ? &p->driven.flow[p->selected] : NULL;
}
