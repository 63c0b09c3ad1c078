#include "console/past_runs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/log.h"
#include "core/run_series.h"

#define SERIES_MAX 1024

void past_runs_done(struct past_runs *p)
{
    for (size_t i = 0; i < p->len; i++)
        free(p->of[i].dir);
    free(p->of);
    *p = (struct past_runs){0};
}

static bool was_marked(const struct past_runs *p, const char *id)
{
    for (size_t i = 0; i < p->len; i++)
        if (!strcmp(p->of[i].id, id))
            return p->of[i].is_marked;
    return false;
}

static void copy(char *out, size_t size, const cJSON *item, const char *key)
{
    log_escape(json_str(item, key, ""), out, size);
}

static void fill(struct past_run *run, const cJSON *item)
{
    snprintf(run->id, sizeof run->id, "%s", json_str(item, "id", ""));
    run->dir = strdup(json_str(item, "dir", ""));
    copy(run->status, sizeof run->status, item, "status");
    copy(run->started, sizeof run->started, item, "started");
    copy(run->figures, sizeof run->figures, item, "figures");
    if (!run->figures[0])
        copy(run->figures, sizeof run->figures, item, "message");
    copy(run->took, sizeof run->took, item, "took");
}

enum status past_runs_read(struct past_runs *p, struct script *script, struct error *err)
{
    struct past_runs now = {0};
    const cJSON *item;
    cJSON *list;
    enum status st = script_ask(script, "runs", NULL, &list, err);
    size_t n;

    if (st != STATUS_OK)
        return st;
    n = (size_t)cJSON_GetArraySize(list);
    now.of = calloc(n + 1, sizeof *now.of);
    if (!now.of) {
        cJSON_Delete(list);
        return error_set(err, STATUS_NOMEM, "runs", "out of memory");
    }
    cJSON_ArrayForEach(item, list)
    {
        struct past_run *run = &now.of[n - 1 - now.len++];

        fill(run, item);
        run->is_marked = was_marked(p, run->id);
    }
    cJSON_Delete(list);
    past_runs_done(p);
    *p = now;
    return STATUS_OK;
}

cJSON *past_runs_chosen(const struct past_runs *p, const struct past_run *selected)
{
    cJSON *ids = cJSON_CreateArray();

    for (size_t i = 0; i < p->len; i++)
        if (p->of[i].is_marked)
            cJSON_AddItemToArray(ids, cJSON_CreateString(p->of[i].id));
    if (cJSON_GetArraySize(ids))
        return ids;
    for (size_t i = 0; i < p->len; i++)
        if (!selected || selected == &p->of[i])
            cJSON_AddItemToArray(ids, cJSON_CreateString(p->of[i].id));
    return ids;
}

/* The values of the windows, or those of everything else. */
static void add_flows(struct flow_table *flows, const struct series_set *set, bool is_first)
{
    for (const struct series *s = set->first; s; s = s->next) {
        const char *slash = strrchr(s->name, '/');
        char src[SERIES_NAME_MAX];

        if (!slash || !strcmp(slash + 1, "cwnd_bytes") != is_first)
            continue;
        snprintf(src, sizeof src, "%.*s", (int)(slash - s->name), s->name);
        for (size_t i = 0; i < s->len; i++)
            if (!flow_table_add(flows, src, slash + 1, s->v[i]))
                break;
    }
}

enum status past_run_samples(const struct past_run *run, struct series_set *series,
                             struct flow_table *flows, struct error *err)
{
    enum status st;

    series_set_done(series);
    series_set_init(series, SERIES_MAX);
    flow_table_clear(flows);
    st = run_series_read(run->dir, series, err);
    add_flows(flows, series, true); /* by its window a flow is known */
    add_flows(flows, series, false);
    return st;
}
