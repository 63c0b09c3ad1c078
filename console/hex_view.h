/* Bytes in hexadecimal and as text, some of them lit: in reverse, and between brackets. Thread:
 * main only. */
#ifndef CCALAB_CONSOLE_HEX_VIEW_H
#define CCALAB_CONSOLE_HEX_VIEW_H

#include <stdint.h>

#include "console/layout.h"
#include "console/list_view.h"
#include "console/theme.h"

struct hex_view {
    struct list_view list; /* of rows; scrolls, without a selected one to be seen */
    const uint8_t *data;   /* borrowed */
    size_t len;
    size_t lit_at, lit_len;
    int per_row;    /* bytes: 16, or 8 where there is little room */
    bool has_moved; /* since lit bytes were last looked for */
};

/* Other bytes, or others of them lit. The first lit ones come into view at the next drawing. */
void hex_view_set(struct hex_view *h, const uint8_t *data, size_t len, size_t lit_at,
                  size_t lit_len);
bool hex_view_act(struct hex_view *h, enum action_id id);
void hex_view_draw(struct hex_view *h, WINDOW *win, const struct rect *r);

#endif
