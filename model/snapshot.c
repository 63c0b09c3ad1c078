#include "model/snapshot.h"

#include <math.h>

#define WRAP 4294967296.0

bool snapshot_is_whole(const struct snapshot *s)
{
    return s->srtt_s > 0 && s->min_rtt_s > 0 && s->cwnd_bytes > 0 && isfinite(s->bytes_acked) &&
           isfinite(s->delivered) && isfinite(s->delivered_ce) && isfinite(s->lost);
}

bool snapshot_is_due(const struct snapshot *last, const struct snapshot *s,
                     const struct snapshot *next, double interval_s)
{
    double due_s = last->t_s + fmax(interval_s, s->srtt_s);

    return s->t_s >= due_s || (next && next->t_s - due_s > due_s - s->t_s);
}

double snapshot_growth(double from, double to)
{
    double growth = to - from;

    if (growth < 0)
        growth += WRAP;
    return growth >= 0 && growth < WRAP / 2 ? growth : NAN;
}

struct trace_row snapshot_row(const struct snapshot *from, const struct snapshot *to)
{
    struct trace_row row = {.t_s = to->t_s,
                            .rtt_s = to->srtt_s,
                            .cwnd_bytes = to->cwnd_bytes,
                            .throughput_bps = NAN,
                            .min_rtt_s = to->min_rtt_s,
                            .ce_share = NAN,
                            .lost_share = NAN,
                            .advised_bytes = NAN};

    if (!from || !(to->t_s > from->t_s))
        return row;
    double delivered = snapshot_growth(from->delivered, to->delivered);
    if (delivered < 1)
        delivered = 1;
    row.throughput_bps = (to->bytes_acked - from->bytes_acked) * 8 / (to->t_s - from->t_s);
    row.ce_share = snapshot_growth(from->delivered_ce, to->delivered_ce) / delivered;
    row.lost_share = snapshot_growth(from->lost, to->lost) / delivered;
    return row;
}
