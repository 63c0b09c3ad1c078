#include "capture/verdict.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Below this share another codepoint is not worth a word: SYNs with data, retransmissions. */
#define SHARE_MIN 0.02

struct text {
    char *out;
    size_t size, len;
};

CCALAB_PRINTF(2, 3)
static void add(struct text *t, const char *fmt, ...)
{
    va_list args;
    if (t->len + 1 >= t->size)
        return;
    va_start(args, fmt);
    int n = vsnprintf(t->out + t->len, t->size - t->len, fmt, args);
    va_end(args);
    t->len += n > 0 ? (size_t)n : 0;
    if (t->len >= t->size)
        t->len = t->size - 1;
}

static double share(uint64_t part, uint64_t whole)
{
    return whole ? (double)part / (double)whole : 0;
}

/* What the sender set. CE was one of the two ECTs, most likely the one that the others are. */
static void add_sent(struct text *t, const struct ecn_counts *c)
{
    uint64_t all = ecn_counts_sum(c), ect1 = c->n[ECN_ECT1], ect0 = c->n[ECN_ECT0];
    if (ect1 >= ect0)
        ect1 += c->n[ECN_CE];
    else
        ect0 += c->n[ECN_CE];
    const struct {
        const char *name;
        uint64_t n;
    } sent[] = {{"ECT(1)", ect1}, {"ECT(0)", ect0}, {"Not-ECT", c->n[ECN_NOT_ECT]}};
    int named = 0;
    if (ect1 + ect0 == c->n[ECN_CE] && c->n[ECN_CE] > 0 && c->n[ECN_NOT_ECT] == 0) {
        add(t, "every packet came with CE");
        return;
    }
    add(t, "sent ");
    for (size_t i = 0; i < 3; i++) {
        double part = share(sent[i].n, all);
        if (part < SHARE_MIN)
            continue;
        if (part > 1 - SHARE_MIN)
            add(t, "%s", sent[i].name);
        else
            add(t, "%s%.0f %% %s", named++ ? ", " : "", 100 * part, sent[i].name);
    }
}

/* Marks as the receiver counted them: true wherever the capture was taken. */
static void add_told(struct text *t, const struct ecn_flow *f, int direction)
{
    const struct ecn_dir *d = &f->dir[direction];
    const struct accecn *a = &d->accecn;
    uint64_t bytes = accecn_bytes(a);
    if (f->flow->proto != PROTO_TCP)
        return;
    if (f->negotiation == ECN_ACCURATE && bytes)
        add(t, ", %.1f %% of bytes CE according to AccECN", 100 * share(a->eceb.sum, bytes));
    else if (f->negotiation == ECN_ACCURATE && a->has_ack)
        add(t, ", %" PRIu64 " segments CE according to ACE", a->ce_segments);
    else if (f->dir[!direction].ece_episodes)
        add(t, ", congestion echoed in %" PRIu64 " episodes", f->dir[!direction].ece_episodes);
}

static void add_seen(struct text *t, const struct ecn_dir *d)
{
    double ratio = ecn_mark_ratio(&d->data_packets);
    uint64_t ce = d->data.n[ECN_CE];
    if (ratio < 0)
        add(t, ", a queue can only drop");
    else if (ce == 0 && d->tunnel_ce == 0)
        add(t, ", none seen at this capture point");
    else if (ce)
        add(t, ", %.1f %% of packets CE at this capture point", 100 * ratio);
    if (d->tunnel_ce)
        add(t, ", %" PRIu64 " frames CE on the tunnel around it", d->tunnel_ce);
    if (ce && d->super_frames)
        add(t, " (unreliable: %" PRIu64 " frames of several segments)", d->super_frames);
}

static void add_judgement(struct text *t, const struct ecn_flow *f, const struct ecn_counts *c)
{
    bool is_tcp = f->flow->proto == PROTO_TCP;
    bool is_l4s = c->n[ECN_ECT1] > c->n[ECN_ECT0];
    if (is_l4s && is_tcp && (f->negotiation == ECN_CLASSIC || f->negotiation == ECN_NONE))
        add(t, "; not L4S: no accurate feedback was negotiated");
    else if (c->n[ECN_ECT0] > c->n[ECN_ECT1])
        add(t, "; not L4S: ECT(0) goes to the classic queue");
}

void flow_verdict(const struct ecn_flow *f, char *out, size_t size)
{
    struct text t = {.out = out, .size = size};
    int direction = ecn_dir_bytes(&f->dir[1]) > ecn_dir_bytes(&f->dir[0]);
    const struct ecn_dir *d = &f->dir[direction];
    out[0] = '\0';
    if (ecn_counts_sum(&d->data) == 0) {
        add(&t, "no data seen");
        return;
    }
    add_sent(&t, &d->data_packets);
    add_told(&t, f, direction);
    add_seen(&t, d);
    add_judgement(&t, f, &d->data);
}
