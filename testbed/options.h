/* The command line of `ccalab testbed`. */
#ifndef CCALAB_TESTBED_OPTIONS_H
#define CCALAB_TESTBED_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/error.h"
#include "testbed/link/options.h"
#include "testbed/topology.h"

#define TESTBED_ASSIGNMENTS_MAX 32

enum testbed_verb {
    TESTBED_UP,
    TESTBED_STATUS,
    TESTBED_DOWN,
    TESTBED_KEEP,
    TESTBED_SET,
    TESTBED_GET,
    TESTBED_SHELL,
    TESTBED_DIAL,   /* for ssh: not in the help */
    TESTBED_TC,     /* for bin/tc of a lab: not in the help */
    TESTBED_COOKIE, /* for sweep_lab(): not in the help */
    TESTBED_HELP
};

struct testbed_options {
    enum testbed_verb verb;
    const char *name; /* of the lab; borrowed from argv. LAB_NAME_DEFAULT if not given */
    bool has_name;
    struct topology topology; /* up, keep */
    uint32_t interval_us;     /* of ccalab-link's samples; 0: none */
    pid_t owner;              /* 0: none */
    bool has_sshd;
    enum link_port_kind ports; /* of the bottlenecks */
    bool is_json;
    bool is_all;
    const char *router;  /* set, get: borrowed, or NULL for the first */
    bool is_down, is_up; /* set: which directions; both if none was named */
    const char *host;    /* shell, dial; borrowed */
    char *const *argv;   /* shell: the command; dial: the port; tc: everything. Borrowed */
    int argc;
    const char *assignments[TESTBED_ASSIGNMENTS_MAX]; /* set: "rate=25mbit"; borrowed */
    int nassignments;
};

/* argv[0] is the command's name ("testbed"), argv[1] the verb. Every flag may be "--flag value" or
 * "--flag=value". Reads the file of --topology. Errors: STATUS_USAGE, those of topology_load(). */
CCALAB_MUST_USE enum status testbed_options_parse(int argc, char *const argv[],
                                                  struct testbed_options *out, struct error *err);
extern const char testbed_usage[];

#endif
