#include "drive/drive.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/event.h"
#include "core/json.h"
#include "core/line.h"
#include "core/rng.h"
#include "drive/account.h"
#include "drive/awake.h"

#define REPORT_NS        1000000000u
#define CONTROL_LINE_MAX 4096
/* Below ccalab-link's 10: a late bottleneck is a wrong measurement, a late decision a stale one. */
#define FIFO_PRIORITY 5

struct driven { /* a flow, by its slot */
    struct drive_mark mark;
    bool is_waiting; /* for a decision */
    bool has_complained;
    struct agent_sample newest;
    uint64_t reported_ns;
    double wanted;  /* packets, the last that was decided; NaN */
    double advised; /* packets, at the newest interval: by the advisor, else by the policy but for
                       chance; NaN */
    double target;  /* return to go of that decision; NaN */
};

struct driver {
    const struct drive_opts *opts;
    struct agent *agent;
    struct drive_policy *advisor; /* NULL: nobody, or it has failed */
    struct line_splitter control;
    struct driven flows[AGENT_SLOTS];
    uint32_t waiting[AGENT_SLOTS]; /* slots */
    size_t waiting_count;
    struct drive_seen seen[AGENT_SLOTS];
    struct drive_answer answers[AGENT_SLOTS], advice[AGENT_SLOTS];
    struct drive_account interval, total;
    uint64_t opened, reported_ns;
    struct rng rng;
    size_t reported_open; /* flows */
    double target_scale;  /* NaN: the policy aims at no return */
    struct awake awake;
    bool is_fifo, has_control;
};

/* --- the agent's calls ------------------------------------------------------------------------ */

static void on_open(void *user, const struct agent_flow *flow)
{
    struct driver *d = user;

    d->opened++;
    d->flows[flow->slot] = (struct driven){.wanted = NAN, .advised = NAN, .target = NAN};
    if (d->opts->policy->ops->open)
        d->opts->policy->ops->open(d->opts->policy, flow);
    if (d->advisor && d->advisor->ops->open)
        d->advisor->ops->open(d->advisor, flow);
}

static void on_sample(void *user, const struct agent_flow *flow, const struct agent_sample *s)
{
    struct driver *d = user;
    struct driven *f = &d->flows[flow->slot];

    drive_account_interval(&d->interval, s);
    drive_account_interval(&d->total, s);
    f->newest = *s; /* of several only the last is decided on: its interval is that of all */
    if (f->is_waiting)
        return;
    f->is_waiting = true;
    d->waiting[d->waiting_count++] = flow->slot;
}

static void report_flow(struct driver *d, const struct agent_flow *flow,
                        const struct drive_seen *seen)
{
    const struct agent_sample *s = &seen->sample;
    cJSON *v = cJSON_CreateObject();
    char src[AGENT_ADDRESS_MAX + 8];

    json_add_num(v, "cwnd_pkts", s->cwnd);
    json_add_num(v, "wanted_pkts", d->flows[flow->slot].wanted);
    json_add_num(v, "advised_bytes", d->flows[flow->slot].advised * s->h.mss);
    json_add_num(v, "target_return", d->flows[flow->slot].target);
    json_add_num(v, "target_return_scale", d->target_scale);
    json_add_num(v, "cwnd_bytes", seen->row.cwnd_bytes);
    json_add_num(v, "srtt_us", s->srtt_us ? s->srtt_us : NAN);
    json_add_num(v, "min_rtt_us", s->min_rtt_us ? s->min_rtt_us : NAN);
    json_add_num(v, "throughput_bps", seen->row.throughput_bps);
    json_add_num(v, "pacing_rate_bps", (double)s->pacing_rate * 8);
    json_add_num(v, "in_flight_pkts", s->in_flight);
    json_add_num(v, "bytes_acked", (double)s->bytes_acked);
    json_add_num(v, "interval_us", seen->interval_s * 1e6);
    json_add_num(v, "interval_delivered", seen->delivered);
    json_add_num(v, "interval_ce", seen->ce);
    json_add_num(v, "interval_lost", seen->lost);
    json_add_num(v, "delivered", s->delivered);
    json_add_num(v, "delivered_ce", s->delivered_ce);
    json_add_num(v, "lost", s->lost);
    json_add_num(v, "is_driven", s->is_driven);
    json_add_num(v, "age_us", s->seq ? s->age_us : NAN);
    json_add_num(v, "takeovers", s->takeovers);
    snprintf(src, sizeof src, "drive/%s", flow->local);
    /* The moment of the sample: experience is made of these (model/trace_run.c). */
    double t = clock_wall_s() - (double)(clock_mono_ns() - s->h.t_ns) / 1e9;
    event_write_sample(d->opts->events, t, src, v);
}

