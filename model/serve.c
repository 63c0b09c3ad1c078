#include "model/serve.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/event.h"
#include "core/json.h"
#include "model/serve_latency.h"
#include "model/serve_line.h"

#define REPORT_NS    1000000000u
#define REBASE_BATCH 8 /* contexts a pass: what a new state may have to wait for */

struct flow { /* its index is its slot */
    char name[SERVE_NAME_MAX];
    bool is_open, is_busy; /* busy: has a state in the batch being gathered */
    double target;
    uint64_t decisions;
};

struct request {
    struct serve_line line;
    uint64_t number, arrived_ns;
};

struct server {
    const struct serve_opts *opts;
    struct dataset scales; /* norm and opts only */
    struct serve_contexts *contexts;
    struct line_splitter splitter;
    struct flow *flows;
    size_t open;
    struct request *queue;
    size_t queued, queue_room;
    bool is_out_of_memory;
    struct request *batch; /* as many as flows, like the next two */
    struct serve_step *steps;
    size_t batch_size;
    uint64_t lines, bad_lines, decisions, passes, largest, opened, rebased, now_ns, reported_ns;
    size_t skipped_bytes;
    struct serve_latency interval, total;
};

/* --- input ------------------------------------------------------------------------------------ */

static void report_bad(struct server *s, uint64_t number, const struct error *e)
{
    s->bad_lines++;
    event_write_log(s->opts->events, LOG_LEVEL_ERROR, "line %llu: %s%s%s",
                    (unsigned long long)number, e->message, *e->hint ? "; " : "", e->hint);
}

static void on_line(void *user, const char *line, size_t len)
{
    struct server *s = user;
    struct error err;
    struct request r = {.number = ++s->lines, .arrived_ns = s->now_ns};
    if (!len)
        return;
    if (serve_line_parse(line, len, policy_get_config(s->opts->policy)->features, &r.line, &err)) {
        report_bad(s, r.number, &err);
        return;
    }
    if (s->queued == s->queue_room) {
        size_t room = s->queue_room ? 2 * s->queue_room : 256;
        struct request *grown = realloc(s->queue, room * sizeof *grown);
        if (!grown) {
            s->is_out_of_memory = true;
            return;
        }
        s->queue = grown;
        s->queue_room = room;
    }
    s->queue[s->queued++] = r;
}

/* A line over the limit is dropped by the splitter, which counts its bytes only. */
static void report_skipped(struct server *s)
{
    if (s->splitter.skipped == s->skipped_bytes || s->splitter.is_skipping)
        return;
    s->bad_lines++;
    s->lines++;
    event_write_log(s->opts->events, LOG_LEVEL_ERROR,
                    "%zu bytes of lines longer than %u bytes were dropped",
                    s->splitter.skipped - s->skipped_bytes, SERVE_LINE_MAX);
    s->skipped_bytes = s->splitter.skipped;
}

/* --- flows ------------------------------------------------------------------------------------ */

static struct flow *find_flow(struct server *s, const char *name)
{
    for (size_t i = 0; i < s->opts->flows; i++)
        if (s->flows[i].is_open && strcmp(s->flows[i].name, name) == 0)
            return &s->flows[i];
    return NULL;
}

static void close_flow(struct server *s, struct flow *f)
{
    if (!f)
        return;
    serve_contexts_reset(s->contexts, (size_t)(f - s->flows));
    f->is_open = false;
    s->open--;
}

/* NULL: none is free. */
static struct flow *open_flow(struct server *s, const char *name)
{
    for (size_t i = 0; i < s->opts->flows; i++) {
        struct flow *f = &s->flows[i];
        if (f->is_open)
            continue;
        *f = (struct flow){.is_open = true,
                           .target = s->opts->target_scale * s->opts->checkpoint->norm.max_return};
        memcpy(f->name, name, sizeof f->name);
        s->open++;
        s->opened++;
        return f;
    }
    return NULL;
}

double serve_next_target(const struct dataset *scales, double target, double reward)
{
    if (scales->opts.horizon)
        return target; /* a mean over the next rows: what is wanted stays wanted */
    target -= dataset_reward(scales, reward);
    return scales->opts.gamma > 0 ? target / scales->opts.gamma : target;
}

static void add_to_batch(struct server *s, struct flow *f, const struct request *r)
{
    const struct checkpoint *c = s->opts->checkpoint;
    struct serve_step *step = &s->steps[s->batch_size];
    if (!isnan(r->line.target))
        f->target = r->line.target;
    else if (!isnan(r->line.reward) && f->decisions)
        f->target = serve_next_target(&s->scales, f->target, r->line.reward);
    f->is_busy = true;
    *step = (struct serve_step){.slot = (size_t)(f - s->flows), .target = (float)f->target};
    dataset_features(recipe_of(c->recipe), &c->norm, r->line.state, step->state);
    s->batch[s->batch_size++] = *r;
}

