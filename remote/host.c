#include "remote/host.h"

#include <stdlib.h>
#include <string.h>

struct host {
    enum host_kind kind;
    enum host_state state;
    char *name, *netns, *userns, *address;
    int jobs;
};

static struct host *host_new(enum host_kind kind, const char *name, const char *netns,
                             const char *userns, const char *address)
{
    struct host *h = calloc(1, sizeof *h);
    if (!h)
        return NULL;
    h->kind = kind;
    h->name = strdup(name);
    h->netns = netns ? strdup(netns) : NULL;
    h->userns = userns ? strdup(userns) : NULL;
    h->address = strdup(address);
    if (!h->name || !h->address || (netns && !h->netns) || (userns && !h->userns)) {
        host_free(h);
        return NULL;
    }
    return h;
}

struct host *host_local_new(const char *name)
{
    return host_new(HOST_KIND_LOCAL, name, NULL, NULL, "127.0.0.1");
}

struct host *host_netns_new(const char *name, const char *netns, const char *userns,
                            const char *address)
{
    return host_new(HOST_KIND_NETNS, name, netns, userns, address);
}

void host_free(struct host *h)
{
    if (!h)
        return;
    free(h->name);
    free(h->netns);
    free(h->userns);
    free(h->address);
    free(h);
}

static bool is_same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

bool host_is(const struct host *h, const char *name, const char *netns, const char *userns)
{
    return is_same(h->name, name) && is_same(h->netns, netns) && is_same(h->userns, userns);
}

const char *host_name(const struct host *h)
{
    return h->name;
}

const char *host_address(const struct host *h)
{
    return h->address;
}

enum host_kind host_kind(const struct host *h)
{
    return h->kind;
}

const char *host_kind_name(const struct host *h)
{
    return h->kind == HOST_KIND_LOCAL ? "local" : "netns";
}

enum host_state host_state(const struct host *h)
{
    return h->state;
}

void host_set_state(struct host *h, enum host_state state)
{
    h->state = state;
}

int host_jobs(const struct host *h)
{
    return h->jobs;
}

void host_job_count(struct host *h, int delta)
{
    h->jobs += delta;
}

enum status host_spawn(struct host *h, uv_loop_t *loop, const struct spawn_opts *opts,
                       const struct child_callbacks *cb, void *user, struct child **out,
                       struct error *err)
{
    if (h->state == HOST_STATE_DOWN)
        return error_set(err, STATUS_HOST, "host", "%s is down", h->name);
    struct spawn_opts o = *opts;
    if (h->kind == HOST_KIND_NETNS) {
        o.userns = h->userns;
        o.netns = h->netns;
        o.hostname = h->name;
    }
    return child_start(loop, &o, cb, user, out, err);
}
