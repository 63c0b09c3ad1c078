/* Is this host fit for its role? Facts of a survey in, a list of checks out: pure judgement,
 * nothing is asked or changed here. What every check is for: docs/doctor.md. */
#ifndef CCALAB_REMOTE_CHECKS_H
#define CCALAB_REMOTE_CHECKS_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

/* Roles, to be or'ed. */
enum { CHECKS_CLIENT = 1, CHECKS_ROUTER = 2, CHECKS_SERVER = 4, CHECKS_ALL = 7 };

/* What the lab expects of the host. Strings are borrowed. */
struct checks_want {
    unsigned roles;
    const char *const *ccs; /* congestion controls of its flows; a server: those of all clients */
    size_t nccs;
    const char *const *to; /* addresses that data goes to: of a client and a router the servers', of
                              a server the clients'. None: whatever leads out of the host */
    size_t nto;
    const int *ports; /* TCP ports that a server must be able to listen on */
    size_t nports;
    const char *aqm;        /* kind of the bottleneck's queue; NULL: "dualpi2" */
    const char *egress;     /* the bottleneck's port; NULL: where the routes to `to` lead */
    double rate_bps, rtt_s; /* of the bottleneck; NAN: not known */
    double clock_offset_s, clock_error_s; /* the host's clock less ours, +-; NAN: not measured */
    bool is_virtual;                      /* of a virtual lab: the bottleneck is ccalab-link */
};

/* The checks that apply, in the order of docs/doctor.md:
 *   {name, verdict "pass", "fail" or "unknown" (it cannot be told), seen, want,
 *    fix               one command line for the host; absent where none would do
 *    is_fix_safe       `doctor --fix` may run it; else a person decides
 *    needs_root
 *    action            how --fix does it, in terms of what can be restored:
 *                      {sysctl, value} | {qdisc: dev, spec, rate} (under HTB, if there is a rate) | {offload: dev, features: []} |
 *                      {run: [argv]} (leaves nothing to restore)}
 * All strings can be shown on a terminal. `facts` are those of survey_parse(). The caller deletes
 * the array; NULL without memory. */
cJSON *checks_judge(const cJSON *facts, const struct checks_want *want);

#endif
