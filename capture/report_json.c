/* Written as it goes: a tree of a million flows would not fit into memory. */
#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdlib.h>

#include "capture/report_parts.h"
#include "capture/verdict.h"

static void json_counts(FILE *f, const char *key, const struct ecn_counts *c)
{
    fprintf(f,
            "\"%s\":{\"not_ect\":%" PRIu64 ",\"ect1\":%" PRIu64 ",\"ect0\":%" PRIu64
            ",\"ce\":%" PRIu64 "}",
            key, c->n[ECN_NOT_ECT], c->n[ECN_ECT1], c->n[ECN_ECT0], c->n[ECN_CE]);
}

static void json_data(FILE *f, const struct ecn_dir *d)
{
    json_counts(f, "data", &d->data);
    fputc(',', f);
    json_counts(f, "ack", &d->ack);
    fputc(',', f);
    json_counts(f, "data_wire_packets", &d->data_packets);
    fputc(',', f);
    json_counts(f, "data_bytes", &d->data_bytes);
}

static void json_ratio(FILE *f, const char *key, double v)
{
    char text[40] = "null";
    if (v >= 0)
        report_number(v, text, sizeof(text));
    fprintf(f, ",\"%s\":%s", key, text);
}

/* A flow's direction, or everything of the flows that are not told apart. */
static void json_dir_begin(FILE *f, const char *key, const struct ecn_dir *d)
{
    char text[40];
    fprintf(f, "\"%s\":{", key);
    json_data(f, d);
    fprintf(f, ",\"frames\":%" PRIu64 ",\"wire_packets\":%" PRIu64 ",\"bytes\":%" PRIu64,
            ecn_dir_frames(d), ecn_counts_sum(&d->data_packets) + ecn_counts_sum(&d->ack),
            ecn_dir_bytes(d));
    fputs(",\"first_ce\":", f);
    if (d->first_ce_frame) {
        report_time(d->first_ce_ns, text, sizeof(text));
        fprintf(f, "{\"frame\":%" PRIu64 ",\"t\":%s}", d->first_ce_frame, text);
    } else {
        fputs("null", f);
    }
    json_ratio(f, "mark_ratio", ecn_mark_ratio(&d->data));
    fprintf(f, ",\"super_frames\":%" PRIu64 ",\"tunnel_ce\":%" PRIu64, d->super_frames,
            d->tunnel_ce);
}

static void json_accecn(FILE *f, enum ecn_negotiation negotiation, const struct accecn *a)
{
    static const char *const negotiated[ECN_NEGOTIATIONS] = {
        [ECN_UNKNOWN] = "null",
        [ECN_NONE] = "false",
        [ECN_CLASSIC] = "false",
        [ECN_ACCURATE] = "true",
    };
    uint64_t capable = accecn_bytes(a);
    fprintf(f,
            ",\"accecn\":{\"negotiated\":%s,\"ee0b\":%" PRIu64 ",\"eceb\":%" PRIu64
            ",\"ee1b\":%" PRIu64 ",\"ce_segments\":%" PRIu64 ",\"options\":%" PRIu64
            ",\"acked_bytes\":%" PRIu64 ",\"ambiguous\":%" PRIu64,
            negotiated[negotiation], a->ee0b.sum, a->eceb.sum, a->ee1b.sum, a->ce_segments,
            a->options, a->acked_bytes, a->ambiguous);
    json_ratio(f, "ce_ratio", capable ? (double)a->eceb.sum / (double)capable : -1);
    fputc('}', f);
}

static void json_rtt(FILE *f, const char *key, const struct ecn_rtt *r)
{
    if (r->count == 0) {
        fprintf(f, ",\"%s\":null", key);
        return;
    }
    fprintf(f, ",\"%s\":{\"count\":%" PRIu64 ",\"min_s\":%.9f,\"mean_s\":%.9f,\"max_s\":%.9f}", key,
            r->count, (double)r->min_ns / 1e9, r->sum_ns / (double)r->count / 1e9,
            (double)r->max_ns / 1e9);
}

static void json_tcp(FILE *f, const struct ecn_dir *d)
{
    fprintf(f,
            ",\"tcp\":{\"retransmissions\":%" PRIu64 ",\"out_of_order\":%" PRIu64
            ",\"duplicate_acks\":%" PRIu64 ",\"lost_segments\":%" PRIu64
            ",\"max_in_flight_bytes\":%u,\"ece\":%" PRIu64 ",\"ece_episodes\":%" PRIu64
            ",\"cwr\":%" PRIu64,
            d->retransmissions, d->out_of_order, d->duplicate_acks, d->lost_segments,
            d->max_in_flight, d->ece, d->ece_episodes, d->cwr);
    json_rtt(f, "rtt", &d->rtt);
    json_rtt(f, "rtt_stamps", &d->rtt_stamps);
    fputc('}', f);
}

