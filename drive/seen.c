#include "drive/seen.h"

#include <math.h>

#include "model/snapshot.h"

/* The window in packets, with the fraction that was decided where the kernel has that decision. */
static double window(const struct drive_mark *mark, const struct agent_sample *s)
{
    return s->is_driven && round(mark->wanted) == s->cwnd ? mark->wanted : s->cwnd;
}

static struct snapshot snapshot_of(const struct agent_sample *s, double cwnd)
{
    return (struct snapshot){.t_s = (double)s->h.t_ns / 1e9,
                             .srtt_s = s->srtt_us ? s->srtt_us / 1e6 : NAN,
                             .min_rtt_s = s->min_rtt_us ? s->min_rtt_us / 1e6 : NAN,
                             .cwnd_bytes = cwnd * s->h.mss,
                             .bytes_acked = (double)s->bytes_acked,
                             .delivered = s->delivered,
                             .delivered_ce = s->delivered_ce,
                             .lost = s->lost};
}

void drive_see(struct drive_mark *mark, const struct agent_flow *flow, const struct agent_sample *s,
               struct drive_seen *out)
{
    const struct snapshot from = snapshot_of(&mark->at, mark->at.cwnd),
                          to = snapshot_of(s, window(mark, s));
    bool is_interval = mark->is_set && s->h.t_ns > mark->at.h.t_ns;

    *out = (struct drive_seen){.flow = flow,
                               .sample = *s,
                               .row = snapshot_row(is_interval ? &from : NULL, &to),
                               .interval_s = NAN,
                               .delivered = NAN,
                               .ce = NAN,
                               .lost = NAN};
    if (is_interval) {
        out->interval_s = (double)(s->h.t_ns - mark->at.h.t_ns) / 1e9;
        out->delivered = snapshot_growth(from.delivered, to.delivered);
        out->ce = snapshot_growth(from.delivered_ce, to.delivered_ce);
        out->lost = snapshot_growth(from.lost, to.lost);
    }
    mark->is_set = true;
    mark->at = *s;
}
