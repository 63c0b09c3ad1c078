#include "console/lab_map.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/json.h"

static const char *const roles[] = {
    [LAB_ROLE_CLIENT] = "client",
    [LAB_ROLE_ROUTER] = "router",
    [LAB_ROLE_SERVER] = "server",
    [LAB_ROLE_OTHER] = "",
};

const char *lab_role_name(enum lab_role role)
{
    return roles[role];
}

enum lab_role lab_role_of_name(const char *name)
{
    for (int i = LAB_ROLE_CLIENT; i < LAB_ROLE_OTHER; i++)
        if (!strncmp(name, roles[i], strlen(roles[i])))
            return (enum lab_role)i;
    return LAB_ROLE_OTHER;
}

static void text_of(const cJSON *o, const char *key, char *out, size_t size)
{
    log_escape(json_str(o, key, ""), out, size);
}

static double number_of(const cJSON *o, const char *key)
{
    return json_num(o, key, NAN);
}

static void add_host(struct lab_map *m, const cJSON *host, const char *name)
{
    struct lab_map_host *h = &m->host[m->hosts];
    const char *role = json_str(host, "role", "");

    if (m->hosts == LAB_MAP_HOSTS_MAX)
        return;
    log_escape(name, h->name, sizeof h->name);
    text_of(host, "address", h->address, sizeof h->address);
    h->delay_us = json_num(host, "delay_us", 0);
    h->role = lab_role_of_name(*role ? role : name);
    m->hosts++;
}

static void add_link(struct lab_map *m, const cJSON *router)
{
    struct lab_map_link *l = &m->link[m->links];
    const cJSON *link = json_get(router, "link");

    if (m->links == LAB_MAP_ROUTERS_MAX)
        return;
    text_of(router, "name", l->router, sizeof l->router);
    text_of(router, "egress", l->egress, sizeof l->egress);
    text_of(link, "aqm", l->aqm, sizeof l->aqm);
    snprintf(l->src, sizeof l->src, m->links ? "link.%s/down" : "link/down", l->router);
    l->rate_bps = number_of(link, "rate_bps");
    l->up_rate_bps = number_of(link, "up_rate_bps");
    l->rtt_us = number_of(link, "rtt_us");
    if (isnan(l->rtt_us))
        l->rtt_us = 2 * number_of(link, "delay_us");
    l->jitter_us = number_of(link, "jitter_us");
    l->loss = number_of(link, "loss");
    m->links++;
}

static void go_up(struct lab_map *m, const char *job, const cJSON *data)
{
    const cJSON *hosts = json_get(data, "hosts"), *rung = json_get(data, "rung"), *each;
    unsigned updates = m->updates;
    char rung_name[32];

    *m = (struct lab_map){.is_up = true, .updates = updates + 1};
    text_of(data, "name", m->name, sizeof m->name);
    snprintf(m->job, sizeof m->job, "%s", job);
    if (rung) {
        text_of(rung, "name", rung_name, sizeof rung_name);
        snprintf(m->rung, sizeof m->rung, "%.0f, %s", json_num(rung, "number", 0), rung_name);
    }
    text_of(json_get(data, "prague"), "label", m->prague, sizeof m->prague);
    /* In the order of `names`: that of an object is nobody's. */
    cJSON_ArrayForEach(each, json_get(data, "names"))
    {
        const cJSON *host = cJSON_IsString(each) ? json_get(hosts, each->valuestring) : NULL;

        if (host)
            add_host(m, host, each->valuestring);
    }
    cJSON_ArrayForEach(each, json_get(data, "routers")) add_link(m, each);
}

static void sample(struct lab_map *m, const struct event *ev)
{
    const cJSON *values = json_get(ev->body, "values");

    for (size_t i = 0; i < m->links; i++) {
        struct lab_map_link *l = &m->link[i];

        if (strcmp(l->src, ev->src))
            continue;
        l->seen_t = ev->t;
        l->delay_l_us = number_of(values, "delay_l_us");
        l->delay_c_us = number_of(values, "delay_c_us");
        l->prob = number_of(values, "prob");
        l->backlog_pkts = number_of(values, "backlog_pkts");
        l->used_bps = number_of(values, "rate_bps");
        m->updates++;
    }
}

void lab_map_event(struct lab_map *m, const struct event *ev)
{
    const cJSON *data = json_get(ev->body, "data");
    const char *state = json_str(data, "state", "");

    if (ev->type == EVENT_SAMPLE)
        sample(m, ev);
    if (ev->type != EVENT_RESULT)
        return;
    /* What keeps a lab says so with the lab's name and its hosts. */
    if (!strcmp(state, "up") && json_str(data, "name", NULL) && json_get(data, "hosts"))
        go_up(m, ev->job, data);
    else if (!strcmp(state, "down") && m->is_up && !strcmp(m->job, ev->job))
        lab_map_down(m);
}

void lab_map_down(struct lab_map *m)
{
    *m = (struct lab_map){.updates = m->updates + 1};
}

const struct lab_map_host *lab_map_host(const struct lab_map *m, const char *name)
{
    for (size_t i = 0; i < m->hosts; i++)
        if (!strcmp(m->host[i].name, name))
            return &m->host[i];
    return NULL;
}
