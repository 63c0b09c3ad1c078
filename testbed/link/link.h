/* The link without its devices: two directions and what they share. Pure logic like direction.h,
 * so that tests and the fuzzer drive it in virtual time. */
#ifndef CCALAB_TESTBED_LINK_LINK_H
#define CCALAB_TESTBED_LINK_LINK_H

#include "testbed/link/direction.h"
#include "testbed/link/kernel_queue.h"
#include "testbed/link/options.h"

enum { LINK_DOWN, LINK_UP, LINK_DIRECTIONS };

struct link {
    const struct link_options *options; /* borrowed */
    uint32_t seed;
    struct rng rng[LINK_DIRECTIONS]; /* of the AQMs */
    struct path_table paths;
    struct trace traces[LINK_DIRECTIONS]; /* what each follows, if it follows one */
    struct rate_step steps[LINK_STEPS_MAX];
    struct direction dir[LINK_DIRECTIONS];
    /* The kernel's queue before a direction, which then only delays; borrowed, NULL: none. Set by
     * the caller after link_init(). */
    struct kernel_queue *kernel[LINK_DIRECTIONS];
};

extern const char *const link_dir_names[LINK_DIRECTIONS]; /* "down", "up" */

/* Make both directions as the options say, beginning at now_ns. `log` may be NULL. On failure
 * nothing is left. The link must not be moved. Errors: STATUS_NOMEM, STATUS_USAGE (the AQM's spec
 * does not fit the link), those of trace_load(). */
CCALAB_MUST_USE enum status link_init(struct link *l, const struct link_options *options,
                                      uint32_t seed, struct packet_log *log, uint64_t now_ns,
                                      struct error *err);
void link_done(struct link *l);

/* What is to be changed; a field counts if its has_ is true. */
struct link_change {
    bool has_rate, has_delay, has_jitter, has_loss;
    uint64_t rate_bps; /* 0: unlimited */
    uint64_t delay_us, jitter_us;
    uint64_t loss;   /* of 2^32 */
    const char *aqm; /* a spec, NULL if it stays */
};

/* Change both directions and paths at now_ns. A change that is refused changes nothing. `paths` are
 * merged into those there are (NULL: none). Errors: those of aqm_from_spec() and
 * kernel_queue_set_spec(), STATUS_USAGE (too many paths; a queue of the kernel cannot become one of
 * ours, nor unlimited, and the other way round). */
CCALAB_MUST_USE enum status link_apply(struct link *l,
                                       const struct link_change change[LINK_DIRECTIONS],
                                       const struct path_table *paths, uint64_t now_ns,
                                       struct error *err);
/* Lateness of both directions in one. */
void link_late(const struct link *l, struct hist *out);

#endif
