/* Packets on their way: out again in order of their due times, and in the order they came within a
 * class. A class is a pair of paths (path_table.h), 0 for ends that have none. */
#ifndef CCALAB_TESTBED_LINK_DELAY_LINE_H
#define CCALAB_TESTBED_LINK_DELAY_LINE_H

#include "testbed/link/packet.h"
#include "testbed/link/path_table.h"

#define DELAY_LINE_PKTS_MAX 65536

struct delay_node {
    uint64_t due_ns;
    uint64_t seq; /* ties leave as they came */
    struct packet *packet;
};

/* A zeroed line is empty and ready. */
struct delay_line {
    struct delay_node *nodes; /* a binary heap, the earliest at the top */
    size_t count, capacity;
    uint64_t next_seq;
    uint64_t last_due_ns;   /* of the class of ends without paths */
    uint64_t *class_due_ns; /* of the others; allocated with the first of them */
};

/* The packets go back to `pool`. */
void delay_line_done(struct delay_line *l, struct packet_pool *pool);
/* Take a packet that shall leave at p->due_ns, which is raised to that of the packet before it in
 * its class. `src` and `dst` are those of path_table_ends(). False if there is no room or no
 * memory: the packet is still the caller's. */
bool delay_line_push(struct delay_line *l, struct packet *p, unsigned src, unsigned dst);
/* The earliest, which stays; NULL if empty. */
struct packet *delay_line_head(const struct delay_line *l);
/* Take the earliest; the line must not be empty. */
struct packet *delay_line_pop(struct delay_line *l);

#endif
