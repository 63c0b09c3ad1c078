/* Tidy-up: everything of a lab that the kernel still knows, whoever left it behind. */
#ifndef CCALAB_TESTBED_SWEEP_H
#define CCALAB_TESTBED_SWEEP_H

#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"
#include "testbed/topology.h"

struct sweep_report {
    int processes;  /* killed */
    int namespaces; /* removed */
};

/* Does one of the namespaces that this lab would have exist? Its name goes to `out`. */
bool sweep_finds_namespace(const char *lab, const struct topology *t, char *out, size_t size);
/* SIGKILL every process in the lab's namespaces (those of its state file; without one, those of the
 * default topology; where a user's keeper was killed, those that are verifiably the same), and the
 * keeper and the ccalab-links of the state file if they are verifiably those and not this process;
 * remove the namespaces. The devices, routes and rules go with them. The caller holds the lab's
 * lock; lab.json stays (lab_remove_dir() when this worked). Doing it twice is the same as once.
 * *report adds up. Errors: STATUS_HOST (this process is itself inside the lab, a process will not
 * die, a namespace cannot be removed): what could be removed is. */
CCALAB_MUST_USE enum status sweep_lab(const char *lab, struct sweep_report *report,
                                      struct error *err);

#endif
