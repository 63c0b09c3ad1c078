/* A capture of many bulk transfers, the same bytes every time, for the measurements of packets.sh:
 * TCP with time stamps, half of the flows with Accurate ECN options and ECT(1), the others with
 * classic ECN and ECT(0); CE marks, losses with their retransmissions, a little UDP; IPv4 and IPv6.
 * Frames are cut to 128 bytes, as `ccalab capture` does.
 *
 * usage: pcap_make PACKETS FLOWS >FILE */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SNAPLEN = 128, MSS = 1448, WINDOW = 64, ACK_EVERY = 2, STEP_NS = 1000 };

struct flow {
    uint32_t id;
    bool is_v6, is_accurate, is_open;
    uint32_t seq, acked; /* next to send; the receiver's */
    uint32_t unacked;    /* segments */
    uint32_t lost_seq;   /* to be sent again; 0: none */
    uint32_t dup_acks;
    uint32_t tsval[2];
    uint32_t e0, ce, e1; /* the receiver's counters */
    uint8_t ace;
};

static uint64_t random_state = 88172645463325252u;
static uint64_t t_ns = UINT64_C(1700000000) * 1000000000;

/* xorshift64 */
static uint32_t random_u32(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 32);
}

static uint8_t *put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
    return p + 2;
}

static uint8_t *put24(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 16);
    return put16(p + 1, v & 0xffff);
}

static uint8_t *put32(uint8_t *p, uint32_t v)
{
    return put16(put16(p, v >> 16), v & 0xffff);
}

static void write_frame(const uint8_t *frame, uint32_t header_len, uint32_t wire_len)
{
    uint32_t cap_len = wire_len < SNAPLEN ? wire_len : SNAPLEN;
    uint8_t bytes[SNAPLEN] = {0};
    uint32_t record[4] = {(uint32_t)(t_ns / 1000000000), (uint32_t)(t_ns % 1000000000), cap_len,
                          wire_len};
    memcpy(bytes, frame, header_len);
    fwrite(record, sizeof(record), 1, stdout);
    fwrite(bytes, cap_len, 1, stdout);
    t_ns += STEP_NS;
}

static uint8_t *put_ip(uint8_t *p, const struct flow *f, bool is_from_server, unsigned ecn,
                       unsigned proto, uint32_t payload_len)
{
    memset(p, 2, 12);
    p = put16(p + 12, f->is_v6 ? 0x86dd : 0x0800);
    if (f->is_v6) {
        p = put32(p, 0x60000000 | ecn << 20);
        p = put16(p, payload_len);
        *p++ = (uint8_t)proto;
        *p++ = 64;
        for (int side = 0; side < 2; side++) {
            p = put32(p, 0x20010db8);
            p = put32(put32(p, 0), 0);
            p = put32(p, (side == 0) == is_from_server ? 0xffffff : f->id + 1);
        }
        return p;
    }
    *p++ = 0x45;
    *p++ = (uint8_t)ecn;
    p = put16(p, 20 + payload_len);
    p = put32(p, 0x00014000);
    *p++ = 64;
    *p++ = (uint8_t)proto;
    p = put16(p, 0);
    p = put32(p, 0x0a000000 | (is_from_server ? 0xffffff : f->id + 1));
    return put32(p, 0x0a000000 | (is_from_server ? f->id + 1 : 0xffffff));
}

struct segment {
    bool is_from_server;
    unsigned flags, ecn;
    uint32_t seq, ack, len;
};

static void write_segment(struct flow *f, const struct segment *s)
{
    uint8_t frame[SNAPLEN];
    bool is_syn = s->flags & 2, has_accecn = f->is_accurate && s->is_from_server;
    uint32_t options_len = 12 + (is_syn ? 4 : 0) + (has_accecn ? 12 : 0);
    uint8_t *p = put_ip(frame, f, s->is_from_server, s->ecn, 6, 20 + options_len + s->len);
    uint32_t client = 10000 + f->id % 50000;
    p = put16(p, s->is_from_server ? 5201 : client);
    p = put16(p, s->is_from_server ? client : 5201);
    p = put32(put32(p, s->seq), s->ack);
    p = put16(p, (20 + options_len) / 4 << 12 | s->flags);
    p = put16(p, 60000);
    p = put32(p, 0);
    if (is_syn)
        p = put32(p, 0x020405b4);
    p = put32(p, 0x0101080a);
    p = put32(p, f->tsval[s->is_from_server]);
    p = put32(p, f->tsval[!s->is_from_server]);
    if (has_accecn) {
        p = put16(p, 0xac0b);
        p = put24(put24(put24(p, f->e0), f->ce), f->e1);
        *p++ = 1;
    }
    write_frame(frame, (uint32_t)(p - frame), (uint32_t)(p - frame) + s->len);
}

