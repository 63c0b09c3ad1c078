/* The running link: two devices, two directions, one thread that moves packets on time. */
#ifndef CCALAB_TESTBED_LINK_ENGINE_H
#define CCALAB_TESTBED_LINK_ENGINE_H

#include "testbed/link/direction.h"
#include "testbed/link/options.h"
#include "testbed/link/rng.h"

enum { LINK_DOWN, LINK_UP, LINK_DIRECTIONS };

struct engine {
    const struct link_options *options; /* borrowed */
    uint32_t seed;
    bool is_sched_fifo;
    int fd[LINK_DIRECTIONS]; /* the device at which a direction begins */
    int signal_fd;           /* SIGINT and SIGTERM */
    struct rng rng[LINK_DIRECTIONS];
    struct direction dir[LINK_DIRECTIONS];
    uint64_t lost_samples; /* not written because nobody emptied the pipe */
};

/* Block SIGINT and SIGTERM, create both devices, ask for SCHED_FIFO. On failure nothing is left;
 * on success the caller calls engine_close(). Errors: those of tun_open(), STATUS_NOMEM. */
CCALAB_MUST_USE enum status engine_open(struct engine *e, const struct link_options *options,
                                        struct error *err);
/* Write `result` "up", pass packets until a signal or the end of the duration, write the last
 * `result`. Errors: STATUS_HOST (a device vanished), STATUS_IO (nobody reads our events). */
CCALAB_MUST_USE enum status engine_run(struct engine *e, struct error *err);
void engine_close(struct engine *e);

#endif
