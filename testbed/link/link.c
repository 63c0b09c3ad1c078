#include "testbed/link/link.h"

#include <string.h>

#include "testbed/link/aqm_spec.h"

const char *const link_dir_names[LINK_DIRECTIONS] = {"down", "up"};

/* The rate (0: unknown) and the base RTT are what limits in BDPs are measured by. */
static enum status make_aqm(struct link *l, int dir, const char *spec, uint64_t rate_bps,
                            uint64_t base_rtt_us, uint64_t now_ns, struct aqm **out,
                            struct error *err)
{
    struct direction *d = &l->dir[dir];
    struct aqm_config config = {
        .pool = &d->pool,
        .limit_pkts = l->options->limit_pkts,
        .limit_bytes = l->options->limit_bytes,
        .mtu_bytes = LINK_MTU_BYTES,
        .rate_bps = rate_bps,
        .base_rtt_us = base_rtt_us,
        .start_ns = now_ns,
        .random = rng_random,
        .random_user = &l->rng[dir],
        .on_drop = direction_on_drop,
        .on_drop_user = d,
    };

    return aqm_from_spec(spec, &config, out, err);
}

static void set_steps(struct link *l, uint64_t now_ns)
{
    const struct link_options *o = l->options;

    for (size_t i = 0; i < o->step_count; i++) {
        l->steps[i] = (struct rate_step){.at_ns = now_ns + o->steps[i].at_us * 1000,
                                         .rate_bps = o->steps[i].rate_bps};
    }
}

static enum status init_direction(struct link *l, int dir, struct packet_log *log, uint64_t now_ns,
                                  struct error *err)
{
    const struct link_options *o = l->options;
    struct direction *d = &l->dir[dir];
    uint64_t rate_bps = dir == LINK_DOWN ? o->rate_bps : o->up_rate_bps;
    bool is_kernel = aqm_spec_is_kernel(o->aqm);
    enum status s;

    if (is_kernel) { /* which shapes and queues: what comes has waited, and only needs its delay */
        rate_bps = 0;
    }
    s = direction_init(d, rate_bps, o->delay_us, AQM_PKTS_MAX, err);

    if (s != STATUS_OK) {
        return s;
    }
    /* One stream of random numbers a direction, so that traffic one way does not change the other,
     * and one for the line, so that loss and jitter do not change the AQM's. */
    l->rng[dir].state = ((uint64_t)dir << 32) | l->seed;
    d->rng.state = ((uint64_t)(dir + LINK_DIRECTIONS) << 32) | l->seed;
    d->jitter_ns = o->jitter_us * 1000;
    d->loss = o->loss;
    burst_start(&d->burst, o->burst_us * 1000, now_ns);
    d->paths = &l->paths;
    d->log = log;
    d->log_dir = (uint8_t)dir;
    d->capacity_ns = now_ns;
    if (dir == LINK_UP && o->up_rate_trace[0] != '\0') {
        direction_set_trace(d, &l->traces[LINK_UP], now_ns);
    } else if (dir == LINK_DOWN || !o->has_up_rate) {
        d->steps = l->steps;
        d->step_count = o->step_count;
        if (o->rate_trace[0] != '\0') {
            direction_set_trace(d, &l->traces[LINK_DOWN], now_ns);
        }
    }
    return make_aqm(l, dir, is_kernel ? "fifo limit 100000p" : o->aqm,
                    d->trace.trace == NULL ? rate_bps : 0, 2 * o->delay_us, now_ns, &d->aqm, err);
}

enum status link_init(struct link *l, const struct link_options *options, uint32_t seed,
                      struct packet_log *log, uint64_t now_ns, struct error *err)
{
    enum status s = STATUS_OK;

    memset(l, 0, sizeof(*l));
    l->options = options;
    l->seed = seed;
    l->paths = options->paths;
    set_steps(l, now_ns);
    if (options->rate_trace[0] != '\0') {
        s = trace_load(options->rate_trace, &l->traces[LINK_DOWN], err);
    }
    if (s == STATUS_OK && options->up_rate_trace[0] != '\0') {
        s = trace_load(options->up_rate_trace, &l->traces[LINK_UP], err);
    }
    for (int dir = 0; dir < LINK_DIRECTIONS && s == STATUS_OK; dir++) {
        s = init_direction(l, dir, log, now_ns, err);
    }
    if (s != STATUS_OK) {
        link_done(l);
    }
    return s;
}

void link_done(struct link *l)
{
    for (int dir = 0; dir < LINK_DIRECTIONS; dir++) {
        direction_done(&l->dir[dir]);
        trace_done(&l->traces[dir]);
    }
}

static enum status prepare_aqms(struct link *l, const struct link_change *change, uint64_t now_ns,
                                struct aqm *out[LINK_DIRECTIONS], struct error *err)
{
    uint64_t delay_us[LINK_DIRECTIONS];

    for (int dir = 0; dir < LINK_DIRECTIONS; dir++) {
        delay_us[dir] = change[dir].has_delay ? change[dir].delay_us : l->dir[dir].delay_ns / 1000;
    }
    for (int dir = 0; dir < LINK_DIRECTIONS; dir++) {
        const struct direction *d = &l->dir[dir];
        uint64_t rate_bps = change[dir].has_rate     ? change[dir].rate_bps
                            : d->trace.trace == NULL ? d->rate_bps
                                                     : 0;

        if (change[dir].aqm != NULL && l->kernel[dir] == NULL) {
            enum status s =
                make_aqm(l, dir, change[dir].aqm, rate_bps, delay_us[LINK_DOWN] + delay_us[LINK_UP],
                         now_ns, &out[dir], err);

            if (s != STATUS_OK) {
                return s;
            }
        }
    }
    return STATUS_OK;
}

