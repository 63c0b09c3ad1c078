#include "corpus.h"

#include <string.h>

static uint64_t random_state;

static uint32_t random_below(uint32_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 33) % n;
}

struct side {
    uint32_t isn, next, acked; /* acked: of the other side's bytes */
    unsigned window;
};

void make_random(const char *path, uint64_t seed, unsigned frames)
{
    enum { CONNECTIONS = 4 };
    struct side sides[CONNECTIONS][2] = {0};
    struct out o = out_open("", path, PCAP_NS, LINK_ETHERNET);
    random_state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    for (int i = 0; i < CONNECTIONS; i++)
        for (int d = 0; d < 2; d++)
            sides[i][d] = (struct side){
                /* One connection wraps soon. */
                .isn = i == 1 ? 0xffffff00 : random_below(UINT32_MAX),
                .window = 1000,
            };
    for (unsigned n = 0; n < frames; n++) {
        unsigned c = random_below(CONNECTIONS), d = random_below(2), what = random_below(100);
        struct side *me = &sides[c][d], *other = &sides[c][!d];
        uint8_t options[36];
        uint32_t options_len = 0;
        if (me->next == 0)
            me->next = me->isn + 1;
        if (other->next == 0)
            other->next = other->isn + 1;
        if (me->acked == 0)
            me->acked = other->next;
        struct segment s = {.is_back = d,
                            .flags = TCP_ACK,
                            .ecn = random_below(4),
                            .seq = me->next,
                            .ack = me->acked,
                            .window = me->window,
                            .port = 41000 + c,
                            .options = options};
        if (random_below(200) == 0) /* another connection on the same ports */
            me->isn = random_below(UINT32_MAX);
        if (what < 2) {
            s.flags = TCP_SYN | random_below(8) << 6;
            s.seq = me->isn;
            s.ack = 0;
            me->next = me->isn + 1;
        } else if (what < 4) {
            s.flags = TCP_SYN | TCP_ACK | random_below(8) << 6;
            s.seq = me->isn;
            me->next = me->isn + 1;
        } else if (what < 40) { /* data */
            s.len = 1 + random_below(1448);
            me->next += s.len;
        } else if (what < 65) { /* an ACK of something there is */
            uint32_t span = other->next - me->acked;
            me->acked = random_below(3) ? other->next : me->acked + random_below(span + 1);
            s.ack = me->acked;
        } else if (what < 73) { /* the same once more */
            s.len = 0;
        } else if (what < 80) { /* a retransmission, whole or not */
            uint32_t back = random_below(3000);
            s.seq = me->next - back;
            s.len = 1 + random_below(back + 200);
        } else if (what < 83) { /* a hole */
            me->next += 1 + random_below(5000);
            s.seq = me->next;
            s.len = random_below(1000);
            me->next += s.len;
        } else if (what < 85) { /* keep-alive */
            s.seq = me->next - 1;
            s.len = random_below(2);
        } else if (what < 87) { /* zero window, and one byte into it */
            me->window = 0;
            s.window = 0;
        } else if (what < 89) {
            s.len = 1;
        } else if (what < 93) { /* window update */
            me->window = 1 + random_below(3) * 500;
            s.window = me->window;
        } else if (what < 94) {
            s.flags = TCP_FIN | TCP_ACK;
            s.len = random_below(2) * 10;
            me->next += s.len + 1;
        } else if (what < 95) {
            s.flags = random_below(2) ? TCP_RST : TCP_RST | TCP_ACK;
            s.ack = random_below(2) ? 0 : s.ack;
        } else if (what < 97) { /* an ACK of what nobody sent */
            me->acked = other->next + random_below(5000);
            s.ack = me->acked;
        } else if (what < 98) { /* up to the edge of the window */
            s.seq = me->next;
            s.len = other->window && other->window < 1400 ? other->window : 100;
            me->next += s.len;
        } else { /* nonsense */
            s.seq = random_below(UINT32_MAX);
            s.ack = random_below(UINT32_MAX);
            s.len = random_below(100);
        }
        if (random_below(3) == 0 && !(s.flags & TCP_SYN)) {
            unsigned blocks = 1 + random_below(3);
            options[0] = options[1] = 1;
            options[2] = 5;
            options[3] = (uint8_t)(2 + 8 * blocks);
            for (unsigned b = 0; b < blocks; b++) {
                uint32_t left = s.ack + random_below(4000), right = left + random_below(1500);
                for (int k = 0; k < 4; k++) {
                    options[4 + 8 * b + k] = (uint8_t)(left >> (24 - 8 * k));
                    options[8 + 8 * b + k] = (uint8_t)(right >> (24 - 8 * k));
                }
            }
            options_len = 4 + 8 * blocks;
        } else if (s.flags & TCP_SYN && random_below(2)) {
            static const uint8_t syn_options[8] = {2, 4, 5, 180, 1, 3, 3, 2};
            memcpy(options, syn_options, 8);
            options_len = 8;
        } else if (random_below(40) == 0) {
            const uint32_t v[3] = {random_below(1 << 24), random_below(1 << 24),
                                   random_below(1 << 24)};
            put_option(options, &options_len, (enum option_form)random_below(4), v,
                       (int)random_below(4));
        }
        s.options_len = options_len;
        out_segment(&o, &s);
        o.t_ns += (uint64_t)random_below(20) * random_below(1000000);
    }
    out_close(&o);
}
