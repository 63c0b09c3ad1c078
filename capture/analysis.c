/* The rules are those of Wireshark 4.0 ("TCP Analysis" in its User's Guide), in our own words: what
 * counts is that the values are the same, oddities included. Comparisons of sequence numbers go
 * modulo 2^32 (RFC 9293 section 3.4); 0 means "nothing yet" where Wireshark takes it so. */
#include "capture/analysis.h"

#include <string.h>

#include "capture/unacked.h"

enum {
    FAST_RETRANSMISSION_NS = 20000000, /* after the last duplicate ACK */
    OUT_OF_ORDER_NS = 3000000,         /* behind the highest segment, while no RTT is known */
    IN_FLIGHT_MAX = 2000000000,        /* more is nonsense */
    NO_DUP_ACKS_YET = -1,              /* an unseen segment was acknowledged */
};

/* A segment on its way through the analysis. */
struct segment {
    struct flows *flows;
    const struct packet *p;
    struct tcp_side *fwd, *rev; /* the sender's direction, the other */
    struct analysis *out;
    uint32_t seq, ack, len, window;
    uint16_t flags;
    bool has_result; /* Wireshark would show [SEQ/ACK analysis] */
};

static bool is_after(uint32_t a, uint32_t b)
{
    return (int32_t)(b - a) < 0;
}

