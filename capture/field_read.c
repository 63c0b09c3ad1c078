#include "capture/field_read.h"

/* --- readers: layers -------------------------------------------------------------------------- */

static bool is_shown(const struct field *f, const struct layer *l)
{
    return l->kind == f->layer && !(l->flags & LAYER_HIDDEN);
}

static void put(struct field_value *out, size_t *n, struct field_value v)
{
    if (*n < FIELD_VALUES_MAX)
        out[(*n)++] = v;
}

/* A value of f->size bytes at `at` of the frame; nothing where it was not captured. */
static void put_at(const struct field *f, const struct packet *p, uint32_t at,
                   struct field_value *out, size_t *n)
{
    const uint8_t *bytes = packet_at(p, at, f->size);
    struct field_value v = {.bytes = bytes, .len = f->size, .at = at, .span = f->size};

    if (!bytes)
        return;
    if (f->size <= 8)
        for (int i = 0; i < f->size; i++)
            v.u = v.u << 8 | bytes[i];
    if (f->type == FIELD_UINT || f->type == FIELD_BOOL)
        v.u = v.u >> f->shift & f->mask;
    put(out, n, v);
}

/* Of every layer of the kind: the bytes at one place, or at two. */
size_t field_read_layers(const struct field *f, const struct field_frame *frame,
                         struct field_value *out)
{
    const struct packet *p = frame->packet;
    size_t n = 0;

    for (int i = 0; i < p->nlayers; i++) {
        if (!is_shown(f, &p->layers[i]))
            continue;
        put_at(f, p, p->layers[i].at + (uint32_t)f->at, out, &n);
        if (f->also >= 0)
            put_at(f, p, p->layers[i].at + (uint32_t)f->also, out, &n);
    }
    return n;
}

/* Below 1536 the number is a length (IEEE 802.3), and an LLC header follows. */
size_t field_read_eth_type(const struct field *f, const struct field_frame *frame,
                           struct field_value *out)
{
    size_t n = field_read_layers(f, frame, out), kept = 0;

    for (size_t i = 0; i < n; i++)
        if (out[i].u >= 0x600)
            out[kept++] = out[i];
    return kept;
}

/* Wireshark calls the version of IPv6 ip.version too. */
size_t field_read_ip_version(const struct field *f, const struct field_frame *frame,
                             struct field_value *out)
{
    const struct packet *p = frame->packet;
    size_t n = 0;

    for (int i = 0; i < p->nlayers; i++) {
        const struct layer *l = &p->layers[i];
        if ((l->kind == LAYER_IPV4 || l->kind == LAYER_IPV6) && !(l->flags & LAYER_HIDDEN))
            put_at(f, p, l->at + (uint32_t)f->at, out, &n);
    }
    return n;
}

/* 0 where segmentation is left to the interface: Wireshark shows what the frame has. */
size_t field_read_ip_len(const struct field *f, const struct field_frame *frame,
                         struct field_value *out)
{
    const struct packet *p = frame->packet;
    size_t n = 0, k = 0;

    for (int i = 0; i < p->nlayers; i++) {
        const struct layer *l = &p->layers[i];
        if (!is_shown(f, l))
            continue;
        put_at(f, p, l->at + (uint32_t)f->at, out, &n);
        if (n > k && !out[k].u)
            out[k].u = l->header_len + l->payload_len;
        k = n;
    }
    return n;
}

/* The protocol itself: its header, and for TCP all that was captured behind it (as Wireshark's
 * slices have it). */
size_t field_read_protocol(const struct field *f, const struct field_frame *frame,
                           struct field_value *out)
{
    const struct packet *p = frame->packet;
    size_t n = 0;

    for (int i = 0; i < p->nlayers; i++) {
        const struct layer *l = &p->layers[i];
        uint64_t end =
            (uint64_t)l->at + l->header_len + (l->kind == LAYER_TCP ? l->payload_len : 0);
        struct field_value v = {.at = l->at, .span = l->header_len};
        bool is_it = l->kind == f->layer || (f->layer == LAYER_SLL && l->kind == LAYER_SLL2);
        if (!is_it || l->flags & LAYER_HIDDEN)
            continue;
        if (l->at < p->cap_len) {
            v.bytes = p->data + l->at;
            v.len = (uint32_t)(end < p->cap_len ? end : p->cap_len) - l->at;
        }
        put(out, &n, v);
    }
    return n;
}

/* --- readers: the frame ----------------------------------------------------------------------- */

static size_t one(struct field_value *out, struct field_value v)
{
    out[0] = v;
    return 1;
}

size_t field_read_frame(const struct field *f, const struct field_frame *frame,
                        struct field_value *out)
{
    const struct packet *p = frame->packet;

    (void)f;
    return one(out, (struct field_value){.bytes = p->data, .len = p->cap_len, .span = p->cap_len});
}

size_t field_read_number(const struct field *f, const struct field_frame *frame,
                         struct field_value *out)
{
    (void)f;
    return one(out, (struct field_value){.u = frame->packet->frame});
}

