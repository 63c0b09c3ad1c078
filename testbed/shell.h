/* A shell on a host of the lab: its network namespace, its host name, an /etc/hosts with the lab's
 * names and, in a router, a tc that speaks to the bottleneck. */
#ifndef CCALAB_TESTBED_SHELL_H
#define CCALAB_TESTBED_SHELL_H

#include "core/error.h"
#include "testbed/options.h"
#include "testbed/topology.h"

/* What the lab's shells need, in its directory: hosts, bashrc and bin/tc. For the keeper.
 * Errors: STATUS_IO. */
CCALAB_MUST_USE enum status shell_prepare(const char *lab, const struct topology *t,
                                          struct error *err);

/* `ccalab testbed shell HOST [-- CMD...]`: become $SHELL (/bin/sh without one), or CMD, there. Only
 * returns with an error: STATUS_FAIL (no such lab, no such host), STATUS_HOST, STATUS_UNAVAILABLE
 * (no such command). The exit status is otherwise the command's own.
 * Sets CCALAB_LAB, CCALAB_HOST, PRAGUE (the name to give to -C, if there is one), PS1 and PATH. */
enum status shell_run(const struct testbed_options *o, struct error *err);

/* `ccalab testbed dial HOST PORT`: connect to that port of the host from within its own namespace,
 * and pass on what comes, between it and stdin and stdout (ProxyCommand of ssh_config(5)).
 * No route from this machine into the lab is needed. Errors: STATUS_FAIL, STATUS_HOST. */
CCALAB_MUST_USE enum status shell_dial(const struct testbed_options *o, struct error *err);

#endif
