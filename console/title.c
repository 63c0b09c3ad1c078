#include "console/title.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "console/keymap.h"
#include "console/view.h"
#include "core/clock.h"
#include "core/log.h"
#include "remote/job.h"

#define BAR_CELLS     10
#define WIDE_COLS     120
#define PODS_EVERY_NS 4000000000u

void title_init(struct title *t, struct session *session)
{
    *t = (struct title){.session = session, .is_dirty = true};
}

void title_event(struct title *t, const struct event *ev)
{
    if (ev->type == EVENT_PROGRESS)
        t->is_dirty = true;
}

/* A lab that a job keeps is gone with it, with or without a word. */
static void look_at_lab(struct title *t)
{
    struct lab_map *map = &t->session->map;
    bool has_job = !strcmp(map->job, "script");

    for (struct job *j = job_first(); j && !has_job; j = job_next(j))
        has_job = !strncmp(job_label(j), map->job, sizeof map->job - 1);
    if (map->is_up && !has_job)
        lab_map_down(map);
    t->is_dirty |= map->is_up != t->was_up;
    t->was_up = map->is_up;
}

/* Rented machines cost money whoever has started them, and whether or not anything runs here. True
 * if the first has come, or the last gone. */
static bool look_at_pods(struct title *t)
{
    uint64_t now_ns = clock_mono_ns();
    bool had_some = t->pods.running > 0;
    struct pod_sum sum;

    if (t->pods_seen_ns && now_ns - t->pods_seen_ns < PODS_EVERY_NS)
        return false;
    sum = pod_notes_sum(clock_wall_s());
    t->is_dirty |= sum.running || t->pods.running;
    t->pods = sum;
    t->pods_seen_ns = now_ns;
    return had_some != (sum.running > 0);
}

bool title_look(struct title *t)
{
    bool is_busy = session_is_busy(t->session), is_other = is_busy != t->was_busy;
    size_t jobs = 0;

    for (struct job *j = job_first(); j; j = job_next(j))
        jobs++;
    look_at_lab(t);
    if (look_at_pods(t))
        is_other = true;
    if (is_other || jobs != t->jobs_seen)
        t->is_dirty = true;
    if (is_busy && !t->was_busy)
        t->busy_since_ns = clock_mono_ns();
    t->was_busy = is_busy;
    t->jobs_seen = jobs;
    return is_other;
}

uint64_t title_next_ms(const struct title *t)
{
    double unit = t->was_busy ? 1 : t->pods.running ? 5 : 60;
    double now = t->was_busy ? (double)(clock_mono_ns() - t->busy_since_ns) / 1e9 : clock_wall_s();
    double left = unit - (now - unit * (double)(int64_t)(now / unit));

    return (uint64_t)(left * 1000) + 1;
}

/* Does the job that this tells of still run, and is there more to come? A script's own progress has
 * no job behind it. */
static bool is_current(const struct title *t, const struct progress *p)
{
    if (progress_fraction(p) >= 1)
        return false; /* a service that is up */
    for (struct job *j = job_first(); j; j = job_next(j))
        if (progress_find(&t->session->progress, job_label(j)) == p)
            return true;
    return !strcmp(p->job, "script") && t->was_busy && p->seen_ns >= t->busy_since_ns;
}

/* What the newest progress says, else which job runs, or "". */
static void progress_text(const struct title *t, char *out, size_t size)
{
    const struct progress *best = NULL;
    double fraction;

    out[0] = '\0';
    for (size_t i = 0; i < t->session->progress.len; i++) {
        const struct progress *p = &t->session->progress.of[i];

        if (is_current(t, p) && (!best || p->seen_ns > best->seen_ns))
            best = p;
    }
    if (!best) {
        if (job_first())
            log_escape(job_label(job_first()), out, size);
        return;
    }
    fraction = progress_fraction(best);
    if (fraction >= 0) {
        char bar[BAR_CELLS + 1];

        for (int i = 0; i < BAR_CELLS; i++)
            bar[i] = i < (int)(fraction * BAR_CELLS + 0.5) ? '#' : '.';
        bar[BAR_CELLS] = '\0';
        snprintf(out, size, "[%s] %.0f %% %s: %s", bar, 100 * fraction, best->job, best->text);
    } else {
        snprintf(out, size, "%s: %s", best->job, best->text);
    }
    log_escape(strdupa(out), out, size);
}

