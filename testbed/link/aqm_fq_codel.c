#include <stdlib.h>

#include "core/json.h"
#include "testbed/link/flow_hash.h"
#include "testbed/link/fq_codel.h"

/* A bucket of the hash: what hashes alike is one flow. */
struct fq_flow {
    struct packet_queue queue;
    struct codel_state codel;
    struct fq_flow *next; /* in its list */
    bool is_listed;
    int64_t deficit; /* bytes it may send before it has to go to the end of the line */
};

struct fq_list {
    struct fq_flow *head, *tail;
    size_t len;
};

struct fq_codel {
    struct aqm base;
    struct fq_codel_params params;
    struct codel_stats codel;
    struct fq_flow *flows;
    struct fq_list fresh, old; /* new_flows and old_flows of the RFC */
    uint32_t perturbation;
    uint64_t new_flow_count;
    uint64_t drop_overmemory; /* part of drop_overlimit */
};

/* --- lists -------------------------------------------------------------------------------------
 */

static void list_push(struct fq_list *l, struct fq_flow *f)
{
    f->next = NULL;
    f->is_listed = true;
    if (l->tail != NULL) {
        l->tail->next = f;
    } else {
        l->head = f;
    }
    l->tail = f;
    l->len++;
}

static struct fq_flow *list_pop(struct fq_list *l)
{
    struct fq_flow *f = l->head;

    l->head = f->next;
    if (l->head == NULL) {
        l->tail = NULL;
    }
    f->is_listed = false;
    l->len--;
    return f;
}

/* --- arrivals ----------------------------------------------------------------------------------
 */

/* Drop from the head of the flow with the most bytes until half of them are gone, or the batch is
 * full. One scan for many drops: an overload must not cost a scan a packet. */
static size_t drop_from_fattest(struct fq_codel *q, uint64_t now_ns)
{
    struct fq_flow *fattest = &q->flows[0];
    uint64_t half, bytes = 0;
    size_t drops = 0;

    for (size_t i = 1; i < q->params.flows; i++) {
        if (q->flows[i].queue.len_bytes > fattest->queue.len_bytes) {
            fattest = &q->flows[i];
        }
    }
    half = fattest->queue.len_bytes / 2;
    do {
        struct packet *p = aqm_pop(&q->base, &fattest->queue);

        bytes += p->len_bytes;
        aqm_drop(&q->base, p, now_ns, &q->base.stats.drop_overlimit);
        drops++;
    } while (drops < q->params.drop_batch_pkts && bytes < half);
    fattest->codel.count += (uint32_t)drops; /* CoDel is to press harder, too */
    return drops;
}

static bool fq_codel_enqueue(struct aqm *a, struct packet *p, uint64_t now_ns)
{
    struct fq_codel *q = (struct fq_codel *)a;
    uint64_t hash = flow_hash(p->data, p->len_bytes, q->perturbation);
    struct fq_flow *f = &q->flows[hash * q->params.flows >> 32];
    bool is_overmemory;
    size_t drops;

    p->is_l = false;
    aqm_push(a, &f->queue, p, now_ns);
    if (!f->is_listed) {
        list_push(&q->fresh, f);
        q->new_flow_count++;
        f->deficit = (int64_t)q->params.quantum_bytes;
    }
    is_overmemory = a->backlog_pkts * sizeof(*p) > q->params.memory_bytes;
    if (a->backlog_pkts <= q->params.codel.limit_pkts && !is_overmemory) {
        return true;
    }
    drops = drop_from_fattest(q, now_ns);
    q->drop_overmemory += is_overmemory ? drops : 0;
    return f->queue.tail == p; /* it is the last of its flow unless it is gone */
}

/* --- departures --------------------------------------------------------------------------------
 */

static struct packet *fq_codel_dequeue(struct aqm *a, uint64_t now_ns)
{
    struct fq_codel *q = (struct fq_codel *)a;

