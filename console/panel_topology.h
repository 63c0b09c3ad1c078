/* The laboratory drawn: clients, bottlenecks, servers, with what is known of each. The hosts are
 * those of the lab that is up and those that scripts have opened. */
#ifndef CCALAB_CONSOLE_PANEL_TOPOLOGY_H
#define CCALAB_CONSOLE_PANEL_TOPOLOGY_H

#include <stdint.h>

#include "console/panel.h"
#include "console/session.h"

struct panel_topology {
    struct panel base;
    const struct session *session;
    uint64_t seen;     /* fingerprint of what is drawn */
    char selected[64]; /* name of a host, or "" */
    char note[160];
};

void panel_topology_init(struct panel_topology *p, const struct session *session);
/* Hosts change without an event: look, and become dirty if they did. Cheap. */
void panel_topology_look(struct panel_topology *p);

#endif
