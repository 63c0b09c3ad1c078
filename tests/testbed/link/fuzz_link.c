/* libFuzzer target: the link without its devices in virtual time. The input is a program: packets,
 * whole, cut and random, the passing of time, and requests as the control socket gets them. No
 * packet may be lost without being counted, leave before its time or out of time's order.
 * Build: clang, -DCCALAB_FUZZ=ON. Run: fuzz_link -max_len=4096 CORPUS_DIR */
#include <stdlib.h>
#include <string.h>

#include "testbed/link/request.h"

#define MS 1000000ull

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const specs[] = {
    "dualpi2",
    "fifo limit 20p",
    "codel target 1ms interval 5ms ecn",
    "pie target 2ms tupdate 2ms ecn",
    "fq_codel flows 8 limit 50 target 1ms interval 5ms ecn",
    "pi2 target 2ms tupdate 2ms ecn",
    "dualpi2 limit 30 step_thresh 100us target 1ms tupdate 1ms drop_enqueue",
    "dualpi2 any_ect overflow",
};
#define SPECS (sizeof(specs) / sizeof(specs[0]))

static const char *const requests[] = {
    "{\"cmd\":\"get\"}",
    "{\"cmd\":\"set\",\"down\":{\"rate\":\"1mbit\"},\"up\":{\"rate\":\"unlimited\"}}",
    "{\"cmd\":\"set\",\"down\":{\"rate\":\"100mbit\",\"delay\":\"1ms\"}}",
    "{\"cmd\":\"set\",\"up\":{\"rate\":\"8kbit\"}}",
    "{\"cmd\":\"set\",\"down\":{\"delay\":\"20ms\",\"jitter\":\"30ms\",\"loss\":0.2}}",
    "{\"cmd\":\"set\",\"up\":{\"delay\":\"0s\",\"jitter\":\"0s\",\"loss\":1}}",
    "{\"cmd\":\"set\",\"paths\":{\"10.0.0.1\":\"5ms\",\"10.0.0.2\":\"0s\",\"::1\":\"1ms\"}}",
};
#define REQUESTS (sizeof(requests) / sizeof(requests[0]))

struct input {
    const uint8_t *at, *end;
};

static unsigned next(struct input *in)
{
    return in->at < in->end ? *in->at++ : 0;
}

/* --- what must hold ----------------------------------------------------------------------------
 */

static void check(bool is_true)
{
    if (!is_true) {
        abort();
    }
}

static void check_direction(const struct direction *d)
{
    uint64_t gone = d->totals.out_pkts + d->totals.write_errors + d->totals.malformed +
                    d->totals.no_buffer + d->totals.lost;
    size_t inside = d->aqm->backlog_pkts + d->line.count + (d->sending != NULL);
    struct aqm_stats s;

    direction_stats(d, d->now_ns, &s);
    check(d->pool.in_use == inside);
    check(d->totals.in_pkts == gone + s.drop_aqm + s.drop_overlimit + inside);
    check(!d->is_busy || d->free_ns >= d->now_ns); /* equal: since a request, not acted upon */
    check(d->is_busy || (d->aqm->backlog_pkts == 0 && d->sending == NULL));
    check((d->aqm->backlog_pkts == 0) == (d->aqm->backlog_bytes == 0));
}

/* --- the program -------------------------------------------------------------------------------
 */

static void offer(struct link *l, struct input *in, uint64_t now_ns)
{
    unsigned kind = next(in);
    struct direction *d = &l->dir[kind & 1];
    struct packet *p = direction_buffer(d);
    uint32_t len = (next(in) << 3 | kind >> 5) % (PACKET_BYTES_MAX + 1);

    check(p != NULL && p->enqueue_ns == 0);
    memset(p->data, (int)kind, len);
    for (uint32_t i = 0; i < (kind & 16 ? 40 : 12) && i < len; i++) {
        p->data[i] = (uint8_t)next(in);
    }
    if ((kind & 2) != 0 && len >= 20) { /* a good header */
        p->data[0] = 0x45;
        p->data[2] = (uint8_t)(len >> 8);
        p->data[3] = (uint8_t)len;
        memcpy(p->data + 12, "\x0a\0\0\1\x0a\0\0\2", 8);
        p->data[19] = (uint8_t)(kind >> 2 & 3);
    }
    p->len_bytes = len;
    /* Read late: it came up to a millisecond ago, if it may still be put in there. */
    direction_offer(d, p, (kind & 8) != 0 && now_ns > MS ? now_ns - MS : now_ns);
}

