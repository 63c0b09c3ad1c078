/* The hosts that scripts have opened: name, kind, state, address, running jobs, and what the doctor
 * found; zoomed, with what it wants and how to get it. */
#ifndef CCALAB_CONSOLE_PANEL_HOSTS_H
#define CCALAB_CONSOLE_PANEL_HOSTS_H

#include <stdint.h>

#include "console/panel.h"
#include "console/session.h"

struct panel_hosts {
    struct panel base;
    const struct session *session;
    uint64_t seen; /* fingerprint of what is drawn */
};

void panel_hosts_init(struct panel_hosts *p, const struct session *session);
/* Hosts change without an event: look, and become dirty if they did. Cheap. */
void panel_hosts_look(struct panel_hosts *p);

#endif