/* What the tabs of the screens that are not shown say. The one shown has its number and name. */
enum tab_style { TABS_NAMED, TABS_NUMBERED, TABS_HIDDEN, TAB_STYLES };

/* Draw the tabs and return where they end; without a window only that. */
static int put_tabs(struct title *t, WINDOW *win, int cols, enum action_where where,
                    enum tab_style style)
{
    static const struct {
        enum action_id id;
        enum action_where where;
    } tabs[] = {
#define X(id, name, label) {ACTION_SCREEN_##id, ACTION_IN_##id},
        CCALAB_VIEWS(X)
#undef X
    };
    static const char *const formats[TAB_STYLES] = {" %s %s ", " %s ", ""};
    int x = 1;

    for (size_t i = 0; i < sizeof tabs / sizeof tabs[0]; i++) {
        bool is_shown = tabs[i].where == where;
        char text[48];

        snprintf(text, sizeof text, is_shown ? "[%s %s]" : formats[style], keymap_label(tabs[i].id),
                 view_label((enum view_id)i));
        x += win ? text_put(win, 0, x, cols - x, STYLE_BAR, text) : (int)strlen(text);
        t->tab_end[i] = x;
    }
    return x;
}

/* The tabs, as long as they may be before `need` columns: money that is spent is always seen. */
static int draw_tabs(struct title *t, WINDOW *win, int cols, enum action_where where, int need)
{
    enum tab_style style = cols >= WIDE_COLS ? TABS_NAMED : TABS_NUMBERED;

    while (style < TABS_HIDDEN && need && put_tabs(t, NULL, cols, where, style) + need > cols)
        style++;
    return put_tabs(t, win, cols, where, style);
}

int title_tab_at(const struct title *t, int x)
{
    for (int i = 0; i < VIEW_COUNT; i++)
        if (x >= (i ? t->tab_end[i - 1] : 1) && x < t->tab_end[i])
            return i;
    return -1;
}

void title_draw(struct title *t, WINDOW *win, enum action_where where)
{
    const struct lab_map *map = &t->session->map;
    char text[512], pods[64] = "", job[320], clock[16];
    time_t now = (time_t)clock_wall_s();
    struct tm tm;
    int cols = getmaxx(win), x, n;

    t->is_dirty = false;
    text_fill(win, 0, 0, cols, STYLE_BAR, "");
    localtime_r(&now, &tm);
    strftime(clock, sizeof clock, " %H:%M ", &tm);
    if (t->pods.running) /* of its own bound: a note can say any number */
        snprintf(pods, sizeof pods, " | %d pod%s %.2f USD/h, %.2f USD", t->pods.running,
                 t->pods.running == 1 ? "" : "s", t->pods.usd_per_h, t->pods.spent_usd);
    x = draw_tabs(t, win, cols, where, *pods ? (int)(strlen(pods) + strlen(clock)) : 0);
    n = snprintf(text, sizeof text, "%s | %s%.47s | ", pods, map->is_up ? "lab " : "no lab",
                 map->name);
    if (t->is_leaving) {
        n += snprintf(text + n, sizeof text - (size_t)n, "stopping");
    } else if (t->was_busy) {
        unsigned s = (unsigned)((clock_mono_ns() - t->busy_since_ns) / 1000000000u);

        n += snprintf(text + n, sizeof text - (size_t)n, "running %.60s%s%u:%02u",
                      t->script ? t->script : "", t->script ? " " : "", s / 60, s % 60);
    } else {
        n += snprintf(text + n, sizeof text - (size_t)n, "idle");
    }
    progress_text(t, job, sizeof job);
    if (job[0])
        snprintf(text + n, sizeof text - (size_t)n, " | %.300s", job);
    text_put(win, 0, x, cols - x - (int)strlen(clock), STYLE_BAR, text);
    text_put(win, 0, cols - (int)strlen(clock), (int)strlen(clock), STYLE_BAR, clock);
    wnoutrefresh(win);
}
