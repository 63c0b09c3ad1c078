#include "testbed/link/packet.h"

#include <stdlib.h>
#include <string.h>

#define SLAB_PKTS 128

enum status packet_pool_init(struct packet_pool *pool, size_t capacity, struct error *err)
{
    memset(pool, 0, sizeof(*pool));
    pool->slabs = calloc((capacity + SLAB_PKTS - 1) / SLAB_PKTS, sizeof(*pool->slabs));
    if (pool->slabs == NULL) {
        return error_set(err, STATUS_NOMEM, "link", "no memory for %zu packet buffers", capacity);
    }
    pool->capacity = capacity;
    return STATUS_OK;
}

void packet_pool_done(struct packet_pool *pool)
{
    for (size_t i = 0; i < (pool->touched + SLAB_PKTS - 1) / SLAB_PKTS; i++) {
        free(pool->slabs[i]);
    }
    free(pool->slabs);
    memset(pool, 0, sizeof(*pool));
}

/* A packet that was never used, NULL at the bound or without memory. */
static struct packet *take_new(struct packet_pool *pool)
{
    size_t slab = pool->touched / SLAB_PKTS;

    if (pool->touched == pool->capacity) {
        return NULL;
    }
    if (pool->touched % SLAB_PKTS == 0) {
        pool->slabs[slab] = malloc(SLAB_PKTS * sizeof(struct packet));
        if (pool->slabs[slab] == NULL) {
            return NULL;
        }
    }
    return &pool->slabs[slab][pool->touched++ % SLAB_PKTS];
}

struct packet *packet_pool_get(struct packet_pool *pool)
{
    struct packet *p = pool->free;

    /* Last in, first out: a short queue keeps to a few warm buffers. */
    if (p != NULL) {
        pool->free = p->next;
    } else if ((p = take_new(pool)) == NULL) {
        return NULL;
    }
    memset(p, 0, offsetof(struct packet, data));
    pool->in_use++;
    return p;
}

void packet_pool_put(struct packet_pool *pool, struct packet *p)
{
    p->next = pool->free;
    pool->free = p;
    pool->in_use--;
}

void packet_queue_push(struct packet_queue *q, struct packet *p)
{
    p->next = NULL;
    if (q->tail != NULL) {
        q->tail->next = p;
    } else {
        q->head = p;
    }
    q->tail = p;
    q->len_pkts++;
    q->len_bytes += p->len_bytes;
}

struct packet *packet_queue_pop(struct packet_queue *q)
{
    struct packet *p = q->head;

    if (p == NULL) {
        return NULL;
    }
    q->head = p->next;
    if (q->head == NULL) {
        q->tail = NULL;
    }
    p->next = NULL;
    q->len_pkts--;
    q->len_bytes -= p->len_bytes;
    return p;
}