static void take(struct link *l, unsigned arg, uint64_t now_ns, uint64_t last_due_ns[2])
{
    struct direction *d = &l->dir[arg & 1];
    struct packet *p;

    for (unsigned i = 0; i <= arg && (p = direction_take_due(d, now_ns)) != NULL; i++) {
        check(p->due_ns <= now_ns && p->due_ns >= p->enqueue_ns);
        /* All that was due by then has been taken before. */
        check(i == 0 || p->due_ns >= last_due_ns[arg & 1]);
        last_due_ns[arg & 1] = p->due_ns;
        direction_sent(d, p, now_ns - p->due_ns, (arg & 2) == 0);
    }
}

static void request(struct link *l, struct input *in, uint64_t now_ns)
{
    unsigned arg = next(in);
    char text[256];
    size_t len;
    struct buf reply;

    if (arg < 128) { /* one of ours, an AQM too */
        if (arg % 2 == 0) {
            len = (size_t)snprintf(text, sizeof(text), "{\"cmd\":\"set\",\"%s\":{\"aqm\":\"%s\"}}",
                                   arg & 64 ? "up" : "down", specs[arg / 2 % SPECS]);
        } else {
            len = (size_t)snprintf(text, sizeof(text), "%s", requests[arg / 2 % REQUESTS]);
        }
    } else { /* whatever comes */
        len = (size_t)(in->end - in->at) < arg - 128 ? (size_t)(in->end - in->at) : arg - 128;
        memcpy(text, in->at, len);
        in->at += len;
    }
    buf_init(&reply, 1 << 20);
    request_answer(l, text, len, now_ns, &reply);
    check(!reply.is_failed && reply.len > 2 && reply.data[reply.len - 1] == '\n');
    buf_done(&reply);
}

static void run(struct link *l, struct input *in)
{
    uint64_t now_ns = 1, last_due_ns[2] = {0};

    while (in->at < in->end) {
        unsigned op = next(in);

        switch (op % 8) {
        case 0:
            now_ns += (op >> 3) * MS / 2;
            break;
        case 1:
            now_ns += (uint64_t)next(in) << (op >> 3) % 16;
            break;
        case 2:
            take(l, next(in), now_ns, last_due_ns);
            break;
        case 3:
            request(l, in, now_ns);
            break;
        case 4: /* sleep as the engine does */
            if (direction_wake_ns(&l->dir[op >> 3 & 1]) - now_ns < 100 * MS) {
                now_ns = direction_wake_ns(&l->dir[op >> 3 & 1]);
            }
            break;
        default:
            offer(l, in, now_ns);
        }
        for (int dir = 0; dir < LINK_DIRECTIONS; dir++) {
            if ((op & 128) != 0) { /* else only as far as something else needs it */
                direction_advance(&l->dir[dir], now_ns);
            }
            check_direction(&l->dir[dir]);
        }
    }
    /* Everything leaves in the end: a packet at 8 kbit/s takes two seconds. */
    for (int dir = 0; dir < LINK_DIRECTIONS; dir++) {
        direction_set_rate(&l->dir[dir], 1000000000, now_ns);
        direction_advance(&l->dir[dir], now_ns + 3000 * MS);
        check(l->dir[dir].aqm->backlog_pkts == 0 && l->dir[dir].sending == NULL);
        check_direction(&l->dir[dir]);
    }
}

/* The first two bytes: AQM, rate, and what the command line can say besides. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct link_options options;
    static struct link l;
    static uint32_t at_ms[] = {0, 1, 1, 7};
    static const uint64_t rates[] = {10000000, 1000000, 0, 1000000000};
    static const struct trace trace = {.at_ms = at_ms, .count = 4};
    struct input in = {data, data + size};
    unsigned how = next(&in), more = next(&in);

    options = (struct link_options){
        .rate_bps = rates[how >> 4 & 3],
        .up_rate_bps = rates[how >> 6],
        .has_up_rate = true,
        .delay_us = more & 1 ? 3000 : 0,
        .jitter_us = more & 2 ? 1000 : 0,
        .burst_us = more & 32 ? 4000 : 0,
        .loss = more & 4 ? 1u << 28 : 0,
        .steps = {{2000, 1000000}, {9000, 0}, {12000, 20000000}},
        .step_count = more & 8 ? 3 : 0,
    };
    strcpy(options.aqm, specs[how % SPECS]);
    if (link_init(&l, &options, more, NULL, 0, NULL) != STATUS_OK) {
        abort();
    }
    if ((more & 16) != 0 && options.step_count == 0) {
        direction_set_trace(&l.dir[LINK_DOWN], &trace, 0);
    }
    run(&l, &in);
    link_done(&l);
    return 0;
}
