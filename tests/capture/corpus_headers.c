#include "corpus.h"

#include <string.h>

static const struct tcp_opts some_tcp = {.sport = 40000, .dport = 5201, .flags = TCP_ACK, .seq = 7};

void put_tcp4(struct frame *f, unsigned ecn, unsigned len)
{
    put_ipv4(f, &(struct ipv4_opts){.ecn = ecn,
                                    .proto = PROTO_TCP,
                                    .total_len = 40 + len,
                                    .src = 0xc0a80001,
                                    .dst = 0xc0a80002});
    put_tcp(f, &some_tcp);
    put_fill(f, 'i', len);
}

static void put_udp6(struct frame *f, unsigned ecn, unsigned len)
{
    put_ipv6(f, ecn, PROTO_UDP, 8 + len, 7, 8);
    put_udp(f, 53000, 53001, 8 + len);
    put_fill(f, 'u', len);
}

void put_outer4(struct frame *f, unsigned ecn, unsigned proto, unsigned len)
{
    put_ipv4(f, &(struct ipv4_opts){.ecn = ecn,
                                    .proto = proto,
                                    .total_len = 20 + len,
                                    .src = 0x0a000001,
                                    .dst = 0x0a000002});
}

static void put_gre(struct frame *f, unsigned flags, unsigned type)
{
    put16(f, flags);
    put16(f, type);
    for (unsigned bit = 0x8000; bit >= 0x1000; bit >>= 1)
        if (flags & bit && bit != 0x4000)
            put32(f, 0x01020304);
}

void make_tunnels(const char *dir)
{
    struct out o = out_open(dir, "tunnels.pcap", PCAP_NS_SWAPPED, LINK_ETHERNET);
    for (unsigned outer = 0; outer < 4; outer++)
        for (unsigned inner = 0; inner < 4; inner++) {
            struct frame f = {.len = 0};
            put_eth(&f, 0x0800); /* IPv4 in IPv4 */
            put_outer4(&f, outer, 4, 46);
            put_tcp4(&f, inner, 6);
            out_whole(&o, &f);

            f.len = 0; /* IPv6 in IPv4 */
            put_eth(&f, 0x0800);
            put_outer4(&f, outer, 41, 53);
            put_udp6(&f, inner, 5);
            out_whole(&o, &f);

            f.len = 0; /* IPv4 in IPv6 */
            put_eth(&f, 0x86dd);
            put_ipv6(&f, outer, 4, 46, 3, 4);
            put_tcp4(&f, inner, 6);
            out_whole(&o, &f);

            f.len = 0; /* thrice */
            put_eth(&f, 0x0800);
            put_outer4(&f, outer, 4, 106);
            put_ipv4(&f, &(struct ipv4_opts){.ecn = 2, .proto = 41, .total_len = 106});
            put_ipv6(&f, 3, 4, 46, 3, 4);
            put_tcp4(&f, inner, 6);
            out_whole(&o, &f);

            static const unsigned flags[] = {0, 0x8000, 0x2000, 0x1000, 0x3000, 0xb000};
            for (size_t i = 0; i < 6; i++) {
                unsigned header = 4 + 4 * (unsigned)__builtin_popcount(flags[i]);
                f.len = 0;
                put_eth(&f, 0x0800);
                put_outer4(&f, outer, 47, header + 46);
                put_gre(&f, flags[i], 0x0800);
                put_tcp4(&f, inner, 6);
                out_whole(&o, &f);
            }
            f.len = 0; /* Ethernet in GRE, with a VLAN */
            put_eth(&f, 0x0800);
            put_outer4(&f, outer, 47, 8 + 18 + 53);
            put_gre(&f, 0x2000, 0x6558);
            put_eth(&f, 0x8100);
            put16(&f, 77);
            put16(&f, 0x86dd);
            put_udp6(&f, inner, 5);
            out_whole(&o, &f);
        }
    out_close(&o);
}

void make_quoted(const char *dir)
{
    struct out o = out_open(dir, "quoted.pcap", PCAP_US, LINK_ETHERNET);
    static const unsigned types[] = {3, 4, 5, 11, 12, 8};
    for (size_t i = 0; i < 6; i++)
        for (uint32_t cut = 24; cut <= 46; cut += 2) {
            struct frame f = {.len = 0}, whole = {.len = 0};
            put_eth(&f, 0x0800);
            put_outer4(&f, 0, 1, 8 + cut);
            put8(&f, types[i]);
            put8(&f, 0);
            put16(&f, 0);
            put32(&f, 0);
            put_tcp4(&whole, 3, 6);
            memcpy(f.data + f.len, whole.data, cut);
            f.len += cut;
            out_whole(&o, &f);
        }
    for (unsigned type = 1; type <= 4; type++) {
        struct frame f = {.len = 0};
        put_eth(&f, 0x86dd);
        put_ipv6(&f, 2, 58, 8 + 53, 1, 2);
        put8(&f, type);
        put8(&f, 0);
        put16(&f, 0);
        put32(&f, 0);
        put_udp6(&f, 3, 5);
        out_whole(&o, &f);
    }
    struct frame f = {.len = 0}; /* then the flow itself */
    put_eth(&f, 0x0800);
    put_tcp4(&f, 1, 6);
    out_whole(&o, &f);
    out_close(&o);
}

