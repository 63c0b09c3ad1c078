/* A real OpenSSH server on every host, with keys of the lab's own (`--sshd`). Reached without any
 * network between this machine and the lab: `ssh -F <runtime>/<lab>/ssh/config client_x`, whose
 * ProxyCommand is `ccalab testbed dial`. */
#ifndef CCALAB_TESTBED_SSHD_H
#define CCALAB_TESTBED_SSHD_H

#include <stdbool.h>

#include "core/error.h"
#include "core/loop.h"
#include "testbed/topology.h"

struct sshd {
    struct child *child; /* NULL before its start and after its end */
    bool is_listening;
    char last_line[200]; /* that it said */
};

/* Are we root, and sshd and ssh-keygen installed? Errors: STATUS_UNAVAILABLE naming the package. */
CCALAB_MUST_USE enum status sshd_check(struct error *err);
/* Keys, configurations and the list of host keys, in <runtime>/<lab>/ssh. Errors: STATUS_IO,
 * STATUS_HOST (ssh-keygen). */
CCALAB_MUST_USE enum status sshd_prepare(const char *lab, const struct topology *t,
                                         struct error *err);
/* Start the server of one host: `ccalab testbed shell HOST -- sshd`, so that its sessions see what
 * a shell there sees. *s must not move. Errors: those of child_start(). */
CCALAB_MUST_USE enum status sshd_start(struct sshd *s, uv_loop_t *loop, const char *lab,
                                       const struct topology_node *n, struct error *err);

#endif