static void on_close(void *user, const struct agent_flow *flow, const struct agent_sample *last)
{
    struct driver *d = user;
    struct driven *f = &d->flows[flow->slot];

    (void)last;
    for (size_t i = 0; f->is_waiting && i < d->waiting_count; i++) {
        if (d->waiting[i] != flow->slot)
            continue;
        d->waiting[i] = d->waiting[--d->waiting_count];
        f->is_waiting = false;
    }
    if (d->opts->policy->ops->close)
        d->opts->policy->ops->close(d->opts->policy, flow);
    if (d->advisor && d->advisor->ops->close)
        d->advisor->ops->close(d->advisor, flow);
}

/* --- deciding --------------------------------------------------------------------------------- */

static void count_decision(struct drive_account *a, uint64_t event_ns)
{
    a->decisions++;
    serve_latency_add(&a->event, event_ns);
}

static void count_batch(struct drive_account *a, size_t count, uint64_t ns)
{
    a->batches++;
    a->largest_batch = count > a->largest_batch ? count : a->largest_batch;
    serve_latency_add(&a->decide, ns);
}

static void refuse(struct driver *d, struct driven *f, const struct drive_seen *seen)
{
    d->interval.refused++;
    d->total.refused++;
    if (f->has_complained)
        return;
    f->has_complained = true;
    event_write_log(d->opts->events, LOG_LEVEL_WARN,
                    "flow %s: the policy's answer is not a number: without decisions the watchdog "
                    "takes over",
                    seen->flow->local);
}

/* An advised window as the kernel would take it: what is learned from it is bounded by that. */
static double sane_advice(const struct drive_answer *a)
{
    if (a->is_none || isnan(a->cwnd))
        return NAN;
    return fmin(fmax(a->cwnd, AGENT_CWND_MIN), AGENT_CWND_MAX);
}

/* What the advisor would have done. The driving does not depend on it. */
static void ask_advisor(struct driver *d, size_t count)
{
    struct error err = {0};

    for (size_t i = 0; i < count; i++)
        d->advice[i] = (struct drive_answer){.target_return = NAN};
    if (d->advisor->ops->decide(d->advisor, d->seen, d->advice, count, &err)) {
        event_write_log(d->opts->events, LOG_LEVEL_ERROR,
                        "the advisor has failed, from here on nothing is advised: %s", err.message);
        d->advisor = NULL;
        return;
    }
    for (size_t i = 0; i < count; i++)
        d->flows[d->seen[i].flow->slot].advised = sane_advice(&d->advice[i]);
}

static enum status decide_waiting(struct driver *d, struct error *err)
{
    const struct agent_flows *flows = agent_get_flows(d->agent);
    struct drive_policy *policy = d->opts->policy;
    size_t count = d->waiting_count;
    enum status st;

    if (!count)
        return STATUS_OK;
    for (size_t i = 0; i < count; i++) {
        struct driven *f = &d->flows[d->waiting[i]];
        drive_see(&f->mark, &flows->at[d->waiting[i]], &f->newest, &d->seen[i]);
        d->answers[i] = (struct drive_answer){.target_return = NAN};
        f->is_waiting = false;
        f->advised = NAN;
    }
    d->waiting_count = 0;
    uint64_t began_ns = clock_mono_ns();
    if ((st = policy->ops->decide(policy, d->seen, d->answers, count, err)))
        return st;
    uint64_t ns = clock_mono_ns() - began_ns;
    count_batch(&d->interval, count, ns);
    count_batch(&d->total, count, ns);

