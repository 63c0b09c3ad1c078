/* The flows of one label among the sockets of a host: which they are, what they are called, and
 * what is said of them. Shared by all that read sockets: NETLINK_SOCK_DIAG here, ss(8) elsewhere.
 */
#ifndef CCALAB_REMOTE_TCP_FLOWS_H
#define CCALAB_REMOTE_TCP_FLOWS_H

#include "core/event_line.h"
#include "remote/tcp_reading.h"

#define TCP_LABEL_MAX 64
#define TCP_VALUES    13

struct tcp_flow {
    char src[TCP_LABEL_MAX + 16]; /* LABEL, LABEL#2, ... */
    struct tcp_reading last;
    uint64_t last_ns; /* time of that reading */
    uint64_t samples;
};

struct tcp_flows {
    const char *label;     /* borrowed */
    const char *peer;      /* address of the other end, or NULL: any; borrowed */
    uint16_t dport, sport; /* one of them is 0 */
    struct tcp_flow *flows;
    size_t n, cap;
    bool is_full; /* there were more than are followed */
    uint64_t samples;
};

/* Take what one socket said at `now_ns`, a point of any clock that does not stand still. Returns
 * its flow with values[TCP_VALUES] filled, or NULL: not one of ours, or it has carried no data yet.
 * A flow is one once it has sent 32 KiB: iperf3 opens a control connection to the same port. */
const struct tcp_flow *tcp_flows_take(struct tcp_flows *f, const struct tcp_reading *r,
                                      uint64_t now_ns, struct event_value *values);
/* Append the final result:
 * {"state":"down","samples","flows":[{"src","local","remote","cc","samples", "bytes_acked"}]}. */
void tcp_flows_result(const struct tcp_flows *f, struct buf *events);
void tcp_flows_done(struct tcp_flows *f);

#endif
