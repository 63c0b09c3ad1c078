/* Is the bottleneck that marks us a classic one, a single queue with RFC 3168 marking? Prague's
 * draft (section 3.3) and RFC 9331 (section 4.3) ask for a watch on that: such a queue marks
 * everybody alike, and who answers by alpha/2 starves who answers by 30 %. The idea is that of the
 * L4S team's report (arXiv 1911.00710): an L4S queue holds the RTT within a millisecond of the
 * path's, a classic one lets it rise and fall by more. The program and its constants but for the
 * two reference values are ours: docs/prague.md. */
#ifndef CCALAB_BPF_CLASSIC_H
#define CCALAB_BPF_CLASSIC_H

#include "kernel.h"

#include <bpf/bpf_helpers.h>

#define CLASSIC_DEVIATION_US 750  /* of the RTT: more speaks for a classic queue, less against */
#define CLASSIC_DEPTH_US     2000 /* of the standing queue: more speaks for a classic one */
#define CLASSIC_GAIN_SHIFT   3    /* of both averages: 8 rounds, which a CoDel's sawtooth fits in */

/* The score, in units of 2^-8. Below SURE it is an L4S queue, from SURE + ONE on a classic one; it
 * ends as far above as it began below, so that both verdicts take as long to change. */
#define SCORE_ONE  256
#define SCORE_SURE (8 * SCORE_ONE)
#define SCORE_MAX  (2 * SCORE_SURE + SCORE_ONE)

struct classic {
    __u32 mean_us, deviation_us; /* of the smoothed RTT, round by round; shifted by the gain */
    __s32 score;
};

/* 2^8 lg(x), between powers of two by a straight line. x > 0. */
static __always_inline __s32 lg_256(__u32 x)
{
    __u32 e = 0;

    for (int bit = 16; bit > 0; bit >>= 1)
        if (x >> e >> bit)
            e += bit;
    return (__s32)(e << 8) + (__s32)((__u32)((__u64)x << 8 >> e) - 256);
}

static __always_inline __u32 or_one(__u32 x)
{
    return x ? x : 1;
}

/* End of a round in which the queue was known to mark. */
static __always_inline void classic_update(struct classic *c, __u32 rtt_us, __u32 min_rtt_us)
{
    if (c->mean_us == 0)
        c->mean_us = rtt_us << CLASSIC_GAIN_SHIFT;
    __u32 mean_us = c->mean_us >> CLASSIC_GAIN_SHIFT;
    __u32 off_us = rtt_us > mean_us ? rtt_us - mean_us : mean_us - rtt_us;
    c->mean_us += rtt_us - mean_us;
    c->deviation_us += off_us - (c->deviation_us >> CLASSIC_GAIN_SHIFT);

    __u32 deviation_us = or_one(c->deviation_us >> CLASSIC_GAIN_SHIFT);
    __u32 depth_us = mean_us > min_rtt_us ? mean_us - min_rtt_us : 0;
    __s32 score = c->score;
    /* By half of each logarithm; a shift, as BPF has no signed division. */
    score += (lg_256(deviation_us) - lg_256(CLASSIC_DEVIATION_US)) >> 1;
    if (depth_us > CLASSIC_DEPTH_US)
        score += (lg_256(depth_us) - lg_256(CLASSIC_DEPTH_US)) >> 1;
    c->score = score < 0 ? 0 : score > SCORE_MAX ? SCORE_MAX : score;
}

/* How classic it is, 0 to 2^8. */
static __always_inline __u32 classic_share(const struct classic *c)
{
    __s32 over = c->score - SCORE_SURE;

    return over < 0 ? 0 : over > SCORE_ONE ? SCORE_ONE : (__u32)over;
}

#endif