    for (size_t i = 0; i < count; i++) {
        const struct drive_answer *a = &d->answers[i];
        const struct drive_seen *seen = &d->seen[i];
        if (a->is_none)
            continue;
        struct driven *f = &d->flows[seen->flow->slot];
        double cwnd = a->cwnd * exp(rng_uniform(&d->rng, d->opts->explore));
        if (!agent_decide(d->agent, seen->flow->slot, cwnd, a->pacing_bps)) {
            refuse(d, f, seen);
            continue;
        }
        f->wanted = f->mark.wanted = cwnd;
        if (!d->opts->advisor)
            f->advised = sane_advice(a);
        f->target = a->target_return;
        uint64_t event_ns = clock_mono_ns() - seen->sample.h.t_ns;
        count_decision(&d->interval, event_ns);
        count_decision(&d->total, event_ns);
    }
    /* After all decisions stand: advice and writing take longer than they do. */
    if (d->advisor)
        ask_advisor(d, count);
    for (size_t i = 0; i < count; i++) {
        struct driven *f = &d->flows[d->seen[i].flow->slot];
        if (d->seen[i].sample.h.t_ns - f->reported_ns < (uint64_t)d->opts->report_us * 1000)
            continue;
        f->reported_ns = d->seen[i].sample.h.t_ns;
        report_flow(d, d->seen[i].flow, &d->seen[i]);
    }
    return STATUS_OK;
}

/* --- control ---------------------------------------------------------------------------------- */

static void on_control(void *user, const char *line, size_t len)
{
    struct driver *d = user;
    struct error err = {0};

    if (!len)
        return;
    cJSON *o = json_parse(line, len, "the line", &err);
    double scale = json_num(o, "target_return_scale", NAN);
    if (!o)
        event_write_log(d->opts->events, LOG_LEVEL_ERROR, "control: %s", err.message);
    else if (!isfinite(scale))
        event_write_log(d->opts->events, LOG_LEVEL_ERROR,
                        "control: a line is to be like {\"target_return_scale\":0.8}");
    else if (!d->opts->policy->ops->set_target)
        event_write_log(d->opts->events, LOG_LEVEL_WARN, "control: %s aims at no return",
                        d->opts->policy_name);
    else {
        d->opts->policy->ops->set_target(d->opts->policy, scale);
        d->target_scale = scale;
        event_write_log(d->opts->events, LOG_LEVEL_INFO, "target return: %g of the largest", scale);
    }
    cJSON_Delete(o);
}

static void read_control(struct driver *d)
{
    char bytes[CONTROL_LINE_MAX];
    ssize_t n = read(d->opts->control_fd, bytes, sizeof bytes);

    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n > 0) {
        line_splitter_feed(&d->control, bytes, (size_t)n, on_control, d);
    } else {
        line_splitter_end(&d->control, on_control, d);
        d->has_control = false; /* its end is not ours */
    }
}

/* --- reports ---------------------------------------------------------------------------------- */