    while (q->fresh.head != NULL || q->old.head != NULL) {
        bool is_fresh = q->fresh.head != NULL;
        struct fq_flow *f = is_fresh ? q->fresh.head : q->old.head;
        struct packet *p;

        if (f->deficit <= 0) {
            f->deficit += (int64_t)q->params.quantum_bytes;
            list_push(&q->old, list_pop(is_fresh ? &q->fresh : &q->old));
            continue;
        }
        p = codel_dequeue(a, &f->queue, &f->codel, &q->params.codel, &q->codel, now_ns);
        if (p != NULL) {
            f->deficit -= p->len_bytes;
            return p;
        }
        /* An empty new flow has to pass through the old ones once, or it would starve them by
         * coming back as new each time (RFC 8290, section 4.2). */
        list_pop(is_fresh ? &q->fresh : &q->old);
        if (is_fresh && q->old.head != NULL) {
            list_push(&q->old, f);
        }
    }
    return NULL;
}

static struct packet *evict_from(struct aqm *a, struct fq_list *l)
{
    while (l->head != NULL) {
        struct packet *p = aqm_pop(a, &l->head->queue);

        if (p != NULL) {
            return p;
        }
        list_pop(l);
    }
    return NULL;
}

static struct packet *fq_codel_evict(struct aqm *a)
{
    struct fq_codel *q = (struct fq_codel *)a;
    struct packet *p = evict_from(a, &q->fresh);

    return p != NULL ? p : evict_from(a, &q->old);
}

/* --- statistics --------------------------------------------------------------------------------
 */

/* The delay is that of the flow that is next. */
static void fq_codel_stats(const struct aqm *a, uint64_t now_ns, struct aqm_stats *out)
{
    const struct fq_codel *q = (const struct fq_codel *)a;
    const struct fq_flow *next = q->fresh.head != NULL ? q->fresh.head : q->old.head;

    aqm_stats_base(a, out);
    out->delay_c_us = next != NULL ? aqm_head_age_ns(&next->queue, now_ns) / 1000 : 0;
    out->ecn_mark += q->codel.ce_mark;
    out->memory_limit = q->params.memory_bytes;
}

static void fq_codel_stats_json(const struct aqm *a, uint64_t now_ns, cJSON *out)
{
    const struct fq_codel *q = (const struct fq_codel *)a;

    (void)now_ns;
    json_add_num(out, "maxpacket", q->codel.maxpacket);
    json_add_num(out, "drop_overlimit", (double)a->stats.drop_overlimit);
    json_add_num(out, "new_flow_count", (double)q->new_flow_count);
    json_add_num(out, "ecn_mark", (double)a->stats.ecn_mark);
    if (q->codel.ce_mark != 0) {
        json_add_num(out, "ce_mark", (double)q->codel.ce_mark);
    }
    if (a->backlog_pkts != 0) {
        json_add_num(out, "memory_used", (double)(a->backlog_pkts * sizeof(struct packet)));
    }
    if (q->drop_overmemory != 0) {
        json_add_num(out, "drop_overmemory", (double)q->drop_overmemory);
    }
    json_add_num(out, "new_flows_len", (double)q->fresh.len);
    json_add_num(out, "old_flows_len", (double)q->old.len);
}

/* --- making one --------------------------------------------------------------------------------
 */

static enum status fq_codel_resolve(void *params, const struct aqm_config *config,
                                    struct error *err)
{
    struct fq_codel_params *p = params;

    (void)err;
    p->codel.limit_pkts = aqm_limit_pkts(p->codel.limit_pkts, config, FQ_CODEL_LIMIT_PKTS);
    if (p->memory_bytes == 0) {
        p->memory_bytes = config != NULL && config->limit_bytes != 0 ? config->limit_bytes
                                                                     : FQ_CODEL_MEMORY_BYTES;
    }
    if (p->quantum_bytes == 0) {
        p->quantum_bytes = config != NULL ? config->mtu_bytes : LINK_MTU_BYTES;
    }
    return STATUS_OK;
}

