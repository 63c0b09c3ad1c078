/* What ss(8) of iproute2 says of one TCP socket, for hosts where nothing of ours can run. */
#ifndef CCALAB_REMOTE_SS_PARSE_H
#define CCALAB_REMOTE_SS_PARSE_H

#include "remote/tcp_reading.h"

/* Read one socket of `ss -tin` with the header left out: state, queues, both ends, then words like
 * "cwnd:10" and "pacing_rate 12.3Mbps" (misc/ss.c of iproute2, tcp_stats_print()). With -O it is
 * one line; older versions begin a second one with a blank, to be appended here. Rates have three
 * digits where ss abbreviates them.
 *
 * ss leaves out what is zero. Of `retrans`, `lost` and `delivered_ce` that is known to be 0; the
 * others are NaN. False if this is no socket with TCP state that may have unacknowledged data. */
bool ss_parse(const char *line, size_t len, struct tcp_reading *out);

#endif
