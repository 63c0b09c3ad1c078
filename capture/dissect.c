#include "capture/dissect.h"

#include <string.h>

#include "capture/dissect_cursor.h"

const char *layer_name(enum layer_kind kind)
{
    static const char *const names[LAYER_COUNT] = {
#define X(id, name) [LAYER_##id] = name,
        CCALAB_LAYER_LIST(X)
#undef X
    };
    return names[kind];
}

void dissect(enum link_type link, const uint8_t *data, uint32_t cap_len, uint32_t wire_len,
             struct packet *out)
{
    struct cursor c = {
        .data = data,
        .cap = cap_len < wire_len ? cap_len : wire_len,
        .len = wire_len,
        .out = out,
    };
    out->data = data;
    out->cap_len = c.cap;
    out->wire_len = wire_len;
    out->link = link;
    /* All but the layers: 700 bytes that nobody reads need no zeros. */
    memset(&out->nlayers, 0, offsetof(struct packet, layers) - offsetof(struct packet, nlayers));
    out->outer_layer = out->ip_layer = out->flow_layer = out->quoted_layer = -1;
    dissect_link(&c, link);
}
