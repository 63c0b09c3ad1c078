/* What a virtual lab consists of, as data: hosts, and a chain of routers each with its bottleneck
 * (docs/testbed.md has the format and the picture). Building it is another file's work (build.h).
 *
 *   clients ── router 1 ── router 2 ── ... ── servers
 *
 * Leaf number k (clients first, from 1) has the network 10.98.k.0/24: the leaf is .2, its router
 * .1. Between router j and router j + 1 (from 1) lies 10.98.(200 + j).0/24, .1 and .2. */
#ifndef CCALAB_TESTBED_TOPOLOGY_H
#define CCALAB_TESTBED_TOPOLOGY_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"

#define TOPOLOGY_LEAVES_MAX  64 /* 32 clients and 32 servers */
#define TOPOLOGY_ROLE_MAX    32
#define TOPOLOGY_ROUTERS_MAX 4
#define TOPOLOGY_NODES_MAX   (TOPOLOGY_LEAVES_MAX + TOPOLOGY_ROUTERS_MAX)
#define TOPOLOGY_NAME_MAX    15
#define TOPOLOGY_AQM_MAX     512
#define TOPOLOGY_TEXT_MAX    512 /* a list of rate steps, a path */
#define TOPOLOGY_ADDRESS_MAX 32

enum topology_role { TOPOLOGY_CLIENT, TOPOLOGY_ROUTER, TOPOLOGY_SERVER };

/* A client or a server. */
struct topology_leaf {
    char name[TOPOLOGY_NAME_MAX + 1];
    enum topology_role role;
    uint32_t delay_us; /* one way, on top of the bottlenecks' */
};

/* Texts that are "" were not given: ccalab-link's default then holds. */
struct topology_router {
    char name[TOPOLOGY_NAME_MAX + 1];
    uint64_t rate_bps, up_rate_bps; /* towards the servers, and back; 0: unlimited */
    uint32_t rtt_us;                /* half of it each way */
    uint32_t jitter_us;
    uint32_t burst_us;          /* from turn to turn of the link; 0: it sends all the time */
    double loss;                /* 0 to 1 */
    char aqm[TOPOLOGY_AQM_MAX]; /* a specification in tc's words, "codel target 5ms ecn" */
    char rate_steps[TOPOLOGY_TEXT_MAX], rate_trace[TOPOLOGY_TEXT_MAX];
    char up_rate_trace[TOPOLOGY_TEXT_MAX];
    char packet_log[TOPOLOGY_TEXT_MAX]; /* a file to write */
};

struct topology {
    struct topology_leaf leaves[TOPOLOGY_LEAVES_MAX]; /* the clients come first */
    int nleaves, nclients;
    struct topology_router routers[TOPOLOGY_ROUTERS_MAX];
    int nrouters;
};

/* client_x and client_y, one router with the properties of `router` (whose name is not looked at:
 * it is called "router"), and server. */
void topology_default(struct topology *t, const struct topology_router *router);

/* Parse a description. What a router does not say is as in `base`; without "hosts" or "routers"
 * those are the default's. Strict: unknown and repeated keys, wrong types and units are errors.
 * `what` names the source.
 * Errors: STATUS_INPUT with the place ("routers[1].rate"), STATUS_USAGE for a value that would be
 * refused on the command line too. */
CCALAB_MUST_USE enum status topology_from_json(const cJSON *o, const char *what,
                                               const struct topology_router *base,
                                               struct topology *t, struct error *err);
/* The value of --topology: a file, or the JSON text itself if it begins with '{'. A fault in the
 * syntax is named by line and column. Errors: those of topology_from_json(), STATUS_IO. */
CCALAB_MUST_USE enum status topology_load(const char *arg, const struct topology_router *base,
                                          struct topology *t, struct error *err);
/* All of it, so that topology_from_json() gives the same again. Caller deletes. */
cJSON *topology_to_json(const struct topology *t);

/* --- nodes: the clients, the routers, the servers, in this order --------------------------------
 */

struct topology_node {
    const char *name; /* borrowed from the topology */
    enum topology_role role;
    int index;                          /* in leaves or routers */
    char address[TOPOLOGY_ADDRESS_MAX]; /* where it answers */
};

int topology_nodes(const struct topology *t);
struct topology_node topology_node(const struct topology *t, int i);
/* The node of that name, -1 if there is none. */
int topology_find(const struct topology *t, const char *name);
const char *topology_role_name(enum topology_role role);
/* The router that a leaf's cable ends in: the first for clients, the last for servers. */
int topology_router_of(const struct topology *t, int leaf);
/* The leaf's cable at its router's end: "eth3"; for the default's hosts "ethx", "ethy", "eths". */
void topology_ifname(const struct topology *t, int leaf, char *out, size_t size);

#endif
