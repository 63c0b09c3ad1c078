/* Building a lab: the namespaces and the wires between them (docs/testbed.md has the picture).
 *
 * Built with ip(8) in batches and nft(8); removed by sweep_lab(). */
#ifndef CCALAB_TESTBED_BUILD_H
#define CCALAB_TESTBED_BUILD_H

#include "core/error.h"
#include "testbed/topology.h"

/* The bottleneck's devices inside a router: ccalab-link's --a (towards the clients) and --b. */
#define BUILD_TUN_A "bn0"
#define BUILD_TUN_B "bn1"

/* What building needs of this machine: root, /dev/net/tun, ip, nft, descriptors (the limit is
 * raised as far as it goes). Errors: STATUS_UNAVAILABLE with what is missing and how to get it. */
CCALAB_MUST_USE enum status build_check(struct error *err);
/* The namespaces with loopback and their sysctls. Errors: STATUS_HOST. */
CCALAB_MUST_USE enum status build_hosts(const char *lab, const struct topology *t,
                                        struct error *err);
/* Cables, addresses, default routes, and the rule that marks Prague's packets ECT(1). */
CCALAB_MUST_USE enum status build_links(const char *lab, const struct topology *t,
                                        struct error *err);
/* The routers' ways through their bottlenecks; the TUN devices must exist. */
CCALAB_MUST_USE enum status build_routes(const char *lab, const struct topology *t,
                                         struct error *err);

#endif
