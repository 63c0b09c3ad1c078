/* The corpus of tests/capture/corpus, made packet by packet, and random connections for tshark to
 * judge. The same bytes every time.
 *
 * usage: corpus_make DIRECTORY             all files of the corpus
 *        corpus_make SEED FRAMES FILE      a capture of random TCP behaviour */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frames.h"

/* --- files --------------------------------------------------------------------------------------
 */

enum format { PCAP_US, PCAP_NS, PCAP_US_SWAPPED, PCAP_NS_SWAPPED, PCAPNG, PCAPNG_SWAPPED };
enum { LINK_ETHERNET = 1, LINK_RAW = 101, LINK_WLAN = 105 };

struct out {
    FILE *f;
    enum format format;
    uint64_t t_ns;
};

static uint32_t order32(const struct out *o, uint32_t v)
{
    bool is_swapped =
        o->format == PCAP_US_SWAPPED || o->format == PCAP_NS_SWAPPED || o->format == PCAPNG_SWAPPED;
    return is_swapped ? __builtin_bswap32(v) : v;
}

static void write32(struct out *o, uint32_t v)
{
    v = order32(o, v);
    fwrite(&v, sizeof(v), 1, o->f);
}

/* Two 16-bit fields as they lie in the file. */
static void write16x2(struct out *o, uint16_t a, uint16_t b)
{
    uint16_t v[2] = {a, b};
    if (order32(o, 1) != 1) {
        v[0] = __builtin_bswap16(a);
        v[1] = __builtin_bswap16(b);
    }
    fwrite(v, sizeof(v), 1, o->f);
}

static bool is_ng(const struct out *o)
{
    return o->format == PCAPNG || o->format == PCAPNG_SWAPPED;
}

static struct out out_open(const char *dir, const char *name, enum format format, unsigned link)
{
    char path[1024];
    struct out o = {.format = format, .t_ns = UINT64_C(1700000000123456789)};
    snprintf(path, sizeof(path), "%s%s%s", dir, *dir ? "/" : "", name);
    o.f = fopen(path, "wb");
    if (o.f == NULL) {
        perror(path);
        exit(1);
    }
    if (!is_ng(&o)) {
        bool is_ns = format == PCAP_NS || format == PCAP_NS_SWAPPED;
        write32(&o, is_ns ? 0xa1b23c4d : 0xa1b2c3d4);
        write16x2(&o, 2, 4);
        write32(&o, 0);
        write32(&o, 0);
        write32(&o, 262144);
        write32(&o, link);
        return o;
    }
    write32(&o, 0x0a0d0d0a); /* section header */
    write32(&o, 28);
    write32(&o, 0x1a2b3c4d);
    write16x2(&o, 1, 0);
    write32(&o, UINT32_MAX);
    write32(&o, UINT32_MAX);
    write32(&o, 28);
    write32(&o, 1); /* interface, with nanoseconds */
    write32(&o, 32);
    write16x2(&o, (uint16_t)link, 0);
    write32(&o, 262144);
    write16x2(&o, 9, 1);
    fwrite("\x09\0\0\0", 4, 1, o.f);
    write32(&o, 0);
    write32(&o, 32);
    return o;
}

static void out_frame(struct out *o, const struct frame *f, uint32_t cap_len, uint32_t wire_len)
{
    static const uint8_t zeros[4];
    if (is_ng(o)) {
        uint32_t padding = -cap_len & 3, len = 32 + cap_len + padding;
        write32(o, 6);
        write32(o, len);
        write32(o, 0);
        write32(o, (uint32_t)(o->t_ns >> 32));
        write32(o, (uint32_t)o->t_ns);
        write32(o, cap_len);
        write32(o, wire_len);
        fwrite(f->data, cap_len, 1, o->f);
        fwrite(zeros, padding, 1, o->f);
        write32(o, len);
    } else {
        bool is_ns = o->format == PCAP_NS || o->format == PCAP_NS_SWAPPED;
        write32(o, (uint32_t)(o->t_ns / 1000000000));
        write32(o, (uint32_t)(o->t_ns % 1000000000 / (is_ns ? 1 : 1000)));
        write32(o, cap_len);
        write32(o, wire_len);
        fwrite(f->data, cap_len, 1, o->f);
    }
    o->t_ns += 1000001;
}

