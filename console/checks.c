#include "console/checks.h"

#include <stdio.h>
#include <string.h>

#include "core/json.h"

const struct checks_host *checks_table_find(const struct checks_table *t, const char *host)
{
    for (size_t i = 0; i < t->len; i++)
        if (!strncmp(t->of[i].name, host, sizeof t->of[i].name - 1))
            return &t->of[i];
    return NULL;
}

void checks_table_update(struct checks_table *t, const struct event *ev)
{
    const char *name = json_str(ev->body, "host", "");
    struct checks_host *h = (struct checks_host *)checks_table_find(t, name);
    const cJSON *check;

    if (!h && t->len < CHECKS_HOSTS_MAX)
        h = &t->of[t->len++];
    if (!h)
        return;
    cJSON_Delete(h->checks);
    *h = (struct checks_host){.checks = cJSON_Duplicate(json_get(ev->body, "checks"), true)};
    snprintf(h->name, sizeof h->name, "%s", name);
    cJSON_ArrayForEach(check, h->checks)
    {
        const char *verdict = json_str(check, "verdict", "");

        h->passed += !strcmp(verdict, "pass");
        h->failed += !strcmp(verdict, "fail");
        h->unknown += !strcmp(verdict, "unknown");
    }
    t->updates++;
}

void checks_table_done(struct checks_table *t)
{
    for (size_t i = 0; i < t->len; i++)
        cJSON_Delete(t->of[i].checks);
    *t = (struct checks_table){0};
}
