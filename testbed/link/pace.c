#include "testbed/link/pace.h"

#include "core/clock.h"

#define DENSE_PKTS_PER_MS 40
#define DENSE_TICK_NS     50000
#define DENSE_WINDOW_NS   1000000

/* Up after one wake-up in four and down after three: 1 : 3 settles at the first quartile. What
 * takes longer than the maximum is an accident, and not worth the processor's time. */
#define EARLY_UP_NS    400
#define EARLY_DOWN_NS  1200
#define EARLY_START_NS 25000
#define EARLY_MAX_NS   60000

/* Of a long sleep this share may be spent awake, so that it surely ends in time. */
#define MARGIN_SHARE  100
#define MARGIN_MAX_NS 60000

void pace_init(struct pace *p, uint64_t tick_ns)
{
    *p = (struct pace){.tick_ns = tick_ns, .early_ns = EARLY_START_NS};
}

static uint64_t tick_of(const struct pace *p)
{
    return p->is_dense && p->tick_ns < DENSE_TICK_NS ? DENSE_TICK_NS : p->tick_ns;
}

bool pace_is_ticking(const struct pace *p)
{
    return tick_of(p) != 0;
}

uint64_t pace_wake_ns(struct pace *p, uint64_t next_ns, bool is_idle, uint64_t now_ns)
{
    if (now_ns - p->window_ns >= DENSE_WINDOW_NS) {
        p->is_dense =
            p->written_pkts * DENSE_WINDOW_NS >= DENSE_PKTS_PER_MS * (now_ns - p->window_ns);
        p->written_pkts = 0;
        p->window_ns = now_ns;
    }
    return pace_is_ticking(p) && !is_idle ? p->looked_ns + tick_of(p) : next_ns;
}

uint64_t pace_sleep_ns(const struct pace *p, uint64_t wake_ns, uint64_t now_ns)
{
    uint64_t margin_ns = wake_ns > now_ns ? (wake_ns - now_ns) / MARGIN_SHARE : 0;
    uint64_t early_ns = p->early_ns + (margin_ns < MARGIN_MAX_NS ? margin_ns : MARGIN_MAX_NS);

    return pace_is_ticking(p) || wake_ns < early_ns ? wake_ns : wake_ns - early_ns;
}

void pace_learn(struct pace *p, uint64_t late_ns)
{
    if (late_ns > p->early_ns && p->early_ns < EARLY_MAX_NS) {
        p->early_ns += EARLY_UP_NS;
    } else if (late_ns < p->early_ns) {
        p->early_ns -= EARLY_DOWN_NS < p->early_ns ? EARLY_DOWN_NS : p->early_ns;
    }
}

void pace_spin(uint64_t wake_ns)
{
    uint64_t now_ns = clock_mono_ns();

    while (now_ns < wake_ns && wake_ns - now_ns <= EARLY_MAX_NS + MARGIN_MAX_NS) {
        now_ns = clock_mono_ns();
    }
}

void pace_look(struct pace *p)
{
    p->looked_ns = clock_mono_ns();
}
