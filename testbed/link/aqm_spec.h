/* AQMs by their specs: a kind and its options in tc's own words, "codel target 5ms ecn".
 *
 * What there is to say about an option, its name, type, range, default and help, stands in one
 * table per AQM, from which parsing, checking, printing and help are made. A spec is untrusted
 * text: bounded, and every value checked. docs/aqm.md has the options for people. */
#ifndef CCALAB_TESTBED_LINK_AQM_SPEC_H
#define CCALAB_TESTBED_LINK_AQM_SPEC_H

#include <stddef.h>
#include <stdio.h>

#include "core/buf.h"
#include "testbed/link/aqm.h"

#define AQM_SPEC_MAX 512 /* characters */

enum aqm_option_type {
    AQM_OPTION_COUNT,   /* N */
    AQM_OPTION_PKTS,    /* N or Np */
    AQM_OPTION_BYTES,   /* N, Nb, Nkb, Nmb; k is 1024 as in tc(8) */
    AQM_OPTION_TIME,    /* 10ms; kept in microseconds */
    AQM_OPTION_HZ,      /* 0.16; kept in 1/256 Hz as on netlink, to the nearest */
    AQM_OPTION_PERCENT, /* N% */
    /* The types above live in a uint64_t, those below not. */
    AQM_OPTION_WORD,      /* the name alone; `max` (0 or 1) goes into a bool */
    AQM_OPTION_CHOICE,    /* one of two words[], which goes into a bool */
    AQM_OPTION_LIMIT,     /* Np, Nb (and kb, mb) or Nbdp; struct aqm_limit */
    AQM_OPTION_THRESHOLD, /* TIME or Np; struct aqm_threshold */
};

/* Of a queue; whatever is not 0 holds. All 0: the default. */
struct aqm_limit {
    uint64_t pkts, bytes;
    uint64_t bdp_micro; /* millionths of rate times base RTT */
};

struct aqm_threshold {
    uint64_t value; /* microseconds or packets */
    bool is_pkts;
};

struct aqm_option {
    const char *name; /* tc's */
    enum aqm_option_type type;
    size_t offset;     /* of the value in the AQM's params */
    uint64_t min, max; /* a value that equals `def` is always in range */
    uint64_t def;
    const char *words[2]; /* of a choice: for false, for true */
    bool is_quiet;        /* printed only where it differs from its default */
    const char *help;
};

/* For the tables. */
#define AQM_OFFSET(type, field) offsetof(struct type, field)
/* One of the two words of a bool: `value_` is what it says, `def_` the default of the bool. The
 * word for "off" is printed only where it is not the default. */
#define AQM_WORD(name_, offset_, value_, def_, help_)                                              \
    {                                                                                              \
        .name = (name_), .type = AQM_OPTION_WORD, .offset = (offset_), .max = (value_),            \
        .def = (def_), .is_quiet = (value_) == 0, .help = (help_)                                  \
    }

/* "kernel:fq_codel limit 100": the qdisc of that kind in the kernel, whose options tc(8) and the
 * kernel judge. AQM_KERNEL is not part of what they get. */
#define AQM_KERNEL "kernel:"
bool aqm_spec_is_kernel(const char *spec);

/* NULL-terminated. */
extern const struct aqm_ops *const aqm_kinds[];

/* Make the AQM of a spec. `config` says the rest; its limits count where the spec has none.
 * Errors: STATUS_USAGE with a hint (unknown kind or option, naming the nearest; a value that is
 * none, or out of its range; a limit in BDPs without a rate and a base RTT), STATUS_NOMEM. */
CCALAB_MUST_USE enum status aqm_from_spec(const char *spec, const struct aqm_config *config,
                                          struct aqm **out, struct error *err);
/* Is it a spec? The same errors, but for what only the link can know (BDPs) and memory. Of one for
 * the kernel only that it can be one. */
CCALAB_MUST_USE enum status aqm_spec_check(const char *spec, struct error *err);
/* How many packets the AQM of this spec may hold under this configuration, at most
 * AQM_PKTS_MAX: what a pool must have room for. 0 if it is no spec. */
#define AQM_PKTS_MAX 1000000u
uint32_t aqm_spec_pkts(const char *spec, const struct aqm_config *config);

/* The canonical spec: kind and all parameters as they are in force. It parses to the same AQM. */
void aqm_describe(const struct aqm *a, struct buf *text);
/* Statistics under the names and in the units of `tc -j -s qdisc` for that kind. The caller's, for
 * cJSON_Delete(); NULL without memory. */
cJSON *aqm_stats_json(const struct aqm *a, uint64_t now_ns);
/* Kinds and options for a terminal, a line each. */
void aqm_spec_help(FILE *f);

/* --- for the AQMs and their tests --------------------------------------------------------------
 */

/* Set every parameter to its default. `params` is the AQM's struct of ops->params_size bytes. */
void aqm_params_default(const struct aqm_ops *ops, void *params);
/* Make an AQM of parameters that a program has filled in (they are copied).
 * Errors: STATUS_USAGE (a value out of its range), STATUS_NOMEM. */
CCALAB_MUST_USE enum status aqm_from_params(const struct aqm_ops *ops, const void *params,
                                            const struct aqm_config *config, struct aqm **out,
                                            struct error *err);

#endif
