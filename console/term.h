/* The terminal: taken over by curses on the way in, and given back as it was on every way out,
 * crashes included. There is one. Thread: main only. */
#ifndef CCALAB_CONSOLE_TERM_H
#define CCALAB_CONSOLE_TERM_H

#include <stdbool.h>

#include "core/error.h"

/* Keys besides those of curses: pasted text begins and ends ("bracketed paste" of XTerm Control
 * Sequences). It is asked for from term_open() on, and never outlives us: not a crash, nor Ctrl-Z.
 */
#define TERM_KEY_PASTE     (KEY_MAX + 1)
#define TERM_KEY_PASTE_END (KEY_MAX + 2)

/* Start curses. From here to term_close(), standard output (and standard error where it is the
 * terminal) is a pipe, so that nobody writes on the screen: read it from term_stray_fd(). Call
 * setlocale() and install handlers of SIGWINCH and SIGTSTP first, or curses takes them.
 * Errors: STATUS_USAGE (no terminal, or one that cannot be drawn on), STATUS_IO. */
CCALAB_MUST_USE enum status term_open(struct error *err);
/* Give the terminal back. Does nothing if it is not open. */
void term_close(void);
/* Readable when a key was pressed; read it with wget_wch(). Non-blocking. */
int term_input_fd(void);
/* Where to read what was written to descriptor 1 or 2; -1 if that one is not redirected.
 * Non-blocking. */
int term_stray_fd(int fd);
/* The user's modes while we are stopped, ours afterwards. The screen is then to be drawn anew. */
void term_suspend(void);
void term_resume(void);
/* Let the mouse send keys (KEY_MOUSE), or leave it to the terminal, which then selects text with
 * it. False: this terminal has none. */
bool term_mouse(bool is_on);
/* Put a text into the clipboard of the terminal that the person sits at, through ssh and tmux, by
 * the escape sequence OSC 52. Nobody tells whether it took it. False: this one cannot. */
bool term_copy(const char *text);
/* Tell curses the window's size, after SIGWINCH. */
void term_resize(void);

#endif
