#include "capture/flow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "capture/unacked.h"

#define SUBSYSTEM   "capture"
#define CHUNK_FLOWS 64u
#define SLOTS_MIN   1024u

/* Open addressing with linear probing; at most half full, nothing is ever removed. */
struct flow_slot {
    uint32_t hash;
    uint32_t flow; /* index + 1; 0 is empty */
};

enum status flows_init(struct flows *t, uint32_t max, struct error *err)
{
    *t = (struct flows){
        .max = max == 0 || max > FLOWS_MAX ? FLOWS_MAX : max,
        .nslots = SLOTS_MIN,
    };
    t->chunks = calloc((t->max + CHUNK_FLOWS - 1) / CHUNK_FLOWS, sizeof(*t->chunks));
    t->slots = calloc(t->nslots, sizeof(*t->slots));
    /* A seed of its own for every run: a capture made to collide must not make us quadratic. */
    ssize_t got = getrandom(t->seed, sizeof(t->seed), 0);
    if (t->chunks == NULL || t->slots == NULL) {
        flows_done(t);
        return error_set(err, STATUS_NOMEM, SUBSYSTEM, "no memory for the flow table");
    }
    if (got != (ssize_t)sizeof(t->seed)) {
        int saved = errno;
        flows_done(t);
        return error_sys(err, STATUS_INTERNAL, saved, SUBSYSTEM, "no random seed");
    }
    return STATUS_OK;
}

struct flow *flows_at(const struct flows *t, uint32_t index)
{
    return &t->chunks[index / CHUNK_FLOWS][index % CHUNK_FLOWS];
}

void flows_done(struct flows *t)
{
    for (uint32_t i = 0; i < t->count; i++) {
        free(flows_at(t, i)->side[0].unacked);
        free(flows_at(t, i)->side[1].unacked);
    }
    if (t->chunks != NULL)
        for (uint32_t i = 0; i < t->max; i += CHUNK_FLOWS)
            free(t->chunks[i / CHUNK_FLOWS]);
    free(t->chunks);
    free(t->slots);
    *t = (struct flows){0};
}

enum status flows_copy(const struct flows *from, uint32_t max, struct flows *to, size_t *bytes,
                       struct error *err)
{
    *to = *from;
    to->max = max == 0 || max > FLOWS_MAX ? FLOWS_MAX : max;
    to->count = to->unacked_total = 0;
    size_t chunks = (to->max + CHUNK_FLOWS - 1) / CHUNK_FLOWS;
    size_t slots = from->nslots * sizeof(*to->slots);
    to->chunks = calloc(chunks, sizeof(*to->chunks));
    to->slots = malloc(slots);
    if (to->chunks == NULL || to->slots == NULL)
        goto fail;
    memcpy(to->slots, from->slots, slots);
    *bytes = chunks * sizeof(*to->chunks) + slots;
    for (uint32_t i = 0; i < from->count; i++) {
        if (i % CHUNK_FLOWS == 0) {
            struct flow *chunk = calloc(CHUNK_FLOWS, sizeof(*chunk));
            if (chunk == NULL)
                goto fail;
            to->chunks[i / CHUNK_FLOWS] = chunk;
            *bytes += CHUNK_FLOWS * sizeof(*chunk);
        }
        const struct flow *f = flows_at(from, i);
        struct flow *copy = flows_at(to, i);
        *copy = *f;
        to->count++; /* from here on flows_done() sees to it */
        bool is_copied = unacked_copy(to, &f->side[0], &copy->side[0]);
        is_copied = unacked_copy(to, &f->side[1], &copy->side[1]) && is_copied;
        if (!is_copied)
            goto fail;
    }
    *bytes += to->unacked_total * sizeof(struct unacked);
    return STATUS_OK;
fail:
    flows_done(to);
    return error_set(err, STATUS_NOMEM, SUBSYSTEM, "no memory for the flow table");
}

