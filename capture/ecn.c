#include "capture/ecn.h"

#include <stdlib.h>

#define SUBSYSTEM   "capture"
#define CHUNK_FLOWS 64u
/* Of segments whose handshake was not seen, and where an announced MSS makes no sense. */
enum { MTU_ASSUMED = 1500, MSS_MIN = 64 };

enum status ecn_init(struct ecn *e, uint32_t max_flows, struct error *err)
{
    *e = (struct ecn){0};
    enum status status = flows_init(&e->flows, max_flows, err);
    if (status != STATUS_OK)
        return status;
    e->nchunks = (e->flows.max + CHUNK_FLOWS - 1) / CHUNK_FLOWS;
    e->chunks = calloc(e->nchunks, sizeof(*e->chunks));
    if (e->chunks == NULL) {
        ecn_done(e);
        return error_set(err, STATUS_NOMEM, SUBSYSTEM, "no memory for the flow table");
    }
    return STATUS_OK;
}

void ecn_done(struct ecn *e)
{
    for (uint32_t c = 0; e->chunks != NULL && c < e->nchunks; c++) {
        for (uint32_t i = 0; e->chunks[c] != NULL && i < CHUNK_FLOWS; i++) {
            marks_done(&e->chunks[c][i].dir[0].marks);
            marks_done(&e->chunks[c][i].dir[1].marks);
        }
        free(e->chunks[c]);
    }
    free(e->chunks);
    marks_done(&e->other.marks);
    flows_done(&e->flows);
    *e = (struct ecn){0};
}

uint32_t ecn_flow_count(const struct ecn *e)
{
    return e->flows.count;
}

const struct ecn_flow *ecn_flow_at(const struct ecn *e, uint32_t index)
{
    static const struct ecn_flow nothing;
    const struct ecn_flow *chunk = e->chunks[index / CHUNK_FLOWS];
    return chunk ? &chunk[index % CHUNK_FLOWS] : &nothing;
}

/* NULL without memory. */
static struct ecn_flow *account_of(struct ecn *e, const struct flow *flow)
{
    struct ecn_flow **chunk = &e->chunks[flow->index / CHUNK_FLOWS];
    if (*chunk == NULL) {
        *chunk = calloc(CHUNK_FLOWS, sizeof(**chunk));
        if (*chunk == NULL)
            return NULL;
    }
    struct ecn_flow *f = &(*chunk)[flow->index % CHUNK_FLOWS];
    f->flow = flow;
    return f;
}

/* --- packets ------------------------------------------------------------------------------------
 */

/* Payload of a full segment: both sides' MSS, less the options of this one (RFC 9293 section
 * 3.7.1); without a handshake what fits into an Ethernet frame. */
static uint32_t segment_len(const struct ecn_flow *f, const struct packet *p)
{
    const struct layer *tcp = &p->layers[p->flow_layer];
    uint32_t header_len = tcp->header_len < 20 ? 20 : tcp->header_len;
    uint32_t mss = f->dir[0].mss, other = f->dir[1].mss;
    if (mss < MSS_MIN || (other >= MSS_MIN && other < mss))
        mss = other;
    if (mss < MSS_MIN)
        mss = MTU_ASSUMED - 20 - (p->flow_version == 4 ? 20 : 40);
    uint32_t options_len = header_len - 20;
    return options_len < mss ? mss - options_len : mss;
}

static void count_packet(struct ecn *e, struct ecn_dir *d, const struct packet *p,
                         uint64_t wire_packets)
{
    bool is_ack = p->proto == PROTO_TCP && p->payload_len == 0;
    uint8_t ecn = p->flow_ecn;
    if (is_ack) {
        d->ack.n[ecn]++;
    } else {
        d->data.n[ecn]++;
        d->data_packets.n[ecn] += wire_packets;
        d->data_bytes.n[ecn] += p->payload_len;
        if (wire_packets > 1)
            d->super_frames++;
        if (ecn != ECN_NOT_ECT)
            marks_add(&d->marks, &e->marks_bins, p->t_ns, ecn == ECN_CE);
    }
    if (ecn == ECN_CE && d->first_ce_frame == 0) {
        d->first_ce_frame = p->frame;
        d->first_ce_ns = p->t_ns;
    }
    if (p->ecn == ECN_CE && p->outer_layer != p->ip_layer)
        d->tunnel_ce++;
}

