/* The title bar: the screens, the lab, what runs and since when, how far the job is, the time of
 * day. */
#ifndef CCALAB_CONSOLE_TITLE_H
#define CCALAB_CONSOLE_TITLE_H

#include "console/action.h"
#include "console/session.h"
#include "console/theme.h"
#include "remote/pod_notes.h"

struct title {
    struct session *session;
    const char *script; /* name of the watched script while it runs, or NULL */
    bool is_leaving;
    bool is_dirty;
    bool was_busy;
    uint64_t busy_since_ns;
    size_t jobs_seen;
    bool was_up;
    struct pod_sum pods;
    uint64_t pods_seen_ns; /* 0: not looked yet */
    int tab_end[16];       /* columns where the tabs end, as they were drawn last; 0: no tab */
};

void title_init(struct title *t, struct session *session);
/* Follow progress. */
void title_event(struct title *t, const struct event *ev);
/* Tasks and jobs start and end without an event: look, and become dirty if they did. Cheap.
 * True if the console has become busy or idle, or pods run or do not: the bar's time then runs at
 * another pace. */
bool title_look(struct title *t);
/* Milliseconds until the bar shows another time. */
uint64_t title_next_ms(const struct title *t);
/* The tab at a column, counted from the first; -1: none. */
int title_tab_at(const struct title *t, int x);
/* `where`: the bit of the screen that is shown. */
void title_draw(struct title *t, WINDOW *win, enum action_where where);

#endif
