/* The command line of ccalab-link. */
#ifndef CCALAB_TESTBED_LINK_OPTIONS_H
#define CCALAB_TESTBED_LINK_OPTIONS_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "core/error.h"
#include "core/paths.h"

struct link_endpoint {
    char netns[CCALAB_PATH_MAX]; /* "" is our own */
    char ifname[IFNAMSIZ];
};

struct link_options {
    struct link_endpoint a, b;
    uint64_t rate_bps;    /* a to b; 0: no serializer */
    uint64_t up_rate_bps; /* b to a */
    uint64_t delay_us;    /* each way */
    char aqm[16];
    uint32_t limit_pkts;
    uint64_t limit_bytes; /* 0: the AQM's default */
    uint64_t interval_us; /* between samples; 0: none */
    uint64_t duration_us; /* 0: until a signal */
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

#endif
