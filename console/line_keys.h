/* What the keys do to a text that is edited: those of readline(3), and pasted text. Thread: main
 * only. */
#ifndef CCALAB_CONSOLE_LINE_KEYS_H
#define CCALAB_CONSOLE_LINE_KEYS_H

#include <wchar.h>

#include "console/line_editor.h"

enum line_key {
    LINE_KEY_OTHER,    /* edited, or ignored */
    LINE_KEY_ENTER,    /* the text is complete */
    LINE_KEY_LEAVE,    /* given up */
    LINE_KEY_COMPLETE, /* what could stand here? */
};

/* A key, as from wget_wch(3): `is_code` for the KEY_ values. Between TERM_KEY_PASTE and its end all
 * is text: newlines do not end it, tabs become spaces. */
enum line_key line_keys_do(struct line_editor *le, bool is_code, wint_t key);

#endif
