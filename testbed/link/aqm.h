/* Active queue management: what a queue of the link must be able to do, and what all of them share.
 * Which there are, and how they are named, is in aqm_spec.h.
 *
 * An AQM owns the packets between enqueue and dequeue and returns those it drops to the pool. It
 * has no clock of its own: every call says what time it is, in nanoseconds of one monotonic clock,
 * and randomness is injected, so that a recorded trace replays to the same decisions.
 *
 * The caller keeps the order of time: before a call for time t it has called update() for every
 * next_update_ns() <= t. */
#ifndef CCALAB_TESTBED_LINK_AQM_H
#define CCALAB_TESTBED_LINK_AQM_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"
#include "testbed/link/packet.h"

#define AQM_NEVER UINT64_MAX

/* Uniform over all 32-bit values. */
typedef uint32_t (*aqm_random_fn)(void *user);
/* A packet is about to be dropped, for whatever reason; p->enqueue_ns says since when it waited
 * (now_ns if it never got in). Look, do not touch. */
typedef void (*aqm_drop_fn)(void *user, const struct packet *p, uint64_t now_ns);

struct aqm_config {
    struct packet_pool *pool; /* borrowed; must outlive the AQM */
    uint32_t limit_pkts;      /* if the spec has no limit of its own; 0: the AQM's default */
    uint64_t limit_bytes;     /* the same in bytes */
    uint32_t mtu_bytes;       /* of the link, LINK_MTU_BYTES */
    uint64_t rate_bps;        /* of the link, for limits in BDPs; 0: unknown or unlimited */
    uint64_t base_rtt_us;     /* of the path without queues, for limits in BDPs; 0: unknown */
    uint64_t start_ns;        /* now */
    aqm_random_fn random;
    void *random_user;
    aqm_drop_fn on_drop; /* or NULL */
    void *on_drop_user;
};

/* Counters since the start and the state at the time of the call, the same for all AQMs. Names and
 * meaning are those of Linux's tc_dualpi2_xstats where it has them. */
struct aqm_stats {
    double prob;             /* base probability p', 0 to 1; NAN if the AQM has none */
    uint64_t delay_c_us;     /* age of the packet at the head of the C queue; 0 if empty */
    uint64_t delay_l_us;     /* the same of the L queue */
    uint64_t pkts_in_c;      /* enqueued; an AQM with one queue calls it C */
    uint64_t pkts_in_l;      /* enqueued */
    uint64_t maxq_pkts;      /* most packets that waited at a time. Linux counts before it adds the
                                packet that arrives, and so says one less */
    uint64_t ecn_mark;       /* CE marks, by any cause. As in Linux a packet that is CE already, or
                                is marked by probability and by the step, counts each time */
    uint64_t step_mark;      /* those by the L queue's own AQM: step or ramp */
    uint64_t ce_set;         /* packets that came without CE and left with it: the wire's count */
    uint64_t drop_overlimit; /* dropped for want of room */
    uint64_t drop_aqm;       /* dropped by the control law */
    int64_t credit;          /* of DualPI2's WRR scheduler, byte-percent; > 0: C is next */
    uint64_t memory_used;    /* bytes of packet buffers in the queues */
    uint64_t max_memory_used;
    uint64_t memory_limit; /* 0: none */
};

struct aqm;
struct aqm_option;

struct aqm_ops {
    const char *name;                 /* "dualpi2" */
    const struct aqm_option *options; /* what a spec may say: aqm_spec.h; ends with a NULL name */
    size_t params_size;               /* of the struct that the options describe */

