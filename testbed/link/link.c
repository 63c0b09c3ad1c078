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
    enum status s = direction_init(d, rate_bps, o->delay_us, AQM_PKTS_MAX, err);

    if (s != STATUS_OK) {
        return s;
    }
    /* One stream of random numbers a direction, so that traffic one way does not change the other,
     * and one for the line, so that loss and jitter do not change the AQM's. */
    l->rng[dir].state = ((uint64_t)dir << 32) | l->seed;
    d->rng.state = ((uint64_t)(dir + LINK_DIRECTIONS) << 32) | l->seed;
    d->jitter_ns = o->jitter_us * 1000;
    d->loss = o->loss;
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
    return make_aqm(l, dir, o->aqm, d->trace.trace == NULL ? rate_bps : 0, 2 * o->delay_us, now_ns,
                    &d->aqm, err);
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

        if (change[dir].aqm != NULL) {
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

enum status link_apply(struct link *l, const struct link_change change[LINK_DIRECTIONS],
                       const struct path_table *paths, uint64_t now_ns, struct error *err)
{
    struct aqm *aqms[LINK_DIRECTIONS] = {NULL};
    struct path_table merged = l->paths;
    enum status s = paths != NULL ? merge_paths(&merged, paths, err) : STATUS_OK;

    for (int dir = 0; dir < LINK_DIRECTIONS; dir++) {
        direction_advance(&l->dir[dir], now_ns);
    }
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

        if (c->has_rate) {
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
