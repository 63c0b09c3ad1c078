#include "capture/ecn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define SUBSYSTEM   "capture"
#define CHUNK_FLOWS 1024u
#define SLOTS_MIN   1024u

/* Open addressing with linear probing; at most half full, nothing is ever removed. */
struct ecn_slot {
    uint32_t hash;
    uint32_t flow; /* index + 1; 0 is empty */
};

enum status ecn_init(struct ecn *e, uint32_t max_flows, struct error *err)
{
    *e = (struct ecn){
        .max_flows = max_flows == 0 || max_flows > ECN_FLOWS_MAX ? ECN_FLOWS_MAX : max_flows,
        .nslots = SLOTS_MIN,
    };
    e->chunks = calloc((e->max_flows + CHUNK_FLOWS - 1) / CHUNK_FLOWS, sizeof(*e->chunks));
    e->slots = calloc(e->nslots, sizeof(*e->slots));
    /* A seed of its own for every run: a capture made to collide must not make us quadratic. */
    ssize_t got = getrandom(e->seed, sizeof(e->seed), 0);
    if (e->chunks == NULL || e->slots == NULL) {
        ecn_done(e);
        return error_set(err, STATUS_NOMEM, SUBSYSTEM, "no memory for the flow table");
    }
    if (got != (ssize_t)sizeof(e->seed)) {
        int saved = errno;
        ecn_done(e);
        return error_sys(err, STATUS_INTERNAL, saved, SUBSYSTEM, "no random seed");
    }
    return STATUS_OK;
}

void ecn_done(struct ecn *e)
{
    if (e->chunks != NULL)
        for (uint32_t i = 0; i < e->flow_count; i += CHUNK_FLOWS)
            free(e->chunks[i / CHUNK_FLOWS]);
    free(e->chunks);
    free(e->slots);
    *e = (struct ecn){0};
}

static struct ecn_flow *flow_at(const struct ecn *e, uint32_t index)
{
    return &e->chunks[index / CHUNK_FLOWS][index % CHUNK_FLOWS];
}

const struct ecn_flow *ecn_flow_at(const struct ecn *e, uint32_t index)
{
    return flow_at(e, index);
}

