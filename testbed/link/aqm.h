/* Active queue management: what a queue of the link must be able to do, and which ones there are.
 *
 * An AQM owns the packets between enqueue and dequeue and returns those it drops to the pool. It
 * has no clock of its own: every call says what time it is, in nanoseconds of one monotonic clock,
 * and randomness is injected, so that a recorded trace replays to the same decisions.
 *
 * The caller keeps the order of time: before a call for time t it has called update() for every
 * next_update_ns() <= t. */
#ifndef CCALAB_TESTBED_LINK_AQM_H
#define CCALAB_TESTBED_LINK_AQM_H

#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"
#include "testbed/link/packet.h"

#define AQM_NEVER UINT64_MAX

/* Uniform over all 32-bit values. */
typedef uint32_t (*aqm_random_fn)(void *user);

struct aqm_config {
    struct packet_pool *pool; /* borrowed; must outlive the AQM */
    uint32_t limit_pkts;      /* 0: the AQM's default */
    uint64_t limit_bytes;     /* 0: the AQM's default */
    uint32_t mtu_bytes;       /* of the link, LINK_MTU_BYTES */
    uint64_t start_ns;        /* now */
    aqm_random_fn random;
    void *random_user;
};

/* Counters since the start and the state at the time of the call. Names and meaning are those of
 * Linux's tc_dualpi2_xstats where it has them, so that a `tc` can be served from here. */
struct aqm_stats {
    double prob;             /* base probability p', 0 to 1; NAN if the AQM has none */
    uint64_t delay_c_us;     /* age of the packet at the head of the C queue; 0 if empty */
    uint64_t delay_l_us;     /* the same of the L queue */
    uint64_t pkts_in_c;      /* enqueued; an AQM with one queue calls it C */
    uint64_t pkts_in_l;      /* enqueued */
    uint64_t maxq_pkts;      /* longest the two queues together have been */
    uint64_t ecn_mark;       /* CE marks, by any cause. As in Linux a packet that is CE already, or
                                is marked by probability and by the step, counts each time */
    uint64_t step_mark;      /* those by the step threshold */
    uint64_t ce_set;         /* packets that came without CE and left with it: the wire's count */
    uint64_t drop_overlimit; /* dropped for want of room */
    uint64_t drop_aqm;       /* dropped by the control law */
    int64_t credit;          /* of the WRR scheduler, byte-percent; > 0: C is next */
    uint64_t memory_used;    /* bytes of packet buffers in the queues */
    uint64_t max_memory_used;
    uint64_t memory_limit;
};

struct aqm;

struct aqm_ops {
    const char *name; /* "dualpi2" */
    void (*free)(struct aqm *a);
    /* Takes the packet, whose len_bytes and ecn are set. False if it was dropped. */
    bool (*enqueue)(struct aqm *a, struct packet *p, uint64_t now_ns);
    /* The next packet to send, marked if need be; it is the caller's now. NULL if the queue is
     * empty, perhaps only because all that was left got dropped. */
    struct packet *(*dequeue)(struct aqm *a, uint64_t now_ns);
    /* When update() wants to be called next; AQM_NEVER if it has no timer. */
    uint64_t (*next_update_ns)(const struct aqm *a);
    void (*update)(struct aqm *a, uint64_t now_ns);
    void (*stats)(const struct aqm *a, uint64_t now_ns, struct aqm_stats *out);
};

/* The part all AQMs begin with. */
struct aqm {
    const struct aqm_ops *ops;
    struct packet_pool *pool;
    size_t backlog_pkts;
    uint64_t backlog_bytes;
};

/* Make one by name. Errors: STATUS_USAGE (unknown name, the hint lists them), STATUS_NOMEM. */
CCALAB_MUST_USE enum status aqm_new(const char *name, const struct aqm_config *config,
                                    struct aqm **out, struct error *err);
/* Its queued packets go back to the pool. NULL is allowed. */
void aqm_free(struct aqm *a);
/* Is there an AQM of this name? Errors: STATUS_USAGE, and the hint lists those there are. */
CCALAB_MUST_USE enum status aqm_check(const char *name, struct error *err);
/* The limit in packets that 0 in the configuration stands for; the name must be known. */
uint32_t aqm_default_limit_pkts(const char *name);

/* One drop-tail queue. limit_pkts defaults to 1000, which is Linux's txqueuelen and so the length
 * of its pfifo; limit_bytes counts IP bytes, 0 is no limit. A packet that would pass either limit
 * is dropped. All packets count as C. Errors: STATUS_NOMEM. */
#define FIFO_LIMIT_PKTS 1000
CCALAB_MUST_USE enum status fifo_new(const struct aqm_config *config, struct aqm **out,
                                     struct error *err);

#endif
