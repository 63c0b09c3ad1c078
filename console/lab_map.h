/* What is known of the laboratory that is up, from its events (docs/events.md): the hosts, their
 * roles, the bottlenecks and how these do. Thread: main only. */
#ifndef CCALAB_CONSOLE_LAB_MAP_H
#define CCALAB_CONSOLE_LAB_MAP_H

#include <stdbool.h>
#include <stddef.h>

#include "core/event.h"

#define LAB_MAP_HOSTS_MAX   64
#define LAB_MAP_ROUTERS_MAX 4

enum lab_role { LAB_ROLE_CLIENT, LAB_ROLE_ROUTER, LAB_ROLE_SERVER, LAB_ROLE_OTHER };

struct lab_map_host {
    char name[64]; /* escaped, as all texts here */
    enum lab_role role;
    char address[64];
    double delay_us; /* of its own, each way; 0: none */
};

/* A bottleneck, towards the servers. NaN: not known. */
struct lab_map_link {
    char router[64];
    char src[80];  /* of its samples, "link/down" */
    char aqm[256]; /* "" unknown */
    char egress[32];
    double rate_bps, up_rate_bps;
    double rtt_us; /* what it adds to the base RTT */
    double jitter_us, loss;
    double seen_t; /* of the last sample; 0: none */
    double delay_l_us, delay_c_us, prob, backlog_pkts, used_bps;
};

struct lab_map {
    bool is_up;
    char name[48];
    char job[96];  /* the job that keeps it; "" for machines of a lab file */
    char rung[64]; /* "2 root", or "" */
    char prague[64];
    struct lab_map_host host[LAB_MAP_HOSTS_MAX];
    size_t hosts;
    struct lab_map_link link[LAB_MAP_ROUTERS_MAX]; /* from the clients to the servers */
    size_t links;
    unsigned updates; /* how often it changed */
};

/* Take in an event. */
void lab_map_event(struct lab_map *m, const struct event *ev);
/* The lab is gone without a word: its job has ended. */
void lab_map_down(struct lab_map *m);
const struct lab_map_host *lab_map_host(const struct lab_map *m, const char *name);
/* Of a host that no lab has told of, by its name: "client_x", "server". */
enum lab_role lab_role_of_name(const char *name);
const char *lab_role_name(enum lab_role role);

#endif