static double cpu_s(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void report_interval(struct driver *d)
{
    uint64_t now = clock_mono_ns();

    if (now - d->reported_ns < REPORT_NS)
        return;
    d->reported_ns = now;
    size_t open = agent_get_flows(d->agent)->open;
    if (!d->interval.intervals && open == d->reported_open)
        return;
    d->reported_open = open;
    cJSON *v = drive_account_json(&d->interval);
    cJSON_AddNumberToObject(v, "flows", (double)open);
    event_write_sample(d->opts->events, -1, "drive", v);
    d->interval = (struct drive_account){0};
}

static void report_up(const struct driver *d)
{
    static const char *const ects[] = {
        [AGENT_NOT_ECT] = "none", [AGENT_ECT0] = "ect0", [AGENT_ECT1] = "ect1"};
    cJSON *o = cJSON_CreateObject();

    cJSON_AddStringToObject(o, "state", "up");
    cJSON_AddStringToObject(o, "cc", AGENT_CC);
    cJSON_AddStringToObject(o, "policy", d->opts->policy_name);
    cJSON_AddStringToObject(o, "ect", ects[d->opts->agent.ect]);
    cJSON_AddNumberToObject(o, "interval_us", d->opts->agent.interval_us);
    json_add_num(o, "target_return_scale", d->target_scale);
    cJSON_AddBoolToObject(o, "is_sched_fifo", d->is_fifo);
    cJSON_AddBoolToObject(o, "is_awake", awake_is_open(&d->awake));
    event_write_result(d->opts->events, o);
}

static void report_down(const struct driver *d, double began_cpu_s)
{
    cJSON *o = drive_account_json(&d->total);

    cJSON_AddStringToObject(o, "state", "down");
    cJSON_AddNumberToObject(o, "flows", (double)d->opened);
    cJSON_AddNumberToObject(o, "open_flows", (double)agent_get_flows(d->agent)->open);
    cJSON_AddNumberToObject(o, "lost_records", (double)agent_dropped(d->agent));
    cJSON_AddNumberToObject(o, "cpu_s", cpu_s() - began_cpu_s);
    event_write_result(d->opts->events, o);
}

/* --- the loop --------------------------------------------------------------------------------- */

static enum status loop(struct driver *d, struct error *err)
{
    struct drive_policy *policy = d->opts->policy;
    enum status st;
    bool has_more = false;

    while (!*d->opts->stop) {
        struct pollfd fds[] = {{.fd = agent_fd(d->agent), .events = POLLIN},
                               {.fd = d->has_control ? d->opts->control_fd : -1, .events = POLLIN}};
        int n = poll(fds, 2, has_more ? 0 : (int)(REPORT_NS / 1000000));
        if (n < 0 && errno != EINTR)
            return error_sys(err, STATUS_INTERNAL, errno, "drive", "cannot wait for samples");
        if (n > 0 && fds[1].revents)
            read_control(d);
        agent_take(d->agent);
        if ((st = decide_waiting(d, err)))
            return st;
        awake_hold(&d->awake, agent_get_flows(d->agent)->open > 0);
        has_more = false;
        if (policy->ops->idle && (st = policy->ops->idle(policy, &has_more, err)))
            return st;
        report_interval(d);
    }
    return STATUS_OK;
}

enum status drive_run(const struct drive_opts *opts, struct error *err)
{
    static const struct agent_handlers handlers = {
        .open = on_open, .sample = on_sample, .close = on_close};
    struct sched_param param = {.sched_priority = FIFO_PRIORITY};
    enum status st;
    struct driver *d = calloc(1, sizeof *d);

    if (!d)
        return error_set(err, STATUS_NOMEM, "drive", "no memory");
    d->opts = opts;
    d->advisor = opts->advisor;
    d->rng.state = opts->seed;
    d->awake.fd = -1;
    d->has_control = opts->control_fd >= 0;
    d->target_scale = opts->policy->ops->set_target ? opts->target_scale : NAN;
    line_splitter_init(&d->control, CONTROL_LINE_MAX);
    if ((st = agent_start(&opts->agent, &handlers, d, &d->agent, err)))
        goto out;
    d->is_fifo =
        opts->is_realtime && sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &param) == 0;
    if (opts->is_awake)
        awake_open(&d->awake);
    d->reported_ns = clock_mono_ns();
    double began_cpu_s = cpu_s();
    report_up(d);
    if (isatty(fileno(opts->events)))
        fprintf(stderr, "netllm: `iperf3 -C " AGENT_CC "` is driven from now on, until Ctrl-C\n");
    st = loop(d, err);
    report_down(d, began_cpu_s);
out:
    awake_close(&d->awake);
    agent_stop(d->agent);
    line_splitter_done(&d->control);
    free(d);
    return st;
}
