/* The terminal on the loop: keys, the size, Ctrl-Z, strays on standard output, and when to draw.
 * What is drawn is the screen's affair. There is one at a time. Thread: main only. */
#ifndef CCALAB_CONSOLE_STAGE_H
#define CCALAB_CONSOLE_STAGE_H

#include <uv.h>

#include "console/theme.h"
#include "core/error.h"

struct stage_callbacks {
    void (*draw)(void *user);
    /* A key, as from wget_wch(3): `is_code` for the KEY_ values. */
    void (*key)(void *user, bool is_code, wint_t code);
    /* Something can be read from term_stray_fd(fd). */
    void (*stray)(void *user, int fd);
    /* Everything is to be drawn anew, at the size that curses knows now. */
    void (*touch)(void *user);
    void (*hang_up)(void *user); /* the terminal is gone */
};

struct stage {
    const struct stage_callbacks *callbacks;
    void *user;
    WINDOW *keys; /* a pad: reading keys from it draws nothing; NULL while there is no terminal */
    uv_poll_t input, stray[3];
    uv_signal_t on_winch, on_stop, on_cont;
    uv_timer_t frame;
    uint64_t drawn_ns;
    bool has_key; /* since then */
};

/* Take the terminal, with the theme. On failure too, stage_close() is to be called.
 * Errors: those of term_open(). */
CCALAB_MUST_USE enum status stage_open(struct stage *s, uv_loop_t *loop, enum options_plot plot,
                                       const struct stage_callbacks *callbacks, void *user,
                                       struct error *err);
/* Give it back; the handles end with the loop's next round. */
void stage_close(struct stage *s);
void stage_draw(struct stage *s);
/* After each round of the loop: draw at once if the last frame is old, else when it is. */
void stage_look(struct stage *s, bool is_dirty);

#endif
