/* The hosts of the lab and the wires between them (docs/testbed.md has the picture).
 *
 * Built with ip(8) in batches and nft(8); removed by sweep_lab(). */
#ifndef CCALAB_TESTBED_TOPOLOGY_H
#define CCALAB_TESTBED_TOPOLOGY_H

#include "core/error.h"

/* The bottleneck's devices inside the router: ccalab-link's --a (towards the clients) and --b. */
#define TOPOLOGY_TUN_A "bn0"
#define TOPOLOGY_TUN_B "bn1"

/* What building needs of this machine: root, /dev/net/tun, ip, nft. Errors: STATUS_UNAVAILABLE
 * with what is missing and the package to install. */
CCALAB_MUST_USE enum status topology_check(struct error *err);
/* The four namespaces with loopback and their sysctls. Errors: STATUS_HOST. */
CCALAB_MUST_USE enum status topology_add_hosts(const char *lab, struct error *err);
/* Cables, addresses, default routes, and the rule that marks Prague's packets ECT(1). */
CCALAB_MUST_USE enum status topology_add_links(const char *lab, struct error *err);
/* The router's way through the bottleneck; both TUN devices must exist. */
CCALAB_MUST_USE enum status topology_add_routes(const char *lab, struct error *err);

#endif