/* --- TCP ----------------------------------------------------------------------------------------
 */

static void rtt_add(struct ecn_rtt *r, int64_t ns)
{
    if (r->count == 0 || ns < r->min_ns)
        r->min_ns = ns;
    if (r->count == 0 || ns > r->max_ns)
        r->max_ns = ns;
    r->count++;
    r->sum_ns += (double)ns;
}

/* One time stamp at a time is waited for (RFC 7323 section 3): a sample a round trip. */
static void add_time_stamps(struct ecn_dir *d, struct ecn_dir *other, const struct packet *p,
                            const struct tcp_options *o)
{
    if (!o->has_timestamps)
        return;
    if (other->is_tsval_awaited && p->tcp_flags & TCP_ACK &&
        (int32_t)(o->tsecr - other->tsval) >= 0) {
        if (o->tsecr == other->tsval)
            rtt_add(&other->rtt_stamps, p->t_ns - other->tsval_ns);
        other->is_tsval_awaited = false;
    }
    /* A pure ACK is not answered, so its echo would come with something later. */
    bool is_answered = p->payload_len > 0 || p->tcp_flags & TCP_SYN;
    if (!d->is_tsval_awaited && is_answered &&
        (!d->has_tsval || (int32_t)(o->tsval - d->tsval) > 0)) {
        d->tsval = o->tsval;
        d->tsval_ns = p->t_ns;
        d->has_tsval = d->is_tsval_awaited = true;
    }
}

static void add_handshake(struct ecn_flow *f, int direction, const struct packet *p,
                          const struct tcp_options *o)
{
    struct ecn_dir *d = &f->dir[direction];
    if (o->has_mss)
        d->mss = o->mss;
    if (!(p->tcp_flags & TCP_ACK)) {
        f->has_syn = true;
        f->syn_flags = p->tcp_flags;
        f->syn_direction = (uint8_t)direction;
    } else if (f->has_syn && f->syn_direction != direction) {
        f->has_synack = true;
        f->negotiation = ecn_negotiate(f->syn_flags, p->tcp_flags);
    }
}

/* RFC 3168 section 6.1: ECE until CWR. A SYN's flags are the negotiation. */
static void add_classic(struct ecn_flow *f, struct ecn_dir *d, const struct packet *p)
{
    if (f->negotiation == ECN_ACCURATE || p->tcp_flags & TCP_SYN)
        return;
    bool is_ece = p->tcp_flags & TCP_ECE;
    if (is_ece) {
        d->ece++;
        d->ece_episodes += !d->is_in_ece;
    }
    if (p->tcp_flags & TCP_CWR)
        d->cwr++;
    d->is_in_ece = is_ece;
}

static void add_feedback(struct ecn_flow *f, int direction, const struct packet *p,
                         const struct analysis *a)
{
    struct ecn_dir *about = &f->dir[!direction];
    /* The first segment behind the SYN, empty and without SACK, answers the SYN/ACK: RFC 9768
     * section 3.2.2.1. Later ones that look like it are its retransmissions. */
    bool is_handshake = f->has_synack && direction == f->syn_direction && p->payload_len == 0 &&
                        a->options.sack_count == 0 && a->seq == 1 && a->ack == 1;
    if (f->negotiation == ECN_UNKNOWN && a->options.has_accecn && !f->has_synack)
        f->negotiation = ECN_ACCURATE; /* nobody sends these options otherwise */
    accecn_add(&about->accecn, &(struct accecn_segment){
                                   .flags = p->tcp_flags,
                                   .ack = p->ack,
                                   .is_fin_acked = about->has_fin && p->ack == about->fin_end,
                                   .is_handshake = is_handshake,
                                   .is_ace_valid = f->negotiation == ECN_ACCURATE,
                                   .has_started = f->has_synack,
                                   .segment_len = about->segment_len,
                                   .options = &a->options,
                               });
}

