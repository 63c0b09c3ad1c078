/* The console as a program of keys and frames: its screens (view.h), the rows around them, the
 * command line, and who gets which key. It knows nothing of the terminal: tui.c hands it keys, and
 * tests do. Thread: main only. */
#ifndef CCALAB_CONSOLE_CONSOLE_H
#define CCALAB_CONSOLE_CONSOLE_H

#include "console/log_lines.h"
#include "console/questions.h"
#include "console/screen.h"
#include "core/paths.h"

/* What the console cannot do itself. */
struct console_ops {
    void (*eval)(void *user, const char *line); /* a line of Lua */
    void (*interrupt)(void *user);              /* Ctrl-C as a key */
    void (*quit)(void *user);
    /* Of the terminal, each false where it cannot; NULL: there is none. */
    bool (*copy)(void *user, const char *text);
    bool (*mouse)(void *user, bool is_on);
};

/* A question on the command line, or a text to be typed there. */
struct console_prompt {
    const char *label;                             /* "Search: "; borrowed until it is answered */
    const char *text;                              /* to begin with; NULL: nothing */
    const struct history *history;                 /* borrowed, or NULL */
    bool (*done)(void *user, const char *text);    /* NULL: given up. False: let it be mended */
    void (*changed)(void *user, const char *text); /* after each key, or NULL */
    void (*complete)(void *user, struct line_editor *line); /* on Tab, or NULL */
    void *user;
};

struct console {
    struct session *session;
    const struct console_ops *ops;
    void *user;
    struct view *view[VIEW_COUNT];
    enum view_id current;
    struct screen screen;
    struct title title;
    struct panel_command command;
    struct questions questions;
    struct help help;
    struct palette palette;
    struct log_lines log;
    struct console_prompt prompt;               /* done == NULL: none is open */
    void (*confirmed)(void *user, bool is_yes); /* a y/n question; NULL: none */
    void *confirmed_user;
    char search[LINE_EDITOR_MAX]; /* the last text searched for */
    char message[512];            /* until the next key */
    bool has_mouse;
    char layout_path[CCALAB_PATH_MAX]; /* where the panels' sizes are kept; "": nowhere */
    bool is_resized;
};

/* Make the screens; `first` is shown. Errors: STATUS_NOMEM; then too console_done() is called. */
CCALAB_MUST_USE enum status console_init(struct console *c, struct session *session,
                                         enum view_id first, const struct console_ops *ops,
                                         void *user, struct error *err);
void console_done(struct console *c);
/* A key, as from wget_wch(3): `is_code` for the KEY_ values. */
void console_key(struct console *c, bool is_code, wint_t key);
void console_act(struct console *c, enum action_id id);
/* What was typed after ':': the name of an action, or Lua. */
void console_run_line(struct console *c, const char *line);
/* Ctrl-C: end what is being typed or asked; false: nothing is. */
bool console_give_up(struct console *c);
void console_event(struct console *c, const struct event *ev);
/* After each round of the loop: notice what has changed. True: call again soon. */
bool console_look(struct console *c);
bool console_is_dirty(const struct console *c);
void console_draw(struct console *c);
/* Draw everything anew, at the size curses knows now. */
void console_touch(struct console *c);

/* Take over the panels' sizes kept in that file, and keep them there at the end if they change.
 * What the file says wrongly, or of screens that there are not, is passed over. */
void console_keep_layout(struct console *c, const char *path);
/* Let the mouse choose panels and lines. */
void console_mouse(struct console *c, bool is_on);

/* --- for views -------------------------------------------------------------------------------- */

void console_show(struct console *c, enum view_id id);
/* A line in place of the command line, until the next key. */
void console_say(struct console *c, const char *fmt, ...) CCALAB_PRINTF(2, 3);
/* Take it away. */
void console_hush(struct console *c);
void console_say_error(struct console *c, const struct error *err);
/* Let a text be typed. What was being typed is given up. */
void console_ask(struct console *c, const struct console_prompt *p);
/* A question with y or n; `text` ends with "(y/n)". */
void console_confirm(struct console *c, const char *text, void (*fn)(void *user, bool is_yes),
                     void *user);

#endif
