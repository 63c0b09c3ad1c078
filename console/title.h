/* The title bar: the lab, what runs and since when, how far the job is, the time of day. */
#ifndef CCALAB_CONSOLE_TITLE_H
#define CCALAB_CONSOLE_TITLE_H

#include "console/session.h"
#include "console/theme.h"

struct title {
    const struct session *session;
    const char *script; /* name of the watched script while it runs, or NULL */
    char lab[48];       /* "" when no lab is up */
    char lab_job[96];   /* the job that keeps it */
    bool is_leaving;
    bool is_dirty;
    bool was_busy;
    uint64_t busy_since_ns;
    size_t jobs_seen;
};

void title_init(struct title *t, const struct session *session);
/* Follow progress and the lab's going up and down. */
void title_event(struct title *t, const struct event *ev);
/* Tasks and jobs start and end without an event: look, and become dirty if they did. Cheap.
 * True if the console has become busy or idle: the bar's time then runs at another pace. */
bool title_look(struct title *t);
/* Milliseconds until the bar shows another time. */
uint64_t title_next_ms(const struct title *t);
void title_draw(struct title *t, WINDOW *win);

#endif
