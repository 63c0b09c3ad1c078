/* What the doctor found, host by host, from its events (docs/events.md). Thread: main only. */
#ifndef CCALAB_CONSOLE_CHECKS_H
#define CCALAB_CONSOLE_CHECKS_H

#include <stddef.h>

#include "core/event.h"

#define CHECKS_HOSTS_MAX 64

struct checks_host {
    char name[64];
    int passed, failed, unknown;
    cJSON *checks; /* the event's array */
};

struct checks_table {
    struct checks_host of[CHECKS_HOSTS_MAX]; /* those beyond are not shown */
    size_t len;
    unsigned updates; /* how many there were */
};

/* Take in an event of type checks: it replaces what was known of that host. */
void checks_table_update(struct checks_table *t, const struct event *ev);
/* NULL: not looked at yet. */
const struct checks_host *checks_table_find(const struct checks_table *t, const char *host);
void checks_table_done(struct checks_table *t);

#endif
