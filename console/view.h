/* A screen of the console (Lab, Runs, Packets, ...): a set of panels, their places, and what is
 * done with the keys. One file view_NAME.c each; CCALAB_VIEWS below is the list of them. The
 * console (console.h) shows one at a time, gives all of them the events, and owns the rows around
 * them. Thread: main only.
 *
 * To make one: embed struct view as the first member of your own struct, fill it in by view_init(),
 * view_add() each panel, and add the new function to CCALAB_VIEWS, its bit to enum action_where and
 * its SCREEN_ action with a number key to action.def. */
#ifndef CCALAB_CONSOLE_VIEW_H
#define CCALAB_CONSOLE_VIEW_H

#include <stdbool.h>

#include "console/action.h"
#include "console/layout.h"
#include "console/panel.h"
#include "console/session.h"

#define VIEW_PANELS_MAX 10
#define VIEW_SHARES_MAX 4

struct console;   /* console.h */
struct log_lines; /* log_lines.h */
struct view;

/* X(id, name, label): function view_<name>_new(), action SCREEN_<id>, what people call it. In the
 * order of the tabs. */
#define CCALAB_VIEWS(X)                                                                            \
    X(LAB, lab, "Lab")                                                                             \
    X(RUNS, runs, "Runs")                                                                          \
    X(PACKETS, packets, "Packets")                                                                 \
    X(TRAIN, train, "Train")                                                                       \
    X(LABS, labs, "Labs")                                                                          \
    X(LOG, log, "Log")                                                                             \
    X(REPL, repl, "REPL")

enum view_id {
#define X(id, name, label) VIEW_##id,
    CCALAB_VIEWS(X)
#undef X
        VIEW_COUNT
};

/* "Lab". */
const char *view_label(enum view_id id);

struct view_ops {
    enum action_where where; /* its bit: which actions and keys it knows */
    /* The panels' places in `area`; out[] is all zero, rows == 0 hides a panel. Not called while
     * one panel is zoomed, nor on a terminal under the minimum size. */
    void (*layout)(struct view *v, struct rect area, struct rect out[VIEW_PANELS_MAX]);
    /* A key before anything else sees it (an editor's text); false: not wanted. Number keys, ':'
     * and
     * '?' come here too. May be NULL. */
    bool (*key)(struct view *v, bool is_code, wint_t code);
    /* An action that the console has not done itself. It first goes to the focused panel's act();
     * false: it is none of ours. May be NULL. */
    bool (*act)(struct view *v, enum action_id id);
    /* Every event of the bus, shown or not. May be NULL. */
    void (*event)(struct view *v, const struct event *ev);
    /* After each round of the loop, shown or not: notice what changes without an event and mark
     * panels dirty. Cheap. True: there is more to do, call again soon. May be NULL. */
    bool (*look)(struct view *v);
    /* It has come to the front (or has left it). May be NULL. */
    void (*show)(struct view *v, bool is_shown);
    void (*done)(struct view *v); /* free it and its panels */
};

struct view {
    const struct view_ops *ops;
    struct console *console;
    struct session *session;
    struct panel *panel[VIEW_PANELS_MAX];
    int panels, focus; /* focus: index of a panel that is or can be shown */
    bool is_zoomed;    /* the focused panel has the whole body */
    bool has_cursor;   /* text is typed in the focused panel: its window's cursor is shown */
    /* Thousandths for layout_rows() and layout_columns(), kept from one day to the next.
     * sized_by[i] says how panel i grows: k + 1 by a larger share[k], -(k + 1) by a smaller one, 0
     * not at all. */
    int share[VIEW_SHARES_MAX], first_share[VIEW_SHARES_MAX], shares;
    signed char sized_by[VIEW_PANELS_MAX];
};

/* What a view is made with. */
struct view_env {
    struct console *console;
    struct session *session;
    struct log_lines *log;
};

void view_init(struct view *v, const struct view_ops *ops, const struct view_env *env);
/* Borrow a panel; `sized_by` as above. Returns its index. */
int view_add(struct view *v, struct panel *p, int sized_by);
/* A new share with its first value; returns its index. */
int view_share(struct view *v, int share);

/* NULL: out of memory. */
#define X(id, name, label) struct view *view_##name##_new(const struct view_env *env);
CCALAB_VIEWS(X)
#undef X

#endif
