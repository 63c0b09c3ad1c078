#include "console/title.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/log.h"
#include "remote/job.h"

#define BAR_CELLS 10

void title_init(struct title *t, const struct session *session)
{
    *t = (struct title){.session = session, .is_dirty = true};
}

void title_event(struct title *t, const struct event *ev)
{
    const cJSON *data = json_get(ev->body, "data");

    if (ev->type == EVENT_PROGRESS)
        t->is_dirty = true;
    /* The keeper of a lab says that it is up, with the lab's name (docs/events.md). */
    if (ev->type != EVENT_RESULT || strcmp(json_str(data, "state", ""), "up") ||
        !json_str(data, "name", NULL) || !json_get(data, "hosts"))
        return;
    log_escape(json_str(data, "name", ""), t->lab, sizeof t->lab);
    snprintf(t->lab_job, sizeof t->lab_job, "%s", ev->job);
    t->is_dirty = true;
}

bool title_look(struct title *t)
{
    bool is_busy = session_is_busy(t->session), is_other = is_busy != t->was_busy;
    bool has_lab = false;
    size_t jobs = 0;

    for (struct job *j = job_first(); j; j = job_next(j)) {
        jobs++;
        has_lab |= !strncmp(job_label(j), t->lab_job, sizeof t->lab_job - 1);
    }
    if (t->lab[0] && !has_lab) {
        t->lab[0] = '\0';
        t->is_dirty = true;
    }
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
    double unit = t->was_busy ? 1 : 60;
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

void title_draw(struct title *t, WINDOW *win)
{
    char text[512], job[320], clock[16];
    time_t now = (time_t)clock_wall_s();
    struct tm tm;
    int cols = getmaxx(win), n;

    t->is_dirty = false;
    n = snprintf(text, sizeof text, " ccalab | %s%s | ", t->lab[0] ? "lab " : "no lab", t->lab);
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
    localtime_r(&now, &tm);
    strftime(clock, sizeof clock, " %H:%M ", &tm);
    text_fill(win, 0, 0, cols - (int)strlen(clock), STYLE_BAR, text);
    text_put(win, 0, cols - (int)strlen(clock), (int)strlen(clock), STYLE_BAR, clock);
    wnoutrefresh(win);
}
