/* One line a flow and direction. */
#include <inttypes.h>
#include <stdlib.h>

#include "capture/report_parts.h"

static void csv_counts(FILE *f, const struct ecn_counts *c)
{
    for (int i = 0; i < ECN_COUNT; i++)
        fprintf(f, ",%" PRIu64, c->n[i]);
}

static void csv_seconds(FILE *f, bool has_value, double ns)
{
    if (has_value)
        fprintf(f, ",%.9f", ns / 1e9);
    else
        fputc(',', f);
}

static void csv_dir(FILE *f, const struct ecn_dir *d, const char *negotiation)
{
    char text[40] = "", frame[24] = "";
    csv_counts(f, &d->data);
    csv_counts(f, &d->ack);
    if (d->first_ce_frame) {
        snprintf(frame, sizeof(frame), "%" PRIu64, d->first_ce_frame);
        report_time(d->first_ce_ns, text, sizeof(text));
    }
    fprintf(f, ",%" PRIu64 ",%s,%s,", ecn_dir_bytes(d), frame, text);
    double ratio = ecn_mark_ratio(&d->data);
    if (ratio >= 0) {
        report_number(ratio, text, sizeof(text));
        fputs(text, f);
    }
    csv_counts(f, &d->data_packets);
    csv_counts(f, &d->data_bytes);
    fprintf(f, ",%" PRIu64 ",%" PRIu64 ",%s", d->super_frames, d->tunnel_ce, negotiation);
    const struct accecn *a = &d->accecn;
    fprintf(f, ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64, a->ee0b.sum,
            a->eceb.sum, a->ee1b.sum, a->ce_segments, a->acked_bytes);
    fprintf(f, ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%u", d->retransmissions,
            d->out_of_order, d->duplicate_acks, d->lost_segments, d->max_in_flight);
    fprintf(f, ",%" PRIu64 ",%" PRIu64 ",%" PRIu64, d->ece, d->ece_episodes, d->cwr);
    csv_seconds(f, d->rtt.count, (double)d->rtt.min_ns);
    csv_seconds(f, d->rtt.count, d->rtt.sum_ns / (double)d->rtt.count);
    csv_seconds(f, d->rtt_stamps.count, (double)d->rtt_stamps.min_ns);
    csv_seconds(f, d->rtt_stamps.count, d->rtt_stamps.sum_ns / (double)d->rtt_stamps.count);
    fputc('\n', f);
}

enum status report_csv(FILE *f, const struct report *r, struct error *err)
{
    uint32_t n, omitted;
    struct rank *ranks = report_flows(r, false, &n, &omitted);
    if (ranks == NULL)
        return error_set(err, STATUS_NOMEM, "capture", "no memory for the report");
    fputs("stream,proto,direction,src,dst,sport,dport,"
          "data_not_ect,data_ect1,data_ect0,data_ce,ack_not_ect,ack_ect1,ack_ect0,ack_ce,"
          "bytes,first_ce_frame,first_ce_t,mark_ratio,"
          "packets_not_ect,packets_ect1,packets_ect0,packets_ce,"
          "bytes_not_ect,bytes_ect1,bytes_ect0,bytes_ce,super_frames,tunnel_ce,negotiation,"
          "ee0b,eceb,ee1b,ce_segments,acked_bytes,"
          "retransmissions,out_of_order,duplicate_acks,lost_segments,max_in_flight_bytes,"
          "ece,ece_episodes,cwr,rtt_min_s,rtt_mean_s,rtt_stamps_min_s,rtt_stamps_mean_s\n",
          f);
    for (uint32_t i = 0; i < n; i++) {
        const struct ecn_flow *flow = ecn_flow_at(r->ecn, ranks[i].index);
        for (int d = 0; d < 2; d++) {
            struct endpoint from = report_endpoint(flow, d), to = report_endpoint(flow, !d);
            fprintf(f, "%u,%s,%s,%s,%s,%u,%u", flow->flow->stream, report_proto(flow),
                    d ? "rev" : "fwd", from.addr, to.addr, flow->flow->port[d],
                    flow->flow->port[!d]);
            csv_dir(f, &flow->dir[d], ecn_negotiation_name(flow->negotiation));
        }
    }
    if (report_has_other(r->ecn)) {
        fputs(",other,,,,,", f);
        csv_dir(f, &r->ecn->other, "");
    }
    free(ranks);
    return STATUS_OK;
}
