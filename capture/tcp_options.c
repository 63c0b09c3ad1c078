#include "capture/tcp_options.h"

enum { SACK_BLOCKS_MAX = 3, WINDOW_SCALE_MAX = 14, ALIGNED_TIMESTAMPS = 0x0101080a };

struct tcp_option_walk tcp_option_walk(const struct packet *p, const struct layer *layer)
{
    struct tcp_option_walk w = {.packet = p, .at = layer->at + 20};
    w.end = layer->at + layer->header_len;
    if (w.end < w.at)
        w.end = w.at;
    return w;
}

bool tcp_option_next(struct tcp_option_walk *w, struct tcp_option *out)
{
    const struct packet *p = w->packet;
    if (w->at >= w->end)
        return false;
    if (w->at >= p->cap_len) {
        w->is_cut = true;
        return false;
    }
    const uint8_t *data = p->data + w->at;
    uint8_t kind = data[0];
    if (w->has_eol && kind != TCP_OPTION_EOL)
        return false; /* the header's padding is not ours to read */
    *out = (struct tcp_option){.kind = kind, .len = 1, .cap_len = 1, .at = w->at, .data = data};
    if (kind == TCP_OPTION_EOL || kind == TCP_OPTION_NOP) {
        w->has_eol |= kind == TCP_OPTION_EOL;
        w->at++;
        return true;
    }
    if (w->end - w->at < 2) {
        w->is_malformed = true;
        return false;
    }
    if (p->cap_len - w->at < 2) {
        w->is_cut = true;
        return false;
    }
    if (data[1] < 2 || data[1] > w->end - w->at) {
        w->is_malformed = true;
        return false;
    }
    out->len = data[1];
    out->cap_len = data[1];
    if (out->len > p->cap_len - w->at) {
        out->cap_len = (uint8_t)(p->cap_len - w->at);
        w->is_cut = true;
        w->at = w->end; /* nothing behind it was captured */
    } else {
        w->at += out->len;
    }
    /* SACK without a single block: Wireshark stumbles, and reads nothing behind it. */
    if (kind == TCP_OPTION_SACK && out->len < 10) {
        w->is_cut = true;
        w->at = w->end;
    }
    return true;
}

bool accecn_option_read(const struct tcp_option *o, struct accecn_option *out)
{
    uint8_t header_len = 2;
    *out = (struct accecn_option){0};
    if (o->cap_len < o->len)
        return false;
    switch (o->kind) {
    case TCP_OPTION_ACCECN0:
        break;
    case TCP_OPTION_ACCECN1:
        out->order = ACCECN_ORDER_1;
        break;
    case TCP_OPTION_EXP1:
    case TCP_OPTION_EXP2: {
        if (o->len < 4)
            return false;
        uint16_t exid = get_be16(o->data + 2);
        if (exid != TCP_EXID_ACCECN0 && exid != TCP_EXID_ACCECN1)
            return false;
        out->order = exid == TCP_EXID_ACCECN0 ? ACCECN_ORDER_0 : ACCECN_ORDER_1;
        out->is_experimental = true;
        header_len = 4;
        break;
    }
    default:
        return false;
    }
    uint8_t left = (uint8_t)(o->len - header_len);
    if (left > 9 || left % 3 != 0)
        return false;
    bool is_order_0 = out->order == ACCECN_ORDER_0;
    const uint8_t *p = o->data + header_len;
    uint32_t first = left >= 3 ? get_be24(p) : 0, third = left >= 9 ? get_be24(p + 6) : 0;
    out->at = o->at + header_len;
    out->has_ee0b = left >= (is_order_0 ? 3 : 9);
    out->has_eceb = left >= 6;
    out->has_ee1b = left >= (is_order_0 ? 9 : 3);
    out->ee0b = is_order_0 ? first : third;
    out->eceb = left >= 6 ? get_be24(p + 3) : 0;
    out->ee1b = is_order_0 ? third : first;
    return true;
}

/* RFC 2018 section 3. Wireshark forgets the blocks of an option before it. */
static void read_sack(const struct tcp_option *o, struct tcp_options *out)
{
    out->sack_count = 0;
    out->sacked_bytes = 0;
    for (unsigned at = 2; at + 8 <= o->cap_len && out->sack_count < SACK_BLOCKS_MAX; at += 8) {
        out->sacked_bytes += get_be32(o->data + at + 4) - get_be32(o->data + at);
        out->sack_count++;
    }
}

bool tcp_options_read(const struct packet *p, const struct layer *layer, struct tcp_options *out)
{
    struct tcp_option_walk w = tcp_option_walk(p, layer);
    struct tcp_option o;
    out->has_mss = out->has_window_scale = out->has_timestamps = out->has_accecn = false;
    out->sack_count = 0;
    out->sacked_bytes = 0;
    /* As most segments have them: nothing but aligned time stamps, or those first (RFC 7323
     * appendix A). */
    const uint8_t *aligned = w.end - w.at >= 12 ? packet_at(p, w.at, 12) : NULL;
    if (aligned && get_be32(aligned) == ALIGNED_TIMESTAMPS) {
        out->has_timestamps = true;
        out->tsval = get_be32(aligned + 4);
        out->tsecr = get_be32(aligned + 8);
        w.at += 12;
    }
    while (tcp_option_next(&w, &o)) {
        switch (o.kind) {
        case TCP_OPTION_EOL:
        case TCP_OPTION_NOP:
            break;
        case TCP_OPTION_MSS:
            if (o.len == 4 && o.cap_len == 4) {
                out->has_mss = true;
                out->mss = get_be16(o.data + 2);
            }
            break;
        case TCP_OPTION_WINDOW_SCALE:
            if (o.len == 3 && o.cap_len == 3) {
                out->has_window_scale = true;
                out->window_scale = o.data[2] > WINDOW_SCALE_MAX ? WINDOW_SCALE_MAX : o.data[2];
            }
            break;
        case TCP_OPTION_SACK:
            read_sack(&o, out);
            break;
        case TCP_OPTION_TIMESTAMPS:
            if (o.len == 10 && o.cap_len == 10) {
                out->has_timestamps = true;
                out->tsval = get_be32(o.data + 2);
                out->tsecr = get_be32(o.data + 6);
            }
            break;
        default: {
            struct accecn_option accecn;
            if (accecn_option_read(&o, &accecn)) {
                out->has_accecn = true;
                out->accecn = accecn;
            }
        }
        }
    }
    return !w.is_cut;
}
