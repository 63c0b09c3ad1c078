/* Packets of the link: a bounded pool of preallocated buffers, and FIFO queues of them. */
#ifndef CCALAB_TESTBED_LINK_PACKET_H
#define CCALAB_TESTBED_LINK_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

#define LINK_MTU_BYTES   1500 /* of the TUN devices, the kernel's default */
#define PACKET_BYTES_MAX 2048 /* longer ones are cut by read(2), and then dropped as malformed */

struct packet {
    struct packet *next; /* in its queue, or in the pool's list of free buffers */
    uint64_t enqueue_ns; /* when the AQM took it */
    uint64_t due_ns;     /* when it must leave the delay line */
    uint32_t len_bytes;
    uint8_t ecn;   /* enum ecn, on arrival */
    bool is_l;     /* in the low-latency queue (DualPI2) */
    bool has_step; /* the step threshold applies to it (DualPI2, min_qlen_step) */
    uint8_t data[PACKET_BYTES_MAX];
};

/* Memory is taken a slab at a time when it is first needed: a large capacity costs nothing. */
struct packet_pool {
    struct packet **slabs;
    size_t capacity; /* packets at most */
    size_t touched;  /* packets that have been handed out at least once */
    struct packet *free;
    size_t in_use;
};

/* Errors: STATUS_NOMEM. */
CCALAB_MUST_USE enum status packet_pool_init(struct packet_pool *pool, size_t capacity,
                                             struct error *err);
/* Every packet of it becomes invalid, wherever it is. */
void packet_pool_done(struct packet_pool *pool);
/* A buffer with all fields but data cleared, or NULL when all are in use. */
struct packet *packet_pool_get(struct packet_pool *pool);
/* Give it back; it must be in no queue. */
void packet_pool_put(struct packet_pool *pool, struct packet *p);

struct packet_queue {
    struct packet *head, *tail;
    size_t len_pkts;
    uint64_t len_bytes;
};

/* A zeroed queue is empty and ready. */
void packet_queue_push(struct packet_queue *q, struct packet *p);
/* NULL if empty. */
struct packet *packet_queue_pop(struct packet_queue *q);

#endif
