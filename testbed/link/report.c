#include "testbed/link/report.h"

#include <math.h>

#include "core/buf.h"
#include "core/clock.h"
#include "core/event.h"
#include "core/json.h"

const char *const report_src[LINK_DIRECTIONS] = {"link/down", "link/up"};

static double quantile_us(const struct hist *h, double q)
{
    return h->count == 0 ? NAN : (double)hist_quantile_ns(h, q) / 1e3;
}

static double mean_us(uint64_t sum_ns, uint64_t count)
{
    return count == 0 ? NAN : (double)sum_ns / (double)count / 1e3;
}

static void view_kernel(const struct kernel_queue *q, struct report_queue *out)
{
    struct qdisc_stats s;

    out->is_kernel = true;
    out->rate_bps = (double)q->rate_bps;
    if (!kernel_queue_read(q, &s)) {
        out->drop = NAN;
        return;
    }
    out->kernel = s;
    out->backlog_bytes = s.backlog;
    out->backlog_pkts = s.qlen;
    out->prob = s.prob;
    out->pkts_l = s.pkts_in_l;
    out->pkts_c = s.pkts_in_c;
    out->maxq_pkts = s.maxq;
    out->ecn_mark = s.ecn_mark;
    out->step_mark = s.step_mark;
    out->drop += s.drops;
}

void report_queue(const struct link *l, int dir, uint64_t now_ns, struct report_queue *out)
{
    const struct direction *d = &l->dir[dir];
    struct aqm_stats s;

    direction_stats(d, now_ns, &s);
    *out = (struct report_queue){
        .drop = (double)(s.drop_overlimit + s.drop_aqm + d->totals.no_buffer + d->totals.lost)};
    out->rate_bps = out->backlog_bytes = out->backlog_pkts = out->prob = out->pkts_l = out->pkts_c =
        out->maxq_pkts = out->ecn_mark = out->step_mark = out->ce_set = out->drop_aqm =
            out->drop_overlimit = out->kernel.bytes = out->kernel.packets = NAN;
    out->kernel.delay_us = out->kernel.delay_c_us = out->kernel.delay_l_us = NAN;
    if (l->kernel[dir] != NULL) {
        view_kernel(l->kernel[dir], out);
        return;
    }
    if (d->rate_bps != 0 && d->trace.trace == NULL) {
        out->rate_bps = (double)d->rate_bps;
    }
    out->backlog_bytes = (double)d->aqm->backlog_bytes;
    out->backlog_pkts = (double)d->aqm->backlog_pkts;
    out->prob = s.prob;
    out->pkts_l = (double)s.pkts_in_l;
    out->pkts_c = (double)s.pkts_in_c;
    out->maxq_pkts = (double)s.maxq_pkts;
    out->ecn_mark = (double)s.ecn_mark;
    out->step_mark = (double)s.step_mark;
    out->ce_set = (double)s.ce_set;
    out->drop_aqm = (double)s.drop_aqm;
    out->drop_overlimit = (double)s.drop_overlimit;
}

void report_spec(const struct link *l, int dir, struct buf *out)
{
    if (l->kernel[dir] != NULL) {
        buf_puts(out, l->kernel[dir]->spec);
    } else {
        aqm_describe(l->dir[dir].aqm, out);
    }
}

static double utilisation(double bytes, double capacity_bits)
{
    return capacity_bits > 0 ? bytes * 8 / capacity_bits : NAN;
}

void report_add_late(cJSON *obj, const struct hist *late)
{
    cJSON *l = cJSON_AddObjectToObject(obj, "late_us");

    json_add_num(l, "p50", quantile_us(late, 0.5));
    json_add_num(l, "p99", quantile_us(late, 0.99));
    json_add_num(l, "max", late->count == 0 ? NAN : (double)late->max_ns / 1e3);
}

static void add_sojourn(cJSON *obj, const char *key, const struct hist *h, uint64_t sum_ns)
{
    cJSON *v = cJSON_AddObjectToObject(obj, key);

    json_add_num(v, "p50", quantile_us(h, 0.5));
    json_add_num(v, "p95", quantile_us(h, 0.95));
    json_add_num(v, "p99", quantile_us(h, 0.99));
    json_add_num(v, "mean", mean_us(sum_ns, h->count));
}

