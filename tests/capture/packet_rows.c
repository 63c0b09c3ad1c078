/* What the dissector and the analysis say of every frame of a capture, as rows that
 *     tshark -T fields -E separator=/t -e frame.number ...
 * can be compared with: the names of the fields are the arguments. Only for tests.
 *
 * usage: packet_rows FILE FIELD...
 *        packet_rows --fields           the fields there are */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/analysis.h"
#include "capture/source.h"

struct frame {
    const struct packet *p;
    const struct analysis *a;
    bool has_value; /* of the field at hand: the next one goes behind a comma */
};

static void separate(struct frame *f)
{
    if (f->has_value)
        putchar(',');
    f->has_value = true;
}

static void put_u(struct frame *f, uint64_t v)
{
    separate(f);
    printf("%" PRIu64, v);
}

static void put_time(struct frame *f, int64_t ns)
{
    separate(f);
    printf("%s%" PRId64 ".%09" PRId64, ns < 0 ? "-" : "", (ns < 0 ? -ns : ns) / 1000000000,
           (ns < 0 ? -ns : ns) % 1000000000);
}

/* --- of single layers ---------------------------------------------------------------------------
 */

static void each_number(struct frame *f, enum layer_kind kind, uint32_t at, uint32_t len,
                        unsigned shift, uint32_t mask)
{
    for (int i = 0; i < f->p->nlayers; i++) {
        const struct layer *l = &f->p->layers[i];
        const uint8_t *p = packet_at(f->p, l->at + at, len);
        if (l->kind != kind || l->flags & LAYER_HIDDEN || p == NULL)
            continue;
        if (l->flags & LAYER_BOGUS && at >= 4)
            continue;
        uint32_t v = len == 1 ? p[0] : len == 2 ? get_be16(p) : get_be32(p);
        put_u(f, v >> shift & mask);
    }
}

static void each_address(struct frame *f, enum layer_kind kind, uint32_t at)
{
    bool is_v4 = kind == LAYER_IPV4;
    for (int i = 0; i < f->p->nlayers; i++) {
        const struct layer *l = &f->p->layers[i];
        const uint8_t *p = packet_at(f->p, l->at + at, is_v4 ? 4 : 16);
        char text[INET6_ADDRSTRLEN];
        if (l->kind != kind || l->flags & (LAYER_HIDDEN | LAYER_BOGUS) || p == NULL)
            continue;
        separate(f);
        fputs(inet_ntop(is_v4 ? AF_INET : AF_INET6, p, text, sizeof(text)), stdout);
    }
}

#define IP_FIELD(name_, kind_, at_, len_, shift_, mask_)                                           \
    static void name_(struct frame *f)                                                             \
    {                                                                                              \
        each_number(f, kind_, at_, len_, shift_, mask_);                                           \
    }

IP_FIELD(ip_ecn, LAYER_IPV4, 1, 1, 0, 3)
IP_FIELD(ip_dscp, LAYER_IPV4, 1, 1, 2, 0x3f)
IP_FIELD(ip_ttl, LAYER_IPV4, 8, 1, 0, 0xff)
IP_FIELD(ipv6_ecn, LAYER_IPV6, 0, 4, 20, 3)
IP_FIELD(vlan_id, LAYER_VLAN, 0, 2, 0, 0xfff)
IP_FIELD(svlan_id, LAYER_SVLAN, 0, 2, 0, 0xfff)
IP_FIELD(udp_srcport, LAYER_UDP, 0, 2, 0, 0xffff)
IP_FIELD(udp_dstport, LAYER_UDP, 2, 2, 0, 0xffff)
IP_FIELD(sctp_srcport, LAYER_SCTP, 0, 2, 0, 0xffff)
IP_FIELD(tcp_srcport, LAYER_TCP, 0, 2, 0, 0xffff)
IP_FIELD(tcp_dstport, LAYER_TCP, 2, 2, 0, 0xffff)

static void gre_proto(struct frame *f)
{
    for (int i = 0; i < f->p->nlayers; i++) {
        const uint8_t *p = packet_at(f->p, f->p->layers[i].at + 2, 2);
        if (f->p->layers[i].kind != LAYER_GRE || p == NULL)
            continue;
        separate(f);
        printf("0x%04x", get_be16(p));
    }
}

static void ip_src(struct frame *f)
{
    each_address(f, LAYER_IPV4, 12);
}

static void ip_dst(struct frame *f)
{
    each_address(f, LAYER_IPV4, 16);
}

static void ipv6_src(struct frame *f)
{
    each_address(f, LAYER_IPV6, 8);
}