size_t field_read_len(const struct field *f, const struct field_frame *frame,
                      struct field_value *out)
{
    (void)f;
    return one(out, (struct field_value){.u = frame->packet->wire_len});
}

size_t field_read_cap_len(const struct field *f, const struct field_frame *frame,
                          struct field_value *out)
{
    (void)f;
    return one(out, (struct field_value){.u = frame->packet->cap_len});
}

size_t field_read_epoch(const struct field *f, const struct field_frame *frame,
                        struct field_value *out)
{
    (void)f;
    return one(out, (struct field_value){.ns = frame->packet->t_ns});
}

size_t field_read_time_relative(const struct field *f, const struct field_frame *frame,
                                struct field_value *out)
{
    (void)f;
    return one(out, (struct field_value){.ns = frame->packet->t_ns - frame->first_ns});
}

size_t field_read_time_delta(const struct field *f, const struct field_frame *frame,
                             struct field_value *out)
{
    (void)f;
    return one(out, (struct field_value){.ns = frame->packet->t_ns - frame->previous_ns});
}

/* --- readers: TCP and UDP as their stream makes them -------------------------------------------
 */

/* The transport header that the analysis speaks of, if it is of the field's kind. */
static const struct layer *stream_layer(const struct field *f, const struct field_frame *frame)
{
    const struct analysis *a = frame->analysis;

    return a->flow && is_shown(f, a->layer) ? a->layer : NULL;
}

/* Wireshark gives up at a TCP header length below 20, after the sequence number. */
static const struct layer *tcp_header(const struct field_frame *frame)
{
    static const struct field tcp = {.layer = LAYER_TCP};
    const struct layer *l = stream_layer(&tcp, frame);
    const uint8_t *offset = l ? packet_at(frame->packet, l->at + 12, 1) : NULL;

    return offset && *offset >> 4 >= 5 ? l : NULL;
}

size_t field_read_stream(const struct field *f, const struct field_frame *frame,
                         struct field_value *out)
{
    if (!stream_layer(f, frame))
        return 0;
    return one(out, (struct field_value){.u = frame->analysis->flow->stream});
}

size_t field_read_tcp_len(const struct field *f, const struct field_frame *frame,
                          struct field_value *out)
{
    const struct layer *l = stream_layer(f, frame);

    if (!l || !frame->analysis->has_len)
        return 0;
    return one(out, (struct field_value){.u = l->payload_len});
}

size_t field_read_tcp_seq(const struct field *f, const struct field_frame *frame,
                          struct field_value *out)
{
    const struct layer *l = stream_layer(f, frame);

    return l ? one(out, (struct field_value){.u = frame->analysis->seq, .at = l->at + 4, .span = 4})
             : 0;
}

size_t field_read_tcp_nxtseq(const struct field *f, const struct field_frame *frame,
                             struct field_value *out)
{
    if (!stream_layer(f, frame) || !frame->analysis->has_len)
        return 0;
    return one(out, (struct field_value){.u = frame->analysis->next_seq});
}

size_t field_read_tcp_ack(const struct field *f, const struct field_frame *frame,
                          struct field_value *out)
{
    const struct layer *l = tcp_header(frame);

    (void)f;
    return l ? one(out, (struct field_value){.u = frame->analysis->ack, .at = l->at + 8, .span = 4})
             : 0;
}

/* tcp.ack_raw and the like: bytes of a whole header. */
size_t field_read_tcp_header(const struct field *f, const struct field_frame *frame,
                             struct field_value *out)
{
    const struct layer *l = tcp_header(frame);
    size_t n = 0;

    if (l)
        put_at(f, frame->packet, l->at + (uint32_t)f->at, out, &n);
    return n;
}

size_t field_read_tcp_hdr_len(const struct field *f, const struct field_frame *frame,
                              struct field_value *out)
{
    size_t n = field_read_tcp_header(f, frame, out);

    if (n)
        out[0].u *= 4;
    return n;
}

/* After an AccECN handshake AE, CWR and ECE are one number (Wireshark: tcp.flags.ace). */
size_t field_read_ecn_flag(const struct field *f, const struct field_frame *frame,
                           struct field_value *out)
{
    return frame->analysis->has_ace ? 0 : field_read_tcp_header(f, frame, out);
}

size_t field_read_ace(const struct field *f, const struct field_frame *frame,
                      struct field_value *out)
{
    return frame->analysis->has_ace ? field_read_tcp_header(f, frame, out) : 0;
}

size_t field_read_window_size(const struct field *f, const struct field_frame *frame,
                              struct field_value *out)
{
    const struct layer *l = tcp_header(frame);

    (void)f;
    return l ? one(out, (struct field_value){.u = frame->analysis->window_size,
                                             .at = l->at + 14,
                                             .span = 2})
             : 0;
}

/* --- readers: TCP options --------------------------------------------------------------------- */

size_t field_read_option_kind(const struct field *f, const struct field_frame *frame,
                              struct field_value *out)
{
    const struct layer *l = tcp_header(frame);
    struct tcp_option_walk w;
    struct tcp_option o;
    size_t n = 0;

