/* The command line of ccalab-link. */
#ifndef CCALAB_TESTBED_LINK_OPTIONS_H
#define CCALAB_TESTBED_LINK_OPTIONS_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "core/error.h"
#include "core/paths.h"
#include "testbed/link/aqm_spec.h"
#include "testbed/link/path_table.h"

#define LINK_STEPS_MAX 1000
#define LINK_LOSS_ONE  4294967296.0 /* a loss of 100 % */

#define LINK_TICK_MAX_US 10000u

/* What the ends are (port.h). */
enum link_port_kind { LINK_PORT_AUTO, LINK_PORT_TUN, LINK_PORT_PACKET };
extern const char *const link_port_names[]; /* by kind, NULL-terminated: "auto", "tun", "packet" */

struct link_endpoint {
    char netns[CCALAB_PATH_MAX]; /* "" is our own */
    char ifname[IFNAMSIZ];
};

struct link_step {
    uint64_t at_us; /* since the start */
    uint64_t rate_bps;
};

struct link_options {
    struct link_endpoint a, b;
    enum link_port_kind ports;
    uint64_t rate_bps;    /* a to b; 0: no serializer */
    uint64_t up_rate_bps; /* b to a */
    bool has_up_rate;     /* steps and trace are then for a to b only */
    struct link_step steps[LINK_STEPS_MAX];
    size_t step_count;
    char rate_trace[CCALAB_PATH_MAX];    /* "": none */
    char up_rate_trace[CCALAB_PATH_MAX]; /* "": none; rate_trace is then for a to b only */
    uint64_t delay_us;                   /* each way */
    uint64_t jitter_us;
    uint64_t burst_us; /* from turn to turn of the link; 0: it sends all the time */
    uint64_t loss;     /* of LINK_LOSS_ONE */
    struct path_table paths;
    char aqm[AQM_SPEC_MAX];
    uint32_t limit_pkts;              /* 0: what the spec says, or the AQM's default */
    uint64_t limit_bytes;             /* the same */
    char control[CCALAB_PATH_MAX];    /* "": none */
    char packet_log[CCALAB_PATH_MAX]; /* "": none */
    uint64_t tick_us;                 /* look at packets so often; 0: at each one's time */
    uint64_t interval_us;             /* between samples; 0: none */
    uint64_t duration_us;             /* 0: until a signal */
    uint32_t seed;
    bool has_seed;
    bool is_realtime;
    bool is_help; /* print the help and leave; the rest is then not checked */
};

/* Parse argv with getopt_long(3), whose state is reset first. Prints nothing.
 * Errors: STATUS_USAGE with a hint. */
CCALAB_MUST_USE enum status link_options_parse(int argc, char *const argv[],
                                               struct link_options *out, struct error *err);
void link_options_help(FILE *f);
/* A kind of ports by its name. Errors: STATUS_USAGE. */
CCALAB_MUST_USE enum status link_options_ports(const char *text, enum link_port_kind *out,
                                               struct error *err);
/* A delay, jitter or path's delay, at most LINK_DELAY_MAX_US. `what` names it in the message.
 * Errors: STATUS_USAGE. */
#define LINK_DELAY_MAX_US 10000000u
CCALAB_MUST_USE enum status link_options_delay(const char *text, const char *what, uint64_t *out_us,
                                               struct error *err);
/* The time from turn to turn, at most LINK_BURST_MAX_US. Errors: STATUS_USAGE. */
#define LINK_BURST_MAX_US 1000000u
CCALAB_MUST_USE enum status link_options_burst(const char *text, uint64_t *out_us,
                                               struct error *err);

#endif
