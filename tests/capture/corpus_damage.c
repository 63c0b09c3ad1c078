#include "corpus.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Options of tcpdump's published reports and their like: lengths of 0 and 1, beyond the header, of
 * every size for the kinds that are read. */
void make_options(const char *dir)
{
    struct out o = out_open(dir, "options.pcap", PCAP_NS, LINK_ETHERNET);
    static const unsigned kinds[] = {2, 3, 4, 5, 8, 172, 174, 253, 254, 34, 99};
    uint32_t seq = 1;
    for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
        for (unsigned len = 0; len <= 24; len++) {
            uint8_t options[24];
            memset(options, 1, sizeof(options));
            options[0] = (uint8_t)kinds[k];
            options[1] = (uint8_t)len;
            if (kinds[k] >= 253) {
                options[2] = 0xac;
                options[3] = len % 2 ? 0xc0 : 0xc1;
            }
            if (kinds[k] == 5)
                memset(options + 2, 0, 22);
            if (kinds[k] == 3)
                options[2] = 20;
            /* Fast Open has a state of its own that is not followed. */
            if (kinds[k] == 34 && len > 2)
                continue;
            out_segment(&o, &(struct segment){.flags = TCP_ACK,
                                              .ecn = len % 4,
                                              .seq = seq,
                                              .ack = 1,
                                              .window = 100,
                                              .len = 3,
                                              .options = options,
                                              .options_len = 24,
                                              .port = 30000 + (unsigned)k});
            seq += 3;
        }
    /* Something behind the end, a lone kind byte at the end, nothing but padding. */
    static const uint8_t tails[3][8] = {
        {0, 1, 2, 4, 5, 180, 1, 1}, {1, 1, 1, 1, 1, 1, 1, 8}, {0, 0, 0, 0, 0, 0, 0, 0}};
    for (int i = 0; i < 3; i++)
        out_segment(&o, &(struct segment){.flags = TCP_ACK,
                                          .seq = 1,
                                          .ack = 1,
                                          .window = 5,
                                          .options = tails[i],
                                          .options_len = 8,
                                          .port = 31000});
    out_close(&o);
}

/* Lengths that lie, in every header; each at every snap length too. */
void make_lies(const char *dir)
{
    struct out o = out_open(dir, "lies.pcap", PCAP_US_SWAPPED, LINK_ETHERNET);
    static const struct {
        unsigned at, value;
    } lies[] = {
        {14, 0x44}, {14, 0x46}, {14, 0x4f}, {14, 0x50}, {14, 0x00}, {17, 10},   {17, 20},
        {17, 25},   {17, 39},   {16, 0xff}, {46, 0x00}, {46, 0x40}, {46, 0x60}, {46, 0xf0},
        {23, 4},    {23, 41},   {23, 47},   {23, 1},    {23, 17},   {23, 132},  {23, 255},
    };
    struct frame good = {.len = 0};
    put_eth(&good, 0x0800);
    put_tcp4(&good, 3, 20);
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        struct frame f = good;
        f.data[lies[i].at] = (uint8_t)lies[i].value;
        out_whole(&o, &f);
        out_frame(&o, &f, 40, f.len);
    }
    for (uint32_t cut = 0; cut < good.len; cut++)
        out_frame(&o, &good, cut, good.len);
    out_close(&o);
}

/* Headers that name themselves as the next, more than anybody reads, and ones without an end. */
void make_loops(const char *dir)
{
    struct out o = out_open(dir, "loops.pcap", PCAP_US, LINK_RAW);
    for (unsigned n = 1; n <= 41; n += 8) {
        struct frame f = {.len = 0};
        put_ipv6(&f, 3, 60, n * 8, 1, 2);
        for (unsigned i = 0; i < n; i++)
            put_extension(&f, 60, 0);
        out_whole(&o, &f);
        f.len = 0; /* IPv4 in IPv4 in IPv4 */
        for (unsigned i = 0; i < n; i++)
            put_outer4(&f, i % 4, 4, (n - i - 1) * 20);
        out_whole(&o, &f);
    }
    struct frame f = {.len = 0};
    put_ipv6(&f, 1, 0, 8, 1, 2);
    put16(&f, 6 << 8 | 255); /* 2048 bytes of 8 */
    put_fill(&f, 0, 6);
    out_whole(&o, &f);
    out_close(&o);
}

/* The last record is not all there. */
void make_cut(const char *dir)
{
    struct out o = out_open(dir, "cut.pcap", PCAP_NS, LINK_ETHERNET);
    struct frame f = {.len = 0};
    put_eth(&f, 0x0800);
    put_tcp4(&f, 3, 20);
    out_whole(&o, &f);
    out_whole(&o, &f);
    fflush(o.f);
    if (ftruncate(fileno(o.f), 24 + 2 * (16 + (long)f.len) - 7) != 0)
        exit(1);
    out_close(&o);
}