static void open_flow(struct flow *f)
{
    enum { SYN = 2, ACK = 16, ECE = 0x40, CWR = 0x80, AE = 0x100 };
    unsigned ask = SYN | ECE | CWR | (f->is_accurate ? AE : 0);
    unsigned answer = SYN | ACK | (f->is_accurate ? CWR : ECE);
    f->seq = random_u32();
    f->tsval[0] = random_u32();
    f->tsval[1] = random_u32();
    f->e0 = f->e1 = 1;
    f->ace = 5;
    write_segment(f, &(struct segment){.flags = ask, .seq = f->seq - 1});
    write_segment(f, &(struct segment){.is_from_server = true, .flags = answer, .ack = f->seq});
    write_segment(
        f, &(struct segment){.flags = ACK | (f->is_accurate ? CWR : 0), .seq = f->seq, .ack = 1});
    f->acked = f->seq;
    f->is_open = true;
}

static unsigned ace_flags(const struct flow *f)
{
    return f->is_accurate ? (unsigned)f->ace << 6 : 0;
}

/* A full segment; one in 2000 never arrives, one in 16 is marked. */
static void send_data(struct flow *f, uint32_t seq, bool is_again)
{
    unsigned ecn = f->is_accurate ? 1 : 2;
    bool is_lost = !is_again && f->lost_seq == 0 && random_u32() % 2000 == 0;
    bool is_marked = random_u32() % 16 == 0;
    f->tsval[0]++;
    write_segment(f, &(struct segment){.flags = 16 | (f->is_accurate ? 5u << 6 : 0),
                                       .ecn = is_marked ? 3 : ecn,
                                       .seq = seq,
                                       .ack = 1,
                                       .len = MSS});
    if (is_lost) {
        f->lost_seq = seq;
        f->dup_acks = 0;
    } else if (is_marked) {
        f->ce += MSS;
        f->ace = (f->ace + 1) & 7;
    } else {
        *(f->is_accurate ? &f->e1 : &f->e0) += MSS;
    }
}

static void send_ack(struct flow *f)
{
    f->tsval[1]++;
    write_segment(f, &(struct segment){.is_from_server = true,
                                       .flags = 16 | ace_flags(f),
                                       .ecn = f->is_accurate ? 1 : 0,
                                       .seq = 1,
                                       .ack = f->acked});
}

static void step(struct flow *f)
{
    if (!f->is_open) {
        open_flow(f);
    } else if (f->lost_seq && f->dup_acks >= 3) {
        send_data(f, f->lost_seq, true);
        f->lost_seq = 0;
        f->acked = f->seq;
        f->unacked = 0;
    } else if (f->lost_seq && f->seq != f->lost_seq + MSS && f->unacked % ACK_EVERY == 0) {
        f->acked = f->lost_seq;
        f->dup_acks++;
        f->unacked++;
        send_ack(f);
    } else if (f->unacked >= WINDOW || (f->unacked > WINDOW / 2 && random_u32() % 3 == 0)) {
        f->acked += (f->seq - f->acked) / MSS < ACK_EVERY ? f->seq - f->acked : ACK_EVERY * MSS;
        f->unacked = (f->seq - f->acked) / MSS;
        send_ack(f);
    } else {
        send_data(f, f->seq, false);
        f->seq += MSS;
        f->unacked++;
    }
}

static void write_udp(const struct flow *f)
{
    uint8_t frame[SNAPLEN];
    uint8_t *p = put_ip(frame, f, false, 0, 17, 8 + 1200);
    p = put16(put16(p, 40000 + f->id % 20000), 443);
    p = put16(put16(p, 8 + 1200), 0);
    write_frame(frame, (uint32_t)(p - frame), (uint32_t)(p - frame) + 1200);
}

int main(int argc, char **argv)
{
    static const uint32_t header[6] = {0xa1b23c4d, 0x00040002, 0, 0, SNAPLEN, 1};
    uint64_t packets = argc == 3 ? strtoull(argv[1], NULL, 10) : 0;
    uint32_t n = argc == 3 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0;
    if (packets == 0 || n == 0 || n > 2000000) {
        fputs("usage: pcap_make PACKETS FLOWS >FILE\n", stderr);
        return 2;
    }
    struct flow *flows = calloc(n, sizeof(*flows));
    if (flows == NULL)
        return 1;
    for (uint32_t i = 0; i < n; i++)
        flows[i] = (struct flow){.id = i, .is_v6 = i % 8 == 7, .is_accurate = i % 2 == 0};
    fwrite(header, sizeof(header), 1, stdout);
    uint64_t end_ns = t_ns + packets * STEP_NS;
    while (t_ns < end_ns) {
        struct flow *f = &flows[random_u32() % n];
        if (random_u32() % 50 == 0)
            write_udp(f);
        else
            step(f);
    }
    free(flows);
    return fflush(stdout) != 0 || ferror(stdout);
}
