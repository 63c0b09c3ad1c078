#include "testbed/link/burst.h"

#define NS_PER_S 1000000000

void burst_start(struct burst *b, uint64_t every_ns, uint64_t now_ns)
{
    *b = (struct burst){.every_ns = every_ns, .turn_ns = now_ns};
}

/* The turns that have begun by now_ns: the last of them counts, and debts of those before. */
static void take_turns(struct burst *b, burst_work turn, uint64_t now_ns)
{
    uint64_t turns = (now_ns - b->turn_ns) / b->every_ns;

    if (turns == 0)
        return;
    b->turn_ns += turns * b->every_ns;
    b->left = b->left < 0 ? b->left + turns * turn : turn;
    b->left = b->left < turn ? b->left : turn;
}

uint64_t burst_ready_ns(struct burst *b, uint64_t rate_bps, uint64_t now_ns)
{
    burst_work turn = (burst_work)rate_bps * b->every_ns;

    take_turns(b, turn, now_ns);
    if (now_ns == b->turn_ns && (b->left > 0 || rate_bps == 0))
        return now_ns;
    uint64_t turns = b->left < 0 && rate_bps != 0 ? (uint64_t)(-b->left / turn) + 1 : 1;
    return b->turn_ns + turns * b->every_ns;
}

void burst_spend(struct burst *b, uint32_t len_bytes)
{
    b->left -= (burst_work)len_bytes * 8 * NS_PER_S;
}
