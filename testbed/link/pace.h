/* When the link looks at its packets: for each one at its time, or at fixed intervals.
 *
 * A sleeping process runs again some 20 us after the time it asked for (more in a virtual machine).
 * So it asks for an earlier time, by what the fastest quarter of such wake-ups has lately taken and
 * 1 % of a long sleep, and waits out the rest awake. Each wake-up costs more than a packet at a
 * gigabit has: from so many packets a millisecond on, or when asked for (--tick), it looks at fixed
 * intervals and sends all there is.
 */
#ifndef CCALAB_TESTBED_LINK_PACE_H
#define CCALAB_TESTBED_LINK_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct pace {
    uint64_t tick_ns;      /* asked for; 0: each packet at its time */
    bool is_dense;         /* packets leave so fast that each is not worth a wake-up */
    uint64_t window_ns;    /* begin of the window in which written_pkts count */
    uint64_t written_pkts; /* counted by the caller */
    uint64_t looked_ns;    /* begin of the last round */
    uint64_t early_ns;     /* time that the fastest quarter of wake-ups takes */
};

void pace_init(struct pace *p, uint64_t tick_ns);
bool pace_is_ticking(const struct pace *p);
/* When to look again, if the next thing happens at next_ns. is_idle: no packet is inside. */
uint64_t pace_wake_ns(struct pace *p, uint64_t next_ns, bool is_idle, uint64_t now_ns);
/* Until when to sleep in order to look at wake_ns. If that has passed: do not sleep. */
uint64_t pace_sleep_ns(const struct pace *p, uint64_t wake_ns, uint64_t now_ns);
/* A sleep ended this much after the time that was asked for. */
void pace_learn(struct pace *p, uint64_t late_ns);
/* Spend what a sleep has left until wake_ns. */
void pace_spin(uint64_t wake_ns);
/* A round begins. */
void pace_look(struct pace *p);

#endif
