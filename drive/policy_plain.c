/* Policies that need no learning: what the others are measured against. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "core/units.h"
#include "drive/policy.h"

/* Of IPv4 and TCP with timestamps: what the link carries beside the mss. */
#define HEADER_BYTES 52
/* Of the window's logarithm, at most, either way. */
#define RANDOM_STRIDE 0.2

struct plain {
    struct drive_policy base;
    double cwnd;            /* constant */
    double rate_bps, rtt_s; /* bdp */
    size_t open;            /* flows that share it */
    struct rng rng;         /* random */
};

static void plain_free(struct drive_policy *p)
{
    free(p);
}

static enum status plain_new(const struct drive_policy_ops *ops, struct drive_policy **out,
                             struct plain **plain, struct error *err)
{
    *plain = calloc(1, sizeof **plain);
    if (!*plain)
        return error_set(err, STATUS_NOMEM, "drive", "no memory");
    (*plain)->base.ops = ops;
    *out = &(*plain)->base;
    return STATUS_OK;
}

/* --- constant --------------------------------------------------------------------------------- */

static enum status decide_constant(struct drive_policy *p, const struct drive_seen *seen,
                                   struct drive_answer *answers, size_t count, struct error *err)
{
    (void)seen, (void)err;
    for (size_t i = 0; i < count; i++)
        answers[i].cwnd = ((struct plain *)p)->cwnd;
    return STATUS_OK;
}

enum status drive_constant_new(const char *argument, const struct drive_policy_opts *opts,
                               struct drive_policy **out, struct error *err)
{
    static const struct drive_policy_ops ops = {.decide = decide_constant, .free = plain_free};
    struct plain *plain;
    char *end;
    double cwnd = strtod(argument, &end);

    (void)opts;
    if (*end)
        return error_set(err, STATUS_USAGE, "drive", "constant:%s is no number of packets",
                         argument);
    enum status st = plain_new(&ops, out, &plain, err);
    if (!st)
        plain->cwnd = cwnd;
    return st;
}

/* --- the bandwidth-delay product, known ------------------------------------------------------- */

static void bdp_open(struct drive_policy *p, const struct agent_flow *flow)
{
    (void)flow;
    ((struct plain *)p)->open++;
}

static void bdp_close(struct drive_policy *p, const struct agent_flow *flow)
{
    (void)flow;
    ((struct plain *)p)->open--;
}

static enum status decide_bdp(struct drive_policy *p, const struct drive_seen *seen,
                              struct drive_answer *answers, size_t count, struct error *err)
{
    const struct plain *plain = (struct plain *)p;

    (void)err;
    for (size_t i = 0; i < count; i++) {
        double packet = 8.0 * (seen[i].sample.h.mss + HEADER_BYTES);
        double share = plain->open ? (double)plain->open : 1;
        answers[i].cwnd = fmax(plain->rate_bps * plain->rtt_s / packet / share, 2);
    }
    return STATUS_OK;
}

enum status drive_bdp_new(const char *argument, const struct drive_policy_opts *opts,
                          struct drive_policy **out, struct error *err)
{
    static const struct drive_policy_ops ops = {
        .open = bdp_open, .close = bdp_close, .decide = decide_bdp, .free = plain_free};
    const char *colon = strchr(argument, ':');
    struct plain *plain;
    char rate[32];
    uint64_t rate_bps, rtt_us;
    enum status st;

    (void)opts;
    if (!colon || (size_t)(colon - argument) >= sizeof rate)
        return error_set(err, STATUS_USAGE, "drive",
                         "bdp:%s is to be given as bdp:RATE:RTT, e.g. bdp:50mbit:20ms", argument);
    snprintf(rate, sizeof rate, "%.*s", (int)(colon - argument), argument);
    if ((st = parse_rate_bps(rate, &rate_bps, err)) ||
        (st = parse_time_us(colon + 1, &rtt_us, err)))
        return st;
    if ((st = plain_new(&ops, out, &plain, err)))
        return st;
    plain->rate_bps = (double)rate_bps;
    plain->rtt_s = (double)rtt_us / 1e6;
    return STATUS_OK;
}

/* --- leave it --------------------------------------------------------------------------------- */

static enum status decide_copy_last(struct drive_policy *p, const struct drive_seen *seen,
                                    struct drive_answer *answers, size_t count, struct error *err)
{
    (void)p, (void)err;
    for (size_t i = 0; i < count; i++)
        answers[i].cwnd = seen[i].sample.cwnd;
    return STATUS_OK;
}

enum status drive_copy_last_new(const char *argument, const struct drive_policy_opts *opts,
                                struct drive_policy **out, struct error *err)
{
    static const struct drive_policy_ops ops = {.decide = decide_copy_last, .free = plain_free};
    struct plain *plain;

    (void)argument, (void)opts;
    return plain_new(&ops, out, &plain, err);
}

/* --- random ----------------------------------------------------------------------------------- */

static enum status decide_random(struct drive_policy *p, const struct drive_seen *seen,
                                 struct drive_answer *answers, size_t count, struct error *err)
{
    struct plain *plain = (struct plain *)p;

    (void)err;
    /* Rounded by chance: from two packets a step of a fifth would never lead away. */
    for (size_t i = 0; i < count; i++)
        answers[i].cwnd = floor(seen[i].sample.cwnd * exp(rng_uniform(&plain->rng, RANDOM_STRIDE)) +
                                rng_unit(&plain->rng));
    return STATUS_OK;
}

enum status drive_random_new(const char *argument, const struct drive_policy_opts *opts,
                             struct drive_policy **out, struct error *err)
{
    static const struct drive_policy_ops ops = {.decide = decide_random, .free = plain_free};
    struct plain *plain;
    uint64_t seed;
    enum status st;

    (void)opts;
    if ((st = parse_count(argument, "random:SEED", 0, UINT64_MAX, &seed, err)) ||
        (st = plain_new(&ops, out, &plain, err)))
        return st;
    plain->rng.state = seed;
    return STATUS_OK;
}