void put_extension(struct frame *f, unsigned next, unsigned units)
{
    put8(f, next);
    put8(f, units);
    put8(f, 1);
    put8(f, units * 8 + 4);
    put_fill(f, 0, units * 8 + 4);
}

void make_extensions(const char *dir)
{
    struct out o = out_open(dir, "extensions.pcapng", PCAPNG, LINK_ETHERNET);
    static const unsigned kinds[] = {0, 60, 43, 44, 51, 135, 140};
    for (size_t a = 0; a < 7; a++)
        for (size_t b = 0; b < 7; b++) {
            struct frame f = {.len = 0};
            const size_t chain[2] = {a, b};
            put_eth(&f, 0x86dd);
            put_ipv6(&f, (unsigned)(a + b) % 4, kinds[a], 0, 1, 2);
            uint32_t begin = f.len;
            for (int i = 0; i < 2; i++) {
                unsigned kind = kinds[chain[i]], next = i == 0 ? kinds[b] : PROTO_TCP;
                if (kind == 44) { /* the whole packet in one fragment */
                    put16(&f, next << 8);
                    put16(&f, 0);
                    put32(&f, 99);
                } else if (kind == 51) {
                    put16(&f, next << 8 | 1);
                    put16(&f, 0);
                    put32(&f, 1);
                    put32(&f, 2);
                } else if (kind == 43) {
                    put16(&f, next << 8);
                    put16(&f, 0);
                    put32(&f, 0);
                } else {
                    put_extension(&f, next, i);
                }
            }
            put_tcp(&f, &some_tcp);
            put_fill(&f, 'e', 9);
            f.data[14 + 4] = 0;
            f.data[14 + 5] = (uint8_t)(f.len - begin);
            out_whole(&o, &f);
        }
    /* A jumbogram, and BIG TCP without the option: the last frame, as it is hidden from Wireshark's
     * analysis of what follows, but not from ours. */
    for (int has_option = 1; has_option >= 0; has_option--) {
        struct frame f = {.len = 0};
        put_eth(&f, 0x86dd);
        put_ipv6(&f, 1, has_option ? 0 : PROTO_TCP, 0, 1, 2);
        if (has_option) {
            put32(&f, 0x0600c204);
            put32(&f, 80000 + 28);
        }
        put_tcp(&f, &some_tcp);
        out_frame(&o, &f, f.len, f.len + 80000);
    }
    out_close(&o);
}

void make_wlan(const char *dir)
{
    struct out o = out_open(dir, "wlan.pcap", PCAP_US, LINK_WLAN);
    static const struct {
        unsigned type, flags, extra;
    } cases[] = {{0x08, 0x01, 0}, {0x08, 0x02, 0}, {0x88, 0x01, 2},
                 {0x08, 0x03, 6}, {0x88, 0x03, 8}, {0x88, 0x81, 6},
                 {0x08, 0x41, 0}, {0x48, 0x01, 0}, {0x80, 0x00, 0}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        for (unsigned ecn = 0; ecn < 4; ecn++) {
            struct frame f = {.len = 0};
            put8(&f, cases[i].type);
            put8(&f, cases[i].flags);
            put16(&f, 0);
            put_fill(&f, 2, 18);
            put16(&f, 0x1000);
            put_fill(&f, 0, cases[i].extra);
            put32(&f, 0xaaaa0300);
            put16(&f, 0);
            put16(&f, 0x0800);
            put_tcp4(&f, ecn, 6);
            out_whole(&o, &f);
        }
    out_close(&o);
}

void make_llc(const char *dir)
{
    struct out o = out_open(dir, "llc.pcap", PCAP_NS, LINK_ETHERNET);
    for (unsigned ecn = 0; ecn < 4; ecn++) {
        struct frame f = {.len = 0};
        put_eth(&f, 8 + 46);
        put32(&f, 0xaaaa0300);
        put16(&f, 0);
        put16(&f, 0x0800);
        put_tcp4(&f, ecn, 6);
        out_whole(&o, &f);
        f.len = 0;
        put_eth(&f, 3 + 46);
        put16(&f, 0x0606);
        put8(&f, 3);
        put_tcp4(&f, ecn, 6);
        out_whole(&o, &f);
        f.len = 0; /* spanning tree */
        put_eth(&f, 38);
        put16(&f, 0x4242);
        put8(&f, 3);
        put_fill(&f, 0, 43);
        out_whole(&o, &f);
    }
    out_close(&o);
}