static uint64_t fq_codel_capacity_pkts(const void *params)
{
    const struct fq_codel_params *p = params;
    uint64_t by_memory = p->memory_bytes / sizeof(struct packet);

    /* One more: it is queued before the fattest flow pays for it. */
    return (p->codel.limit_pkts < by_memory ? p->codel.limit_pkts : by_memory) + 1;
}

static enum status fq_codel_make(const struct aqm_config *config, const void *params,
                                 struct aqm **out, struct error *err)
{
    struct fq_codel *q = aqm_alloc(sizeof(*q), &fq_codel_ops, config, err);

    if (q == NULL) {
        return STATUS_NOMEM;
    }
    q->params = *(const struct fq_codel_params *)params;
    q->base.params = &q->params;
    q->flows = calloc(q->params.flows, sizeof(*q->flows));
    if (q->flows == NULL) {
        free(q);
        return error_set(err, STATUS_NOMEM, "aqm", "no memory for the flows of fq_codel");
    }
    q->perturbation = config->random(config->random_user);
    *out = &q->base;
    return STATUS_OK;
}

static void fq_codel_free(struct aqm *a)
{
    struct fq_codel *q = (struct fq_codel *)a;

    free(q->flows);
    free(q);
}

#define OFFSET(field)       AQM_OFFSET(fq_codel_params, field)
#define CODEL_OFFSET(field) AQM_OFFSET(fq_codel_params, codel.field)

static const struct aqm_option fq_codel_options[] = {
    {.name = "limit",
     .type = AQM_OPTION_PKTS,
     .offset = CODEL_OFFSET(limit_pkts),
     .min = 1,
     .max = AQM_PKTS_MAX,
     .help = "packets queued at most, 10240"},
    {.name = "flows",
     .type = AQM_OPTION_COUNT,
     .offset = OFFSET(flows),
     .min = 1,
     .max = 65536,
     .def = 1024,
     .help = "buckets that flows are hashed into, 1024"},
    {.name = "quantum",
     .type = AQM_OPTION_COUNT,
     .offset = OFFSET(quantum_bytes),
     .min = 256,
     .max = 1u << 20,
     .help = "bytes a flow may send at its turn (the MTU)"},
    CODEL_OPTION_TARGET(CODEL_OFFSET),
    CODEL_OPTION_CE_THRESHOLD(CODEL_OFFSET),
    CODEL_OPTION_INTERVAL(CODEL_OFFSET),
    {.name = "memory_limit",
     .type = AQM_OPTION_BYTES,
     .offset = OFFSET(memory_bytes),
     .min = 1,
     .max = 1u << 31,
     .help = "bytes of packet buffers at most, 32mb"},
    AQM_WORD("ecn", CODEL_OFFSET(is_ecn), 1, 1, "mark ECN-capable packets (default)"),
    AQM_WORD("noecn", CODEL_OFFSET(is_ecn), 0, 1, "drop them instead"),
    {.name = "drop_batch",
     .type = AQM_OPTION_COUNT,
     .offset = OFFSET(drop_batch_pkts),
     .min = 1,
     .max = 65536,
     .def = 64,
     .help = "packets of the fattest flow dropped at once at the limit, 64"},
    {.name = NULL},
};

const struct aqm_ops fq_codel_ops = {
    .name = "fq_codel",
    .options = fq_codel_options,
    .params_size = sizeof(struct fq_codel_params),
    .resolve = fq_codel_resolve,
    .capacity_pkts = fq_codel_capacity_pkts,
    .make = fq_codel_make,
    .free = fq_codel_free,
    .enqueue = fq_codel_enqueue,
    .dequeue = fq_codel_dequeue,
    .evict = fq_codel_evict,
    .next_update_ns = aqm_no_update_ns,
    .update = aqm_no_update,
    .stats = fq_codel_stats,
    .stats_json = fq_codel_stats_json,
};
