/* One direction of the link: AQM, serializer, delay. Pure logic: no clock, no I/O.
 *
 * The serializer works in virtual time. It knows when the link is free, and decisions of the AQM
 * are taken for that instant, however late the process looks. So rate and sojourn times are exact,
 * and only the moment of the final write can be late. Rates count IP bytes.
 *
 * Everything can be changed while it runs; a change holds from the time of the call on, which must
 * not be before that of an earlier call. */
#ifndef CCALAB_TESTBED_LINK_DIRECTION_H
#define CCALAB_TESTBED_LINK_DIRECTION_H

#include "core/rng.h"
#include "testbed/link/aqm.h"
#include "testbed/link/burst.h"
#include "testbed/link/delay_line.h"
#include "testbed/link/hist.h"
#include "testbed/link/packet_log.h"
#include "testbed/link/trace.h"

/* What one interval between two samples saw. */
struct direction_interval {
    uint64_t bytes;                      /* departed from the link */
    double capacity_bits;                /* what could have; NAN if the rate was unlimited */
    uint64_t pkts_l, pkts_c;             /* departed from the queue */
    uint64_t sojourn_l_ns, sojourn_c_ns; /* sums over them */
    struct hist late;                    /* actual minus due departure from the delay line */
};

/* Counters since the start, beside those of the AQM. */
struct direction_totals {
    uint64_t in_pkts, in_bytes;   /* read from the device, malformed ones included */
    uint64_t out_pkts, out_bytes; /* written to the other device */
    uint64_t malformed;           /* no whole IP packet: dropped */
    uint64_t no_buffer;           /* no room for it: dropped */
    uint64_t lost;                /* by the random loss */
    uint64_t write_errors;        /* the other device refused it */
    uint64_t sent_bytes;          /* through the serializer */
    double capacity_bits;         /* as in the interval */
    uint64_t sojourn_l_ns, sojourn_c_ns;
};

/* From `at_ns` on this rate. */
struct rate_step {
    uint64_t at_ns;
    uint64_t rate_bps; /* 0: unlimited */
};

struct direction {
    struct packet_pool pool;
    struct aqm *aqm;
    struct aqm_stats past; /* sums of the AQMs that were replaced */

    uint64_t rate_bps;             /* 0: no serializer */
    struct trace_cursor trace;     /* instead of rate_bps, if it has a trace */
    struct burst burst;            /* when rate_bps may send; without a trace */
    const struct rate_step *steps; /* still to come; borrowed */
    size_t step_count;
    bool is_busy;           /* something happens at free_ns */
    uint64_t free_ns;       /* when the link can take the next packet */
    uint64_t rest;          /* of the division by the rate: no drift in a busy period */
    struct packet *sending; /* on the link until free_ns */
    uint64_t capacity_ns;   /* capacity_bits count up to here */
    uint64_t now_ns;        /* virtual time: all up to here has been decided */

    uint64_t delay_ns, jitter_ns;
    uint64_t loss;                  /* probability, of 2^32 */
    const struct path_table *paths; /* borrowed; may be NULL */
    struct rng rng;                 /* of jitter and loss: the AQM's numbers stay its own */
    struct delay_line line;

    struct packet_log *log; /* borrowed; NULL: none */
    uint8_t log_dir;        /* how the log calls this direction */
    struct direction_totals totals;
    struct direction_interval interval;
    struct hist late;
    struct hist sojourn_l, sojourn_c;
};

/* Prepare one without loss, jitter, paths and log, whose time begins at 0. Room for `limit_pkts`
 * in the AQM and for what the delay line can hold. The AQM is set by the caller right after, as it
 * needs the pool, and is freed by direction_done(); the other members may be set too, before the
 * first packet. Errors: STATUS_NOMEM. */
CCALAB_MUST_USE enum status direction_init(struct direction *d, uint64_t rate_bps,
                                           uint64_t delay_us, uint32_t limit_pkts,
                                           struct error *err);
void direction_done(struct direction *d);
/* An aqm_drop_fn whose `user` is the direction: for the log. */
void direction_on_drop(void *user, const struct packet *p, uint64_t now_ns);

/* A buffer to read a packet into, from d->pool; NULL when there is none: then read it to nowhere
 * and call direction_lost(). */
struct packet *direction_buffer(struct direction *d);
/* A packet came at came_ns, or at the virtual time if that has passed it; data and len_bytes are
 * set. Takes it. */
void direction_offer(struct direction *d, struct packet *p, uint64_t came_ns);
/* A packet of this length came and no buffer was left; 0: of a length that nobody knows. */
void direction_lost(struct direction *d, size_t len_bytes);
/* Let the link work up to now_ns. */
void direction_advance(struct direction *d, uint64_t now_ns);
/* Take the next packet whose time has come; NULL if none. Hand it back with direction_sent().
 * Lets the link work only as far as that needs, which is the delay less than now_ns, so that a
 * packet that came meanwhile can still be offered in its place. */
struct packet *direction_take_due(struct direction *d, uint64_t now_ns);
/* The packet has been written (or not) `late_ns` after its due time. */
void direction_sent(struct direction *d, struct packet *p, uint64_t late_ns, bool is_written);
/* No packet is due before this time; AQM_NEVER if the link is empty. */
uint64_t direction_wake_ns(const struct direction *d);
/* From its arrival on no packet is due before this much time has passed. */
uint64_t direction_least_delay_ns(const struct direction *d);
/* Start a new interval. */
void direction_interval_reset(struct direction *d);
/* Bring the capacity_bits up to now_ns. */
void direction_account(struct direction *d, uint64_t now_ns);
/* Counters of all AQMs so far, and the state of the present one. */
void direction_stats(const struct direction *d, uint64_t now_ns, struct aqm_stats *out);

/* The rate from now_ns on: a packet on the link goes on with it. Ends a trace and steps. */
void direction_set_rate(struct direction *d, uint64_t rate_bps, uint64_t now_ns);
/* Follow a trace from now_ns on, before the first packet. */
void direction_set_trace(struct direction *d, const struct trace *t, uint64_t now_ns);
/* Replace the AQM by `aqm`, made with d->pool, which is the direction's now; the old one is freed.
 * What was queued is put into the new one in order of arrival with its time of arrival, and may be
 * dropped there. Errors: STATUS_NOMEM; `aqm` is then still the caller's and nothing has changed. */
CCALAB_MUST_USE enum status direction_set_aqm(struct direction *d, struct aqm *aqm, uint64_t now_ns,
                                              struct error *err);

#endif
