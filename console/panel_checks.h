/* What the checks of the hosts have found: what failed first, with what was seen and wanted and how
 * to get it. */
#ifndef CCALAB_CONSOLE_PANEL_CHECKS_H
#define CCALAB_CONSOLE_PANEL_CHECKS_H

#include "console/checks.h"
#include "console/panel_text.h"

struct panel_checks {
    struct panel_text lines;
    const struct checks_table *checks;
    unsigned seen; /* checks->updates, as it is shown */
    char note[64];
};

void panel_checks_init(struct panel_checks *p, const struct checks_table *checks);
void panel_checks_done(struct panel_checks *p);
/* There may be others: become dirty if there are. Cheap. */
void panel_checks_look(struct panel_checks *p);
/* To the checks of that host, if there are any. */
void panel_checks_select(struct panel_checks *p, const char *host);

#endif