static void add_endpoint(cJSON *obj, const char *key, const struct link_endpoint *end)
{
    cJSON *e = cJSON_AddObjectToObject(obj, key);

    cJSON_AddStringToObject(e, "netns", end->netns);
    cJSON_AddStringToObject(e, "ifname", end->ifname);
}

void report_up(FILE *f, const struct engine *e)
{
    const struct link_options *o = e->options;
    cJSON *data = cJSON_CreateObject();
    struct report_queue queue[LINK_DIRECTIONS];
    struct buf spec;

    for (int dir = 0; dir < LINK_DIRECTIONS; dir++) {
        report_queue(&e->link, dir, clock_mono_ns(), &queue[dir]);
    }
    buf_init(&spec, 2 * AQM_SPEC_MAX);
    report_spec(&e->link, LINK_DOWN, &spec);
    cJSON_AddStringToObject(data, "state", "up");
    add_endpoint(data, "down", &o->a);
    add_endpoint(data, "up", &o->b);
    json_add_num(data, "rate_bps", queue[LINK_DOWN].rate_bps);
    json_add_num(data, "up_rate_bps", queue[LINK_UP].rate_bps);
    json_add_num(data, "delay_us", (double)o->delay_us);
    json_add_num(data, "jitter_us", (double)o->jitter_us);
    json_add_num(data, "burst_us", (double)o->burst_us);
    json_add_num(data, "loss", (double)o->loss / LINK_LOSS_ONE);
    cJSON_AddStringToObject(data, "aqm", spec.data);
    buf_done(&spec);
    json_add_num(data, "seed", (double)e->link.seed);
    cJSON_AddBoolToObject(data, "is_sched_fifo", e->is_sched_fifo);
    cJSON_AddStringToObject(data, "ports", port_kind_name(e->ports[LINK_DOWN].kind));
    cJSON_AddBoolToObject(data, "is_stamped", e->is_stamped);
    event_write_result(f, data);
}

/* What left a queue of the kernel since the last sample of it. */
static double kernel_bytes(struct kernel_queue *q, const struct report_queue *now)
{
    double bytes = now->kernel.bytes - q->seen.bytes;

    q->seen = now->kernel;
    return bytes;
}

void report_sample(FILE *f, const struct engine *e, int dir, uint64_t now_ns, uint64_t span_ns)
{
    const struct direction *d = &e->link.dir[dir];
    const struct direction_interval *i = &d->interval;
    double bytes = (double)i->bytes, capacity_bits = i->capacity_bits;
    double delay_l_us = mean_us(i->sojourn_l_ns, i->pkts_l);
    double delay_c_us = mean_us(i->sojourn_c_ns, i->pkts_c);
    struct report_queue q;
    cJSON *v = cJSON_CreateObject();

    report_queue(&e->link, dir, now_ns, &q);
    if (q.is_kernel) {
        bytes = kernel_bytes(e->link.kernel[dir], &q);
        capacity_bits = q.rate_bps * (double)span_ns / 1e9;
        delay_l_us = q.kernel.delay_l_us;
        delay_c_us = isnan(q.kernel.delay_us) ? q.kernel.delay_c_us : q.kernel.delay_us;
    }
    json_add_num(v, "rate_bps", span_ns != 0 ? bytes * 8e9 / (double)span_ns : NAN);
    json_add_num(v, "backlog_bytes", q.backlog_bytes);
    json_add_num(v, "backlog_pkts", q.backlog_pkts);
    json_add_num(v, "delay_l_us", delay_l_us);
    json_add_num(v, "delay_c_us", delay_c_us);
    json_add_num(v, "prob", q.prob);
    json_add_num(v, "pkts_l", q.pkts_l);
    json_add_num(v, "pkts_c", q.pkts_c);
    json_add_num(v, "ecn_mark", q.ecn_mark);
    json_add_num(v, "step_mark", q.step_mark);
    json_add_num(v, "drop", q.drop);
    json_add_num(v, "late_p99_us", quantile_us(&i->late, 0.99));
    json_add_num(v, "utilisation", utilisation(bytes, capacity_bits));
    json_add_num(v, "link_rate_bps", q.rate_bps);
    event_write_sample(f, (double)((int64_t)now_ns + e->wall_offset_ns) / 1e9, report_src[dir], v);
}