    /* Put the numbers in that "the default" (0) stands for, and check what no single range says.
     * `config` may be NULL where only a check is wanted. Errors: STATUS_USAGE. */
    enum status (*resolve)(void *params, const struct aqm_config *config, struct error *err);
    /* Most packets that it can hold; of resolved parameters. */
    uint64_t (*capacity_pkts)(const void *params);
    /* Make one, of resolved parameters. Errors: STATUS_NOMEM. */
    enum status (*make)(const struct aqm_config *config, const void *params, struct aqm **out,
                        struct error *err);
    /* Free it; its queues are empty by now. */
    void (*free)(struct aqm *a);
    /* Take the packet, whose len_bytes and ecn are set. False if it was dropped. */
    bool (*enqueue)(struct aqm *a, struct packet *p, uint64_t now_ns);
    /* The next packet to send, marked if need be; it is the caller's now. NULL if the queue is
     * empty, perhaps only because all that was left got dropped. */
    struct packet *(*dequeue)(struct aqm *a, uint64_t now_ns);
    /* Any packet, unjudged and unmarked, each flow's in its order; NULL if there is none. */
    struct packet *(*evict)(struct aqm *a);
    /* When update() wants to be called next; AQM_NEVER if it has no timer. */
    uint64_t (*next_update_ns)(const struct aqm *a);
    void (*update)(struct aqm *a, uint64_t now_ns);
    void (*stats)(const struct aqm *a, uint64_t now_ns, struct aqm_stats *out);
    /* Add the statistics under tc's names to `out`. */
    void (*stats_json)(const struct aqm *a, uint64_t now_ns, cJSON *out);
};

/* The part all AQMs begin with. Outside of the AQMs only ops and the backlog are of interest. */
struct aqm {
    const struct aqm_ops *ops;
    const void *params; /* as resolved: no "default" left in it */
    struct packet_pool *pool;
    size_t backlog_pkts;
    uint64_t backlog_bytes;
    uint32_t mtu_bytes;
    aqm_random_fn random;
    void *random_user;
    aqm_drop_fn on_drop;
    void *on_drop_user;
    struct aqm_stats stats; /* the counters of it */
};

/* Its queued packets go back to the pool. NULL is allowed. */
void aqm_free(struct aqm *a);
/* Take a packet out without a decision of the AQM: for one that follows. NULL when there is none
 * left. The packet is the caller's. */
struct packet *aqm_evict(struct aqm *a);

/* --- for the AQMs ------------------------------------------------------------------------------
 */

/* Allocate `size` bytes of an AQM, zeroed but for its struct aqm, which it begins with. NULL
 * without memory, and *err says so. */
void *aqm_alloc(size_t size, const struct aqm_ops *ops, const struct aqm_config *config,
                struct error *err);
/* The limit in packets: of the spec if that has one (not 0), else of the configuration (which may
 * be NULL), else `def`. */
uint64_t aqm_limit_pkts(uint64_t limit_pkts, const struct aqm_config *config, uint64_t def);
/* Queue the packet: stamps it, counts it as C or L by p->is_l, and keeps the maxima. */
void aqm_push(struct aqm *a, struct packet_queue *q, struct packet *p, uint64_t now_ns);
/* NULL if empty. */
struct packet *aqm_pop(struct aqm *a, struct packet_queue *q);
/* Drop a packet that is in no queue and count it in *counter, one of a->stats. */
void aqm_drop(struct aqm *a, struct packet *p, uint64_t now_ns, uint64_t *counter);
/* Set CE. False if the packet cannot carry it. Only ce_set is counted. */
bool aqm_mark(struct aqm *a, struct packet *p);
/* Throw a coin that falls with prob/2^32; as in Linux's dualpi2 with random <= prob, so a
 * probability of 0 still falls once in 2^32. */
bool aqm_roll(struct aqm *a, uint64_t prob);
/* Age of the packet at the head; 0 if empty. */
uint64_t aqm_head_age_ns(const struct packet_queue *q, uint64_t now_ns);
/* a->stats with the memory in use, and prob NAN. */
void aqm_stats_base(const struct aqm *a, struct aqm_stats *out);
/* next_update_ns() and update() of an AQM without a timer. */
uint64_t aqm_no_update_ns(const struct aqm *a);
void aqm_no_update(struct aqm *a, uint64_t now_ns);

#endif
