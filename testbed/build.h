/* Building a lab: the namespaces and the wires between them (docs/testbed.md has the picture).
 *
 * Built with ip(8) in batches and nft(8); removed by sweep_lab(). */
#ifndef CCALAB_TESTBED_BUILD_H
#define CCALAB_TESTBED_BUILD_H

#include "core/error.h"
#include "testbed/lab.h"
#include "testbed/link/options.h"

/* The bottleneck's devices inside a router: towards the clients, and towards the servers. */
#define BUILD_TUN_A "bn0"
#define BUILD_TUN_B "bn1"

/* Where packets towards the servers go into the bottleneck of this router, and where they come out:
 * into BUILD_TUN_A; but a queue of the kernel is on the device that packets leave by, and that must
 * be BUILD_TUN_B, as on any router. */
const char *build_port_in(const struct topology_router *r);
const char *build_port_out(const struct topology_router *r);
/* What building needs of this machine: root or user namespaces, ip, nft, /dev/net/tun if ports of
 * that kind are wanted, descriptors (the limit is raised as far as it goes).
 * Errors: STATUS_UNAVAILABLE with what is missing and how to get it. */
CCALAB_MUST_USE enum status build_check(enum link_port_kind ports, struct error *err);
/* Can ports of the kind TUN be had? Errors: STATUS_UNAVAILABLE. */
CCALAB_MUST_USE enum status build_check_tun(struct error *err);
/* The namespaces with their sysctls. Of root they have names (ip-netns(8)). Of others this process,
 * which is in the lab's user namespace, keeps them: fds[] are the caller's, to be closed (root:
 * -1), s->netns is filled, and there are links to them in the lab's directory. Errors: STATUS_HOST.
 */
CCALAB_MUST_USE enum status build_hosts(struct lab_state *s, int fds[TOPOLOGY_NODES_MAX],
                                        struct error *err);
/* Cables, addresses, default routes, and the rule that marks Prague's packets ECT(1). */
CCALAB_MUST_USE enum status build_links(const char *lab, const struct topology *t,
                                        struct error *err);
/* The routers' ways through their bottlenecks; the TUN devices must exist. */
CCALAB_MUST_USE enum status build_routes(const char *lab, const struct topology *t,
                                         struct error *err);

#endif
