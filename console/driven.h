/* What `netllm drive` tells of the flows it decides for (docs/drive.md, "Events"): the newest of
 * each, and of all. Thread: main only. */
#ifndef CCALAB_CONSOLE_DRIVEN_H
#define CCALAB_CONSOLE_DRIVEN_H

#include "core/event.h"
#include "core/series.h"

#define DRIVEN_FLOWS_MAX 64 /* of more, those heard of last */

/* X(id, name of the value in the events). */
#define DRIVEN_FLOW_VALUES(X)                                                                      \
    X(SRTT, "srtt_us")                                                                             \
    X(MIN_RTT, "min_rtt_us")                                                                       \
    X(THROUGHPUT, "throughput_bps")                                                                \
    X(DELIVERED, "interval_delivered")                                                             \
    X(CE, "interval_ce")                                                                           \
    X(LOST, "interval_lost")                                                                       \
    X(WANTED, "wanted_pkts")                                                                       \
    X(TARGET_SCALE, "target_return_scale")                                                         \
    X(TARGET, "target_return")                                                                     \
    X(CWND, "cwnd_pkts")                                                                           \
    X(IN_FLIGHT, "in_flight_pkts")                                                                 \
    X(PACING, "pacing_rate_bps")                                                                   \
    X(IS_DRIVEN, "is_driven")                                                                      \
    X(AGE, "age_us")                                                                               \
    X(TAKEOVERS, "takeovers")
#define DRIVEN_TOTALS(X)                                                                           \
    X(DECISIONS, "decisions")                                                                      \
    X(EVENT_P50, "event_p50_us")                                                                   \
    X(EVENT_P99, "event_p99_us")                                                                   \
    X(WATCHDOG, "watchdog_share")                                                                  \
    X(REFUSED, "refused")                                                                          \
    X(CLAMPED, "clamped")

enum driven_value {
#define X(id, name) DRIVEN_##id,
    DRIVEN_FLOW_VALUES(X) DRIVEN_VALUES
#undef X
};
enum driven_total {
#define X(id, name) DRIVEN_ALL_##id,
    DRIVEN_TOTALS(X) DRIVEN_ALL_VALUES
#undef X
};

struct driven_flow {
    char src[SERIES_NAME_MAX]; /* of its samples, "drive/10.98.1.2:42236"; not escaped */
    double t;
    double value[DRIVEN_VALUES]; /* NaN: not measured */
};

struct driven {
    bool is_up;
    char job[96];
    char policy[96];     /* escaped; of a path its last part */
    double target_scale; /* NaN: it aims at no return */
    bool has_ended;      /* none of the flows is open any more */
    double total[DRIVEN_ALL_VALUES];
    struct driven_flow flow[DRIVEN_FLOWS_MAX];
    size_t len;
    unsigned updates; /* counts what was taken in */
};

/* Take in an event; false: it says nothing of driven flows. */
bool driven_event(struct driven *d, const struct event *ev);
/* Nothing is driven any more. */
void driven_down(struct driven *d);

#endif
