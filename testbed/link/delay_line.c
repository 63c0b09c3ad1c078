#include "testbed/link/delay_line.h"

#include <stdlib.h>
#include <string.h>

#define CLASSES ((PATHS_MAX + 1) * (PATHS_MAX + 1))

static bool is_before(const struct delay_node *a, const struct delay_node *b)
{
    return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->seq < b->seq;
}

static bool reserve(struct delay_line *l)
{
    size_t capacity = l->capacity != 0 ? l->capacity * 2 : 1024;
    struct delay_node *nodes;

    if (l->count < l->capacity) {
        return true;
    }
    if (l->count >= DELAY_LINE_PKTS_MAX ||
        (nodes = realloc(l->nodes, capacity * sizeof(*nodes))) == NULL) {
        return false;
    }
    l->nodes = nodes;
    l->capacity = capacity;
    return true;
}

static uint64_t *last_due(struct delay_line *l, unsigned src, unsigned dst)
{
    if (src == 0 && dst == 0) {
        return &l->last_due_ns;
    }
    if (l->class_due_ns == NULL) {
        l->class_due_ns = calloc(CLASSES, sizeof(*l->class_due_ns));
    }
    return l->class_due_ns != NULL ? &l->class_due_ns[src * (PATHS_MAX + 1) + dst] : NULL;
}

void delay_line_done(struct delay_line *l, struct packet_pool *pool)
{
    for (size_t i = 0; i < l->count; i++) {
        packet_pool_put(pool, l->nodes[i].packet);
    }
    free(l->nodes);
    free(l->class_due_ns);
    memset(l, 0, sizeof(*l));
}

bool delay_line_push(struct delay_line *l, struct packet *p, unsigned src, unsigned dst)
{
    uint64_t *last_ns = last_due(l, src, dst);
    struct delay_node node;
    size_t i;

    if (last_ns == NULL || !reserve(l)) {
        return false;
    }
    if (p->due_ns < *last_ns) {
        p->due_ns = *last_ns;
    }
    *last_ns = p->due_ns;
    node = (struct delay_node){.due_ns = p->due_ns, .seq = l->next_seq++, .packet = p};
    for (i = l->count++; i > 0 && is_before(&node, &l->nodes[(i - 1) / 2]); i = (i - 1) / 2) {
        l->nodes[i] = l->nodes[(i - 1) / 2];
    }
    l->nodes[i] = node;
    return true;
}

struct packet *delay_line_head(const struct delay_line *l)
{
    return l->count != 0 ? l->nodes[0].packet : NULL;
}

struct packet *delay_line_pop(struct delay_line *l)
{
    struct packet *p = l->nodes[0].packet;
    struct delay_node last = l->nodes[--l->count];
    size_t i = 0, child;

    while ((child = 2 * i + 1) < l->count) {
        if (child + 1 < l->count && is_before(&l->nodes[child + 1], &l->nodes[child])) {
            child++;
        }
        if (!is_before(&l->nodes[child], &last)) {
            break;
        }
        l->nodes[i] = l->nodes[child];
        i = child;
    }
    l->nodes[i] = last; /* an empty line gets its own old top, which is out of count */
    return p;
}
