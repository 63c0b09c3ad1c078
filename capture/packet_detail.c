#include "capture/packet_detail.h"

#include <inttypes.h>
#include <string.h>

#include "capture/packet_words.h"

#define TEXTS_MAX (256u << 10)

/* A tree in the making. */
struct builder {
    struct packet_detail *d;
    const struct field_frame *frame;
};

/* Begin a node's text; what follows goes to d->texts until end(). False: there is no room. */
static bool begin(struct builder *b, int depth, const char *name, uint32_t at, uint32_t span)
{
    struct packet_detail *d = b->d;

    if (d->n == PACKET_DETAIL_NODES)
        return false;
    d->node[d->n++] = (struct packet_detail_node){
        .depth = (uint8_t)depth, .name = name, .at = at, .span = span, .text = d->texts.len};
    return true;
}

static void end(struct builder *b)
{
    struct packet_detail *d = b->d;

    if (!buf_append(&d->texts, "", 1) && d->n)
        d->n--; /* its text did not fit */
}

static bool has_prefix(const char *name, const char *prefix)
{
    return !strncmp(name, prefix, strlen(prefix));
}

static void add_field(struct builder *b, int depth, const struct field *f,
                      const struct field_value *v)
{
    struct buf *out = &b->d->texts;
    bool is_worked_out = !v->span;

    if (!begin(b, depth, f->name, v->at, v->span))
        return;
    buf_printf(out, "%s%s", is_worked_out ? "[" : "", f->title);
    if (f->type != FIELD_LABEL) {
        buf_puts(out, ": ");
        packet_words(f, v, out);
    }
    buf_puts(out, is_worked_out ? "]" : "");
    end(b);
}

/* Source and destination are told one by one. */
static bool is_either(const struct field *f)
{
    const char *dot = strrchr(f->name, '.');

    return dot && (!strcmp(dot, ".addr") || !strcmp(dot, ".port"));
}

/* The values of `f` that lie in [at, at + len), or that are worked out. */
static size_t read_within(struct builder *b, const struct field *f, uint32_t at, uint32_t len,
                          bool is_worked_out, struct field_value *out)
{
    size_t n = field_read(f, b->frame, out), kept = 0;

    for (size_t i = 0; i < n; i++) {
        bool is_in = out[i].span && out[i].at >= at && out[i].at - at < len;
        if (is_in || (!out[i].span && is_worked_out))
            out[kept++] = out[i];
    }
    return kept;
}

/* --- TCP -------------------------------------------------------------------------------------- */

static void add_option(struct builder *b, const struct tcp_option *o)
{
    struct field_value v[FIELD_VALUES_MAX];
    const struct field *f;

    if (!begin(b, 2, "tcp.options.option", o->at, o->cap_len))
        return;
    buf_puts(&b->d->texts, "Option: ");
    packet_words_option(o, &b->d->texts);
    if (o->len > 1)
        buf_printf(&b->d->texts, " (kind %u, %u bytes)", o->kind, o->len);
    end(b);
    for (size_t i = 0; (f = field_at(i)); i++) {
        size_t n =
            has_prefix(f->name, "tcp.options.") ? read_within(b, f, o->at, o->len, false, v) : 0;
        for (size_t k = 0; k < n; k++)
            add_field(b, 3, f, &v[k]);
    }
}

static void add_options(struct builder *b, const struct layer *l)
{
    struct tcp_option_walk w = tcp_option_walk(b->frame->packet, l);
    struct tcp_option o;

    if (w.at >= w.end || l->header_len <= 20)
        return;
    if (!begin(b, 1, "tcp.options", w.at, w.end - w.at))
        return;
    buf_printf(&b->d->texts, "Options (%" PRIu32 " bytes)", w.end - w.at);
    end(b);
    while (tcp_option_next(&w, &o))
        add_option(b, &o);
    if ((w.is_malformed || w.is_cut) && begin(b, 2, "tcp.options.end", 0, 0)) {
        buf_puts(&b->d->texts, w.is_malformed ? "[what follows is malformed]"
                                              : "[what follows was not captured]");
        end(b);
    }
}

static void add_handshake(struct builder *b)
{
    if (!begin(b, 1, "tcp.handshake", 0, 0))
        return;
    buf_puts(&b->d->texts, "[ECN handshake: ");
    if (packet_words_handshake(b->frame->packet, b->frame->analysis, &b->d->texts)) {
        buf_puts(&b->d->texts, "]");
        end(b);
    } else {
        b->d->texts.len = b->d->node[--b->d->n].text; /* take it back */
    }
}

static void add_analysis(struct builder *b)
{
    struct field_value v[FIELD_VALUES_MAX];
    const struct field *f;
    bool has_group = false;

    for (size_t i = 0; (f = field_at(i)); i++) {
        size_t n = has_prefix(f->name, "tcp.analysis.") ? field_read(f, b->frame, v) : 0;
        if (n && !has_group && begin(b, 1, "tcp.analysis", 0, 0)) {
            buf_puts(&b->d->texts, "[SEQ/ACK analysis]");
            end(b);
            has_group = true;
        }
        for (size_t k = 0; k < n && has_group; k++)
            add_field(b, 2, f, &v[k]);
    }
}

/* --- layers ----------------------------------------------------------------------------------- */