    (void)f;
    if (!l)
        return 0;
    w = tcp_option_walk(frame->packet, l);
    while (tcp_option_next(&w, &o))
        put(out, &n, (struct field_value){.u = o.kind, .at = o.at, .span = 1});
    return n;
}

/* Fields of one option: `shift` is its kind, `at` the offset in it, `also` the length that it must
 * have. */
size_t field_read_option(const struct field *f, const struct field_frame *frame,
                         struct field_value *out)
{
    const struct layer *l = tcp_header(frame);
    struct field plain = *f;
    struct tcp_option_walk w;
    struct tcp_option o;
    size_t n = 0;

    if (!l)
        return 0;
    plain.shift = 0;
    w = tcp_option_walk(frame->packet, l);
    while (tcp_option_next(&w, &o))
        if (o.kind == f->shift && o.len == f->also)
            put_at(&plain, frame->packet, o.at + (uint32_t)f->at, out, &n);
    return n;
}

/* `at` says which counter. */
size_t field_read_accecn(const struct field *f, const struct field_frame *frame,
                         struct field_value *out)
{
    const struct layer *l = tcp_header(frame);
    struct tcp_option_walk w;
    struct accecn_option v;
    struct tcp_option o;
    size_t n = 0;

    if (!l)
        return 0;
    w = tcp_option_walk(frame->packet, l);
    while (tcp_option_next(&w, &o)) {
        if (!accecn_option_read(&o, &v))
            continue;
        const bool has[] = {v.has_ee0b, v.has_eceb, v.has_ee1b};
        const uint32_t counters[] = {v.ee0b, v.eceb, v.ee1b};
        if (has[f->at]) {
            /* The middle counter stays there, the other two change places with the order. */
            uint32_t place = f->at == ACCECN_ECEB                                    ? 1
                             : (f->at == ACCECN_EE0B) == (v.order == ACCECN_ORDER_0) ? 0
                                                                                     : 2;
            put(out, &n,
                (struct field_value){.u = counters[f->at], .at = v.at + 3 * place, .span = 3});
        }
    }
    return n;
}

/* --- readers: the analysis -------------------------------------------------------------------- */

static const struct analysis *tcp_analysis(const struct field_frame *frame)
{
    static const struct field tcp = {.layer = LAYER_TCP};

    return stream_layer(&tcp, frame) && frame->analysis->has_analysis ? frame->analysis : NULL;
}

size_t field_read_analysis_flag(const struct field *f, const struct field_frame *frame,
                                struct field_value *out)
{
    const struct analysis *a = tcp_analysis(frame);

    return a && a->flags & f->mask ? one(out, (struct field_value){.u = 1}) : 0;
}

static size_t nonzero_time(int64_t ns, struct field_value *out)
{
    return ns ? one(out, (struct field_value){.ns = ns}) : 0;
}

size_t field_read_ack_rtt(const struct field *f, const struct field_frame *frame,
                          struct field_value *out)
{
    const struct analysis *a = tcp_analysis(frame);

    (void)f;
    return a ? nonzero_time(a->ack_rtt_ns, out) : 0;
}

size_t field_read_initial_rtt(const struct field *f, const struct field_frame *frame,
                              struct field_value *out)
{
    const struct analysis *a = tcp_analysis(frame);

    (void)f;
    return a ? nonzero_time(a->initial_rtt_ns, out) : 0;
}

size_t field_read_rto(const struct field *f, const struct field_frame *frame,
                      struct field_value *out)
{
    const struct analysis *a = tcp_analysis(frame);

    (void)f;
    return a ? nonzero_time(a->rto_ns, out) : 0;
}

size_t field_read_bytes_in_flight(const struct field *f, const struct field_frame *frame,
                                  struct field_value *out)
{
    const struct analysis *a = tcp_analysis(frame);

    (void)f;
    return a && a->bytes_in_flight ? one(out, (struct field_value){.u = a->bytes_in_flight}) : 0;
}

size_t field_read_dup_ack_num(const struct field *f, const struct field_frame *frame,
                              struct field_value *out)
{
    const struct analysis *a = tcp_analysis(frame);

    (void)f;
    return a && a->flags & ANALYSIS_DUPLICATE_ACK
               ? one(out, (struct field_value){.u = a->dup_ack_num})
               : 0;
}

size_t field_read_acks_frame(const struct field *f, const struct field_frame *frame,
                             struct field_value *out)
{
    const struct analysis *a = tcp_analysis(frame);

    (void)f;
    return a && a->acks_frame ? one(out, (struct field_value){.u = a->acks_frame}) : 0;
}

size_t field_read_tcp_time(const struct field *f, const struct field_frame *frame,
                           struct field_value *out)
{
    const struct layer *l = tcp_header(frame);

    if (!l || !packet_at(frame->packet, l->at, 20))
        return 0;
    return one(out, (struct field_value){.ns = f->at ? frame->analysis->since_last_ns
                                                     : frame->analysis->since_first_ns});
}
