#include "console/progress.h"

#include <math.h>
#include <string.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/log.h"

struct progress *progress_update(struct progress_table *t, const struct event *ev)
{
    struct progress *p = (struct progress *)progress_find(t, ev->job);

    if (!p && t->len < PROGRESS_MAX)
        p = &t->of[t->len++];
    if (!p) {
        p = &t->of[0];
        for (size_t i = 1; i < t->len; i++)
            if (t->of[i].seen_ns < p->seen_ns)
                p = &t->of[i];
        p->job[0] = '\0';
    }
    if (strncmp(p->job, ev->job, sizeof p->job - 1)) {
        memset(p, 0, sizeof *p);
        strncpy(p->job, ev->job, sizeof p->job - 1);
    }
    log_escape(json_str(ev->body, "text", ""), p->text, sizeof p->text);
    p->done = json_num(ev->body, "done", 0);
    p->total = json_num(ev->body, "total", 0);
    p->seen_ns = clock_mono_ns();
    return p;
}

const struct progress *progress_find(const struct progress_table *t, const char *job)
{
    for (size_t i = 0; i < t->len; i++)
        if (!strncmp(t->of[i].job, job, sizeof t->of[i].job - 1))
            return &t->of[i];
    return NULL;
}

double progress_fraction(const struct progress *p)
{
    if (!(p->total > 0) || !isfinite(p->done))
        return -1;
    return fmin(1, fmax(0, p->done / p->total));
}