static void ipv6_dst(struct frame *f)
{
    each_address(f, LAYER_IPV6, 24);
}

/* --- of the stream ------------------------------------------------------------------------------
 */

static bool is_tcp(const struct frame *f)
{
    return f->a->flow && f->a->layer->kind == LAYER_TCP && !(f->a->layer->flags & LAYER_HIDDEN);
}

/* Wireshark gives up at a header length below 20, after the sequence number. */
static bool has_header(const struct frame *f)
{
    return is_tcp(f) && f->p->data[f->a->layer->at + 12] >> 4 >= 5;
}

static uint16_t flags_of(const struct frame *f)
{
    return get_be16(f->p->data + f->a->layer->at + 12) & 0xfff;
}

static void tcp_stream(struct frame *f)
{
    if (is_tcp(f))
        put_u(f, f->a->flow->stream);
}

static void udp_stream(struct frame *f)
{
    if (f->a->flow && f->a->layer->kind == LAYER_UDP && !(f->a->layer->flags & LAYER_HIDDEN))
        put_u(f, f->a->flow->stream);
}

static void tcp_len(struct frame *f)
{
    if (is_tcp(f) && f->a->has_len)
        put_u(f, f->a->layer->payload_len);
}

/* The TCP header that an IPv4 ICMP error quotes; Wireshark shows its raw sequence number, though
 * often that is all there is of it. */
static const struct layer *quoted_by_icmp(const struct frame *f)
{
    const struct packet *p = f->p;
    int i = p->nlayers - 1;
    if (i < 2 || p->layers[i].kind != LAYER_TCP || p->layers[i - 1].kind != LAYER_IPV4 ||
        p->layers[i - 2].kind != LAYER_ICMP)
        return NULL;
    return &p->layers[i];
}

static void tcp_seq(struct frame *f)
{
    const struct layer *l = quoted_by_icmp(f);
    if (l == NULL) {
        if (is_tcp(f))
            put_u(f, f->a->seq);
    } else if (packet_at(f->p, l->at + 4, 4) && l->header_len + l->payload_len >= 8) {
        put_u(f, get_be32(f->p->data + l->at + 4));
    }
}

static void tcp_ack(struct frame *f)
{
    if (has_header(f))
        put_u(f, f->a->ack);
}

static void tcp_seq_raw(struct frame *f)
{
    if (is_tcp(f) && !quoted_by_icmp(f))
        put_u(f, get_be32(f->p->data + f->a->layer->at + 4));
}

static void tcp_ack_raw(struct frame *f)
{
    if (has_header(f))
        put_u(f, get_be32(f->p->data + f->a->layer->at + 8));
}

static void tcp_flags(struct frame *f)
{
    if (has_header(f)) {
        separate(f);
        printf("0x%04x", flags_of(f));
    }
}

static void put_ecn_flag(struct frame *f, enum tcp_flag flag)
{
    if (has_header(f) && !f->a->has_ace)
        put_u(f, (flags_of(f) & flag) != 0);
}

static void tcp_ae(struct frame *f)
{
    put_ecn_flag(f, TCP_AE);
}

static void tcp_cwr(struct frame *f)
{
    put_ecn_flag(f, TCP_CWR);
}

static void tcp_ece(struct frame *f)
{
    put_ecn_flag(f, TCP_ECE);
}

static void tcp_ace(struct frame *f)
{
    if (has_header(f) && f->a->has_ace)
        put_u(f, f->a->ace);
}

static void tcp_window(struct frame *f)
{
    if (has_header(f))
        put_u(f, f->a->window_size);
}

enum accecn_field { EE0B, ECEB, EE1B };

static void each_accecn(struct frame *f, enum accecn_field field)
{
    struct tcp_option o;
    struct accecn_option v;
    if (!has_header(f))
        return;
    struct tcp_option_walk w = tcp_option_walk(f->p, f->a->layer);
    while (tcp_option_next(&w, &o)) {
        if (!accecn_option_read(&o, &v))
            continue;
        if (field == EE0B ? v.has_ee0b : field == ECEB ? v.has_eceb : v.has_ee1b)
            put_u(f, field == EE0B ? v.ee0b : field == ECEB ? v.eceb : v.ee1b);
    }
}

static void ee0b(struct frame *f)
{
    each_accecn(f, EE0B);
}

static void eceb(struct frame *f)
{
    each_accecn(f, ECEB);
}

static void ee1b(struct frame *f)
{
    each_accecn(f, EE1B);
}

