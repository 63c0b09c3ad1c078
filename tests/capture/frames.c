#include "frames.h"

#include <string.h>

void put8(struct frame *f, unsigned v)
{
    f->data[f->len++] = (uint8_t)v;
}

void put16(struct frame *f, unsigned v)
{
    put8(f, v >> 8 & 0xff);
    put8(f, v & 0xff);
}

void put32(struct frame *f, uint32_t v)
{
    put16(f, v >> 16);
    put16(f, v & 0xffff);
}

void put_fill(struct frame *f, uint8_t value, uint32_t n)
{
    memset(f->data + f->len, value, n);
    f->len += n;
}

void put_eth(struct frame *f, unsigned type)
{
    put_fill(f, 0x02, 12);
    put16(f, type);
}

void put_sll(struct frame *f, unsigned type)
{
    put_fill(f, 0, 14);
    put16(f, type);
}

void put_sll2(struct frame *f, unsigned type)
{
    put16(f, type);
    put_fill(f, 0, 18);
}

void put_ipv4(struct frame *f, const struct ipv4_opts *o)
{
    put8(f, 0x45 + o->option_words);
    put8(f, o->ecn);
    put16(f, o->total_len);
    put16(f, 1);
    put16(f, o->fragment);
    put8(f, 64);
    put8(f, o->proto);
    put16(f, 0);
    put32(f, o->src);
    put32(f, o->dst);
    put_fill(f, 1, o->option_words * 4);
}

static void put_ipv6_addr(struct frame *f, unsigned host)
{
    put32(f, 0x20010db8);
    put32(f, 0);
    put32(f, 0);
    put32(f, host);
}

void put_ipv6(struct frame *f, unsigned ecn, unsigned next, unsigned payload_len, unsigned src,
              unsigned dst)
{
    put32(f, UINT32_C(6) << 28 | ecn << 20);
    put16(f, payload_len);
    put8(f, next);
    put8(f, 64);
    put_ipv6_addr(f, src);
    put_ipv6_addr(f, dst);
}

void put_tcp(struct frame *f, const struct tcp_opts *o)
{
    put16(f, o->sport);
    put16(f, o->dport);
    put32(f, o->seq);
    put32(f, o->ack);
    put16(f, (5 + o->option_words) << 12 | o->flags);
    put16(f, 1000);
    put32(f, 0);
    put_fill(f, 1, o->option_words * 4);
}

void put_udp(struct frame *f, unsigned sport, unsigned dport, unsigned len)
{
    put16(f, sport);
    put16(f, dport);
    put16(f, len);
    put16(f, 0);
}

struct frame frame_tcp4(unsigned ecn, const struct tcp_opts *o, unsigned payload_len)
{
    struct frame f = {.len = 0};
    put_eth(&f, 0x0800);
    put_ipv4(&f, &(struct ipv4_opts){
                     .ecn = ecn,
                     .proto = PROTO_TCP,
                     .total_len = 40 + o->option_words * 4 + payload_len,
                     .src = 0x0a000001,
                     .dst = 0x0a000002,
                 });
    put_tcp(&f, o);
    put_fill(&f, 'x', payload_len);
    return f;
}