static uint64_t mix(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t hash_endpoint(const struct flows *t, const struct flow_key *k,
                              const uint8_t addr[16], uint16_t port)
{
    uint64_t word[2];
    if (k->ip_version == 4)
        return mix(((uint64_t)get_be32(addr) << 16 | port) ^ t->seed[0], t->seed[1] | 1);
    memcpy(word, addr, 16);
    return mix(mix(word[0] ^ t->seed[0], word[1] ^ t->seed[1]) ^ port, t->seed[0] | 1);
}

/* The same for both directions: a sum does not ask who came first. */
static uint32_t hash_key(const struct flows *t, const struct flow_key *k)
{
    uint64_t sum = hash_endpoint(t, k, k->src, k->sport) + hash_endpoint(t, k, k->dst, k->dport);
    uint64_t kind = (uint64_t)k->proto << 8 | k->ip_version;
    return (uint32_t)(mix(sum ^ kind, t->seed[1] | 1) >> 16);
}

/* 0 or 1: the direction of the packet in this flow; -1: another flow's. */
static int flow_direction(const struct flow *f, const struct flow_key *k)
{
    if (f->proto != k->proto || f->ip_version != k->ip_version)
        return -1;
    if (f->port[0] == k->sport && f->port[1] == k->dport && memcmp(f->addr[0], k->src, 16) == 0 &&
        memcmp(f->addr[1], k->dst, 16) == 0)
        return 0;
    if (f->port[1] == k->sport && f->port[0] == k->dport && memcmp(f->addr[1], k->src, 16) == 0 &&
        memcmp(f->addr[0], k->dst, 16) == 0)
        return 1;
    return -1;
}

/* The slot of the packet's flow, or the empty one where it belongs. */
static struct flow_slot *slot_find(const struct flows *t, const struct flow_key *k, uint32_t hash,
                                   int *direction)
{
    uint32_t mask = t->nslots - 1;
    for (uint32_t i = hash & mask;; i = (i + 1) & mask) {
        struct flow_slot *s = &t->slots[i];
        if (s->flow == 0)
            return s;
        if (s->hash == hash) {
            *direction = flow_direction(flows_at(t, s->flow - 1), k);
            if (*direction >= 0)
                return s;
        }
    }
}

static bool slots_grow(struct flows *t)
{
    uint32_t nslots = t->nslots * 2, mask = nslots - 1;
    struct flow_slot *slots = calloc(nslots, sizeof(*slots));
    if (slots == NULL)
        return false;
    for (uint32_t i = 0; i < t->nslots; i++) {
        if (t->slots[i].flow == 0)
            continue;
        uint32_t at = t->slots[i].hash & mask;
        while (slots[at].flow != 0)
            at = (at + 1) & mask;
        slots[at] = t->slots[i];
    }
    free(t->slots);
    t->slots = slots;
    t->nslots = nslots;
    return true;
}

static struct flow *flow_new(struct flows *t, const struct flow_key *k)
{
    uint32_t index = t->count;
    if (index == t->max)
        return NULL;
    if (t->chunks[index / CHUNK_FLOWS] == NULL) {
        t->chunks[index / CHUNK_FLOWS] = calloc(CHUNK_FLOWS, sizeof(struct flow));
        if (t->chunks[index / CHUNK_FLOWS] == NULL)
            return NULL;
    }
    struct flow *f = flows_at(t, index);
    f->index = index;
    f->ip_version = k->ip_version;
    f->proto = k->proto;
    f->stream = k->proto == PROTO_TCP   ? t->tcp_streams++
                : k->proto == PROTO_UDP ? t->udp_streams++
                                        : t->sctp_streams++;
    memcpy(f->addr[0], k->src, 16);
    memcpy(f->addr[1], k->dst, 16);
    f->port[0] = k->sport;
    f->port[1] = k->dport;
    for (int d = 0; d < 2; d++) {
        f->side[d].window = UINT32_MAX;
        f->side[d].window_scale = -1;
        f->side[d].has_valid_bif = true;
        f->side[d].is_unacked_ordered = true;
    }
    t->count++;
    return f;
}

static struct flow *find_or_make(struct flows *t, const struct flow_key *k, bool is_replaced,
                                 int *direction, bool *is_new)
{
    uint32_t hash = hash_key(t, k);
    struct flow_slot *s = slot_find(t, k, hash, direction);
    *is_new = false;
    if (s->flow != 0) {
        if (!is_replaced)
            return flows_at(t, s->flow - 1);
    } else if (t->count >= t->nslots / 2) {
        if (!slots_grow(t))
            return NULL;
        s = slot_find(t, k, hash, direction);
    }
    struct flow *f = flow_new(t, k);
    if (f != NULL) {
        *s = (struct flow_slot){.hash = hash, .flow = t->count};
        *direction = 0;
        *is_new = true;
    }
    return f;
}

struct flow *flows_get(struct flows *t, const struct flow_key *key, int *direction, bool *is_new)
{
    return find_or_make(t, key, false, direction, is_new);
}

struct flow *flows_replace(struct flows *t, const struct flow_key *key)
{
    int direction;
    bool is_new;
    return find_or_make(t, key, true, &direction, &is_new);
}