static void out_whole(struct out *o, const struct frame *f)
{
    out_frame(o, f, f->len, f->len);
}

static void out_close(struct out *o)
{
    if (fclose(o->f) != 0) {
        perror("corpus_make");
        exit(1);
    }
}

/* --- TCP ----------------------------------------------------------------------------------------
 */

struct segment {
    bool is_back; /* from the server */
    unsigned ecn, flags, window;
    uint32_t seq, ack, len; /* len: on the wire, captured is at most CAP */
    const uint8_t *options;
    uint32_t options_len; /* a multiple of 4 */
    unsigned port;        /* the client's; 0: 40000 */
};

enum { CAP = 12 }; /* payload bytes that are captured */

static void put_segment(struct frame *f, const struct segment *s)
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

static void out_segment(struct out *o, const struct segment *s)
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

/* --- Accurate ECN -------------------------------------------------------------------------------
 */

enum option_form { KIND_172, KIND_174, EXP_ACC0, EXP_ACC1 };

static void put_option(uint8_t out[16], uint32_t *len, enum option_form form, const uint32_t v[3],
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
static void make_accecn(const char *dir, const struct accecn_case *c)
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

/* Which answers to which SYN switch to ACE: all 64 of them, a connection each. */
static void make_handshakes(const char *dir)
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

/* --- tunnels, quotations, extension headers ------------------------------------------------------
 */

static const struct tcp_opts some_tcp = {.sport = 40000, .dport = 5201, .flags = TCP_ACK, .seq = 7};

static void put_tcp4(struct frame *f, unsigned ecn, unsigned len)
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

static void put_outer4(struct frame *f, unsigned ecn, unsigned proto, unsigned len)
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

static void make_tunnels(const char *dir)
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

static void make_quoted(const char *dir)
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

static void put_extension(struct frame *f, unsigned next, unsigned units)
{
    put8(f, next);
    put8(f, units);
    put8(f, 1);
    put8(f, units * 8 + 4);
    put_fill(f, 0, units * 8 + 4);
}

static void make_extensions(const char *dir)
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

/* --- Wi-Fi, LLC ----------------------------------------------------------------------------------
 */

static void make_wlan(const char *dir)
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

static void make_llc(const char *dir)
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

/* --- damage --------------------------------------------------------------------------------------
 */

/* Options of tcpdump's published reports and their like: lengths of 0 and 1, beyond the header, of
 * every size for the kinds that are read. */
static void make_options(const char *dir)
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
static void make_lies(const char *dir)
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
static void make_loops(const char *dir)
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
static void make_cut(const char *dir)
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

/* --- random behaviour ----------------------------------------------------------------------------
 */

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

/* A few connections that do what connections do, and a lot of what they do not. */
static void make_random(const char *path, uint64_t seed, unsigned frames)
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

int main(int argc, char **argv)
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
    if (argc == 4) {
        make_random(argv[3], strtoull(argv[1], NULL, 10), (unsigned)strtoul(argv[2], NULL, 10));
        return 0;
    }
    if (argc != 2) {
        fputs("usage: corpus_make DIRECTORY | SEED FRAMES FILE\n", stderr);
        return 2;
    }
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        make_accecn(argv[1], &cases[i]);
    make_handshakes(argv[1]);
    make_tunnels(argv[1]);
    make_quoted(argv[1]);
    make_extensions(argv[1]);
    make_wlan(argv[1]);
    make_llc(argv[1]);
    make_options(argv[1]);
    make_lies(argv[1]);
    make_loops(argv[1]);
    make_cut(argv[1]);
    return 0;
}
