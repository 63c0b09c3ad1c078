/* The flows that a policy drives, as text: what it saw, what it chose, what the kernel did. Thread:
 * main only. */
#ifndef CCALAB_CONSOLE_PANEL_DRIVEN_H
#define CCALAB_CONSOLE_PANEL_DRIVEN_H

#include "console/driven.h"
#include "console/panel_text.h"

struct panel_driven {
    struct panel_text lines;
    struct driven driven;
    size_t selected; /* flow, by the line that was selected last */
    unsigned seen;   /* of driven.updates, when the lines were made */
    char note[128];  /* lines.base.note points here */
};

void panel_driven_init(struct panel_driven *p);
void panel_driven_done(struct panel_driven *p);
/* Is there anything to show? */
bool panel_driven_has_flows(const struct panel_driven *p);
/* The rows that all of it needs, with the title. */
int panel_driven_rows(const struct panel_driven *p);
/* After each round of the loop: make the lines anew where something has come, and notice that the
 * job is gone. True: flows have come or gone. */
bool panel_driven_look(struct panel_driven *p);
/* The flow of the line that was selected last; NULL: there are none. */
const struct driven_flow *panel_driven_selected(struct panel_driven *p);

#endif
