#include "testbed/link/packet.h"

#include <stdlib.h>
#include <string.h>

enum status packet_pool_init(struct packet_pool *pool, size_t capacity, struct error *err)
{
    memset(pool, 0, sizeof(*pool));
    pool->slots = calloc(capacity, sizeof(*pool->slots));
    if (pool->slots == NULL) {
        error_set(err, STATUS_NOMEM, "link", "no memory for %zu packet buffers", capacity);
        return error_hint(err, "use a smaller --limit or --delay");
    }
    pool->capacity = capacity;
    return STATUS_OK;
}

void packet_pool_done(struct packet_pool *pool)
{
    free(pool->slots);
    memset(pool, 0, sizeof(*pool));
}

struct packet *packet_pool_get(struct packet_pool *pool)
{
    struct packet *p = pool->free;

    /* Last in, first out: a short queue keeps to a few warm buffers. */
    if (p != NULL) {
        pool->free = p->next;
    } else if (pool->touched < pool->capacity) {
        p = &pool->slots[pool->touched++];
    } else {
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
