/* The running link: two devices, two directions, one thread that moves packets on time. */
#ifndef CCALAB_TESTBED_LINK_ENGINE_H
#define CCALAB_TESTBED_LINK_ENGINE_H

#include "testbed/link/control.h"
#include "testbed/link/link.h"
#include "testbed/link/pace.h"
#include "testbed/link/port.h"
#include "testbed/link/stamps.h"

struct engine {
    const struct link_options *options; /* borrowed */
    bool is_sched_fifo;
    struct port ports[LINK_DIRECTIONS]; /* where a direction begins */
    struct stamps stamps[LINK_DIRECTIONS];
    bool is_stamped;         /* times of arrival are the kernel's */
    int signal_fd;           /* SIGINT and SIGTERM */
    struct control *control; /* NULL: none */
    struct packet_log *log;  /* NULL: none */
    struct link link;
    struct kernel_queue kernel[LINK_DIRECTIONS]; /* where the spec says so */
    int64_t wall_offset_ns;                      /* CLOCK_REALTIME less CLOCK_MONOTONIC */
    uint64_t lost_samples;                       /* not written because nobody emptied the pipe */

    struct pace pace;   /* when the loop looks at packets */
    bool has_more;      /* a device had more to read than its turn allows */
    uint64_t polled_ns; /* last look at the descriptors */
};

/* Block SIGINT and SIGTERM, create both devices, the control socket and the packet log, ask for
 * SCHED_FIFO. On failure nothing is left; on success the caller calls engine_close(). Errors: those
 * of port_open_both(), kernel_queue_open(), link_init(), control_open() and packet_log_open(). */
CCALAB_MUST_USE enum status engine_open(struct engine *e, const struct link_options *options,
                                        struct error *err);
/* Write `result` "up", pass packets until a signal or the end of the duration, write the last
 * `result`. Errors: STATUS_HOST (a device vanished), STATUS_IO (nobody reads our events). */
CCALAB_MUST_USE enum status engine_run(struct engine *e, struct error *err);
void engine_close(struct engine *e);

#endif
