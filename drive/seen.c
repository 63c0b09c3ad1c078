#include "drive/seen.h"

#include <math.h>

void drive_see(struct drive_mark *mark, const struct agent_flow *flow, const struct agent_sample *s,
               struct drive_seen *out)
{
    const struct agent_sample *from = &mark->at;
    double interval_s =
        mark->is_set && s->h.t_ns > from->h.t_ns ? (double)(s->h.t_ns - from->h.t_ns) / 1e9 : NAN;

    *out = (struct drive_seen){.flow = flow,
                               .sample = *s,
                               .row = {.t_s = (double)s->h.t_ns / 1e9,
                                       .rtt_s = s->srtt_us ? s->srtt_us / 1e6 : NAN,
                                       .cwnd_bytes = (double)s->cwnd * s->h.mss,
                                       .throughput_bps = NAN,
                                       .min_rtt_s = NAN,
                                       .ce_share = NAN,
                                       .lost_share = NAN},
                               .interval_s = interval_s,
                               .delivered = NAN,
                               .ce = NAN,
                               .lost = NAN};
    if (!isnan(interval_s)) {
        out->row.throughput_bps = (double)(s->bytes_acked - from->bytes_acked) * 8 / interval_s;
        out->delivered = s->delivered - from->delivered; /* 32 bits that may wrap */
        out->ce = s->delivered_ce - from->delivered_ce;
        out->lost = s->lost - from->lost;
    }
    *mark = (struct drive_mark){.is_set = true, .at = *s};
}