static void title_of(struct builder *b, const struct layer *l, const char *title)
{
    struct buf *out = &b->d->texts;
    const struct packet *p = b->frame->packet;
    static const struct {
        uint8_t kind;
        const char *from, *to, *from_title, *to_title;
    } ends[] = {
        {LAYER_ETHERNET, "eth.src", "eth.dst", "Src", "Dst"},
        {LAYER_IPV4, "ip.src", "ip.dst", "Src", "Dst"},
        {LAYER_IPV6, "ipv6.src", "ipv6.dst", "Src", "Dst"},
        {LAYER_TCP, "tcp.srcport", "tcp.dstport", "Src Port", "Dst Port"},
        {LAYER_UDP, "udp.srcport", "udp.dstport", "Src Port", "Dst Port"},
        {LAYER_SCTP, "sctp.srcport", "sctp.dstport", "Src Port", "Dst Port"},
    };

    buf_puts(out, title);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        const char *names[] = {ends[i].from, ends[i].to};
        const char *titles[] = {ends[i].from_title, ends[i].to_title};
        for (int k = 0; k < 2 && ends[i].kind == l->kind; k++) {
            struct field_value v[FIELD_VALUES_MAX];
            const struct field *f = field_find(names[k], strlen(names[k]));
            if (!read_within(b, f, l->at, l->header_len, false, v))
                continue;
            buf_printf(out, ", %s: ", titles[k]);
            field_print(f, v, out);
        }
    }
    if (l->flags & LAYER_QUOTED)
        buf_puts(out, " [quoted]");
    if (l->at + l->header_len > p->cap_len)
        buf_puts(out, " [cut by the snap length]");
}

static const struct field *protocol_of(const struct layer *l)
{
    uint8_t kind = l->kind == LAYER_SLL2 ? LAYER_SLL : l->kind;
    const struct field *f;

    for (size_t i = 0; (f = field_at(i)); i++)
        if (f->type == FIELD_PROTOCOL && f->layer == kind && strcmp(f->name, "frame") != 0)
            return f;
    return NULL;
}

static void add_layer(struct builder *b, const struct layer *l)
{
    const struct field *protocol = protocol_of(l), *f, *parent = NULL;
    struct field_value v[FIELD_VALUES_MAX];
    bool is_analysed = l == b->frame->analysis->layer;

    if (!begin(b, 0, layer_name((enum layer_kind)l->kind), l->at, l->header_len))
        return;
    title_of(b, l, protocol ? protocol->title : layer_name((enum layer_kind)l->kind));
    end(b);
    for (size_t i = 0; (f = field_at(i)); i++) {
        if (!protocol || f->layer != protocol->layer || f->type == FIELD_PROTOCOL || is_either(f) ||
            has_prefix(f->name, "frame.") || has_prefix(f->name, "tcp.option") ||
            has_prefix(f->name, "tcp.analysis."))
            continue;
        /* "tcp.flags.ace" is a part of "tcp.flags". */
        size_t len = parent ? strlen(parent->name) : 0;
        bool is_part = parent && has_prefix(f->name, parent->name) && f->name[len] == '.';
        size_t n = read_within(b, f, l->at, l->header_len, is_analysed, v);
        for (size_t k = 0; k < n; k++)
            add_field(b, is_part ? 2 : 1, f, &v[k]);
        if (n && !is_part)
            parent = f;
    }
    if (l->kind != LAYER_TCP)
        return;
    if (is_analysed && !(l->flags & LAYER_QUOTED))
        add_handshake(b);
    add_options(b, l);
    if (is_analysed)
        add_analysis(b);
}

static void add_frame(struct builder *b)
{
    const struct packet *p = b->frame->packet;
    struct field_value v[FIELD_VALUES_MAX];
    const struct field *f;

    if (!begin(b, 0, "frame", 0, p->cap_len))
        return;
    buf_printf(&b->d->texts,
               "Frame %" PRIu64 ": %" PRIu32 " bytes on the wire, %" PRIu32 " captured", p->frame,
               p->wire_len, p->cap_len);
    end(b);
    for (size_t i = 0; (f = field_at(i)); i++) {
        size_t n = has_prefix(f->name, "frame.") ? field_read(f, b->frame, v) : 0;
        for (size_t k = 0; k < n; k++)
            add_field(b, 1, f, &v[k]);
    }
}

static void add_payload(struct builder *b)
{
    const struct packet *p = b->frame->packet;
    const struct layer *l = p->nlayers ? &p->layers[p->nlayers - 1] : NULL;
    uint64_t at = l ? (uint64_t)l->at + l->header_len : 0;
    uint32_t n;

    if (p->fault == PACKET_MALFORMED && begin(b, 0, "malformed", 0, 0)) {
        buf_puts(&b->d->texts, "[Malformed: a header contradicts itself or the frame's length]");
        end(b);
    }
    if (at >= p->cap_len || (l && !l->payload_len))
        return;
    n = p->cap_len - (uint32_t)at;
    if (l && n > l->payload_len)
        n = l->payload_len;
    if (!begin(b, 0, "data", (uint32_t)at, n))
        return;
    buf_printf(&b->d->texts, "Data (%" PRIu32 " bytes%s)", l ? l->payload_len : n,
               l && n < l->payload_len ? ", cut by the snap length" : "");
    end(b);
}

void packet_detail_build(struct packet_detail *d, const struct field_frame *frame)
{
    struct builder b = {.d = d, .frame = frame};

    buf_clear(&d->texts);
    d->n = 0;
    add_frame(&b);
    for (int i = 0; i < frame->packet->nlayers; i++)
        add_layer(&b, &frame->packet->layers[i]);
    add_payload(&b);
}

const char *packet_detail_text(const struct packet_detail *d, size_t i)
{
    return d->texts.data + d->node[i].text;
}

void packet_detail_init(struct packet_detail *d)
{
    d->n = 0;
    buf_init(&d->texts, TEXTS_MAX);
}

void packet_detail_done(struct packet_detail *d)
{
    buf_done(&d->texts);
}
