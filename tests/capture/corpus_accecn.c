#include "corpus.h"

#include <string.h>

struct accecn_case {
    const char *name;
    enum format format;
    enum option_form form;
    unsigned syn, synack; /* flags */
    unsigned third_ace;
    bool has_handshake;
};

/* Super-frames of 64000 bytes, so that all counters wrap within a few hundred frames; every tenth
 * comes with CE, every third in ECT(0). */
static void make_case(const char *dir, const struct accecn_case *c)
{
    enum { DATA = 600, LEN = 64000, MSS = 1460 };
    struct out o = out_open(dir, c->name, c->format, LINK_ETHERNET);
    uint32_t v[3] = {1, 0, 1}, seq = 0xfff00000, len;
    uint8_t option[16];
    unsigned ace = 5;
    static const uint8_t mss[4] = {2, 4, MSS >> 8, MSS & 0xff};
    put_option(option, &len, c->form, v, 3);
    if (c->has_handshake) {
        out_segment(&o, &(struct segment){.flags = c->syn,
                                          .seq = seq - 1,
                                          .window = 60000,
                                          .options = mss,
                                          .options_len = 4});
        uint8_t both[20];
        memcpy(both, mss, 4);
        memcpy(both + 4, option, len);
        out_segment(&o, &(struct segment){.is_back = true,
                                          .flags = c->synack,
                                          .ecn = c->third_ace == 6 ? 3 : 0,
                                          .seq = 999,
                                          .ack = seq,
                                          .window = 60000,
                                          .options = both,
                                          .options_len = 4 + len});
        out_segment(&o, &(struct segment){.flags = TCP_ACK | c->third_ace << 6,
                                          .seq = seq,
                                          .ack = 1000,
                                          .window = 60000});
    }
    for (int i = 0; i < DATA; i++) {
        unsigned ecn = i % 10 == 9 ? 3 : i % 3 == 0 ? 2 : 1;
        out_segment(&o, &(struct segment){.flags = TCP_ACK | 5u << 6,
                                          .ecn = ecn,
                                          .seq = seq,
                                          .ack = 1000,
                                          .window = 60000,
                                          .len = LEN});
        seq += LEN;
        v[ecn == 2 ? 0 : ecn == 3 ? 1 : 2] += LEN;
        ace += ecn == 3 ? (LEN + MSS - 1) / MSS : 0;
        if (i % 2 == 0)
            continue;
        for (int k = 0; k < 3; k++)
            v[k] &= 0xffffff;
        /* Shorter options now and then. */
        put_option(option, &len, c->form, v, i % 40 == 39 ? 2 : i % 50 == 49 ? 0 : 3);
        out_segment(&o, &(struct segment){.is_back = true,
                                          .flags = TCP_ACK | (ace & 7) << 6,
                                          .seq = 1000,
                                          .ack = seq,
                                          .window = 60000,
                                          .options = option,
                                          .options_len = len});
    }
    out_close(&o);
}

void make_accecn(const char *dir)
{
    static const struct accecn_case cases[] = {
        {"accecn-172.pcap", PCAP_NS, KIND_172, TCP_SYN | 7u << 6, TCP_SYN | TCP_ACK | 2u << 6, 2,
         true},
        {"accecn-174.pcapng", PCAPNG_SWAPPED, KIND_174, TCP_SYN | 7u << 6,
         TCP_SYN | TCP_ACK | 3u << 6, 6, true},
        {"accecn-acc0.pcap", PCAP_US_SWAPPED, EXP_ACC0, TCP_SYN | 7u << 6,
         TCP_SYN | TCP_ACK | 4u << 6, 4, true},
        {"accecn-acc1.pcapng", PCAPNG, EXP_ACC1, 0, 0, 0, false},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        make_case(dir, &cases[i]);
}

/* Which answers to which SYN switch to ACE: all 64 of them, a connection each. */
void make_handshakes(const char *dir)
{
    struct out o = out_open(dir, "handshakes.pcap", PCAP_US, LINK_RAW);
    for (unsigned syn = 0; syn < 8; syn++)
        for (unsigned synack = 0; synack < 8; synack++) {
            unsigned port = 20000 + syn * 8 + synack;
            const struct segment steps[] = {
                {.flags = TCP_SYN | syn << 6, .seq = 10, .window = 100, .port = port},
                {.is_back = true,
                 .flags = TCP_SYN | TCP_ACK | synack << 6,
                 .seq = 50,
                 .ack = 11,
                 .window = 100,
                 .port = port},
                {.flags = TCP_ACK | 2u << 6, .seq = 11, .ack = 51, .window = 100, .port = port},
                {.flags = TCP_ACK | 5u << 6,
                 .seq = 11,
                 .ack = 51,
                 .window = 100,
                 .len = 5,
                 .port = port},
                {.is_back = true,
                 .flags = TCP_ACK | 6u << 6,
                 .seq = 51,
                 .ack = 16,
                 .window = 100,
                 .port = port},
            };
            for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
                struct frame f = {.len = 0};
                put_ipv6(&f, 1, PROTO_TCP, 20 + steps[i].len, steps[i].is_back ? 2 : 1,
                         steps[i].is_back ? 1 : 2);
                put_segment(&f, &steps[i]);
                out_whole(&o, &f);
            }
        }
    out_close(&o);
}
