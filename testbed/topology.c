#include "testbed/topology.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/buf.h"
#include "core/json.h"
#include "core/units.h"
#include "testbed/link/aqm_spec.h"
#include "testbed/link/options.h"

#define FILE_MAX      (256u << 10)
#define DELAY_MAX_US  10000000u
#define DEFAULT_HOSTS 3

static const struct {
    const char *name, *ifname;
    enum topology_role role;
} default_hosts[DEFAULT_HOSTS] = {
    {"client_x", "ethx", TOPOLOGY_CLIENT},
    {"client_y", "ethy", TOPOLOGY_CLIENT},
    {"server", "eths", TOPOLOGY_SERVER},
};

static const char *const role_names[] = {"client", "router", "server"};

static void default_leaves(struct topology *t)
{
    for (int i = 0; i < DEFAULT_HOSTS; i++) {
        struct topology_leaf *l = &t->leaves[i];
        *l = (struct topology_leaf){.role = default_hosts[i].role};
        snprintf(l->name, sizeof l->name, "%s", default_hosts[i].name);
        t->nclients += l->role == TOPOLOGY_CLIENT;
    }
    t->nleaves = DEFAULT_HOSTS;
}

static void default_router(struct topology *t, const struct topology_router *base)
{
    t->routers[0] = *base;
    snprintf(t->routers[0].name, sizeof t->routers[0].name, "router");
    t->nrouters = 1;
}

void topology_default(struct topology *t, const struct topology_router *router)
{
    *t = (struct topology){0};
    default_leaves(t);
    default_router(t, router);
}

/* --- parsing ---------------------------------------------------------------------------------- */

/* Where in the document we are: its name, "routers", the index in it, the key ("" for none). */
struct place {
    const char *what, *list;
    int index;
    const char *key;
    struct error *err;
};

static enum status bad(const struct place *p, const char *fmt, ...) CCALAB_PRINTF(2, 3);