static uint64_t mix(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t hash_endpoint(const struct ecn *e, const uint8_t addr[16], uint16_t port)
{
    uint64_t word[2];
    memcpy(word, addr, 16);
    return mix(mix(word[0] ^ e->seed[0], word[1] ^ e->seed[1]) ^ port, e->seed[0] | 1);
}

/* The same for both directions: a sum does not ask who came first. */
static uint32_t hash_packet(const struct ecn *e, const struct packet *p)
{
    uint64_t sum = hash_endpoint(e, p->src, p->sport) + hash_endpoint(e, p->dst, p->dport);
    uint64_t kind = (uint64_t)p->proto << 8 | p->ip_version;
    return (uint32_t)(mix(sum ^ kind, e->seed[1] | 1) >> 16);
}

/* 0 or 1: the direction of the packet in this flow; -1: another flow's. */
static int flow_direction(const struct ecn_flow *f, const struct packet *p)
{
    if (f->proto != p->proto || f->ip_version != p->ip_version)
        return -1;
    if (f->port[0] == p->sport && f->port[1] == p->dport && memcmp(f->addr[0], p->src, 16) == 0 &&
        memcmp(f->addr[1], p->dst, 16) == 0)
        return 0;
    if (f->port[1] == p->sport && f->port[0] == p->dport && memcmp(f->addr[1], p->src, 16) == 0 &&
        memcmp(f->addr[0], p->dst, 16) == 0)
        return 1;
    return -1;
}

/* The slot of the packet's flow, or the empty one where it belongs. */
static struct ecn_slot *slot_find(const struct ecn *e, const struct packet *p, uint32_t hash,
                                  int *direction)
{
    uint32_t mask = e->nslots - 1;
    for (uint32_t i = hash & mask;; i = (i + 1) & mask) {
        struct ecn_slot *s = &e->slots[i];
        if (s->flow == 0)
            return s;
        if (s->hash == hash) {
            *direction = flow_direction(flow_at(e, s->flow - 1), p);
            if (*direction >= 0)
                return s;
        }
    }
}

static bool slots_grow(struct ecn *e)
{
    uint32_t nslots = e->nslots * 2, mask = nslots - 1;
    struct ecn_slot *slots = calloc(nslots, sizeof(*slots));
    if (slots == NULL)
        return false;
    for (uint32_t i = 0; i < e->nslots; i++) {
        if (e->slots[i].flow == 0)
            continue;
        uint32_t at = e->slots[i].hash & mask;
        while (slots[at].flow != 0)
            at = (at + 1) & mask;
        slots[at] = e->slots[i];
    }
    free(e->slots);
    e->slots = slots;
    e->nslots = nslots;
    return true;
}

/* Returns NULL at the limit, or where memory is out: then the packet goes to `other`. */
static struct ecn_flow *flow_new(struct ecn *e, const struct packet *p)
{
    uint32_t index = e->flow_count;
    if (index == e->max_flows)
        return NULL;
    if (index % CHUNK_FLOWS == 0) {
        e->chunks[index / CHUNK_FLOWS] = calloc(CHUNK_FLOWS, sizeof(struct ecn_flow));
        if (e->chunks[index / CHUNK_FLOWS] == NULL)
            return NULL;
    }
    struct ecn_flow *f = flow_at(e, index);
    f->ip_version = p->ip_version;
    f->proto = p->proto;
    f->stream = p->proto == PROTO_TCP ? e->tcp_streams++ : e->udp_streams++;
    memcpy(f->addr[0], p->src, 16);
    memcpy(f->addr[1], p->dst, 16);
    f->port[0] = p->sport;
    f->port[1] = p->dport;
    e->flow_count++;
    return f;
}

/* Does this segment open another connection between the same ports? */
static bool is_reuse(const struct ecn_flow *f, int direction, const struct packet *p)
{
    return p->proto == PROTO_TCP && (p->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN &&
           f->has_base_seq[direction] && f->base_seq[direction] != p->seq;
}

/* Where each side began, as far as this segment tells. */
static void learn_base_seq(struct ecn_flow *f, int direction, const struct packet *p)
{
    if (!f->has_base_seq[direction]) {
        f->base_seq[direction] = p->tcp_flags & TCP_SYN ? p->seq : p->seq - 1;
        f->has_base_seq[direction] = true;
    }
    if (!f->has_base_seq[!direction] && p->tcp_flags & TCP_ACK) {
        f->base_seq[!direction] = p->ack - 1;
        f->has_base_seq[!direction] = true;
    }
}

static struct ecn_flow *flow_of(struct ecn *e, const struct packet *p, int *direction)
{
    uint32_t hash = hash_packet(e, p);
    struct ecn_slot *s = slot_find(e, p, hash, direction);
    if (s->flow != 0) {
        struct ecn_flow *f = flow_at(e, s->flow - 1);
        if (!is_reuse(f, *direction, p))
            return f;
    } else if (e->flow_count >= e->nslots / 2) {
        if (!slots_grow(e))
            return NULL;
        s = slot_find(e, p, hash, direction);
    }
    struct ecn_flow *f = flow_new(e, p);
    if (f != NULL) {
        *s = (struct ecn_slot){.hash = hash, .flow = e->flow_count};
        *direction = 0;
    }
    return f;
}

static void dir_add(struct ecn_dir *d, const struct packet *p)
{
    bool is_ack = p->proto == PROTO_TCP && p->payload_len == 0;
    (is_ack ? &d->ack : &d->data)->n[p->ecn]++;
    d->bytes += p->payload_len;
    if (p->ecn == ECN_CE && d->first_ce_frame == 0) {
        d->first_ce_frame = p->frame;
        d->first_ce_ns = p->t_ns;
    }
}

void ecn_add(struct ecn *e, const struct packet *p)
{
    if (e->frames++ == 0)
        e->first_ns = p->t_ns;
    if (p->fault == PACKET_CUT)
        e->cut++;
    else if (p->fault == PACKET_MALFORMED)
        e->malformed++;
    if (p->reach < PACKET_REACH_ECN) {
        e->not_ip += p->fault == PACKET_OK;
        return;
    }
    (p->ip_version == 4 ? &e->ipv4 : &e->ipv6)->n[p->ecn]++;
    if (p->reach < PACKET_REACH_TRANSPORT)
        return;
    int direction = 0;
    struct ecn_flow *f = flow_of(e, p, &direction);
    if (f == NULL) {
        dir_add(&e->other, p);
        return;
    }
    if (p->proto == PROTO_TCP)
        learn_base_seq(f, direction, p);
    dir_add(&f->dir[direction], p);
}

uint64_t ecn_counts_sum(const struct ecn_counts *c)
{
    return c->n[ECN_NOT_ECT] + c->n[ECN_ECT1] + c->n[ECN_ECT0] + c->n[ECN_CE];
}

double ecn_mark_ratio(const struct ecn_counts *c)
{
    uint64_t capable = c->n[ECN_ECT1] + c->n[ECN_ECT0] + c->n[ECN_CE];
    return capable == 0 ? -1 : (double)c->n[ECN_CE] / (double)capable;
}