static void add_totals(cJSON *data, const struct engine *e, int dir, uint64_t now_ns)
{
    static const struct hist unknown; /* what a queue of the kernel's does not tell */
    const struct direction *d = &e->link.dir[dir];
    cJSON *v = cJSON_AddObjectToObject(data, link_dir_names[dir]);
    struct report_queue q;

    report_queue(&e->link, dir, now_ns, &q);
    json_add_num(v, "in_pkts",
                 q.is_kernel ? q.kernel.packets + q.kernel.drops + q.backlog_pkts
                             : (double)d->totals.in_pkts);
    json_add_num(v, "in_bytes", q.is_kernel ? NAN : (double)d->totals.in_bytes);
    json_add_num(v, "out_pkts", (double)d->totals.out_pkts);
    json_add_num(v, "out_bytes", (double)d->totals.out_bytes);
    json_add_num(v, "pkts_l", q.pkts_l);
    json_add_num(v, "pkts_c", q.pkts_c);
    json_add_num(v, "maxq_pkts", q.maxq_pkts);
    json_add_num(v, "ecn_mark", q.ecn_mark);
    json_add_num(v, "step_mark", q.step_mark);
    json_add_num(v, "ce_set", q.ce_set);
    json_add_num(v, "drop", q.drop);
    json_add_num(v, "drop_aqm", q.drop_aqm);
    json_add_num(v, "drop_overlimit", q.drop_overlimit);
    json_add_num(v, "drop_no_buffer", (double)d->totals.no_buffer);
    json_add_num(v, "drop_loss", (double)d->totals.lost);
    json_add_num(v, "malformed", (double)d->totals.malformed);
    json_add_num(v, "write_errors", (double)d->totals.write_errors);
    json_add_num(v, "utilisation",
                 q.is_kernel ? NAN
                             : utilisation((double)d->totals.sent_bytes, d->totals.capacity_bits));
    add_sojourn(v, "sojourn_l_us", q.is_kernel ? &unknown : &d->sojourn_l, d->totals.sojourn_l_ns);
    add_sojourn(v, "sojourn_c_us", q.is_kernel ? &unknown : &d->sojourn_c, d->totals.sojourn_c_ns);
}

static void add_packet_log(cJSON *data, const struct engine *e)
{
    cJSON *l;
    uint64_t rows, lost;

    if (e->log == NULL) {
        return;
    }
    packet_log_counts(e->log, &rows, &lost);
    l = cJSON_AddObjectToObject(data, "packet_log");
    cJSON_AddStringToObject(l, "path", e->options->packet_log);
    json_add_num(l, "rows", (double)rows);
    json_add_num(l, "lost_rows", (double)lost);
}

void report_down(FILE *f, const struct engine *e, uint64_t now_ns)
{
    struct hist late;
    cJSON *data = cJSON_CreateObject();

    link_late(&e->link, &late);
    cJSON_AddStringToObject(data, "state", "down");
    add_totals(data, e, LINK_DOWN, now_ns);
    add_totals(data, e, LINK_UP, now_ns);
    report_add_late(data, &late);
    cJSON_AddBoolToObject(data, "is_late",
                          late.count != 0 && quantile_us(&late, 0.99) > REPORT_LATE_US);
    cJSON_AddBoolToObject(data, "is_sched_fifo", e->is_sched_fifo);
    cJSON_AddBoolToObject(data, "is_stamped", e->is_stamped);
    json_add_num(data, "lost_samples", (double)e->lost_samples);
    add_packet_log(data, e);
    event_write_result(f, data);
}
