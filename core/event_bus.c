#include <stdlib.h>

#include "core/event.h"

struct subscriber {
    int id; /* 0: unsubscribed during a publish, swept afterwards */
    bus_fn fn;
    void *user;
};

struct bus {
    struct subscriber *subs;
    size_t len, cap;
    int next_id;
    int depth; /* publishing */
};

struct bus *bus_new(void)
{
    struct bus *b = calloc(1, sizeof *b);
    if (b)
        b->next_id = 1;
    return b;
}

void bus_free(struct bus *b)
{
    if (b)
        free(b->subs);
    free(b);
}

int bus_subscribe(struct bus *b, bus_fn fn, void *user)
{
    if (b->len == b->cap) {
        size_t cap = b->cap ? b->cap * 2 : 8;
        struct subscriber *subs = realloc(b->subs, cap * sizeof *subs);
        if (!subs)
            return 0;
        b->subs = subs;
        b->cap = cap;
    }
    b->subs[b->len++] = (struct subscriber){b->next_id, fn, user};
    return b->next_id++;
}

static void sweep(struct bus *b)
{
    size_t kept = 0;
    for (size_t i = 0; i < b->len; i++)
        if (b->subs[i].id)
            b->subs[kept++] = b->subs[i];
    b->len = kept;
}

void bus_unsubscribe(struct bus *b, int id)
{
    for (size_t i = 0; i < b->len; i++)
        if (id && b->subs[i].id == id)
            b->subs[i].id = 0;
    if (!b->depth)
        sweep(b);
}

void bus_publish(struct bus *b, const struct event *ev)
{
    b->depth++;
    size_t n = b->len; /* those who join now see the next event */
    for (size_t i = 0; i < n; i++)
        if (b->subs[i].id)
            b->subs[i].fn(b->subs[i].user, ev);
    if (--b->depth == 0)
        sweep(b);
}
