#include "corpus.h"

#include <stdlib.h>

static const char *seeds_dir;

void out_set_seeds(const char *dir)
{
    seeds_dir = dir;
}

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

struct out out_open(const char *dir, const char *name, enum format format, unsigned link)
{
    char path[1024];
    struct out o = {.format = format, .t_ns = UINT64_C(1700000000123456789)};
    snprintf(path, sizeof(path), "%s%s%s", dir, *dir ? "/" : "", name);
    o.f = fopen(path, "wb");
    if (o.f == NULL) {
        perror(path);
        exit(1);
    }
    if (seeds_dir) {
        static const unsigned links[] = {[LINK_ETHERNET] = 0, [LINK_RAW] = 3, [LINK_WLAN] = 5};
        snprintf(path, sizeof(path), "%s/%s", seeds_dir, name);
        o.seeds = fopen(path, "wb");
        if (o.seeds)
            fputc((int)links[link], o.seeds);
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

static void out_seed(struct out *o, const struct frame *f, uint32_t cap_len, uint32_t wire_len)
{
    enum { SEED_FRAMES = 8 };
    unsigned missing = (wire_len - cap_len + 99) / 100;
    unsigned len = cap_len | (missing < 127 ? missing : 127) << 9;
    if (o->seeds == NULL || cap_len > 511 || o->seed_frames++ >= SEED_FRAMES)
        return;
    fputc((int)(len & 0xff), o->seeds);
    fputc((int)(len >> 8), o->seeds);
    fputc(100, o->seeds);
    fwrite(f->data, cap_len, 1, o->seeds);
}

void out_frame(struct out *o, const struct frame *f, uint32_t cap_len, uint32_t wire_len)
{
    out_seed(o, f, cap_len, wire_len);
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

void out_whole(struct out *o, const struct frame *f)
{
    out_frame(o, f, f->len, f->len);
}

void out_close(struct out *o)
{
    if (o->seeds)
        fclose(o->seeds);
    if (fclose(o->f) != 0) {
        perror("corpus_make");
        exit(1);
    }
}