static void add_tcp(struct ecn_flow *f, int direction, const struct packet *p,
                    const struct analysis *a, uint32_t full_len)
{
    struct ecn_dir *d = &f->dir[direction], *other = &f->dir[!direction];
    if (p->payload_len > 0)
        d->segment_len = full_len;
    if (a->flags) {
        d->retransmissions += (a->flags & ANALYSIS_ANY_RETRANSMISSION) != 0;
        d->out_of_order += (a->flags & ANALYSIS_OUT_OF_ORDER) != 0;
        d->duplicate_acks += (a->flags & ANALYSIS_DUPLICATE_ACK) != 0;
        d->lost_segments += (a->flags & ANALYSIS_LOST_SEGMENT) != 0;
    }
    if (a->bytes_in_flight > d->max_in_flight)
        d->max_in_flight = a->bytes_in_flight;
    if (a->acks_frame)
        rtt_add(&other->rtt, a->ack_rtt_ns);
    add_time_stamps(d, other, p, &a->options);
    if (p->tcp_flags & TCP_SYN)
        add_handshake(f, direction, p, &a->options);
    if (p->tcp_flags & TCP_FIN) {
        d->has_fin = true;
        d->fin_end = p->seq + p->payload_len + 1;
    }
    add_classic(f, d, p);
    add_feedback(f, direction, p, a);
}

void ecn_add(struct ecn *e, const struct packet *p)
{
    struct analysis *a = &e->analysis;
    if (e->frames++ == 0)
        e->first_ns = p->t_ns;
    if (p->fault == PACKET_CUT)
        e->cut++;
    else if (p->fault == PACKET_MALFORMED)
        e->malformed++;
    analysis_add(&e->flows, p, a);
    if (p->reach < PACKET_REACH_ECN) {
        e->not_ip += p->fault == PACKET_OK;
        return;
    }
    (p->ip_version == 4 ? &e->ipv4 : &e->ipv6)->n[p->ecn]++;
    if (p->reach < PACKET_REACH_TRANSPORT)
        return;
    struct ecn_flow *f = a->flow ? account_of(e, a->flow) : NULL;
    if (f == NULL) {
        count_packet(e, &e->other, p, 1);
        return;
    }
    uint32_t full_len = p->proto == PROTO_TCP ? segment_len(f, p) : 0;
    uint64_t wire_packets = 1;
    if (full_len && p->payload_len > full_len)
        wire_packets = (p->payload_len + full_len - 1) / full_len;
    count_packet(e, &f->dir[a->direction], p, wire_packets);
    if (p->proto == PROTO_TCP)
        add_tcp(f, a->direction, p, a, full_len);
}

/* --- sums ---------------------------------------------------------------------------------------
 */

uint64_t ecn_counts_sum(const struct ecn_counts *c)
{
    return c->n[ECN_NOT_ECT] + c->n[ECN_ECT1] + c->n[ECN_ECT0] + c->n[ECN_CE];
}

double ecn_mark_ratio(const struct ecn_counts *c)
{
    uint64_t capable = c->n[ECN_ECT1] + c->n[ECN_ECT0] + c->n[ECN_CE];
    return capable == 0 ? -1 : (double)c->n[ECN_CE] / (double)capable;
}

uint64_t ecn_dir_bytes(const struct ecn_dir *d)
{
    return ecn_counts_sum(&d->data_bytes);
}

uint64_t ecn_dir_frames(const struct ecn_dir *d)
{
    return ecn_counts_sum(&d->data) + ecn_counts_sum(&d->ack);
}