static enum status bad(const struct place *p, const char *fmt, ...)
{
    char text[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    error_set(p->err, STATUS_INPUT, "testbed", "%.100s: %s[%d]%s%.40s: %s", p->what, p->list,
              p->index, p->key[0] ? "." : "", p->key, text);
    if (p->err)
        error_hint(p->err, "docs/testbed.md has the format of a topology");
    return STATUS_INPUT;
}

/* A value with the same words as on the command line: its complaint, with the place before it. */
static enum status at(const struct place *p, enum status st, const struct error *e)
{
    if (st == STATUS_OK)
        return st;
    error_set(p->err, st, "testbed", "%.100s: %s[%d].%.40s: %.300s", p->what, p->list, p->index,
              p->key, e->message);
    if (p->err)
        error_hint(p->err, "%s", e->hint);
    return st;
}

static bool name_is_valid(const char *name)
{
    size_t n = strlen(name);
    return n >= 1 && n <= TOPOLOGY_NAME_MAX && islower((unsigned char)name[0]) &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == n &&
           strcmp(name, "localhost") != 0;
}

static enum status take_text(const struct place *p, const cJSON *v, char *out, size_t size)
{
    if (!cJSON_IsString(v))
        return bad(p, "not a string");
    size_t n = strlen(v->valuestring);
    if (n == 0 || n >= size)
        return bad(p, "must have 1 to %zu characters", size - 1);
    for (size_t i = 0; i < n; i++)
        if (iscntrl((unsigned char)v->valuestring[i]))
            return bad(p, "holds a control character");
    memcpy(out, v->valuestring, n + 1);
    return STATUS_OK;
}

static enum status take_name(const struct place *p, const cJSON *v, char *out)
{
    char text[64];
    enum status st = take_text(p, v, text, sizeof text);
    if (st != STATUS_OK)
        return st;
    if (!name_is_valid(text))
        return bad(p, "'%s' is no name for a host: use [a-z][a-z0-9_]{0,14}", text);
    memcpy(out, text, strlen(text) + 1);
    return STATUS_OK;
}

static enum status take_rate(const struct place *p, const cJSON *v, uint64_t *out)
{
    struct error e = {0};
    if (!cJSON_IsString(v))
        return bad(p, "not a string: write \"50mbit\"");
    return at(p, parse_rate_bps(v->valuestring, out, &e), &e);
}

static enum status take_time(const struct place *p, const cJSON *v, uint32_t *out)
{
    struct error e = {0};
    uint64_t us = 0;
    if (!cJSON_IsString(v))
        return bad(p, "not a string: write \"10ms\"");
    enum status st = at(p, parse_time_us(v->valuestring, &us, &e), &e);
    if (st == STATUS_OK && us > DELAY_MAX_US)
        return bad(p, "'%.40s' is too long: at most 10s", v->valuestring);
    *out = (uint32_t)us;
    return st;
}

static enum status take_burst(const struct place *p, const cJSON *v, uint32_t *out)
{
    struct error e = {0};
    uint64_t us = 0;
    if (!cJSON_IsString(v))
        return bad(p, "not a string: write \"4ms\"");
    enum status st = at(p, link_options_burst(v->valuestring, &us, &e), &e);
    *out = (uint32_t)us;
    return st;
}

static enum status take_role(const struct place *p, const cJSON *v, enum topology_role *out)
{
    if (cJSON_IsString(v) && strcmp(v->valuestring, "client") == 0)
        *out = TOPOLOGY_CLIENT;
    else if (cJSON_IsString(v) && strcmp(v->valuestring, "server") == 0)
        *out = TOPOLOGY_SERVER;
    else
        return bad(p, "must be \"client\" or \"server\"");
    return STATUS_OK;
}

static enum status parse_leaf(const cJSON *o, struct place *p, struct topology_leaf *l)
{
    bool has_role = false;
    const cJSON *v;
    *l = (struct topology_leaf){0};
    cJSON_ArrayForEach(v, o)
    {
        enum status st;
        p->key = v->string;
        if (json_get(o, v->string) != v)
            return bad(p, "is there twice");
        if (strcmp(v->string, "name") == 0) {
            st = take_name(p, v, l->name);
        } else if (strcmp(v->string, "role") == 0) {
            st = take_role(p, v, &l->role);
            has_role = true;
        } else if (strcmp(v->string, "delay") == 0) {
            st = take_time(p, v, &l->delay_us);
        } else {
            st = bad(p, "unknown; a host has name, role and delay");
        }
        if (st != STATUS_OK)
            return st;
    }
    p->key = "";
    if (!l->name[0] || !has_role)
        return bad(p, "%s is missing", l->name[0] ? "role" : "name");
    return STATUS_OK;
}

static enum status take_loss(const struct place *p, const cJSON *v, double *out)
{
    if (!cJSON_IsNumber(v) || !(v->valuedouble >= 0 && v->valuedouble <= 1))
        return bad(p, "must be a number from 0 to 1");
    *out = v->valuedouble;
    return STATUS_OK;
}

static enum status take_aqm(const struct place *p, const cJSON *v, char *out)
{
    struct error e = {0};
    enum status st = take_text(p, v, out, TOPOLOGY_AQM_MAX);
    return st == STATUS_OK ? at(p, aqm_spec_check(out, &e), &e) : st;
}

static enum status parse_router(const cJSON *o, struct place *p, const struct topology_router *base,
                                struct topology_router *r)
{
    bool has_rate = false, has_up_rate = false;
    const cJSON *v;
    *r = *base;
    r->name[0] = '\0';
    cJSON_ArrayForEach(v, o)
    {
        enum status st;
        p->key = v->string;
        if (json_get(o, v->string) != v)
            return bad(p, "is there twice");
        if (strcmp(v->string, "name") == 0) {
            st = take_name(p, v, r->name);
        } else if (strcmp(v->string, "rate") == 0) {
            st = take_rate(p, v, &r->rate_bps);
            has_rate = true;
        } else if (strcmp(v->string, "up_rate") == 0) {
            st = take_rate(p, v, &r->up_rate_bps);
            has_up_rate = true;
        } else if (strcmp(v->string, "rtt") == 0) {
            st = take_time(p, v, &r->rtt_us);
        } else if (strcmp(v->string, "jitter") == 0) {
            st = take_time(p, v, &r->jitter_us);
        } else if (strcmp(v->string, "burst") == 0) {
            st = take_burst(p, v, &r->burst_us);
        } else if (strcmp(v->string, "loss") == 0) {
            st = take_loss(p, v, &r->loss);
        } else if (strcmp(v->string, "aqm") == 0) {
            st = take_aqm(p, v, r->aqm);
        } else if (strcmp(v->string, "rate_steps") == 0) {
            st = take_text(p, v, r->rate_steps, sizeof r->rate_steps);
        } else if (strcmp(v->string, "rate_trace") == 0) {
            st = take_text(p, v, r->rate_trace, sizeof r->rate_trace);
        } else if (strcmp(v->string, "up_rate_trace") == 0) {
            st = take_text(p, v, r->up_rate_trace, sizeof r->up_rate_trace);
        } else if (strcmp(v->string, "packet_log") == 0) {
            st = take_text(p, v, r->packet_log, sizeof r->packet_log);
        } else {
            st = bad(p, "unknown; a router has name, rate, up_rate, rtt, jitter, burst, loss, aqm, "
                        "rate_steps, rate_trace, up_rate_trace and packet_log");
        }
        if (st != STATUS_OK)
            return st;
    }
    p->key = "";
    if (!r->name[0])
        return bad(p, "name is missing");
    if (has_rate && !has_up_rate)
        r->up_rate_bps = r->rate_bps;
    return STATUS_OK;
}

static enum status parse_routers(const cJSON *list, struct place *p,
                                 const struct topology_router *base, struct topology *t)
{
    const cJSON *o;
    p->list = "routers";
    cJSON_ArrayForEach(o, list)
    {
        p->index = t->nrouters;
        p->key = "";
        if (t->nrouters == TOPOLOGY_ROUTERS_MAX)
            return bad(p, "at most %d routers", TOPOLOGY_ROUTERS_MAX);
        if (!cJSON_IsObject(o))
            return bad(p, "not an object");
        enum status st = parse_router(o, p, base, &t->routers[t->nrouters]);
        if (st != STATUS_OK)
            return st;
        p->key = "name";
        if (topology_find(t, t->routers[t->nrouters].name) >= 0)
            return bad(p, "'%s' is there twice", t->routers[t->nrouters].name);
        t->nrouters++;
    }
    return STATUS_OK;
}

/* The clients go before the servers, whatever the order in the document. */
static enum status parse_hosts(const cJSON *list, struct place *p, struct topology *t)
{
    int index = 0, nservers = 0;
    const cJSON *o;
    p->list = "hosts";
    cJSON_ArrayForEach(o, list)
    {
        struct topology_leaf l;
        p->index = index++;
        p->key = "";
        if (!cJSON_IsObject(o))
            return bad(p, "not an object");
        enum status st = parse_leaf(o, p, &l);
        if (st != STATUS_OK)
            return st;
        int *count = l.role == TOPOLOGY_CLIENT ? &t->nclients : &nservers;
        if (*count == TOPOLOGY_ROLE_MAX)
            return bad(p, "at most %d %ss", TOPOLOGY_ROLE_MAX, role_names[l.role]);
        p->key = "name";
        if (topology_find(t, l.name) >= 0)
            return bad(p, "'%s' is there twice", l.name);
        int to = l.role == TOPOLOGY_CLIENT ? t->nclients : t->nleaves;
        memmove(&t->leaves[to + 1], &t->leaves[to],
                (size_t)(t->nleaves - to) * sizeof t->leaves[0]);
        t->leaves[to] = l;
        t->nleaves++;
        ++*count;
    }
    p->index = index;
    p->key = "";
    if (t->nclients == 0 || nservers == 0)
        return bad(p, "a lab needs a client and a server");
    return STATUS_OK;
}

enum status topology_from_json(const cJSON *o, const char *what, const struct topology_router *base,
                               struct topology *t, struct error *err)
{
    struct place p = {.what = what, .list = "", .key = "", .err = err};
    const cJSON *v, *hosts = json_get(o, "hosts"), *routers = json_get(o, "routers");
    enum status st = STATUS_OK;