static bool is_before(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

static void set_flag(struct segment *s, enum analysis_flag flag)
{
    s->out->flags |= flag;
    s->has_result = true;
}

/* --- windows, keep-alives, duplicate ACKs ------------------------------------------------------
 */

static bool repeats_last_ack(const struct segment *s)
{
    return s->len == 0 && s->seq == s->fwd->nextseq && s->ack == s->fwd->last_ack &&
           (s->flags & (TCP_SYN | TCP_FIN | TCP_RST)) == 0;
}

static bool is_window_full(const struct segment *s)
{
    const struct tcp_side *rev = s->rev;
    if (s->len == 0 || rev->window_scale == -1 || (s->flags & (TCP_SYN | TCP_FIN | TCP_RST)))
        return false;
    int shift = rev->is_before_first_ack || rev->window_scale < 0 ? 0 : rev->window_scale;
    return s->seq + s->len == rev->last_ack + (rev->window << shift);
}

static void note_duplicate_ack(struct segment *s)
{
    struct tcp_side *fwd = s->fwd;
    fwd->dup_acks = fwd->dup_acks == (uint32_t)NO_DUP_ACKS_YET ? 1 : fwd->dup_acks + 1;
    set_flag(s, ANALYSIS_DUPLICATE_ACK);
    s->out->dup_ack_num = fwd->dup_acks;
    s->out->dup_ack_frame = fwd->last_nondup_frame;
}

static void judge_window(struct segment *s)
{
    struct tcp_side *fwd = s->fwd, *rev = s->rev;
    bool is_control = s->flags & (TCP_SYN | TCP_FIN | TCP_RST);
    if (s->len == 1 && s->seq == fwd->nextseq && rev->window == 0) {
        set_flag(s, ANALYSIS_ZERO_WINDOW_PROBE);
        return;
    }
    if (s->window == 0 && !is_control)
        set_flag(s, ANALYSIS_ZERO_WINDOW);
    if (fwd->nextseq && is_after(s->seq, fwd->nextseq) && !(s->flags & TCP_RST)) {
        set_flag(s, ANALYSIS_LOST_SEGMENT);
        fwd->has_valid_bif = false;
    }
    if (s->len <= 1 && s->seq == fwd->nextseq - 1 && !is_control)
        set_flag(s, ANALYSIS_KEEP_ALIVE);
    if (is_window_full(s))
        set_flag(s, ANALYSIS_WINDOW_FULL);
    if (!repeats_last_ack(s))
        return;
    if (s->window != fwd->window) {
        if (s->window)
            set_flag(s, ANALYSIS_WINDOW_UPDATE);
    } else if (s->window && rev->last_flags & ANALYSIS_KEEP_ALIVE) {
        set_flag(s, ANALYSIS_KEEP_ALIVE_ACK);
    } else if (s->window) {
        note_duplicate_ack(s);
    } else if (rev->last_flags & ANALYSIS_ZERO_WINDOW_PROBE) {
        set_flag(s, ANALYSIS_ZERO_WINDOW_PROBE_ACK);
    }
}

/* It acknowledges what was never seen. Told once for one hole. */
static void judge_ack(struct segment *s)
{
    struct tcp_side *rev = s->rev;
    if (s->ack != s->fwd->last_ack) {
        s->fwd->last_nondup_frame = s->p->frame;
        s->fwd->dup_acks = 0;
    }
    if (!rev->max_seq_to_be_acked || !is_after(s->ack, rev->max_seq_to_be_acked) ||
        !(s->flags & TCP_ACK))
        return;
    s->has_result = true;
    if (is_before(rev->max_seq_to_be_acked, rev->nextseq)) {
        rev->max_seq_to_be_acked = rev->nextseq;
        set_flag(s, ANALYSIS_ACK_LOST_SEGMENT);
    } else {
        if (rev->dup_acks == 0)
            set_flag(s, ANALYSIS_ACK_LOST_SEGMENT);
        rev->dup_acks = (uint32_t)NO_DUP_ACKS_YET;
    }
}

/* --- retransmissions ----------------------------------------------------------------------------
 */

static void note_retransmission(struct segment *s)
{
    const struct unacked *oldest = unacked_oldest(s->fwd);
    set_flag(s, ANALYSIS_RETRANSMISSION);
    /* Since the oldest segment under way, or else the highest one. */
    s->out->rto_ns = s->p->t_ns - (oldest ? oldest->t_ns : s->fwd->nextseq_time_ns);
    s->out->rto_frame = oldest ? oldest->frame : s->fwd->nextseq_frame;
}

static void judge_retransmission(struct segment *s)
{
    const struct tcp_side *fwd = s->fwd, *rev = s->rev;
    const struct flow *f = s->out->flow;
    bool is_control = s->flags & (TCP_SYN | TCP_FIN);
    bool is_old = fwd->nextseq && is_before(s->seq, fwd->nextseq);
    if ((s->len == 0 && !is_control) || s->out->flags & ANALYSIS_KEEP_ALIVE)
        return;
    /* One byte before the next, and more than that: after a zero window probe that is new data. */
    if (s->len > 1 && fwd->nextseq - 1 == s->seq)
        is_old = false;
    if (s->len > 0 && rev->last_ack && !is_after(s->seq + s->len, rev->last_ack)) {
        set_flag(s, ANALYSIS_SPURIOUS_RETRANSMISSION);
        return;
    }
    if (!is_old)
        return;
    uint64_t since_ack_ns = (uint64_t)(s->p->t_ns - rev->last_time_ns);
    uint64_t since_next_ns = (uint64_t)(s->p->t_ns - fwd->nextseq_time_ns);
    uint64_t limit_ns = f->first_rtt_ns ? (uint64_t)f->first_rtt_ns : OUT_OF_ORDER_NS;
    if (rev->dup_acks >= 2 && rev->last_ack == s->seq && since_ack_ns < FAST_RETRANSMISSION_NS)
        set_flag(s, ANALYSIS_FAST_RETRANSMISSION);
    else if (since_next_ns < limit_ns && fwd->nextseq != s->seq + s->len + (is_control ? 1 : 0))
        set_flag(s, ANALYSIS_OUT_OF_ORDER);
    else
        note_retransmission(s);
}

/* --- what is under way --------------------------------------------------------------------------
 */

static void remember_segment(struct segment *s)
{
    struct tcp_side *fwd = s->fwd;
    uint32_t nextseq = s->seq + s->len;
    bool is_probe = s->out->flags & ANALYSIS_ZERO_WINDOW_PROBE;
    bool is_control = s->flags & (TCP_SYN | TCP_FIN);
    if ((s->len || is_control) && fwd->unacked_count < FLOW_UNACKED_MAX) {
        nextseq += is_control ? 1 : 0;
        unacked_add(
            s->flows, fwd,
            &(struct unacked){
                .seq = s->seq, .nextseq = nextseq, .frame = s->p->frame, .t_ns = s->p->t_ns});
    }
    if ((is_after(nextseq, fwd->nextseq) || !fwd->nextseq) && !is_probe) {
        fwd->nextseq = nextseq;
        fwd->nextseq_frame = s->p->frame;
        fwd->nextseq_time_ns = s->p->t_ns;
    }
    if ((s->seq == fwd->max_seq_to_be_acked || !fwd->max_seq_to_be_acked) && !is_probe)
        fwd->max_seq_to_be_acked = fwd->nextseq;
    fwd->window = s->window;
    fwd->last_ack = s->ack;
    fwd->last_time_ns = s->p->t_ns;
    fwd->last_flags = s->out->flags;
}

static void take_ack(struct segment *s)
{
    struct unacked u;
    if (!unacked_take(s->flows, s->rev, s->ack, &u))
        return;
    s->has_result = true;
    s->out->acks_frame = u.frame;
    s->out->ack_rtt_ns = s->p->t_ns - u.t_ns;
}

static void count_in_flight(struct segment *s)
{
    uint32_t first, last;
    if (s->len == 0 || !s->fwd->has_valid_bif || !unacked_span(s->fwd, &first, &last))
        return;
    uint32_t in_flight = last - first - s->rev->sacked_bytes;
    s->has_result = true;
    if (in_flight > 0 && in_flight < IN_FLIGHT_MAX)
        s->out->bytes_in_flight = in_flight - (s->flags & (TCP_SYN | TCP_FIN) ? 1 : 0);
}

static void learn_base_seq(struct segment *s)
{
    if (!s->fwd->has_base_seq) {
        s->fwd->base_seq = s->flags & TCP_SYN ? s->seq : s->seq - 1;
        s->fwd->has_base_seq = true;
    }
    if (!s->rev->has_base_seq && s->flags & TCP_ACK) {
        s->rev->base_seq = s->ack - 1;
        s->rev->has_base_seq = true;
    }
}

static void analyse_segment(struct segment *s)
{
    learn_base_seq(s);
    if (s->flags & TCP_ACK)
        s->rev->has_valid_bif = true;
    judge_window(s);
    judge_ack(s);
    judge_retransmission(s);
    remember_segment(s);
    take_ack(s);
    count_in_flight(s);
}

/* --- the connection -----------------------------------------------------------------------------
 */

/* AccECN-setup SYN, and the four answers to it: RFC 9768 section 3.1.1, table 2. */
static bool is_accecn_syn(uint16_t flags)
{
    const uint16_t all = TCP_AE | TCP_CWR | TCP_ECE;
    return (flags & all) == all;
}

static bool is_accecn_synack(uint16_t flags)
{
    return (flags & (TCP_AE | TCP_CWR)) == TCP_CWR || (flags & (TCP_AE | TCP_ECE)) == TCP_AE;
}

/* A SYN may begin another connection on the same ports, or be sent again. */
static void open_connection(struct segment *s, const struct flow_key *key)
{
    struct flow *f = s->out->flow;
    bool is_synack = s->flags & TCP_ACK;
    if (!is_synack) {
        if (s->fwd->has_base_seq && s->seq != s->fwd->base_seq) {
            struct flow *next = flows_replace(s->flows, key);
            if (next != NULL) {
                f = s->out->flow = next;
                s->out->direction = 0;
                s->out->is_new = true;
                s->fwd = &f->side[0];
                s->rev = &f->side[1];
                f->first_ns = f->last_ns = s->p->t_ns;
            }
            set_flag(s, ANALYSIS_REUSED_PORTS);
        } else if (s->fwd->has_base_seq) {
            s->fwd->nextseq = s->fwd->max_seq_to_be_acked;
            s->has_result = true;
        }
        f->had_accecn_syn = is_accecn_syn(s->flags);
    } else {
        if (s->fwd->has_base_seq && s->seq != s->fwd->base_seq) {
            s->fwd->base_seq = s->seq;
            s->fwd->is_unacked_ordered = s->fwd->unacked_count == 0;
            set_flag(s, ANALYSIS_REUSED_PORTS);
        }
        f->had_accecn_synack = is_accecn_synack(s->flags);
    }
}

static void note_handshake_time(struct segment *s)
{
    struct flow *f = s->out->flow;
    uint16_t kind = s->flags & (TCP_SYN | TCP_ACK);
    if (kind == TCP_SYN)
        f->syn_ns = s->p->t_ns;
    if (kind & TCP_SYN)
        s->fwd->is_before_first_ack = true;
    if (kind == TCP_ACK) {
        if (f->syn_ns && !f->first_rtt_ns)
            f->first_rtt_ns = s->p->t_ns - f->syn_ns;
        s->fwd->is_before_first_ack = false;
    }
}

/* Without the option in a SYN nobody scales; one side alone does not either (RFC 7323). */
static void settle_window_scale(struct segment *s)
{
    if (s->fwd->window_scale == -1)
        s->fwd->window_scale = s->rev->window_scale = -2;
    else if (s->flags & TCP_ACK && s->rev->window_scale == -2)
        s->fwd->window_scale = -2;
}

/* Options speak to the segments that come later. Returns false where they were cut off. */
static bool read_options(struct segment *s)
{
    struct tcp_options *o = &s->out->options;
    struct flow *f = s->out->flow;
    bool is_whole = tcp_options_read(s->p, s->out->layer, o);
    s->fwd->sacked_bytes = o->sacked_bytes;
    if (o->has_window_scale)
        s->fwd->window_scale = o->window_scale;
    f->had_accecn_option |= o->has_accecn;
    if (is_whole && s->flags & TCP_SYN)
        settle_window_scale(s);
    return is_whole;
}

static void show_numbers(struct segment *s)
{
    struct analysis *out = s->out;
    out->seq = s->seq - s->fwd->base_seq;
    if (s->flags & TCP_ACK)
        out->ack = s->ack - s->rev->base_seq;
    out->next_seq = out->seq + s->len + (s->flags & (TCP_SYN | TCP_FIN) ? 1 : 0);
    if (!(s->flags & TCP_SYN) && s->fwd->window_scale >= 0)
        out->window_size = s->window << s->fwd->window_scale;
}

static void analyse_tcp(struct flows *t, const struct packet *p, const struct flow_key *key,
                        int direction, struct analysis *out)
{
    const struct layer *l = out->layer;
    const uint8_t *tcp = p->data + l->at; /* 16 bytes: the dissector has seen to that */
    struct flow *f = out->flow;
    struct segment s = {
        .flows = t,
        .p = p,
        .fwd = &f->side[direction],
        .rev = &f->side[!direction],
        .out = out,
        .seq = get_be32(tcp + 4),
        .ack = get_be32(tcp + 8),
        .window = get_be16(tcp + 14),
        .flags = get_be16(tcp + 12) & 0x0fff,
    };
    uint32_t header_len = (uint32_t)(tcp[12] >> 4) * 4;

    if (out->is_new)
        f->first_ns = f->last_ns = p->t_ns;
    if (s.flags & TCP_SYN)
        open_connection(&s, key);
    f = out->flow;
    s.fwd->sacked_bytes = 0;
    out->since_first_ns = p->t_ns - f->first_ns;
    out->since_last_ns = p->t_ns - f->last_ns;
    f->last_ns = p->t_ns;
    out->seq = s.seq;
    out->ack = s.ack;
    out->window_size = s.window;
    out->has_len = !(l->flags & (LAYER_QUOTED | LAYER_FRAGMENT)) &&
                   header_len <= l->header_len + l->payload_len;
    if (out->has_len) {
        s.len = l->payload_len;
        analyse_segment(&s);
        show_numbers(&s);
    }
    out->has_ace = !(s.flags & TCP_SYN) &&
                   ((f->had_accecn_syn && f->had_accecn_synack) || f->had_accecn_option);
    out->ace = (uint8_t)(s.flags >> 6 & 7);
    out->window_scale = s.fwd->window_scale;
    if (header_len < 20)
        return;
    note_handshake_time(&s);
    out->has_header = l->header_len >= 20 && packet_at(p, l->at, 20) != NULL;
    if (out->has_header && read_options(&s))
        out->has_analysis = s.has_result;
    if (s.has_result)
        out->initial_rtt_ns = f->first_rtt_ns;
}

void analysis_add(struct flows *t, const struct packet *p, struct analysis *out)
{
    uint8_t src[16] = {0}, dst[16] = {0};
    struct flow_key key = {.src = p->src, .dst = p->dst};
    int index = p->flow_layer, direction = 0;
    /* In two parts: in one, it becomes "rep stos", which takes longer to begin than to do it. */
    memset(out, 0, offsetof(struct analysis, since_first_ns));
    memset(&out->since_first_ns, 0,
           offsetof(struct analysis, options) - offsetof(struct analysis, since_first_ns));
    out->options.has_mss = out->options.has_window_scale = out->options.has_timestamps = false;
    out->options.has_accecn = false;
    out->options.sack_count = 0;
    if (index < 0 && p->quoted_layer < 0)
        return;
    if (index >= 0) {
        key.ip_version = p->flow_version;
        key.proto = p->proto;
        key.sport = p->sport;
        key.dport = p->dport;
    } else { /* the addresses of the quoted header before it */
        index = p->quoted_layer;
        int ip = index;
        while (p->layers[ip].kind != LAYER_IPV4 && p->layers[ip].kind != LAYER_IPV6)
            ip--;
        const struct layer *l = &p->layers[ip];
        bool is_v4 = l->kind == LAYER_IPV4;
        const uint8_t *addr = p->data + l->at + (is_v4 ? 12 : 8);
        uint32_t len = is_v4 ? 4 : 16;
        memcpy(src, addr, len);
        memcpy(dst, addr + len, len);
        const uint8_t *ports = p->data + p->layers[index].at;
        uint8_t kind = p->layers[index].kind;
        key = (struct flow_key){
            .ip_version = is_v4 ? 4 : 6,
            .proto = kind == LAYER_TCP   ? PROTO_TCP
                     : kind == LAYER_UDP ? PROTO_UDP
                                         : PROTO_SCTP,
            .src = src,
            .dst = dst,
            .sport = get_be16(ports),
            .dport = get_be16(ports + 2),
        };
    }
    out->layer = &p->layers[index];
    out->flow = flows_get(t, &key, &direction, &out->is_new);
    if (out->flow == NULL)
        return;
    out->direction = (uint8_t)direction;
    if (key.proto == PROTO_TCP)
        analyse_tcp(t, p, &key, direction, out);
}