static void option_kind(struct frame *f)
{
    struct tcp_option o;
    if (!has_header(f))
        return;
    struct tcp_option_walk w = tcp_option_walk(f->p, f->a->layer);
    while (tcp_option_next(&w, &o))
        put_u(f, o.kind);
}

/* --- of the analysis ----------------------------------------------------------------------------
 */

static void put_flag(struct frame *f, uint32_t mask)
{
    if (is_tcp(f) && f->a->has_analysis && f->a->flags & mask) {
        separate(f);
        putchar('1');
    }
}

#define FLAG_FIELD(name_, mask_)                                                                   \
    static void name_(struct frame *f)                                                             \
    {                                                                                              \
        put_flag(f, mask_);                                                                        \
    }

FLAG_FIELD(retransmission, ANALYSIS_ANY_RETRANSMISSION)
FLAG_FIELD(fast_retransmission, ANALYSIS_FAST_RETRANSMISSION)
FLAG_FIELD(spurious_retransmission, ANALYSIS_SPURIOUS_RETRANSMISSION)
FLAG_FIELD(out_of_order, ANALYSIS_OUT_OF_ORDER)
FLAG_FIELD(lost_segment, ANALYSIS_LOST_SEGMENT)
FLAG_FIELD(ack_lost_segment, ANALYSIS_ACK_LOST_SEGMENT)
FLAG_FIELD(keep_alive, ANALYSIS_KEEP_ALIVE)
FLAG_FIELD(keep_alive_ack, ANALYSIS_KEEP_ALIVE_ACK)
FLAG_FIELD(zero_window, ANALYSIS_ZERO_WINDOW)
FLAG_FIELD(zero_window_probe, ANALYSIS_ZERO_WINDOW_PROBE)
FLAG_FIELD(window_update, ANALYSIS_WINDOW_UPDATE)
FLAG_FIELD(window_full, ANALYSIS_WINDOW_FULL)
FLAG_FIELD(reused_ports, ANALYSIS_REUSED_PORTS)

/* Wireshark has a field and an expert item of this name. */
static void duplicate_ack(struct frame *f)
{
    put_flag(f, ANALYSIS_DUPLICATE_ACK);
    put_flag(f, ANALYSIS_DUPLICATE_ACK);
}

static void duplicate_ack_num(struct frame *f)
{
    if (is_tcp(f) && f->a->has_analysis && f->a->flags & ANALYSIS_DUPLICATE_ACK)
        put_u(f, f->a->dup_ack_num);
}

static void put_analysis_time(struct frame *f, int64_t ns)
{
    if (is_tcp(f) && f->a->has_analysis && ns != 0)
        put_time(f, ns);
}

static void ack_rtt(struct frame *f)
{
    put_analysis_time(f, f->a->ack_rtt_ns);
}

static void initial_rtt(struct frame *f)
{
    put_analysis_time(f, f->a->initial_rtt_ns);
}

static void rto(struct frame *f)
{
    put_analysis_time(f, f->a->rto_ns);
}

static void bytes_in_flight(struct frame *f)
{
    if (is_tcp(f) && f->a->has_analysis && f->a->bytes_in_flight)
        put_u(f, f->a->bytes_in_flight);
}

static void time_relative(struct frame *f)
{
    if (is_tcp(f) && f->a->has_header)
        put_time(f, f->a->since_first_ns);
}

static void time_delta(struct frame *f)
{
    if (is_tcp(f) && f->a->has_header)
        put_time(f, f->a->since_last_ns);
}

static void frame_number(struct frame *f)
{
    put_u(f, f->p->frame);
}

static void frame_time(struct frame *f)
{
    put_time(f, f->p->t_ns);
}

static void frame_len(struct frame *f)
{
    put_u(f, f->p->wire_len);
}

static void frame_cap_len(struct frame *f)
{
    put_u(f, f->p->cap_len);
}

/* --- all of them --------------------------------------------------------------------------------
 */

