#include "testbed/link/report.h"

#include <math.h>

#include "core/buf.h"
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

double report_drops(const struct direction *d, const struct aqm_stats *s)
{
    return (double)(s->drop_overlimit + s->drop_aqm + d->totals.no_buffer + d->totals.lost);
}

double report_rate_bps(const struct direction *d)
{
    return d->rate_bps != 0 && d->trace.trace == NULL ? (double)d->rate_bps : NAN;
}

static double utilisation(uint64_t bytes, double capacity_bits)
{
    return capacity_bits > 0 ? (double)bytes * 8 / capacity_bits : NAN;
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
    const struct direction *d = &e->link.dir[LINK_DOWN];
    cJSON *data = cJSON_CreateObject();
    struct buf spec;

    buf_init(&spec, 2 * AQM_SPEC_MAX);
    aqm_describe(d->aqm, &spec);
    cJSON_AddStringToObject(data, "state", "up");
    add_endpoint(data, "down", &o->a);
    add_endpoint(data, "up", &o->b);
    json_add_num(data, "rate_bps", report_rate_bps(d));
    json_add_num(data, "up_rate_bps", report_rate_bps(&e->link.dir[LINK_UP]));
    json_add_num(data, "delay_us", (double)o->delay_us);
    json_add_num(data, "jitter_us", (double)o->jitter_us);
    json_add_num(data, "loss", (double)o->loss / LINK_LOSS_ONE);
    cJSON_AddStringToObject(data, "aqm", spec.data);
    buf_done(&spec);
    json_add_num(data, "seed", (double)e->link.seed);
    cJSON_AddBoolToObject(data, "is_sched_fifo", e->is_sched_fifo);
    cJSON_AddBoolToObject(data, "is_stamped", e->is_stamped);
    event_write_result(f, data);
}

void report_sample(FILE *f, const struct engine *e, int dir, uint64_t now_ns, uint64_t span_ns)
{
    const struct direction *d = &e->link.dir[dir];
    const struct direction_interval *i = &d->interval;
    struct aqm_stats s;
    cJSON *v = cJSON_CreateObject();

    direction_stats(d, now_ns, &s);
    json_add_num(v, "rate_bps", span_ns != 0 ? (double)i->bytes * 8e9 / (double)span_ns : NAN);
    json_add_num(v, "backlog_bytes", (double)d->aqm->backlog_bytes);
    json_add_num(v, "backlog_pkts", (double)d->aqm->backlog_pkts);
    json_add_num(v, "delay_l_us", mean_us(i->sojourn_l_ns, i->pkts_l));
    json_add_num(v, "delay_c_us", mean_us(i->sojourn_c_ns, i->pkts_c));
    json_add_num(v, "prob", s.prob);
    json_add_num(v, "pkts_l", (double)s.pkts_in_l);
    json_add_num(v, "pkts_c", (double)s.pkts_in_c);
    json_add_num(v, "ecn_mark", (double)s.ecn_mark);
    json_add_num(v, "step_mark", (double)s.step_mark);
    json_add_num(v, "drop", report_drops(d, &s));
    json_add_num(v, "late_p99_us", quantile_us(&i->late, 0.99));
    json_add_num(v, "utilisation", utilisation(i->bytes, i->capacity_bits));
    event_write_sample(f, (double)((int64_t)now_ns + e->wall_offset_ns) / 1e9, report_src[dir], v);
}

static void add_totals(cJSON *data, const char *key, const struct direction *d, uint64_t now_ns)
{
    cJSON *v = cJSON_AddObjectToObject(data, key);
    struct aqm_stats s;

    direction_stats(d, now_ns, &s);
    json_add_num(v, "in_pkts", (double)d->totals.in_pkts);
    json_add_num(v, "in_bytes", (double)d->totals.in_bytes);
    json_add_num(v, "out_pkts", (double)d->totals.out_pkts);
    json_add_num(v, "out_bytes", (double)d->totals.out_bytes);
    json_add_num(v, "pkts_l", (double)s.pkts_in_l);
    json_add_num(v, "pkts_c", (double)s.pkts_in_c);
    json_add_num(v, "maxq_pkts", (double)s.maxq_pkts);
    json_add_num(v, "ecn_mark", (double)s.ecn_mark);
    json_add_num(v, "step_mark", (double)s.step_mark);
    json_add_num(v, "ce_set", (double)s.ce_set);
    json_add_num(v, "drop", report_drops(d, &s));
    json_add_num(v, "drop_aqm", (double)s.drop_aqm);
    json_add_num(v, "drop_overlimit", (double)s.drop_overlimit);
    json_add_num(v, "drop_no_buffer", (double)d->totals.no_buffer);
    json_add_num(v, "drop_loss", (double)d->totals.lost);
    json_add_num(v, "malformed", (double)d->totals.malformed);
    json_add_num(v, "write_errors", (double)d->totals.write_errors);
    json_add_num(v, "utilisation", utilisation(d->totals.sent_bytes, d->totals.capacity_bits));
    add_sojourn(v, "sojourn_l_us", &d->sojourn_l, d->totals.sojourn_l_ns);
    add_sojourn(v, "sojourn_c_us", &d->sojourn_c, d->totals.sojourn_c_ns);
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
    add_totals(data, "down", &e->link.dir[LINK_DOWN], now_ns);
    add_totals(data, "up", &e->link.dir[LINK_UP], now_ns);
    report_add_late(data, &late);
    cJSON_AddBoolToObject(data, "is_late",
                          late.count != 0 && quantile_us(&late, 0.99) > REPORT_LATE_US);
    cJSON_AddBoolToObject(data, "is_sched_fifo", e->is_sched_fifo);
    cJSON_AddBoolToObject(data, "is_stamped", e->is_stamped);
    json_add_num(data, "lost_samples", (double)e->lost_samples);
    add_packet_log(data, e);
    event_write_result(f, data);
}
