/* One direction of the link: AQM, serializer, fixed delay. Pure logic: no clock, no I/O.
 *
 * The serializer works in virtual time. It knows when the link is free, and decisions of the AQM
 * are taken for that instant, however late the process looks. So rate and sojourn times are exact,
 * and only the moment of the final write can be late. Rates count IP bytes. */
#ifndef CCALAB_TESTBED_LINK_DIRECTION_H
#define CCALAB_TESTBED_LINK_DIRECTION_H

#include "testbed/link/aqm.h"
#include "testbed/link/hist.h"

/* What one interval between two samples saw. */
struct direction_interval {
    uint64_t bytes;                      /* departed from the queue */
    uint64_t pkts_l, pkts_c;             /* departed */
    uint64_t sojourn_l_ns, sojourn_c_ns; /* sums over them */
    struct hist late;                    /* actual minus due departure from the link */
};

/* Counters since the start, beside those of the AQM. */
struct direction_totals {
    uint64_t in_pkts, in_bytes;   /* read from the device, malformed ones included */
    uint64_t out_pkts, out_bytes; /* written to the other device */
    uint64_t malformed;           /* no whole IP packet: dropped */
    uint64_t no_buffer;           /* the pool was empty: dropped */
    uint64_t write_errors;        /* the other device refused it */
};

struct direction {
    struct packet_pool pool;
    struct aqm *aqm;
    uint64_t rate_bps; /* 0: no serializer */
    uint64_t delay_ns;
    bool is_busy;             /* the serializer sends, until free_ns */
    uint64_t free_ns;         /* when it can take the next packet */
    uint64_t rest;            /* of the division by the rate: no drift in a busy period */
    struct packet_queue line; /* sent and on its way, in order of due_ns */
    struct direction_totals totals;
    struct direction_interval interval;
    struct hist late;
};

/* Make the pool: room for `limit_pkts` in the AQM and for what the delay line can hold. The AQM is
 * set by the caller right after, as it needs the pool, and is freed by direction_done().
 * Errors: STATUS_NOMEM. */
CCALAB_MUST_USE enum status direction_init(struct direction *d, uint64_t rate_bps,
                                           uint64_t delay_us, uint32_t limit_pkts,
                                           struct error *err);
void direction_done(struct direction *d);

/* A buffer to read a packet into, from d->pool; NULL when there is none: then read it to nowhere
 * and call direction_lost(). */
struct packet *direction_buffer(struct direction *d);
/* A packet came at now_ns; data and len_bytes are set. Takes it. */
void direction_offer(struct direction *d, struct packet *p, uint64_t now_ns);
/* A packet of this length came and no buffer was left. */
void direction_lost(struct direction *d, size_t len_bytes);
/* Let the link work up to now_ns. */
void direction_advance(struct direction *d, uint64_t now_ns);
/* Advance, and take the next packet whose time has come; NULL if none. Hand it back with
 * direction_sent(). */
struct packet *direction_take_due(struct direction *d, uint64_t now_ns);
/* The packet has been written (or not) `late_ns` after its due time. */
void direction_sent(struct direction *d, struct packet *p, uint64_t late_ns, bool is_written);
/* No packet is due before this time; AQM_NEVER if the link is empty. */
uint64_t direction_wake_ns(const struct direction *d);
/* Start a new interval. */
void direction_interval_reset(struct direction *d);

#endif
