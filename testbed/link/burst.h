/* A link that does not send all the time: once in a while it is its turn, and what its rate allows
 * for the time from turn to turn leaves at once, as with the aggregates of Wi-Fi and the subframes
 * of LTE. Turns that find nobody waiting are lost, and so is what is left of one; what a packet
 * takes too much comes off the next ones. So what passes is at most the rate,
 * and a packet. */
#ifndef CCALAB_TESTBED_LINK_BURST_H
#define CCALAB_TESTBED_LINK_BURST_H

#include <stdint.h>

__extension__ typedef __int128 burst_work; /* bits times nanoseconds a second */

struct burst {
    uint64_t every_ns; /* from turn to turn; 0: the link sends all the time */
    uint64_t turn_ns;  /* when the last one began */
    burst_work left;   /* of it; below 0: taken from the next ones */
};

void burst_start(struct burst *b, uint64_t every_ns, uint64_t now_ns);
/* The first moment from now_ns on at which a packet can leave; a rate of 0 is unlimited. now_ns
 * never falls. */
uint64_t burst_ready_ns(struct burst *b, uint64_t rate_bps, uint64_t now_ns);
/* A packet leaves at the moment given by burst_ready_ns(). */
void burst_spend(struct burst *b, uint32_t len_bytes);

#endif
