#include "corpus.h"

enum { CAP = 12 }; /* payload bytes that are captured */

void put_segment(struct frame *f, const struct segment *s)
{
    unsigned client = s->port ? s->port : 40000;
    put16(f, s->is_back ? 5201 : client);
    put16(f, s->is_back ? client : 5201);
    put32(f, s->seq);
    put32(f, s->ack);
    put16(f, (20 + s->options_len) / 4 << 12 | s->flags);
    put16(f, s->window);
    put32(f, 0);
    for (uint32_t i = 0; i < s->options_len; i++)
        put8(f, s->options[i]);
    put_fill(f, 'p', s->len < CAP ? s->len : CAP);
}

void out_segment(struct out *o, const struct segment *s)
{
    struct frame f = {.len = 0};
    uint32_t ip_len = 40 + s->options_len + s->len;
    put_eth(&f, 0x0800);
    put_ipv4(&f, &(struct ipv4_opts){.ecn = s->ecn,
                                     .proto = PROTO_TCP,
                                     .total_len = ip_len > 65535 ? 0 : ip_len,
                                     .src = s->is_back ? 0x0a000002 : 0x0a000001,
                                     .dst = s->is_back ? 0x0a000001 : 0x0a000002});
    put_segment(&f, s);
    out_frame(o, &f, f.len, 14 + ip_len);
}

void put_option(uint8_t out[16], uint32_t *len, enum option_form form, const uint32_t v[3],
                int fields)
{
    bool is_order_0 = form == KIND_172 || form == EXP_ACC0;
    uint32_t order[3] = {is_order_0 ? v[0] : v[2], v[1], is_order_0 ? v[2] : v[0]};
    uint32_t at = 0;
    if (form == KIND_172 || form == KIND_174) {
        out[at++] = form == KIND_172 ? 172 : 174;
        out[at++] = (uint8_t)(2 + 3 * fields);
    } else {
        out[at++] = form == EXP_ACC0 ? 254 : 253;
        out[at++] = (uint8_t)(4 + 3 * fields);
        out[at++] = 0xac;
        out[at++] = form == EXP_ACC0 ? 0xc0 : 0xc1;
    }
    for (int i = 0; i < fields; i++) {
        out[at++] = (uint8_t)(order[i] >> 16);
        out[at++] = (uint8_t)(order[i] >> 8);
        out[at++] = (uint8_t)order[i];
    }
    while (at % 4)
        out[at++] = 1;
    *len = at;
}
