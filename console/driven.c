#include "console/driven.h"

#include <math.h>
#include <string.h>

#include "core/json.h"

#define SRC_ALL   "drive"
#define SRC_FLOWS "drive/"

static const char *const flow_values[DRIVEN_VALUES] = {
#define X(id, name) [DRIVEN_##id] = name,
    DRIVEN_FLOW_VALUES(X)
#undef X
};
static const char *const totals[DRIVEN_ALL_VALUES] = {
#define X(id, name) [DRIVEN_ALL_##id] = name,
    DRIVEN_TOTALS(X)
#undef X
};

/* "lua:own.lua" of "lua:/home/me/own.lua", "model:best" of "model:runs/best/". */
static void set_policy(struct driven *d, const char *policy)
{
    size_t kind = strcspn(policy, ":"), len = strlen(policy), from;

    kind += policy[kind] == ':';
    while (len > kind + 1 && policy[len - 1] == '/')
        len--;
    for (from = len; from > kind && policy[from - 1] != '/';)
        from--;
    char text[sizeof d->policy];
    snprintf(text, sizeof text, "%.*s%.*s", (int)kind, policy, (int)(len - from), policy + from);
    log_escape(text, d->policy, sizeof d->policy);
}

static void go_up(struct driven *d, const char *job, const cJSON *data)
{
    unsigned updates = d->updates;

    *d = (struct driven){.is_up = true,
                         .target_scale = json_num(data, "target_return_scale", NAN),
                         .updates = updates + 1};
    snprintf(d->job, sizeof d->job, "%s", job);
    set_policy(d, json_str(data, "policy", ""));
    for (int i = 0; i < DRIVEN_ALL_VALUES; i++)
        d->total[i] = NAN;
}

void driven_down(struct driven *d)
{
    *d = (struct driven){.updates = d->updates + 1};
}

static size_t oldest(const struct driven *d)
{
    size_t at = 0;

    for (size_t i = 1; i < d->len; i++)
        if (d->flow[i].t < d->flow[at].t)
            at = i;
    return at;
}

static void forget(struct driven *d, size_t at)
{
    d->len--;
    memmove(&d->flow[at], &d->flow[at + 1], (d->len - at) * sizeof *d->flow);
}

static struct driven_flow *flow_of(struct driven *d, const char *src)
{
    for (size_t i = 0; i < d->len; i++)
        if (!strcmp(d->flow[i].src, src))
            return &d->flow[i];
    if (d->has_ended)
        d->len = 0;
    if (d->len == DRIVEN_FLOWS_MAX)
        forget(d, oldest(d));
    snprintf(d->flow[d->len].src, sizeof d->flow->src, "%s", src);
    return &d->flow[d->len++];
}

static bool sample(struct driven *d, const struct event *ev)
{
    const cJSON *values = json_get(ev->body, "values");

    if (!strncmp(ev->src, SRC_FLOWS, strlen(SRC_FLOWS)) && strlen(ev->src) < SERIES_NAME_MAX) {
        struct driven_flow *f = flow_of(d, ev->src);

        f->t = ev->t;
        for (int i = 0; i < DRIVEN_VALUES; i++)
            f->value[i] = json_num(values, flow_values[i], NAN);
        d->target_scale = f->value[DRIVEN_TARGET_SCALE];
        d->has_ended = false;
    } else if (!strcmp(ev->src, SRC_ALL)) {
        double open = json_num(values, "flows", NAN);

        for (int i = 0; i < DRIVEN_ALL_VALUES; i++)
            d->total[i] = json_num(values, totals[i], NAN);
        while (d->len > 1 && (double)d->len > open)
            forget(d, oldest(d)); /* the last one stays to be looked at */
        d->has_ended = open == 0;
    } else {
        return false;
    }
    d->updates++;
    return true;
}

bool driven_event(struct driven *d, const struct event *ev)
{
    const cJSON *data = json_get(ev->body, "data");
    const char *state = json_str(data, "state", "");
    bool is_ours = d->is_up && !strncmp(d->job, ev->job, sizeof d->job - 1);

    if (ev->type == EVENT_SAMPLE)
        return is_ours && sample(d, ev);
    if (ev->type != EVENT_RESULT)
        return false;
    if (!strcmp(state, "up") && !strcmp(json_str(data, "cc", ""), "netllm"))
        go_up(d, ev->job, data);
    else if (!strcmp(state, "down") && is_ours)
        driven_down(d);
    else
        return false;
    return true;
}
