/* The statistics of a device's queue as sample events: a filter over the output of one loop on the
 * host, while :; do tc -j -s qdisc show dev DEV; echo ccalab-sample; sleep 0.1; done so that
 * nothing needs to be installed there. Thread: main only. */
#ifndef CCALAB_REMOTE_QDISC_WATCH_H
#define CCALAB_REMOTE_QDISC_WATCH_H

#include <cjson/cJSON.h>

#include "remote/host.h"

/* The line after each output of tc. */
#define QDISC_WATCH_MARK "ccalab-sample"

struct qdisc_watch_opts {
    const struct spawn_opts *spawn; /* the loop */
    const char *src;                /* of the samples: "link/down" */
};

/* A process_start_fn (remote/job.h) with a struct qdisc_watch_opts, borrowed for the call: the
 * job's output is events (core/event.h): a result {"state":"up"} with the first sample, then
 * samples, their time being that of arrival. Values, as far as the queue has them (docs/qdisc.md):
 * rate_bps, backlog_bytes, backlog_pkts, drop of all; prob, delay_c_us, delay_l_us, pkts_c, pkts_l,
 * ecn_mark, step_mark of an AQM. Output that is not tc's is logged and left out. */
enum status qdisc_watch_start(struct host *h, uv_loop_t *loop, void *opts,
                              const struct process_callbacks *cb, void *user, struct process **out,
                              struct error *err);
/* The values of one sample: `qdiscs` is of tc_qdisc_parse(). rate_bps is null without a sample
 * before: *bytes (root's, of that sample; < 0: none) `dt_s` ago. *bytes is brought up to date.
 * Caller's. */
cJSON *qdisc_watch_values(const cJSON *qdiscs, double *bytes, double dt_s);

#endif
