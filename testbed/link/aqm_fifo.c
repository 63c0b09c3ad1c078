#include <stdlib.h>

#include "core/json.h"
#include "testbed/link/fifo.h"

/* The shortest IP packet: what a byte limit is worth in packets at most. */
#define PKT_BYTES_MIN 20

struct fifo {
    struct aqm base;
    struct fifo_params params;
    struct packet_queue queue;
    uint64_t limit_pkts, limit_bytes; /* UINT64_MAX: none */
};

static uint64_t bytes_of_bdp(const struct aqm_limit *limit, const struct aqm_config *config)
{
    __extension__ unsigned __int128 bytes = config->rate_bps;

    /* bit/s * us * millionths, in bytes. At least one packet: less is no queue at all. */
    bytes *= config->base_rtt_us;
    bytes = bytes * limit->bdp_micro / 8 / 1000000 / 1000000;
    if (bytes < config->mtu_bytes) {
        return config->mtu_bytes;
    }
    return bytes < UINT64_MAX ? (uint64_t)bytes : UINT64_MAX;
}

static enum status fifo_resolve(void *params, const struct aqm_config *config, struct error *err)
{
    struct aqm_limit *limit = &((struct fifo_params *)params)->limit;

    if (limit->pkts == 0 && limit->bytes == 0 && limit->bdp_micro == 0) {
        limit->pkts = aqm_limit_pkts(0, config, FIFO_LIMIT_PKTS);
        limit->bytes = config != NULL ? config->limit_bytes : 0;
    }
    if (limit->bdp_micro != 0 && config != NULL &&
        (config->rate_bps == 0 || config->base_rtt_us == 0)) {
        error_set(err, STATUS_USAGE, "aqm", "fifo: a limit in BDPs needs a rate and a base RTT");
        error_hint(err, "set both, or write the limit in packets (100p) or bytes (250kb)");
        return STATUS_USAGE;
    }
    return STATUS_OK;
}

static uint64_t fifo_capacity_pkts(const void *params)
{
    const struct aqm_limit *limit = &((const struct fifo_params *)params)->limit;
    uint64_t pkts = limit->pkts != 0 ? limit->pkts : AQM_PKTS_MAX;

    return limit->bytes != 0 && limit->bytes / PKT_BYTES_MIN < pkts ? limit->bytes / PKT_BYTES_MIN
                                                                    : pkts;
}

static enum status fifo_make(const struct aqm_config *config, const void *params, struct aqm **out,
                             struct error *err)
{
    struct fifo *f = aqm_alloc(sizeof(*f), &fifo_ops, config, err);

    if (f == NULL) {
        return STATUS_NOMEM;
    }
    f->params = *(const struct fifo_params *)params;
    f->base.params = &f->params;
    f->limit_pkts = f->params.limit.pkts != 0 ? f->params.limit.pkts : UINT64_MAX;
    f->limit_bytes = f->params.limit.bytes != 0 ? f->params.limit.bytes : UINT64_MAX;
    if (f->params.limit.bdp_micro != 0) {
        uint64_t bytes = bytes_of_bdp(&f->params.limit, config);

        f->limit_bytes = bytes < f->limit_bytes ? bytes : f->limit_bytes;
    }
    *out = &f->base;
    return STATUS_OK;
}

static void fifo_free(struct aqm *a)
{
    free(a);
}

static bool fifo_enqueue(struct aqm *a, struct packet *p, uint64_t now_ns)
{
    struct fifo *f = (struct fifo *)a;

    p->is_l = false;
    if (a->backlog_pkts >= f->limit_pkts || a->backlog_bytes + p->len_bytes > f->limit_bytes) {
        p->enqueue_ns = now_ns;
        aqm_drop(a, p, now_ns, &a->stats.drop_overlimit);
        return false;
    }
    aqm_push(a, &f->queue, p, now_ns);
    return true;
}

static struct packet *fifo_evict(struct aqm *a)
{
    return aqm_pop(a, &((struct fifo *)a)->queue);
}

static struct packet *fifo_dequeue(struct aqm *a, uint64_t now_ns)
{
    (void)now_ns;
    return fifo_evict(a);
}

static void fifo_stats(const struct aqm *a, uint64_t now_ns, struct aqm_stats *out)
{
    aqm_stats_base(a, out);
    out->delay_c_us = aqm_head_age_ns(&((const struct fifo *)a)->queue, now_ns) / 1000;
}

/* tc has no statistics of its own for a FIFO. The limits in force are worth knowing where they
 * were given in BDPs. */
static void fifo_stats_json(const struct aqm *a, uint64_t now_ns, cJSON *out)
{
    const struct fifo *f = (const struct fifo *)a;

    (void)now_ns;
    if (f->limit_pkts != UINT64_MAX) {
        json_add_num(out, "limit_pkts", (double)f->limit_pkts);
    }
    if (f->limit_bytes != UINT64_MAX) {
        json_add_num(out, "limit_bytes", (double)f->limit_bytes);
    }
}

static const struct aqm_option fifo_options[] = {
    {.name = "limit",
     .type = AQM_OPTION_LIMIT,
     .offset = AQM_OFFSET(fifo_params, limit),
     .min = 1,
     .max = 1ull << 40,
     .help = "100p, 250kb (of 1024 bytes) or 2bdp; may be combined, 1000p"},
    {.name = NULL},
};

const struct aqm_ops fifo_ops = {
    .name = "fifo",
    .options = fifo_options,
    .params_size = sizeof(struct fifo_params),
    .resolve = fifo_resolve,
    .capacity_pkts = fifo_capacity_pkts,
    .make = fifo_make,
    .free = fifo_free,
    .enqueue = fifo_enqueue,
    .dequeue = fifo_dequeue,
    .evict = fifo_evict,
    .next_update_ns = aqm_no_update_ns,
    .update = aqm_no_update,
    .stats = fifo_stats,
    .stats_json = fifo_stats_json,
};
