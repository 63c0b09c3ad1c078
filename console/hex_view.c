#include "console/hex_view.h"

#include <stdio.h>
#include <string.h>

/* "0000  " before, "  " and the text behind, and a bracket. */
#define COLS(n) (6 + 3 * (n) + 2 + (n))

void hex_view_set(struct hex_view *h, const uint8_t *data, size_t len, size_t lit_at,
                  size_t lit_len)
{
    h->data = data;
    h->len = len;
    h->lit_at = lit_at < len ? lit_at : len;
    h->lit_len = lit_len < len - h->lit_at ? lit_len : len - h->lit_at;
    h->has_moved = false;
}

bool hex_view_act(struct hex_view *h, enum action_id id)
{
    uint64_t rows = h->list.rows > 0 ? (uint64_t)h->list.rows : 1;

    /* What moves is the window. */
    h->list.selected =
        id == ACTION_DOWN || id == ACTION_PAGE_DOWN ? h->list.top + rows - 1 : h->list.top;
    h->has_moved = true;
    return list_view_act(&h->list, id);
}

static bool is_lit(const struct hex_view *h, size_t at)
{
    return at >= h->lit_at && at - h->lit_at < h->lit_len;
}

static void draw_row(const struct hex_view *h, WINDOW *win, int y, const struct rect *r, size_t at)
{
    char text[24];
    int x = r->x, end = r->x + r->cols, chars = x + COLS(h->per_row) - h->per_row;

    snprintf(text, sizeof text, "%04zx ", at);
    x += text_put(win, y, x, end - x, STYLE_DIM, text);
    for (size_t i = at; i < at + (size_t)h->per_row && i < h->len; i++) {
        bool is_first = is_lit(h, i) && (i == h->lit_at || i == at);
        bool is_after = !is_lit(h, i) && i > at && is_lit(h, i - 1);
        enum style style = is_lit(h, i) ? STYLE_BAR : STYLE_NORMAL;
        char c[2] = {h->data[i] >= 0x20 && h->data[i] < 0x7f ? (char)h->data[i] : '.', '\0'};

        x += text_put(win, y, x, end - x, STYLE_FOCUS, is_first ? "[" : is_after ? "]" : " ");
        snprintf(text, sizeof text, "%02x", h->data[i]);
        x += text_put(win, y, x, end - x, style, text);
        if (is_lit(h, i) && (i + 1 == at + (size_t)h->per_row || i + 1 == h->len))
            text_put(win, y, x, end - x, STYLE_FOCUS, "]");
        text_put(win, y, chars + (int)(i - at), end - chars - (int)(i - at), style, c);
    }
}

void hex_view_draw(struct hex_view *h, WINDOW *win, const struct rect *r)
{
    h->per_row = r->cols >= COLS(16) ? 16 : 8;
    list_view_set(&h->list, (h->len + (size_t)h->per_row - 1) / (size_t)h->per_row, r->rows);
    if (!h->has_moved)
        list_view_select(&h->list, h->lit_at / (size_t)h->per_row);
    for (int y = 0; y < r->rows; y++) {
        size_t at = (size_t)(h->list.top + (uint64_t)y) * (size_t)h->per_row;

        if (at < h->len)
            draw_row(h, win, r->y + y, r, at);
    }
}
