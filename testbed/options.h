/* The command line of `ccalab testbed`. */
#ifndef CCALAB_TESTBED_OPTIONS_H
#define CCALAB_TESTBED_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/error.h"

enum testbed_verb { TESTBED_UP, TESTBED_STATUS, TESTBED_DOWN, TESTBED_KEEP, TESTBED_HELP };

struct testbed_options {
    enum testbed_verb verb;
    const char *name; /* of the lab; borrowed from argv. LAB_NAME_DEFAULT if not given */
    bool has_name;
    uint64_t rate_bps; /* 0: unlimited */
    uint32_t rtt_us;
    uint32_t interval_us; /* of ccalab-link's samples; 0: none */
    const char *aqm;      /* borrowed */
    pid_t owner;          /* 0: none */
    bool is_json;
    bool is_all;
};

/* argv[0] is the command's name ("testbed"), argv[1] the verb. Every flag may be "--flag value" or
 * "--flag=value". Errors: STATUS_USAGE. */
CCALAB_MUST_USE enum status testbed_options_parse(int argc, char *const argv[],
                                                  struct testbed_options *out, struct error *err);
extern const char testbed_usage[];

#endif