    *t = (struct topology){0};
    if (!cJSON_IsObject(o))
        return error_set(err, STATUS_INPUT, "testbed", "%.100s: not a JSON object", what);
    cJSON_ArrayForEach(v, o)
    {
        const char *fault = v != hosts && v != routers
                                ? "unknown or there twice; a topology has hosts and routers"
                            : !cJSON_IsArray(v) || !v->child ? "not a list with something in it"
                                                             : NULL;
        if (fault) {
            error_set(err, STATUS_INPUT, "testbed", "%.100s: %.40s: %s", what, v->string, fault);
            return err ? error_hint(err, "docs/testbed.md has the format of a topology")
                       : STATUS_INPUT;
        }
    }
    if (hosts)
        st = parse_hosts(hosts, &p, t);
    else
        default_leaves(t);
    if (st != STATUS_OK)
        return st;
    if (routers)
        return parse_routers(routers, &p, base, t);
    if (topology_find(t, "router") >= 0)
        return bad(&p, "no host may be called 'router' where the routers are not given");
    default_router(t, base);
    return STATUS_OK;
}

/* cJSON counts bytes; people count lines. */
static enum status parse_text(const char *text, size_t len, const char *what,
                              const struct topology_router *base, struct topology *t,
                              struct error *err)
{
    const char *end = NULL;
    cJSON *o = cJSON_ParseWithLengthOpts(text, len, &end, false);
    const char *rest = end;
    while (o && rest < text + len && isspace((unsigned char)*rest))
        rest++;
    if (!o || rest != text + len) {
        int line = 1, column = 1;
        for (const char *c = text; rest && c < rest; c++) {
            line += *c == '\n';
            column = *c == '\n' ? 1 : column + 1;
        }
        cJSON_Delete(o);
        return error_set(err, STATUS_INPUT, "testbed",
                         "%.100s: not valid JSON at line %d, "
                         "column %d",
                         what, line, column);
    }
    enum status st = topology_from_json(o, what, base, t, err);
    cJSON_Delete(o);
    return st;
}

enum status topology_load(const char *arg, const struct topology_router *base, struct topology *t,
                          struct error *err)
{
    struct buf b;
    if (arg[strspn(arg, " \t\r\n")] == '{')
        return parse_text(arg, strlen(arg), "topology", base, t, err);
    enum status st = buf_read_file(&b, arg, FILE_MAX, err);
    if (st == STATUS_OK)
        st = parse_text(b.data, b.len, arg, base, t, err);
    buf_done(&b);
    return st;
}

/* --- writing ---------------------------------------------------------------------------------- */

static void add_us(cJSON *o, const char *key, uint32_t us)
{
    char text[32];
    snprintf(text, sizeof text, "%uus", us);
    cJSON_AddStringToObject(o, key, text);
}

static void add_rate(cJSON *o, const char *key, uint64_t bps)
{
    char text[32];
    snprintf(text, sizeof text, "%llubit", (unsigned long long)bps);
    cJSON_AddStringToObject(o, key, bps ? text : "unlimited");
}

static void add_text(cJSON *o, const char *key, const char *text)
{
    if (text[0])
        cJSON_AddStringToObject(o, key, text);
}

cJSON *topology_to_json(const struct topology *t)
{
    cJSON *o = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(o, "hosts");
    for (int i = 0; i < t->nleaves; i++) {
        const struct topology_leaf *l = &t->leaves[i];
        cJSON *h = cJSON_CreateObject();
        cJSON_AddStringToObject(h, "name", l->name);
        cJSON_AddStringToObject(h, "role", role_names[l->role]);
        if (l->delay_us)
            add_us(h, "delay", l->delay_us);
        cJSON_AddItemToArray(list, h);
    }
    list = cJSON_AddArrayToObject(o, "routers");
    for (int i = 0; i < t->nrouters; i++) {
        const struct topology_router *r = &t->routers[i];
        cJSON *h = cJSON_CreateObject();
        cJSON_AddStringToObject(h, "name", r->name);
        add_rate(h, "rate", r->rate_bps);
        add_rate(h, "up_rate", r->up_rate_bps);
        add_us(h, "rtt", r->rtt_us);
        add_text(h, "aqm", r->aqm);
        if (r->jitter_us)
            add_us(h, "jitter", r->jitter_us);
        if (r->burst_us)
            add_us(h, "burst", r->burst_us);
        if (r->loss > 0)
            cJSON_AddNumberToObject(h, "loss", r->loss);
        add_text(h, "rate_steps", r->rate_steps);
        add_text(h, "rate_trace", r->rate_trace);
        add_text(h, "up_rate_trace", r->up_rate_trace);
        add_text(h, "packet_log", r->packet_log);
        cJSON_AddItemToArray(list, h);
    }
    return o;
}

/* --- nodes ------------------------------------------------------------------------------------ */

int topology_nodes(const struct topology *t)
{
    return t->nleaves + t->nrouters;
}

struct topology_node topology_node(const struct topology *t, int i)
{
    struct topology_node n = {0};
    if (i >= t->nclients && i < t->nclients + t->nrouters) {
        n.index = i - t->nclients;
        n.name = t->routers[n.index].name;
        n.role = TOPOLOGY_ROUTER;
        /* Its end of the cable towards the servers. */
        if (n.index == t->nrouters - 1)
            snprintf(n.address, sizeof n.address, "10.98.%d.1", t->nclients + 1);
        else
            snprintf(n.address, sizeof n.address, "10.98.%d.1", 200 + n.index + 1);
        return n;
    }
    n.index = i < t->nclients ? i : i - t->nrouters;
    n.name = t->leaves[n.index].name;
    n.role = t->leaves[n.index].role;
    snprintf(n.address, sizeof n.address, "10.98.%d.2", n.index + 1);
    return n;
}

int topology_find(const struct topology *t, const char *name)
{
    for (int i = 0; i < topology_nodes(t); i++)
        if (strcmp(topology_node(t, i).name, name) == 0)
            return i;
    return -1;
}

const char *topology_role_name(enum topology_role role)
{
    return role_names[role];
}

int topology_router_of(const struct topology *t, int leaf)
{
    return t->leaves[leaf].role == TOPOLOGY_CLIENT ? 0 : t->nrouters - 1;
}

void topology_ifname(const struct topology *t, int leaf, char *out, size_t size)
{
    snprintf(out, size, "eth%d", leaf + 1);
    for (int i = 0; i < DEFAULT_HOSTS; i++)
        if (strcmp(t->leaves[leaf].name, default_hosts[i].name) == 0)
            snprintf(out, size, "%s", default_hosts[i].ifname);
}