/* Take from the queue, in order, the first state of every flow; what must wait for these stays. */
static void gather(struct server *s)
{
    size_t kept = 0;
    s->batch_size = 0;
    for (size_t i = 0; i < s->queued; i++) {
        const struct request *r = &s->queue[i];
        struct flow *f = find_flow(s, r->line.flow);
        if (f && f->is_busy) {
            s->queue[kept++] = *r;
        } else if (r->line.is_done) {
            close_flow(s, f);
        } else if (f || (f = open_flow(s, r->line.flow))) {
            add_to_batch(s, f, r);
        } else if (kept) {
            s->queue[kept++] = *r; /* the end of a flow may be among those that wait */
        } else {
            struct error err;
            error_set(&err, STATUS_USAGE, "serve", "flow %s is one too many: %zu are open",
                      r->line.flow, s->open);
            error_hint(&err, "end flows with {\"flow\":..., \"done\":true}, or give --max-flows");
            report_bad(s, r->number, &err);
        }
    }
    s->queued = kept;
}

/* --- output ----------------------------------------------------------------------------------- */

double serve_cwnd(const struct serve_opts *opts, double cwnd_bytes, double action)
{
    return recipe_cwnd(recipe_of(opts->checkpoint->recipe), action, cwnd_bytes, opts->cwnd_min,
                       opts->cwnd_max);
}

static void report_decision(struct server *s, struct flow *f, const struct request *r,
                            const struct serve_step *step, uint64_t now_ns)
{
    const struct checkpoint *c = s->opts->checkpoint;
    double action = dataset_unscaled(recipe_of(c->recipe), &c->norm, (double)step->action);
    uint64_t latency_ns = now_ns - r->arrived_ns;
    char src[SERVE_NAME_MAX + 8];
    if (!isfinite(action)) {
        struct error err;
        error_set(&err, STATUS_FAIL, "serve", "the policy's answer for flow %s is not finite",
                  f->name);
        error_hint(&err, "its context is emptied; is the state far from what it learned from?");
        report_bad(s, r->number, &err);
        serve_contexts_reset(s->contexts, step->slot);
        return;
    }
    cJSON *values = cJSON_CreateObject();
    cJSON_AddNumberToObject(values, "action", action);
    json_add_num(values, "cwnd_bytes",
                 serve_cwnd(s->opts, (double)r->line.state[POOL_CWND_BYTES], action));
    cJSON_AddNumberToObject(values, "latency_ms", (double)latency_ns / 1e6);
    snprintf(src, sizeof src, "serve/%s", f->name);
    event_write_sample(s->opts->events, -1, src, values);
    f->decisions++;
    s->decisions++;
    serve_latency_add(&s->interval, latency_ns);
    serve_latency_add(&s->total, latency_ns);
}

static void report_interval(struct server *s)
{
    uint64_t now = clock_mono_ns();
    if (now - s->reported_ns < REPORT_NS || !s->interval.total)
        return;
    s->reported_ns = now;
    cJSON *values = cJSON_CreateObject();
    cJSON_AddNumberToObject(values, "decisions", (double)s->interval.total);
    cJSON_AddNumberToObject(values, "flows", (double)s->open);
    json_add_num(values, "latency_p50_ms", serve_latency_ms(&s->interval, 0.5));
    json_add_num(values, "latency_p99_ms", serve_latency_ms(&s->interval, 0.99));
    event_write_sample(s->opts->events, -1, "serve", values);
    s->interval = (struct serve_latency){0};
}

static void report_up(const struct server *s)
{
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "state", "up");
    cJSON_AddStringToObject(o, "mode", serve_mode_name(s->opts->mode));
    cJSON_AddNumberToObject(o, "w", s->opts->checkpoint->data.steps);
    cJSON_AddNumberToObject(o, "max_flows", (double)s->opts->flows);
    cJSON_AddStringToObject(o, "recipe", s->opts->checkpoint->recipe);
    event_write_result(s->opts->events, o);
}

static void report_down(const struct server *s)
{
    cJSON *o = cJSON_CreateObject(), *latency;
    cJSON_AddStringToObject(o, "state", "down");
    cJSON_AddNumberToObject(o, "lines", (double)s->lines);
    cJSON_AddNumberToObject(o, "bad_lines", (double)s->bad_lines);
    cJSON_AddNumberToObject(o, "decisions", (double)s->decisions);
    cJSON_AddNumberToObject(o, "flows", (double)s->opened);
    cJSON_AddNumberToObject(o, "passes", (double)s->passes);
    cJSON_AddNumberToObject(o, "largest_batch", (double)s->largest);
    cJSON_AddNumberToObject(o, "rebased", (double)s->rebased);
    cJSON_AddNumberToObject(o, "rebased_late", (double)serve_contexts_late(s->contexts));
    latency = cJSON_AddObjectToObject(o, "latency_ms");
    json_add_num(latency, "p50", serve_latency_ms(&s->total, 0.5));
    json_add_num(latency, "p99", serve_latency_ms(&s->total, 0.99));
    json_add_num(latency, "max", s->total.total ? (double)s->total.max_ns / 1e6 : NAN);
    event_write_result(s->opts->events, o);
}