static const struct field {
    const char *name;
    void (*put)(struct frame *f);
} fields[] = {
    {"frame.number", frame_number},
    {"frame.time_epoch", frame_time},
    {"frame.len", frame_len},
    {"frame.cap_len", frame_cap_len},
    {"vlan.id", vlan_id},
    {"ieee8021ad.id", svlan_id},
    {"gre.proto", gre_proto},
    {"ip.src", ip_src},
    {"ip.dst", ip_dst},
    {"ip.ttl", ip_ttl},
    {"ip.dsfield.dscp", ip_dscp},
    {"ip.dsfield.ecn", ip_ecn},
    {"ipv6.src", ipv6_src},
    {"ipv6.dst", ipv6_dst},
    {"ipv6.tclass.ecn", ipv6_ecn},
    {"udp.srcport", udp_srcport},
    {"udp.dstport", udp_dstport},
    {"udp.stream", udp_stream},
    {"sctp.srcport", sctp_srcport},
    {"tcp.stream", tcp_stream},
    {"tcp.srcport", tcp_srcport},
    {"tcp.dstport", tcp_dstport},
    {"tcp.len", tcp_len},
    {"tcp.seq", tcp_seq},
    {"tcp.ack", tcp_ack},
    {"tcp.seq_raw", tcp_seq_raw},
    {"tcp.ack_raw", tcp_ack_raw},
    {"tcp.flags", tcp_flags},
    {"tcp.flags.ae", tcp_ae},
    {"tcp.flags.cwr", tcp_cwr},
    {"tcp.flags.ece", tcp_ece},
    {"tcp.flags.ace", tcp_ace},
    {"tcp.window_size", tcp_window},
    {"tcp.option_kind", option_kind},
    {"tcp.options.acc_ecn.ee0b", ee0b},
    {"tcp.options.acc_ecn.eceb", eceb},
    {"tcp.options.acc_ecn.ee1b", ee1b},
    {"tcp.time_relative", time_relative},
    {"tcp.time_delta", time_delta},
    {"tcp.analysis.retransmission", retransmission},
    {"tcp.analysis.fast_retransmission", fast_retransmission},
    {"tcp.analysis.spurious_retransmission", spurious_retransmission},
    {"tcp.analysis.out_of_order", out_of_order},
    {"tcp.analysis.duplicate_ack", duplicate_ack},
    {"tcp.analysis.duplicate_ack_num", duplicate_ack_num},
    {"tcp.analysis.lost_segment", lost_segment},
    {"tcp.analysis.ack_lost_segment", ack_lost_segment},
    {"tcp.analysis.keep_alive", keep_alive},
    {"tcp.analysis.keep_alive_ack", keep_alive_ack},
    {"tcp.analysis.zero_window", zero_window},
    {"tcp.analysis.zero_window_probe", zero_window_probe},
    {"tcp.analysis.window_update", window_update},
    {"tcp.analysis.window_full", window_full},
    {"tcp.analysis.reused_ports", reused_ports},
    {"tcp.analysis.ack_rtt", ack_rtt},
    {"tcp.analysis.initial_rtt", initial_rtt},
    {"tcp.analysis.rto", rto},
    {"tcp.analysis.bytes_in_flight", bytes_in_flight},
};
#define FIELDS     (sizeof(fields) / sizeof(fields[0]))
#define FIELDS_MAX 80

struct rows {
    struct flows flows;
    enum link_type link;
    const struct field *wanted[FIELDS_MAX];
    int n;
};

static void on_frame(void *user, const struct source_frame *frame)
{
    static struct packet p;
    static struct analysis a;
    struct rows *r = user;
    p.frame = frame->number;
    p.t_ns = frame->t_ns;
    dissect(r->link, frame->data, frame->cap_len, frame->wire_len, &p);
    analysis_add(&r->flows, &p, &a);
    for (int i = 0; i < r->n; i++) {
        struct frame f = {.p = &p, .a = &a};
        if (i)
            putchar('\t');
        r->wanted[i]->put(&f);
    }
    putchar('\n');
}

static const struct field *field_find(const char *name)
{
    for (size_t i = 0; i < FIELDS; i++)
        if (strcmp(fields[i].name, name) == 0)
            return &fields[i];
    fprintf(stderr, "packet_rows: no field %s\n", name);
    exit(2);
}

int main(int argc, char **argv)
{
    struct rows r = {0};
    struct source *source;
    struct error err;
    int n;
    if (argc == 2 && strcmp(argv[1], "--fields") == 0) {
        for (size_t i = 0; i < FIELDS; i++)
            puts(fields[i].name);
        return 0;
    }
    if (argc < 3 || argc - 2 > FIELDS_MAX)
        return 2;
    for (int i = 2; i < argc; i++)
        r.wanted[r.n++] = field_find(argv[i]);
    if (flows_init(&r.flows, 0, &err) != STATUS_OK ||
        source_open_file(argv[1], &source, &err) != STATUS_OK) {
        error_print(stderr, &err);
        return 1;
    }
    r.link = source_link_type(source);
    while (source_read(source, 1000, on_frame, &r, &n, &err) == STATUS_OK && n > 0)
        ;
    source_close(source);
    flows_done(&r.flows);
    return 0;
}