static void json_marks(FILE *f, const struct marks *m)
{
    if (m->count == 0) {
        fputs(",\"marks\":null", f);
        return;
    }
    fprintf(f, ",\"marks\":{\"t\":%" PRId64 ",\"step_s\":%u,\"capable\":[", m->start_ns / NS_PER_S,
            m->step_s);
    for (uint32_t i = 0; i < m->count; i++)
        fprintf(f, i ? ",%u" : "%u", m->bins[i].capable);
    fputs("],\"ce\":[", f);
    for (uint32_t i = 0; i < m->count; i++)
        fprintf(f, i ? ",%u" : "%u", m->bins[i].ce);
    fputs("]}", f);
}

static void json_dir(FILE *f, const struct report *r, const struct ecn_flow *flow, int direction)
{
    const struct ecn_dir *d = &flow->dir[direction];
    json_dir_begin(f, direction ? "rev" : "fwd", d);
    if (flow->flow->proto == PROTO_TCP) {
        json_accecn(f, flow->negotiation, &d->accecn);
        json_tcp(f, d);
    }
    if (r->has_marks)
        json_marks(f, &d->marks);
    fputc('}', f);
}

static void json_flow(FILE *f, const struct report *r, const struct ecn_flow *flow)
{
    char verdict[VERDICT_SIZE];
    struct endpoint from = report_endpoint(flow, 0), to = report_endpoint(flow, 1);
    const char *negotiation = ecn_negotiation_name(flow->negotiation);
    flow_verdict(flow, verdict, sizeof(verdict)); /* our own words: nothing to escape */
    fprintf(f,
            "{\"stream\":%u,\"proto\":\"%s\",\"src\":\"%s\",\"dst\":\"%s\",\"sport\":%u,"
            "\"dport\":%u,\"negotiation\":%s%s%s,\"verdict\":\"%s\",",
            flow->flow->stream, report_proto(flow), from.addr, to.addr, flow->flow->port[0],
            flow->flow->port[1], flow->flow->proto == PROTO_TCP ? "\"" : "",
            flow->flow->proto == PROTO_TCP ? negotiation : "null",
            flow->flow->proto == PROTO_TCP ? "\"" : "", verdict);
    json_dir(f, r, flow, 0);
    fputc(',', f);
    json_dir(f, r, flow, 1);
    fputc('}', f);
}

enum status report_json(FILE *f, const struct report *r, struct error *err)
{
    const struct ecn *e = r->ecn;
    enum status status = STATUS_OK;
    char *text = NULL;
    uint32_t n, omitted;
    struct rank *ranks = report_flows(r, false, &n, &omitted);
    if (r->truncated) { /* libpcap's words, which may quote the file's */
        cJSON *string = cJSON_CreateString(r->truncated);
        text = cJSON_PrintUnformatted(string);
        cJSON_Delete(string);
    }
    if (ranks == NULL || (r->truncated && text == NULL)) {
        status = error_set(err, STATUS_NOMEM, "capture", "no memory for the report");
        goto out;
    }
    fprintf(f, "{\"frames\":%" PRIu64 ",\"truncated\":%s,", e->frames,
            r->truncated ? "true" : "false");
    json_counts(f, "ipv4", &e->ipv4);
    fputc(',', f);
    json_counts(f, "ipv6", &e->ipv6);
    fputs(",\"flows\":[", f);
    for (uint32_t i = 0; i < n; i++) {
        if (i)
            fputc(',', f);
        json_flow(f, r, ecn_flow_at(e, ranks[i].index));
    }
    fprintf(f, "],\"flows_omitted\":%u,", omitted);
    json_dir_begin(f, "other", &e->other);
    fprintf(f, "},\"not_ip\":%" PRIu64 ",\"cut\":%" PRIu64 ",\"malformed\":%" PRIu64, e->not_ip,
            e->cut, e->malformed);
    if (r->truncated)
        fprintf(f, ",\"truncated_by\":%s", text);
    if (r->kernel_drops >= 0)
        fprintf(f, ",\"kernel_drops\":%" PRId64, r->kernel_drops);
    fputc('}', f);
out:
    cJSON_free(text);
    free(ranks);
    return status;
}
