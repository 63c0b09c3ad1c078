#include "remote/tcp_flows.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLOWS_MAX 1024
/* A flow is shown once it has sent this much. iperf3 opens a control connection to the same port,
 * which carries its parameters and results: a few hundred bytes a stream. */
#define DATA_BYTES 32768

static struct tcp_flow *find(struct tcp_flows *f, const struct tcp_reading *r)
{
    for (size_t i = 0; i < f->n; i++) {
        const struct tcp_reading *last = &f->flows[i].last;
        if (last->cookie == r->cookie && strcmp(last->local, r->local) == 0 &&
            strcmp(last->remote, r->remote) == 0) {
            return &f->flows[i];
        }
    }
    return NULL;
}

/* NULL when there are too many. */
static struct tcp_flow *add(struct tcp_flows *f)
{
    if (f->n == f->cap && f->cap < FLOWS_MAX) {
        size_t cap = f->cap ? f->cap * 2 : 8;
        struct tcp_flow *larger = realloc(f->flows, cap * sizeof(*larger));
        if (larger) {
            f->flows = larger;
            f->cap = cap;
        }
    }
    if (f->n == f->cap) {
        f->is_full = true;
        return NULL;
    }
    struct tcp_flow *flow = &f->flows[f->n++];
    *flow = (struct tcp_flow){0};
    if (f->n == 1) {
        snprintf(flow->src, sizeof(flow->src), "%s", f->label);
    } else {
        snprintf(flow->src, sizeof(flow->src), "%s#%zu", f->label, f->n);
    }
    return flow;
}

static void fill(struct event_value *v, const struct tcp_reading *r, double throughput_bps)
{
    const struct event_value all[TCP_VALUES] = {
        {"cwnd_bytes", r->cwnd_bytes},
        {"cwnd_pkts", r->cwnd_pkts},
        {"srtt_us", r->srtt_us},
        {"min_rtt_us", r->min_rtt_us},
        {"rttvar_us", r->rttvar_us},
        {"delivery_rate_bps", r->delivery_rate_bps},
        {"pacing_rate_bps", r->pacing_rate_bps},
        {"throughput_bps", throughput_bps},
        {"bytes_acked", r->bytes_acked},
        {"retrans", r->retrans},
        {"lost", r->lost},
        {"delivered", r->delivered},
        {"delivered_ce", r->delivered_ce},
    };
    memcpy(v, all, sizeof(all));
}

const struct tcp_flow *tcp_flows_take(struct tcp_flows *f, const struct tcp_reading *r,
                                      uint64_t now_ns, struct event_value *values)
{
    if ((f->dport && r->remote_port != f->dport) || (f->sport && r->local_port != f->sport) ||
        (f->peer && !tcp_reading_has_peer(r, f->peer))) {
        return NULL;
    }
    struct tcp_flow *flow = find(f, r);
    double sent = isnan(r->bytes_sent) ? r->bytes_acked : r->bytes_sent; /* Linux < 4.19 */
    if (!flow && sent >= DATA_BYTES) {
        flow = add(f);
    }
    if (!flow) {
        return NULL;
    }
    double throughput_bps = NAN;
    if (flow->samples > 0 && now_ns > flow->last_ns && r->bytes_acked >= flow->last.bytes_acked) {
        throughput_bps =
            (r->bytes_acked - flow->last.bytes_acked) * 8 * 1e9 / (double)(now_ns - flow->last_ns);
    }
    fill(values, r, throughput_bps);
    flow->last = *r;
    flow->last_ns = now_ns;
    flow->samples++;
    f->samples++;
    return flow;
}

void tcp_flows_result(const struct tcp_flows *f, struct buf *events)
{
    event_line_begin(events, -1, "result");
    event_line_open(events, "data", '{');
    event_line_str(events, "state", "down");
    event_line_num(events, "samples", (double)f->samples);
    event_line_open(events, "flows", '[');
    for (size_t i = 0; i < f->n; i++) {
        const struct tcp_flow *flow = &f->flows[i];
        event_line_open(events, NULL, '{');
        event_line_str(events, "src", flow->src);
        event_line_str(events, "local", flow->last.local);
        event_line_str(events, "remote", flow->last.remote);
        event_line_str(events, "cc", flow->last.cc);
        event_line_num(events, "samples", (double)flow->samples);
        event_line_num(events, "bytes_acked", flow->last.bytes_acked);
        event_line_num(events, "retrans", flow->last.retrans);
        event_line_num(events, "delivered", flow->last.delivered);
        event_line_num(events, "delivered_ce", flow->last.delivered_ce);
        event_line_close(events, '}');
    }
    event_line_close(events, ']');
    event_line_close(events, '}');
    event_line_end(events);
}

void tcp_flows_done(struct tcp_flows *f)
{
    free(f->flows);
    f->flows = NULL;
    f->n = f->cap = 0;
}