static enum status merge_paths(struct path_table *into, const struct path_table *paths,
                               struct error *err)
{
    for (size_t i = 0; i < paths->count; i++) {
        enum status s =
            path_table_set(into, paths->paths[i].address, paths->paths[i].extra_ns, err);

        if (s != STATUS_OK) {
            return s;
        }
    }
    return STATUS_OK;
}

/* Is the change one that the kind of queue there is can make? */
static enum status check_kinds(const struct link *l, const struct link_change *change,
                               struct error *err)
{
    for (int dir = 0; dir < LINK_DIRECTIONS; dir++) {
        const struct link_change *c = &change[dir];
        bool is_kernel = l->kernel[dir] != NULL;

        if (c->aqm != NULL && aqm_spec_is_kernel(c->aqm) != is_kernel) {
            error_set(err, STATUS_USAGE, "link", "the queue here is %s, and '%.64s' is not",
                      is_kernel ? "the kernel's" : "ccalab-link's own", c->aqm);
            return err != NULL ? error_hint(err,
                                            "whose it is, is decided when the lab is built: "
                                            "--aqm %s",
                                            is_kernel ? "codel" : "kernel:codel")
                               : STATUS_USAGE;
        }
        if (is_kernel && c->has_rate && c->rate_bps == 0) {
            return error_set(err, STATUS_USAGE, "link", "the kernel's queue needs a rate");
        }
    }
    return STATUS_OK;
}

/* All of it or nothing, as far as the kernel lets us go back. */
static enum status apply_kernel(struct link *l, const struct link_change *change, struct error *err)
{
    struct {
        char spec[AQM_SPEC_MAX];
        uint64_t rate_bps;
    } was[LINK_DIRECTIONS] = {{{0}}};
    enum status s = STATUS_OK;

    for (int dir = 0; dir < LINK_DIRECTIONS && s == STATUS_OK; dir++) {
        struct kernel_queue *q = l->kernel[dir];

        if (q == NULL) {
            continue;
        }
        memcpy(was[dir].spec, q->spec, sizeof(was[dir].spec));
        was[dir].rate_bps = q->rate_bps;
        s = change[dir].has_rate ? kernel_queue_set_rate(q, change[dir].rate_bps, err) : s;
        if (s == STATUS_OK && change[dir].aqm != NULL) {
            s = kernel_queue_set_spec(q, change[dir].aqm, err);
        }
    }
    for (int dir = 0; dir < LINK_DIRECTIONS && s != STATUS_OK; dir++) {
        struct kernel_queue *q = l->kernel[dir];

        if (q != NULL && was[dir].rate_bps != 0 && was[dir].rate_bps != q->rate_bps) {
            (void)!kernel_queue_set_rate(q, was[dir].rate_bps, NULL);
        }
        if (q != NULL && was[dir].rate_bps != 0 && strcmp(was[dir].spec, q->spec) != 0) {
            (void)!kernel_queue_set_spec(q, was[dir].spec, NULL);
        }
    }
    return s;
}

enum status link_apply(struct link *l, const struct link_change change[LINK_DIRECTIONS],
                       const struct path_table *paths, uint64_t now_ns, struct error *err)
{
    struct aqm *aqms[LINK_DIRECTIONS] = {NULL};
    struct path_table merged = l->paths;
    enum status s = check_kinds(l, change, err);

    if (s == STATUS_OK && paths != NULL) {
        s = merge_paths(&merged, paths, err);
    }
    for (int dir = 0; dir < LINK_DIRECTIONS; dir++) {
        direction_advance(&l->dir[dir], now_ns);
    }
    s = s == STATUS_OK ? apply_kernel(l, change, err) : s;
    s = s == STATUS_OK ? prepare_aqms(l, change, now_ns, aqms, err) : s;
    for (int dir = 0; dir < LINK_DIRECTIONS && s == STATUS_OK; dir++) {
        if (aqms[dir] != NULL) {
            s = direction_set_aqm(&l->dir[dir], aqms[dir], now_ns, err);
            aqms[dir] = s == STATUS_OK ? NULL : aqms[dir];
        }
    }
    for (int dir = 0; dir < LINK_DIRECTIONS; dir++) {
        aqm_free(aqms[dir]);
    }
    if (s != STATUS_OK) {
        return s;
    }
    for (int dir = 0; dir < LINK_DIRECTIONS; dir++) {
        const struct link_change *c = &change[dir];
        struct direction *d = &l->dir[dir];

        if (c->has_rate && l->kernel[dir] == NULL) {
            direction_set_rate(d, c->rate_bps, now_ns);
        }
        d->delay_ns = c->has_delay ? c->delay_us * 1000 : d->delay_ns;
        d->jitter_ns = c->has_jitter ? c->jitter_us * 1000 : d->jitter_ns;
        d->loss = c->has_loss ? c->loss : d->loss;
    }
    l->paths = merged;
    return STATUS_OK;
}

void link_late(const struct link *l, struct hist *out)
{
    *out = l->dir[LINK_DOWN].late;
    hist_merge(out, &l->dir[LINK_UP].late);
}
