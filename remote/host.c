#include "remote/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/paths.h"

#define ENV_MAX  64
#define ARGS_MAX 256

struct host {
    enum host_kind kind;
    enum host_state state;
    char *name, *netns, *userns, *address, *bin;
    int jobs;
    struct ssh_link *link;
    struct error why;
    void (*watch)(void *user, struct host *h);
    void *watch_user;
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

struct host *host_local_new(const char *name, const char *address)
{
    return host_new(HOST_KIND_LOCAL, name, NULL, NULL, address);
}

struct host *host_netns_new(const char *name, const char *netns, const char *userns,
                            const char *address, const char *bin)
{
    struct host *h = host_new(HOST_KIND_NETNS, name, netns, userns, address);
    if (h && bin && !(h->bin = strdup(bin))) {
        host_free(h);
        return NULL;
    }
    return h;
}

static void on_link_state(void *user, enum ssh_link_state state, const struct error *why)
{
    struct host *h = user;
    h->state = state == SSH_LINK_UP     ? HOST_STATE_UP
               : state == SSH_LINK_DOWN ? HOST_STATE_DOWN
                                        : HOST_STATE_CONNECTING;
    h->why = *why;
    if (h->watch)
        h->watch(h->watch_user, h);
}

enum status host_ssh_new(const char *name, const char *address, uv_loop_t *loop,
                         const struct ssh_opts *opts, struct host **out, struct error *err)
{
    struct host *h = host_new(HOST_KIND_SSH, name, NULL, NULL, address ? address : "");
    if (!h)
        return error_set(err, STATUS_NOMEM, "ssh", "out of memory");
    h->state = HOST_STATE_CONNECTING;
    enum status st = ssh_link_new(name, loop, opts, on_link_state, h, &h->link, err);
    if (st == STATUS_OK)
        *out = h;
    else
        host_free(h);
    return st;
}

void host_free(struct host *h)
{
    if (!h)
        return;
    if (h->link)
        ssh_link_free(h->link);
    free(h->name);
    free(h->netns);
    free(h->userns);
    free(h->address);
    free(h->bin);
    free(h);
}

static bool is_same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

bool host_is(const struct host *h, const char *name, const char *netns, const char *userns)
{
    return h->kind != HOST_KIND_SSH && is_same(h->name, name) && is_same(h->netns, netns) &&
           is_same(h->userns, userns);
}

const char *host_name(const struct host *h)
{
    return h->name;
}

const char *host_address(const struct host *h)
{
    return h->address[0] || !h->link ? h->address : ssh_link_address(h->link);
}

const char *host_netns(const struct host *h)
{
    return h->netns;
}

const char *host_userns(const struct host *h)
{
    return h->userns;
}

const char *host_bin(const struct host *h)
{
    return h->bin;
}

enum host_kind host_kind(const struct host *h)
{
    return h->kind;
}

const char *host_kind_name(const struct host *h)
{
    static const char *const names[] = {"local", "netns", "ssh"};
    return names[h->kind];
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

const struct error *host_why(const struct host *h)
{
    return &h->why;
}

void host_watch(struct host *h, void (*fn)(void *user, struct host *h), void *user)
{
    h->watch = fn;
    h->watch_user = user;
}

struct ssh_link *host_link(struct host *h)
{
    return h->link;
}

/* With `bin` first: in $PATH, for what a script there calls, and for the command itself. */
static enum status spawn_in_netns(struct host *h, uv_loop_t *loop, const struct spawn_opts *opts,
                                  const struct process_callbacks *cb, void *user,
                                  struct process **out, struct error *err)
{
    struct spawn_opts o = *opts;
    const char *env[ENV_MAX + 2] = {NULL}, *argv[ARGS_MAX + 1] = {NULL};
    char own[CCALAB_PATH_MAX], path[2 * CCALAB_PATH_MAX];
    const char *old = getenv("PATH");
    size_t n = 0;
    o.userns = h->userns;
    o.netns = h->netns;
    o.hostname = h->name;
    if (h->bin) {
        for (; n < ENV_MAX && opts->env && opts->env[n]; n++)
            env[n] = opts->env[n];
        snprintf(path, sizeof path, "PATH=%s:%s", h->bin, old ? old : "/usr/bin:/bin");
        env[n] = path;
        o.env = env;
        for (n = 1; n < ARGS_MAX && opts->argv[n]; n++)
            argv[n] = opts->argv[n];
        argv[0] = own;
        if (n < ARGS_MAX && !strchr(opts->argv[0], '/') &&
            path_join(own, sizeof own, h->bin, opts->argv[0]) && access(own, X_OK) == 0)
            o.argv = argv;
    }
    return process_local_start(loop, &o, cb, user, out, err);
}

enum status host_spawn(struct host *h, uv_loop_t *loop, const struct spawn_opts *opts,
                       const struct process_callbacks *cb, void *user, struct process **out,
                       struct error *err)
{
    if (h->state != HOST_STATE_UP)
        return error_set(err, STATUS_HOST, "host", "%s is %s%s%s", h->name,
                         h->state == HOST_STATE_DOWN ? "down" : "not connected yet",
                         h->why.status != STATUS_OK ? ": " : "", h->why.message);
    if (h->kind == HOST_KIND_SSH)
        return ssh_link_exec(h->link, opts, cb, user, out, err);
    if (h->kind == HOST_KIND_NETNS)
        return spawn_in_netns(h, loop, opts, cb, user, out, err);
    return process_local_start(loop, opts, cb, user, out, err);
}
