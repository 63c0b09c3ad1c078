/* Frames built by hand, header by header, for the tests of this room. */
#ifndef CCALAB_TESTS_CAPTURE_FRAMES_H
#define CCALAB_TESTS_CAPTURE_FRAMES_H

#include <stdint.h>

#include "capture/dissect.h"

struct frame {
    uint8_t data[1024];
    uint32_t len;
};

void put8(struct frame *f, unsigned v);
void put16(struct frame *f, unsigned v);
void put32(struct frame *f, uint32_t v);
void put_fill(struct frame *f, uint8_t value, uint32_t n);

void put_eth(struct frame *f, unsigned type);
void put_sll(struct frame *f, unsigned type);
void put_sll2(struct frame *f, unsigned type);

struct ipv4_opts {
    unsigned ecn, proto, total_len, fragment; /* fragment: flags and offset, as on the wire */
    uint32_t src, dst;
    unsigned option_words;
};
void put_ipv4(struct frame *f, const struct ipv4_opts *o);

/* 2001:db8::SRC to 2001:db8::DST. */
void put_ipv6(struct frame *f, unsigned ecn, unsigned next, unsigned payload_len, unsigned src,
              unsigned dst);

struct tcp_opts {
    unsigned sport, dport, flags, option_words;
    uint32_t seq, ack;
};
void put_tcp(struct frame *f, const struct tcp_opts *o);
void put_udp(struct frame *f, unsigned sport, unsigned dport, unsigned len);

/* Ethernet, IPv4 10.0.0.1 to 10.0.0.2, TCP with `payload_len` bytes. */
struct frame frame_tcp4(unsigned ecn, const struct tcp_opts *o, unsigned payload_len);

#endif