/* --- the loop --------------------------------------------------------------------------------- */

static enum status decide_queued(struct server *s, struct error *err)
{
    while (s->queued) {
        gather(s);
        if (!s->batch_size)
            continue; /* nothing but ends of flows and refusals */
        enum status st = serve_contexts_decide(s->contexts, s->steps, s->batch_size, err);
        if (st)
            return st;
        s->passes++;
        s->largest = s->batch_size > s->largest ? s->batch_size : s->largest;
        uint64_t now = clock_mono_ns();
        for (size_t i = 0; i < s->batch_size; i++) {
            struct flow *f = &s->flows[s->steps[i].slot];
            f->is_busy = false;
            report_decision(s, f, &s->batch[i], &s->steps[i], now);
        }
    }
    return STATUS_OK;
}

static enum status interrupted(const struct server *s, struct error *err)
{
    if (!s->opts->stop || !*s->opts->stop)
        return STATUS_OK;
    return error_set(err, STATUS_INTERRUPTED, "serve", "stopped by %s", strsignal(*s->opts->stop));
}

/* Wait for input; meanwhile give full contexts their new base. *is_ready: there is something, or
 * the end. */
static enum status wait_for_input(struct server *s, bool *is_ready, struct error *err)
{
    enum status st;
    size_t rebased = 1;
    *is_ready = false;
    while (!(st = interrupted(s, err))) {
        struct pollfd p = {.fd = s->opts->input_fd, .events = POLLIN};
        int n = poll(&p, 1, rebased ? 0 : (int)(REPORT_NS / 1000000));
        if (n < 0 && errno != EINTR)
            return error_sys(err, STATUS_IO, errno, "serve", "cannot wait for the input");
        report_interval(s);
        if (n > 0) {
            *is_ready = true;
            return STATUS_OK;
        }
        if ((st = serve_contexts_rebase(s->contexts, REBASE_BATCH, &rebased, err)))
            return st;
        s->rebased += rebased;
    }
    return st;
}

static enum status serve_input(struct server *s, struct error *err)
{
    enum status st;
    bool is_ready, is_end = false;
    static char bytes[65536];
    while (!is_end) {
        if ((st = wait_for_input(s, &is_ready, err)))
            return st;
        ssize_t n = read(s->opts->input_fd, bytes, sizeof bytes);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n < 0)
            return error_sys(err, STATUS_IO, errno, "serve", "cannot read the input");
        is_end = n == 0;
        s->now_ns = clock_mono_ns();
        if (is_end)
            line_splitter_end(&s->splitter, on_line, s);
        else
            line_splitter_feed(&s->splitter, bytes, (size_t)n, on_line, s);
        report_skipped(s);
        if (s->is_out_of_memory)
            return error_set(err, STATUS_NOMEM, "serve", "no memory for %zu waiting states",
                             s->queued);
        if ((st = decide_queued(s, err)))
            return st;
    }
    return STATUS_OK;
}

/* The first pass through the library is no decision time: tables, thread start. */
static enum status warm_up(struct server *s, struct error *err)
{
    enum status st = STATUS_OK;
    for (int i = 0; i < s->opts->checkpoint->data.steps && !st; i++) {
        struct serve_step step = {0};
        st = serve_contexts_decide(s->contexts, &step, 1, err);
    }
    serve_contexts_reset(s->contexts, 0);
    return st;
}

enum status serve_run(const struct serve_opts *opts, struct error *err)
{
    enum status st;
    const struct checkpoint *c = opts->checkpoint;
    struct server *s = calloc(1, sizeof *s);
    if (!s)
        return error_set(err, STATUS_NOMEM, "serve", "no memory");
    s->opts = opts;
    s->scales.norm = c->norm;
    s->scales.opts = c->data;
    line_splitter_init(&s->splitter, SERVE_LINE_MAX);
    s->flows = calloc(opts->flows, sizeof *s->flows);
    s->batch = calloc(opts->flows, sizeof *s->batch);
    s->steps = calloc(opts->flows, sizeof *s->steps);
    if (!s->flows || !s->batch || !s->steps) {
        st = error_set(err, STATUS_NOMEM, "serve", "no memory for %zu flows", opts->flows);
        goto out;
    }
    if ((st = serve_contexts_new(opts->policy, opts->mode, (size_t)c->data.steps, opts->flows,
                                 &s->contexts, err)) ||
        (st = warm_up(s, err)))
        goto out;
    s->reported_ns = clock_mono_ns();
    report_up(s);
    st = serve_input(s, err);
    if (!st || st == STATUS_INTERRUPTED)
        report_down(s);
out:
    serve_contexts_free(s->contexts);
    line_splitter_done(&s->splitter);
    free(s->flows);
    free(s->batch);
    free(s->steps);
    free(s->queue);
    free(s);
    return st;
}
